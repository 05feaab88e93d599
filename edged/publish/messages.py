"""From a record to what goes over the wire: pure, no I/O, off the hot path.

Every message is held against its closed type before it is handed on, so nothing that its schema
forbids can leave the device.
"""

from __future__ import annotations

import msgspec

from .. import records
from ..errors import MessageRefused
from . import Context, Message, convert, wire

MAX_PAYLOAD_BYTES = 16 * 1024
ONLINE = b"online"
OFFLINE = b"offline"
_BYTES = (bytes, bytearray, memoryview)


def status(context: Context, payload: bytes) -> Message:
    """``ONLINE`` or ``OFFLINE``: retained and at QoS 1, whatever QoS the rest has."""
    return Message(f"{context.prefix}/{context.device}/status", payload, qos=1, retain=True)


def topic_of(record: records.Record, context: Context) -> str:
    """Where a record is published. Raises MessageRefused for anything that is no record."""
    root = f"{context.prefix}/{context.device}"
    match record:
        case records.Result():
            return f"{root}/{record.pipeline}/result"
        case records.ModelReport():
            return f"{root}/{record.pipeline}/model"
        case records.Health():
            return f"{root}/{record.pipeline}/health"
        case records.Info():
            return f"{root}/info"
        case records.Metrics():
            return f"{root}/metrics"
        case _:
            raise MessageRefused(f"A {type(record).__name__} was not sent: only records are.")


def is_retained(record: records.Record) -> bool:
    """Whether the broker keeps the message for those who subscribe later."""
    return isinstance(record, records.Info | records.ModelReport | records.Health)


def encode(record: records.Record, context: Context) -> Message:
    """The message of a record. Raises MessageRefused for what must not leave the device."""
    topic = topic_of(record, context)
    try:
        payload = _payload(record, context)
    except (ArithmeticError, AttributeError, TypeError, ValueError, msgspec.MsgspecError) as error:
        # A record that is not what its type says.
        raise MessageRefused(f"A message was not sent: {error}.") from error
    return Message(topic, payload, context.qos, is_retained(record))


def _payload(record: records.Record, context: Context) -> bytes:
    match record:
        case records.Result():
            return _checked(convert.result(record, context))
        case records.ModelReport():
            return _checked(convert.model(record, context))
        case records.Health():
            return _checked(convert.health(record, context))
        case records.Info():
            return _info_that_fits(record, context)
        case records.Metrics():
            return _checked(convert.metrics(record, context))


def _checked(message: wire.Closed) -> bytes:
    """The JSON of a message that keeps to its own type and to the limit of size."""
    # Bytes stay bytes here, and no type has room for them; JSON would get them as base64.
    msgspec.convert(msgspec.to_builtins(message, builtin_types=_BYTES), type(message))
    payload = msgspec.json.encode(message)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageRefused(
            f"A message of {len(payload):,} bytes was not sent: "
            f"at most {MAX_PAYLOAD_BYTES:,} bytes may leave in one."
        )
    return payload


def _info_that_fits(record: records.Info, context: Context) -> bytes:
    """``P/info`` with label names, or with their numbers where the names make it too long."""
    try:
        return _checked(convert.info(record, context, wire.MAX_LABELS_TOLD))
    except MessageRefused:
        return _checked(convert.info(record, context, most_labels=0))
