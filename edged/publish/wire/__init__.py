"""The closed types that leave the device: numbers, times and short strings, nothing else. And
those of the commands that it takes.

fields      the strings and numbers that they are made of, with their bounds; the base of all
results     by task
models      which one serves, what became of the last candidate
happenings  events and counts
health      health and metrics
info        the device and its pipelines
discovery   what Home Assistant is told
commands    what the device takes, and its answers
kinds       the list of all, and their JSON Schema

One struct a message, its fields in the order in which they are published. The JSON Schema that
users get, the check that every payload passes before it is sent, and what `edged audit` tells all
come from these. So every string has a longest length and a pattern that control characters do not
pass, every list a largest number, every number its bounds.
"""
