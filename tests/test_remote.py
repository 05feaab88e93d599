"""Commands between the publisher's thread and the main thread, whatever is in them."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.publish import Context, Received
from edged.publish.commands import MOST_PER_MINUTE, CommandRefused
from edged.publish.publisher import Publisher
from edged.publish.settings import MqttSettings
from edged.records.published import Answer
from edged.remote import MOST_WAITING, Allowance, Lines, Remote

CONTEXT = Context("edged", "pi", "c0ffee12", 1, None, "0.1.0")  # type: ignore[arg-type]
ASKED = "answers/1"


class Answers(Publisher):
    """A publisher that is never started; ``given`` are the answers that it was handed."""

    def __init__(self) -> None:
        super().__init__(MqttSettings("127.0.0.1", 1, "edged-pi"), CONTEXT)

    @property
    def given(self) -> list[Answer]:
        return list(self._answers)


class Controls:
    """Does as the daemon with one pipeline, `front`, and remembers what was commanded."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    def set_enabled(self, pipeline: str, enabled: bool) -> None:
        self._do(pipeline, ("enabled", enabled))

    def set_threshold(self, pipeline: str, threshold: float) -> None:
        self._do(pipeline, ("threshold", threshold))

    def reload(self) -> None:
        self.done.append(("reload",))

    def _do(self, pipeline: str, what: tuple[Any, ...]) -> None:
        if pipeline != "front":
            raise CommandRefused("There is no pipeline of that name.")
        self.done.append(what)


def a_command(
    payload: object,
    topic: str = "edged/pi/front/set",
    response_topic: str | None = ASKED,
    correlation: bytes | None = b"42",
) -> Received:
    return Received(topic, json.dumps(payload).encode(), False, response_topic, correlation)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def remote(answers: Answers) -> Remote:
    return Remote(CONTEXT, answers, lambda: None)


def carried_out(remote: Remote, *messages: Received) -> Controls:
    controls = Controls()
    for message in messages:
        remote.heard(message)
        remote.work(controls)
    return controls


def test_a_command_is_carried_out_on_the_thread_that_works_and_answered(answers: Answers) -> None:
    woken = threading.Event()
    remote = Remote(CONTEXT, answers, woken.set)
    controls = Controls()
    publishers = threading.Thread(
        target=remote.heard, args=[a_command({"enabled": False, "threshold": 0.5})]
    )
    publishers.start()
    publishers.join()

    assert woken.is_set()
    assert controls.done == []
    remote.work(controls)

    assert controls.done == [("threshold", 0.5), ("enabled", False)]
    assert answers.given == [Answer(ASKED, b"42", True, None)]


def test_a_command_without_a_response_topic_is_carried_out_without_an_answer(
    remote: Remote, answers: Answers
) -> None:
    controls = carried_out(remote, a_command({"reload": True}, "edged/pi/set", None))

    assert controls.done == [("reload",)]
    assert answers.given == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (a_command({"enabled": 1}), "It must be {"),
        (a_command({"enabled": True}, "edged/pi/back/set"), "There is no pipeline of that name"),
        (a_command("x" * 2000), "It is over 1,024 bytes"),
    ],
)
def test_a_refusal_is_answered_with_its_reason(
    message: Received, reason: str, remote: Remote, answers: Answers
) -> None:
    controls = carried_out(remote, message)

    assert controls.done == []
    (answer,) = answers.given
    assert (answer.topic, answer.correlation, answer.ok) == (ASKED, b"42", False)
    assert answer.reason is not None
    assert answer.reason.startswith(reason)


@pytest.mark.parametrize("topic", ["edged/pi/front/set", "edged/pi/status", "a/#", "$SYS/x", ""])
def test_a_command_that_wants_its_answer_where_none_may_go_is_not_carried_out(
    topic: str, remote: Remote, answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "edged.commands"):
        controls = carried_out(remote, a_command({"enabled": False}, response_topic=topic))

    assert controls.done == []
    assert answers.given == []
    assert "response topic" in caplog.text


def test_more_commands_than_can_wait_are_refused_and_answered(
    remote: Remote, answers: Answers
) -> None:
    for number in range(MOST_WAITING + 3):
        remote.heard(a_command({"threshold": number / 100}))
    controls = Controls()
    for _ in range(MOST_WAITING + 3):
        remote.work(controls)

    assert controls.done == [("threshold", number / 100) for number in range(MOST_WAITING)]
    assert [answer.ok for answer in answers.given] == [False] * 3 + [True] * MOST_WAITING


def test_of_more_commands_than_a_minute_allows_the_rest_is_not_even_answered(
    answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = [0.0]
    remote = Remote(CONTEXT, answers, lambda: None, lambda: now_s[0])
    flood = [a_command({"threshold": 0.5}) for _ in range(MOST_PER_MINUTE + 5)]

    with caplog.at_level(logging.INFO, "edged.commands"):
        assert len(carried_out(remote, *flood).done) == MOST_PER_MINUTE
        now_s[0] = 60
        assert carried_out(remote, a_command({"enabled": True})).done == [("enabled", True)]

    assert "lines on commands were left out" in caplog.text


def test_what_a_control_raises_is_refused_and_the_words_stay_in_the_log(
    remote: Remote, answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Controls):
        def reload(self) -> None:
            raise OSError("/etc/edged/edged.toml is broken")

    remote.heard(a_command({"reload": True}, "edged/pi/set"))
    with caplog.at_level(logging.ERROR, "edged.commands"):
        remote.work(Broken())

    assert "/etc/edged/edged.toml" in caplog.text
    assert answers.given[0].reason == "It failed; the log says why."


def test_a_flood_of_refusals_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    now_s = [0.0]
    lines = Lines(Allowance(3, per_s=60, now_s=lambda: now_s[0]))

    with caplog.at_level(logging.INFO, "edged.commands"):
        for _ in range(100):
            lines.log(logging.WARNING, "refused")
        now_s[0] = 61
        lines.log(logging.WARNING, "refused")

    assert [record.getMessage() for record in caplog.records] == [
        *["refused"] * 3,
        "97 more lines on commands were left out",
        "refused",
    ]


PAYLOADS = st.one_of(
    st.binary(max_size=1200),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["enabled", "threshold", "reload", "model"]) | st.text(), inner
            )
        ),
        max_leaves=8,
    ).map(lambda tree: json.dumps(tree).encode()),
)
TOPICS = st.sampled_from(["edged/pi/set", "edged/pi/front/set", "edged/pi/back/set"]) | st.text(
    max_size=30
).map(lambda name: f"edged/pi/{name}/set")


@settings(deadline=None, max_examples=400)
@given(
    message=st.builds(
        Received,
        TOPICS,
        PAYLOADS,
        st.booleans(),
        st.none() | st.text(max_size=300) | st.sampled_from([ASKED, "edged/pi/front/set", "a/#"]),
        st.none() | st.binary(max_size=400),
    )
)
def test_no_message_makes_it_raise_or_do_anything_but_what_can_be_commanded(
    message: Received,
) -> None:
    answers = Answers()
    remote = Remote(CONTEXT, answers, lambda: None)

    controls = carried_out(remote, message)

    for done in controls.done:
        assert done in (("reload",), ("enabled", True), ("enabled", False)) or (
            done[0] == "threshold" and 0 <= done[1] <= 1
        )
    assert not (message.retained and controls.done)
    for answer in answers.given:
        assert answer.topic == message.response_topic
        assert answer.correlation == message.correlation
        assert answer.ok == bool(controls.done)
        assert not answer.topic.startswith(("edged/", "homeassistant/", "$"))
