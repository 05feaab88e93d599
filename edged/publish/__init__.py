"""The only way out of the device.

topics      the one list of all that is published and subscribed to
wire        the closed types that are published, and their JSON Schema
bounds      what such a type can hold at most, for `edged audit`
convert     from the records to those types: times converted, numbers rounded
messages    from a record to a Message, checked against its type and the limit of size
steady      state that changes too fast, held back
outbox      what waits for the broker, and what it has not acknowledged
publisher   the thread that carries records from the outbox to the broker
attempts    when to try again, and in which version of MQTT
settings    which brokers, and as whom
mqtt        one connection to the broker; properties of its packets; tls, trust and certificate
listeners   who hears what others publish
losses      why there is no connection, in words
wake        waking the publisher's thread
"""

from __future__ import annotations

from dataclasses import dataclass

from ..clock import Clock


@dataclass(frozen=True, slots=True)
class Context:
    """What every message of this device and run shares. ``version`` is edged's own.

    ``message_expiry_s``: how long after its capture a result is still delivered; None: for ever.
    """

    prefix: str
    device: str
    run: str
    qos: int
    clock: Clock
    version: str
    message_expiry_s: float | None = None


@dataclass(frozen=True, slots=True)
class Message:
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


@dataclass(frozen=True, slots=True)
class Received:
    """What somebody else has published. ``retained``: published to be kept by the broker; with
    MQTT 3.1.1, sent because the broker has kept it. The last two are MQTT 5's, None without them.
    """

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None
    correlation: bytes | None
