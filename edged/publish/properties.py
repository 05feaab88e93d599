"""The properties of MQTT 5's packets, as paho-mqtt wants them. MQTT 3.1.1 has none."""

from __future__ import annotations

from functools import lru_cache

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from . import Message
from .listeners import MAX_HEARD_BYTES

# What the broker may send: what is more it keeps to itself.
_MAX_PACKET_BYTES = MAX_HEARD_BYTES + 4096
_RECEIVE_MAXIMUM = 20
_UTF_8_TEXT = 1


def of_connect(session_expiry_s: int) -> Properties:
    properties = _properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = session_expiry_s
    properties.MaximumPacketSize = _MAX_PACKET_BYTES
    properties.ReceiveMaximum = _RECEIVE_MAXIMUM
    return properties


def of_farewell() -> Properties:
    """The session ends with this DISCONNECT, and nothing more is kept for us."""
    properties = _properties(PacketTypes.DISCONNECT)
    properties.SessionExpiryInterval = 0
    return properties


def of_will(message: Message) -> Properties:
    properties = _properties(PacketTypes.WILLMESSAGE)
    properties.PayloadFormatIndicator = _UTF_8_TEXT
    properties.ContentType = message.content_type
    return properties


def of_message(message: Message) -> Properties:
    return _of_publish(message.content_type, message.expiry_s, message.correlation)


@lru_cache(maxsize=64)
def _of_publish(content_type: str, expiry_s: int | None, correlation: bytes | None) -> Properties:
    properties = _properties(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = _UTF_8_TEXT
    properties.ContentType = content_type
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    if correlation is not None:
        properties.CorrelationData = correlation
    return properties


def of_subscription(qos: int) -> SubscribeOptions:
    """``retainAsPublished``: a message that is published to be kept is known as such at once."""
    return SubscribeOptions(qos, noLocal=True, retainAsPublished=True)


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]
