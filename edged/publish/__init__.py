"""The only way out of the device.

topics      the one list of all that is published and subscribed to
wire        the closed types that are published, and their JSON Schema
bounds      what such a type can hold at most, for `edged audit`
convert     from the records to those types: times converted, numbers rounded
home_assistant  what Home Assistant is told of the device, and how its entities read edged's topics
messages    from a record to a Message, checked against its type and the limit of size
steady      state that changes too fast, held back
outbox      what waits for the broker, and what it has not acknowledged: waiting, piece by piece;
            backlog, the part on the disk
spool       the file in which results outlast an outage; spooling, the thread that keeps it
publisher   the thread that carries records from the outbox to the broker
attempts    when to try again, and in which version of MQTT
settings    which brokers, and as whom
mqtt        one connection to the broker; properties of its packets; tls, trust and certificate
listeners   who hears what others publish
losses      why there is no connection, in words; spool_faults, what is wrong with the spool's file
refusals    telling once of what must not leave, or what the broker does not take
wake        waking the publisher's thread
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..clock import Clock


class Context(msgspec.Struct, frozen=True):
    """What every message of this device and run shares. ``version`` is edged's own.

    ``message_expiry_s``: how long after its capture a result is still delivered; None: for ever.
    ``home_assistant``: the prefix that Home Assistant listens to, empty where it is off.
    """

    prefix: str
    device: str
    run: str
    qos: int
    clock: Clock
    version: str
    message_expiry_s: float | None = None
    home_assistant: str = ""


class Message(msgspec.Struct, frozen=True):
    """What is handed to the broker. The rest is MQTT 5's, and left out in 3.1.1.

    ``expiry_s``: the broker delivers it for no longer; None: for ever. ``correlation`` goes back
    with an answer as it came.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    content_type: str = "application/json"
    expiry_s: int | None = None
    correlation: bytes | None = None


class Received(msgspec.Struct, frozen=True):
    """What somebody else has published. ``retained``: published to be kept by the broker; with
    MQTT 3.1.1, sent because the broker has kept it. The last two are MQTT 5's, None without them.
    """

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None
    correlation: bytes | None


class Stored(msgspec.Struct, frozen=True):
    """A result as the spool keeps it: what would be published, and what its time is known by.

    ``captured_ns`` is of the monotonic clock of the machine's ``boot``; ``captured_at_s`` (POSIX)
    is what the wall clock made of it then, and ``clock_synced`` whether that was known to be right.
    """

    pipeline: str
    payload: bytes
    boot: str
    captured_ns: int
    captured_at_s: int
    clock_synced: bool


class SpoolSettings(msgspec.Struct, frozen=True):
    """Where results are kept while the broker is away, and how much of them for how long.

    ``boot`` is this boot's id: what was spooled in it can have its time put right.
    """

    path: Path
    boot: str
    max_bytes: int
    max_age_s: float
