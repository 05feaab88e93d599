"""From a record to what goes over the wire: pure, no I/O, off the hot path.

Every message is held against its closed type before it is handed on, so nothing that its schema
forbids can leave the device.
"""

from __future__ import annotations

import math
from datetime import datetime

import msgspec
from msgspec.structs import replace

from ..clock import iso_8601
from ..errors import EdgedError, MessageExpired, MessageRefused
from ..plain_text import plain
from ..records.home_assistant import Announcement
from ..records.published import Answer, Queued, Record
from ..records.results import Result
from . import Context, Message, Stored
from .topics import (
    EVENT,
    OFFLINE,
    ONLINE,
    RESULT,
    STATUS,
    Publication,
    announced_on,
    answered_on,
    publication_of,
    topic_for,
)
from .wire.fields import Closed
from .wire.happenings import Event
from .wire.results import RESULTS

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "OFFLINE",
    "ONLINE",
    "encode",
    "encode_stored",
    "in_this_run",
    "is_retained",
    "status",
    "store",
    "topic_of",
]

MAX_PAYLOAD_BYTES = 16 * 1024
_ANSWER_EXPIRY_S = 60  # whoever has asked does not wait for longer
_LONGEST_EXPIRY_S = 2**32 - 1  # MQTT 5 counts in 32 bits
_BYTES = (bytes, bytearray, memoryview)


def status(context: Context, payload: bytes) -> Message:
    """``ONLINE`` or ``OFFLINE``: retained and at QoS 1, whatever QoS the rest has.

    Raises MessageRefused for any other word.
    """
    if payload not in STATUS.words:
        raise MessageRefused("A status was not sent: it is no word that a status may be.")
    return _message(STATUS, topic_for(STATUS, context), payload, context)


def topic_of(record: Record, context: Context) -> str:
    """Where a record is published. Raises MessageRefused for anything that is no record."""
    if isinstance(record, Announcement):
        return announced_on(record)
    if isinstance(record, Answer):
        return answered_on(record, context)
    return topic_for(publication_of(record), context, getattr(record, "pipeline", None))


def is_retained(record: Record) -> bool:
    """Whether the broker keeps the message for those who subscribe later."""
    return publication_of(record).retained


def encode(record: Record, context: Context) -> Message:
    """The message of a record. Raises MessageRefused for what must not leave the device, and
    MessageExpired.
    """
    entry = publication_of(record)
    topic = topic_of(record, context)
    expiry_s, correlation = None, None
    try:
        match record:
            case Result():
                expiry_s = _expiry_s(_age_s(record.captured_ns, context), context)
            case Answer():
                expiry_s, correlation = _ANSWER_EXPIRY_S, record.correlation
        payload = _payload(record, entry, context)
    except EdgedError:
        raise
    except Exception as error:
        # A record that is not what its type says.
        raise MessageRefused(f"A message was not sent: {_shortened(error)}.") from error
    message = _message(entry, topic, payload, context)
    return replace(message, expiry_s=expiry_s, correlation=correlation)


def _age_s(captured_ns: int, context: Context) -> float:
    return (context.clock.monotonic_ns() - captured_ns) / 1e9


def _expiry_s(age_s: float, context: Context) -> int | None:
    """For how many seconds from now a result is to be delivered. Raises MessageExpired."""
    allowed_s = context.message_expiry_s
    if allowed_s is None:
        return None
    left_s = allowed_s - age_s
    if left_s <= 0:
        raise MessageExpired(f"A result was older than {allowed_s:g} s and was not sent.")
    return min(math.ceil(left_s), _LONGEST_EXPIRY_S)


def _message(entry: Publication, topic: str, payload: bytes, context: Context) -> Message:
    qos = context.qos if entry.qos is None else entry.qos
    return Message(topic, payload, qos, entry.retained, entry.content_type)


def store(record: Queued, context: Context, boot: str) -> Stored:
    """What is kept of a result or an event. Raises MessageRefused for what must not leave."""
    captured_ns = record.captured_ns if isinstance(record, Result) else record.seen_ns
    return Stored(
        record.pipeline,
        encode(record, context).payload,
        boot,
        captured_ns,
        int(context.clock.utc_of(captured_ns).timestamp()),
        context.clock.synced(),
    )


def encode_stored(stored: Stored, context: Context, boot: str) -> Message:
    """The message of what was spooled, checked like any other: a file can be written by others.

    Its time is put right by what the wall clock says now, where it is of this ``boot``. Raises
    MessageRefused.
    """
    try:
        kind = msgspec.json.decode(stored.payload, type=_Kind)
        if kind.schema == "edged.event/1":
            return _stored_event(stored, context, boot)
        shape = RESULTS[kind.task]
        result = msgspec.json.decode(stored.payload, type=shape)
        result = msgspec.structs.replace(result, device=context.device)
        clock, age_s = context.clock, 0.0
        if stored.boot == boot:
            age_s = _age_s(stored.captured_ns, context)
            result = msgspec.structs.replace(
                result,
                captured_at=iso_8601(clock.utc_of(stored.captured_ns)),
                clock_synced=clock.synced(),
            )
        elif stored.clock_synced and clock.synced():
            age_s = clock.utc_of(clock.monotonic_ns()).timestamp() - stored.captured_at_s
        message = _message(
            RESULT, topic_for(RESULT, context, result.pipeline), _checked(result, RESULT), context
        )
        return replace(message, expiry_s=_expiry_s(age_s, context))
    except EdgedError:
        raise
    except Exception as error:
        raise MessageRefused(f"A result in the spool was not sent: {_shortened(error)}.") from error


def _stored_event(stored: Stored, context: Context, boot: str) -> Message:
    """Its times are moved as far as what the clock says of the last of them. It never expires: who
    has heard of a beginning is to hear of the end.
    """
    event = msgspec.json.decode(stored.payload, type=Event)
    event = msgspec.structs.replace(event, device=context.device)
    if stored.boot == boot:
        seen = context.clock.utc_of(stored.captured_ns)
        started = datetime.fromtimestamp(seen.timestamp() - event.duration_s, seen.tzinfo)
        event = msgspec.structs.replace(
            event,
            started_at=iso_8601(started),
            ended_at=None if event.ended_at is None else iso_8601(seen),
            clock_synced=context.clock.synced(),
        )
    return _message(
        EVENT, topic_for(EVENT, context, event.pipeline), _checked(event, EVENT), context
    )


def in_this_run(stored: Stored, sequence: int, context: Context) -> Stored:
    """An event of a run before as one of this. Raises MessageRefused where it is none."""
    try:
        event = msgspec.json.decode(stored.payload, type=Event)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MessageRefused(f"An event that was kept is none: {_shortened(error)}.") from error
    event = msgspec.structs.replace(event, run=context.run, sequence=sequence)
    return replace(stored, payload=msgspec.json.encode(event))


class _Kind(msgspec.Struct):
    """What tells the type of a message that was kept."""

    schema: str
    task: str = ""


def _payload(record: Record, entry: Publication, context: Context) -> bytes:
    """By the first way of telling it that is short enough."""
    for convert in entry.converts[:-1]:
        try:
            return _checked(convert(record, context), entry)
        except _TooLong:
            continue
    return _checked(entry.converts[-1](record, context), entry)


class _TooLong(MessageRefused):
    """Over the limit of size."""


def _checked(message: Closed | None, entry: Publication) -> bytes:
    """The JSON of a message that keeps to its own type and to the limit of size."""
    if message is None:
        return b""
    if type(message) not in entry.types:
        raise MessageRefused(f"A {type(message).__name__} was not sent: it is no {entry.kind}.")
    # Bytes stay bytes here, and no type has room for them; JSON would get them as base64.
    msgspec.convert(msgspec.to_builtins(message, builtin_types=_BYTES), type(message))
    payload = msgspec.json.encode(message)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise _TooLong(
            f"A message of {len(payload):,} bytes was not sent: "
            f"at most {MAX_PAYLOAD_BYTES:,} bytes may leave in one."
        )
    return payload


def _shortened(error: Exception) -> str:
    """It is logged: what was refused must not get out that way. Its end says where it was."""
    text = " ".join(plain(str(error)[:2000]).split())
    return text if len(text) <= 200 else f"{text[:60]}…{text[-139:]}"
