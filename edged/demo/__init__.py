"""``edged demo``: the whole thing on one machine, with nothing to set up.

A source whose truth is known, a bundled model, the real daemon and a real MQTT broker (amqtt, in
this process, on a free loopback port). What is shown and measured came back over MQTT, as any
subscriber would get it.
"""
