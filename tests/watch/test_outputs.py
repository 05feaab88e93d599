"""Lines for people and for scripts."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from watching import Feeder, a_result

from edged.watch.outputs import JsonLines, Lines, json_line
from edged.watch.payloads import Arrival

WALL = datetime(2026, 11, 22, 6, 24, 0, 123_999, tzinfo=UTC)


def arrival(payload: bytes, topic: str = "edged/pi/front/result") -> Arrival:
    return Arrival(topic, payload, True, 1.0, WALL)


def test_a_line_of_json_holds_topic_time_and_payload() -> None:
    payload = json.dumps(a_result(7)).encode()
    assert json.loads(json_line(arrival(payload))) == {
        "topic": "edged/pi/front/result",
        "received_at": "2026-11-22T06:24:00.123Z",
        "retained": True,
        "payload": a_result(7),
    }


@pytest.mark.parametrize(
    ("payload", "decoded"),
    [
        (b"online", "online"),
        (b"", ""),
        (b"{", "{"),
        (b"NaN", "NaN"),
        (b'{\n  "a": 1\n}\n', {"a": 1}),
        (b"\xff\xd8jpeg", "\\xff\\xd8jpeg"),
        ("é".encode(), "é"),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
def test_a_payload_that_is_not_json_is_text(payload: bytes, decoded: object) -> None:
    assert json.loads(json_line(arrival(payload)))["payload"] == decoded


def test_a_line_of_json_is_one_line_of_plain_ascii() -> None:
    line = json_line(
        arrival('{"label": "\\u001b[31m\\n\u009b2J\u2028"}'.encode(), "edged/\x1b/\x9b")
    )
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["payload"] == {"label": "\x1b[31m\n\x9b2J\u2028"}


def test_json_lines_carry_every_message_and_standard_error_the_rest(feeder: Feeder) -> None:
    out, errors = io.StringIO(), io.StringIO()
    output = JsonLines(out, errors)
    output.tell("the connection was refused; trying again")
    output.tell("the connection was refused; trying again")
    output.tell(None)
    came = arrival(b'"\x1b"')
    output.show(came, feeder.board.take(came))
    assert [json.loads(line)["topic"] for line in out.getvalue().splitlines()] == [came.topic]
    assert errors.getvalue().splitlines() == [
        "edged: no connection: the connection was refused; trying again",
        "edged: connected again",
    ]


def test_plain_lines_tell_every_event_with_its_local_time(feeder: Feeder) -> None:
    out = io.StringIO()
    output = Lines(out, io.StringIO())
    local = WALL.astimezone()
    for came in (
        arrival(json.dumps(a_result(0)).encode()),
        arrival(json.dumps(a_result(2)).encode()),
    ):
        output.show(came, feeder.board.take(came))
    assert out.getvalue().splitlines() == [
        f"{local:%H:%M:%S}.123 pi/front #0 13.5 ms  cat 0.73",
        f"{local:%H:%M:%S}.123 pi/front 1 missing in the sequence: #1",
        f"{local:%H:%M:%S}.123 pi/front #2 13.5 ms  cat 0.73",
    ]


def test_a_note_cannot_do_anything_to_a_terminal() -> None:
    errors = io.StringIO()
    Lines(io.StringIO(), errors).note("subscription edged/\x1b[2J: refused")
    assert errors.getvalue() == "edged: subscription edged/\\x1b[2J: refused\n"


def test_a_line_of_a_crop_tells_what_was_looked_at(feeder: Feeder) -> None:
    crop = {"pipeline": "front", "label": "bird", "score": 0.8, "box": [0, 0, 1, 1]}
    kite = {"detections": (), "classes": [{"label": "kite", "score": 0.66}]}
    (text,) = [each.text for each in feeder.result(0, "pi/species", **kite, crop=crop)]
    assert text.endswith("kite 0.66  in bird of front")
    tracked = crop | {"track": 7, "label": "\x1b[2J"}
    (text,) = [each.text for each in feeder.result(1, "pi/species", **kite, crop=tracked)]
    assert text.isprintable()
    assert text.endswith(" #7 of front")
