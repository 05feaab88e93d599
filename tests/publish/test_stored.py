"""From a result to what the spool keeps of it, and from there to a message."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs
from msgspec.structs import replace

from edged.errors import MessageExpired, MessageRefused
from edged.publish import Context, Stored
from edged.publish.messages import encode, encode_stored, store
from edged.records.results import ClassScore, Result

BOOT = "this boot"
DAY_NS = 24 * 3600 * 10**9
Make = Callable[..., Result]


@pytest.fixture
def stored(context: Context, a_result: Make) -> Stored:
    return store(a_result(7), context, BOOT)


@pytest.mark.parametrize("boot", [BOOT, "the next"])
def test_the_message_is_the_one_that_would_have_been_sent(
    boot: str, context: Context, a_result: Make
) -> None:
    detection = a_result(7)
    classes = (ClassScore("cat", 0.53), ClassScore("dog", 0.1))
    classification = structs.replace(detection, task="classification", findings=classes)
    for result in (detection, classification):
        stored = store(result, context, BOOT)

        assert encode_stored(stored, context, boot) == encode(result, context)


def test_it_keeps_its_run_and_goes_to_where_the_configuration_of_now_says(
    context: Context, stored: Stored
) -> None:
    now = replace(context, run="later", prefix="home", device="attic", qos=2)

    message = encode_stored(stored, now, BOOT)

    assert (message.topic, message.qos) == ("home/attic/front/result", 2)
    payload = json.loads(message.payload)
    assert (payload["device"], payload["run"], payload["sequence"]) == ("attic", "c0ffee12", 7)


def test_within_a_boot_its_time_is_by_what_the_clock_says_now(
    context: Context, stored: Stored
) -> None:
    clock: Any = context.clock
    clock.zero += timedelta(days=2)
    clock.is_synced = False

    for boot, day, synced in ((BOOT, "24", False), ("the next", "22", True)):
        payload = json.loads(encode_stored(stored, context, boot).payload)

        assert payload["captured_at"] == f"2026-11-{day}T06:24:00.123Z"
        assert payload["clock_synced"] is synced


def test_it_expires_by_its_age_as_far_as_that_is_known(context: Context, stored: Stored) -> None:
    limited = replace(context, message_expiry_s=3600)
    clock: Any = context.clock
    clock.now_ns = stored.captured_ns
    assert encode_stored(stored, limited, BOOT).expiry_s == 3600
    clock.now_ns = DAY_NS

    for boot in (BOOT, "the next"):
        with pytest.raises(MessageExpired):
            encode_stored(stored, limited, boot)
    unknown = replace(stored, clock_synced=False)
    assert encode_stored(unknown, limited, "the next").expiry_s == 3600


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"task": "pose"}',
        b'{"task": "detection", "pixels": "aGVsbG8="}',
        b'{"task": ["detection"]}',
    ],
)
def test_what_is_no_result_is_refused(payload: bytes, context: Context, stored: Stored) -> None:
    with pytest.raises(MessageRefused, match="A result in the spool was not sent"):
        encode_stored(replace(stored, payload=payload), context, BOOT)


def test_a_result_with_something_more_in_it_is_refused(context: Context, stored: Stored) -> None:
    payload = json.loads(stored.payload)
    for more in ({"pixels": "x"}, {"pipeline": "../x/#"}, {"sequence": -1}, {"detections": [1]}):
        bad = replace(stored, payload=json.dumps(payload | more).encode())

        with pytest.raises(MessageRefused):
            encode_stored(bad, context, BOOT)
