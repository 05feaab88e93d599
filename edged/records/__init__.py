"""The types that flow from a source to the publisher.

arrays      the types of arrays
frames      pictures, and boxes in them
models      what model files say, which one serves, what became of candidates
poses       the keypoints of people
decoded     what decoders give, by task
results     what a frame came to, by task
happenings  events and counts
health      health and metrics
info        what the device and its pipelines are
home_assistant  what Home Assistant is told
published   all that is handed to the publisher

Frozen and slotted; NumPy arrays until the last moment, objects after. What is made of a frame after
its inference is a ``msgspec.Struct``, which is made in C. Times (``_ns``) are of the monotonic
clock; the publisher makes wall-clock time of them when it sends.
"""
