from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from edged.errors import MessageRefused
from edged.publish import Context, Received
from edged.publish.commands import (
    MAX_COMMAND_BYTES,
    Change,
    CommandRefused,
    Reload,
    command_in,
    filters,
)
from edged.publish.topics import MAX_CORRELATION_BYTES, answered_on
from edged.publish.wire.kinds import schema
from edged.records.published import Answer

CONTEXT = Context("edged", "pi", "c0ffee12", 1, None, "0.1.0")  # type: ignore[arg-type]
DEVICE, PIPELINE = "edged/pi/set", "edged/pi/front/set"


def received(topic: str, payload: bytes, retained: bool = False) -> Received:
    return Received(topic, payload, retained, None, None)


def reason(topic: str, payload: bytes, retained: bool = False) -> str:
    with pytest.raises(CommandRefused) as refused:
        command_in(received(topic, payload, retained), CONTEXT)
    return str(refused.value)


@pytest.mark.parametrize(
    ("topic", "payload", "command"),
    [
        (DEVICE, b'{"reload": true}', Reload()),
        (PIPELINE, b'{"enabled": false}', Change("front", False, None)),
        (PIPELINE, b'{"enabled": true}', Change("front", True, None)),
        (PIPELINE, b'{"threshold": 0.25}', Change("front", None, 0.25)),
        (PIPELINE, b'{"threshold": 0}', Change("front", None, 0.0)),
        (PIPELINE, b' {"threshold": 1,\n"enabled": true} ', Change("front", True, 1.0)),
        ("edged/pi/Tür 1/set", b'{"enabled": true}', Change("Tür 1", True, None)),
    ],
)
def test_a_command_is_read(topic: str, payload: bytes, command: Reload | Change) -> None:
    assert command_in(received(topic, payload), CONTEXT) == command
    Draft202012Validator(schema("command")).validate(json.loads(payload))


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (DEVICE, b'{"reload": false}'),
        (DEVICE, b'{"reload": 1}'),
        (DEVICE, b'{"reload": true, "config": "/etc/shadow"}'),
        (DEVICE, b'{"enabled": false}'),
        (DEVICE, b"reload"),
        (DEVICE, b""),
        (PIPELINE, b"{}"),
        (PIPELINE, b"null"),
        (PIPELINE, b"true"),
        (PIPELINE, b'[{"enabled": true}]'),
        (PIPELINE, b'{"enabled": "true"}'),
        (PIPELINE, b'{"enabled": 1}'),
        (PIPELINE, b'{"enabled": null}'),
        (PIPELINE, b'{"threshold": 1.01}'),
        (PIPELINE, b'{"threshold": -0.01}'),
        (PIPELINE, b'{"threshold": NaN}'),
        (PIPELINE, b'{"threshold": 1e999}'),
        (PIPELINE, b'{"threshold": "0.5"}'),
        (PIPELINE, b'{"threshold": true}'),
        (PIPELINE, b'{"reload": true}'),
        (PIPELINE, b'{"model": "other"}'),
        (PIPELINE, b'{"enabled": true, "path": "/"}'),
        (PIPELINE, b'{"enabled": true} {"enabled": false}'),
        (PIPELINE, b'\xff{"enabled": true}'),
        (PIPELINE, b"[" * 1000),
        (PIPELINE, b'{"enabled":' * 90),
    ],
)
def test_anything_else_is_refused_and_told_what_would_not_be(topic: str, payload: bytes) -> None:
    assert reason(topic, payload).startswith("It must be {")


def test_a_retained_command_is_refused() -> None:
    assert "retained" in reason(PIPELINE, b'{"enabled": false}', retained=True)


def test_one_that_is_too_long_is_refused_before_it_is_read() -> None:
    fits = b'{"enabled": false}'.ljust(MAX_COMMAND_BYTES)

    assert command_in(received(PIPELINE, fits), CONTEXT) == Change("front", False, None)
    assert "1,024 bytes" in reason(PIPELINE, fits + b" ")


@settings(deadline=None, max_examples=500)
@given(
    st.one_of(
        st.binary(max_size=2000),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["enabled", "threshold", "reload"]) | st.text(), inner
                )
            ),
        ).map(lambda tree: json.dumps(tree).encode()),
    ),
    st.sampled_from([DEVICE, PIPELINE]),
    st.booleans(),
)
def test_no_payload_is_more_than_a_command_or_a_refusal(
    payload: bytes, topic: str, retained: bool
) -> None:
    try:
        command = command_in(received(topic, payload, retained), CONTEXT)
    except CommandRefused as refused:
        reason = str(refused)
    else:
        reason = None
    if reason is not None:
        assert len(reason) < 100  # fixed words: nothing of the message comes back
        return
    assert not retained
    assert len(payload) <= MAX_COMMAND_BYTES
    if isinstance(command, Reload):
        assert json.loads(payload) == {"reload": True}
    else:
        assert command.pipeline == "front"
        assert command.enabled in (None, True, False)
        assert command.threshold is None or 0 <= command.threshold <= 1
        assert command.enabled is not None or command.threshold is not None


@pytest.mark.parametrize(
    "value",
    [
        {"reload": True},
        {"enabled": True},
        {"threshold": 0.5},
        {"enabled": False, "threshold": 0.5},
        {},
        {"reload": False},
        {"threshold": 2},
        {"enabled": 1},
        {"enabled": True, "more": 1},
        {"reload": True, "enabled": True},
    ],
)
def test_the_schema_allows_what_is_taken(value: Any) -> None:
    taken = False
    for topic in (DEVICE, PIPELINE):
        try:
            command_in(received(topic, json.dumps(value).encode()), CONTEXT)
            taken = True
        except CommandRefused:
            pass

    assert Draft202012Validator(schema("command")).is_valid(value) == taken


def test_it_listens_to_the_devices_own_topics_only() -> None:
    assert filters(CONTEXT) == ("edged/pi/set", "edged/pi/+/set")


# ---- where an answer may go --------------------------------------------------------------------


@pytest.mark.parametrize("topic", ["answers/1", "edged-answers", "my/edged/pi/x", "a", "Ä/ü"])
def test_an_answer_goes_where_it_was_asked_for(topic: str) -> None:
    assert answered_on(Answer(topic, b"x", True, None), CONTEXT) == topic


@pytest.mark.parametrize(
    "topic",
    [
        "edged/pi/set",
        "edged/pi/front/result",
        "edged/pi/status",
        "edged/pi",
        "edged/other/front/set",
        "edged",
        "edged/",
        "homeassistant/device/pi/config",
        "homeassistant/status",
        "$SYS/broker",
        "$share/x/y",
        "a/+/b",
        "a/#",
        "",
        "a\x00b",
        "a\nb",
        "a\u202eb",
        "x" * 201,
    ],
)
def test_it_goes_nowhere_where_it_could_be_taken_for_something_else(topic: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        answered_on(Answer(topic, None, True, None), CONTEXT)
    assert len(topic) < 6 or topic not in str(refused.value)


def test_no_more_correlation_data_goes_back_than_is_needed_to_tell_answers_apart() -> None:
    answer = Answer("answers/1", bytes(MAX_CORRELATION_BYTES), True, None)
    answered_on(answer, CONTEXT)

    with pytest.raises(MessageRefused, match="256 bytes"):
        answered_on(replace(answer, correlation=bytes(257)), CONTEXT)
