from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from edged.announcer import FILE_NAME, Announcer, Memory
from edged.clock import SystemClock
from edged.publish import Context, Received
from edged.records.home_assistant import Announcement
from edged.records.info import Info, PipelineInfo
from edged.records.published import Record
from edged.store.atomic import Disk

STATUS = "homeassistant/status"


def context(prefix: str) -> Context:
    return Context(
        "edged", "garden-pi", "c0ffee12", 1, SystemClock(), "0.1.0", home_assistant=prefix
    )


class Outlet:
    """A publisher whose broker acknowledges when the test says so."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.acknowledges = True

    def publish(self, record: Record) -> None:
        self.records.append(record)

    def wait_delivered(self, timeout_s: float) -> bool:
        assert timeout_s == 0
        return self.acknowledges


class Run:
    """One run of the daemon, as far as announcing goes."""

    def __init__(self, directory: Path, prefix: str = "homeassistant", disk: Disk | None = None):
        self.now_s = 100.0
        self.outlet = Outlet()
        memory = Memory(directory / FILE_NAME, disk or Disk())
        self.announcer = Announcer(
            context(prefix), memory, self.outlet, now_s=lambda: self.now_s, spread_s=lambda: 2.0
        )
        self.announcer.open()

    def tell(self, *pipelines: PipelineInfo) -> Announcement:
        """What comes of it at the next look."""
        self.announcer.announce(Info("litert", "2", "pi", "Debian", pipelines))
        self.announcer.check()
        return self.last

    @property
    def last(self) -> Announcement:
        record = self.outlet.records[-1]
        assert isinstance(record, Announcement)
        return record

    @property
    def withdrawn(self) -> list[str]:
        return [
            f"{record.place.prefix}/{record.place.device}"
            for record in self.outlet.records
            if isinstance(record, Announcement) and not record.entities
        ]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Run]:
    """``run()`` begins another run over the same state directory."""

    def begun(prefix: str = "homeassistant", disk: Disk | None = None) -> Run:
        return Run(tmp_path, prefix, disk)

    return begun


def pipeline(name: str, task: str | None = "detection") -> PipelineInfo:
    return PipelineInfo(name, "v4l2", task, None, ())


def shown(record: Announcement) -> set[tuple[str, str]]:
    return {(each.pipeline, each.kind.value) for each in record.entities if each.pipeline}


# ---- when it is announced ------------------------------------------------------------------------


def test_each_change_is_announced_once(run: Callable[..., Run]) -> None:
    now = run()
    now.tell(pipeline("front", None))
    now.tell(pipeline("front"))
    now.tell(pipeline("front"))
    now.announcer.check()
    assert len(now.outlet.records) == 2
    assert ("front", "objects") in shown(now.last)


def test_home_assistant_coming_up_is_told_again_a_moment_later(run: Callable[..., Run]) -> None:
    now = run()
    now.tell(pipeline("front"))
    now.announcer.heard(Received(STATUS, b"online", False, None, None))
    now.now_s += 1.9
    now.announcer.check()
    assert len(now.outlet.records) == 1
    now.now_s += 0.2
    now.announcer.check()
    now.announcer.check()
    assert len(now.outlet.records) == 2


@pytest.mark.parametrize(
    ("payload", "retained"), [(b"online", True), (b"offline", False), (b"", False), (b"x", False)]
)
def test_nothing_else_makes_it_tell_again(
    run: Callable[..., Run], payload: bytes, retained: bool
) -> None:
    now = run()
    now.tell(pipeline("front"))
    now.announcer.heard(Received(STATUS, payload, retained, None, None))
    now.now_s += 10
    now.announcer.check()
    assert len(now.outlet.records) == 1


def test_home_assistant_may_come_up_before_there_is_anything_to_tell(
    run: Callable[..., Run],
) -> None:
    now = run()
    now.announcer.heard(Received(STATUS, b"online", False, None, None))
    now.now_s += 10
    now.announcer.check()
    assert now.outlet.records == []
    now.tell(pipeline("front"))
    assert len(now.outlet.records) == 1


def test_that_not_all_fits_is_said_once(
    run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    now = run()
    for task in (None, "detection", "classification"):
        now.tell(*(pipeline(f"camera-{n}", task) for n in range(12)))
    told = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert len(told) == len(set(told))
    assert told[-1] == (
        "What Home Assistant is told has to fit into 16384 bytes, so it leaves out rates and "
        "latencies, health and models. The topics of edged have it all"
    )


# ---- what is gone --------------------------------------------------------------------------------


def test_a_pipeline_taken_out_is_named_as_gone_until_the_broker_has_it(
    run: Callable[..., Run],
) -> None:
    now = run()
    now.tell(pipeline("front"), pipeline("back"))
    now.outlet.acknowledges = False
    gone = ("back-health", "back-latency", "back-model", "back-objects", "back-rate")
    assert now.tell(pipeline("front")).gone == gone
    now.announcer.check()
    assert now.tell(pipeline("front"), pipeline("new")).gone == gone
    now.outlet.acknowledges = True
    now.announcer.check()
    assert now.last.gone == ()
    assert {name for name, _ in shown(now.last)} == {"front", "new"}
    number = len(now.outlet.records)
    now.announcer.check()
    assert len(now.outlet.records) == number


def test_a_pipeline_that_comes_back_is_not_gone(run: Callable[..., Run]) -> None:
    now = run()
    now.tell(pipeline("front"), pipeline("back"))
    now.outlet.acknowledges = False
    now.tell(pipeline("front"))
    record = now.tell(pipeline("front"), pipeline("back"))
    assert (record.gone, ("back", "objects") in shown(record)) == ((), True)
    now.outlet.acknowledges = True
    now.announcer.check()
    assert run().tell(pipeline("front")).gone


def test_a_pipeline_taken_out_between_two_runs_is_gone(run: Callable[..., Run]) -> None:
    run().tell(pipeline("front"), pipeline("back"))
    assert "back-objects" in run().tell(pipeline("front", None)).gone


def test_what_the_broker_did_not_acknowledge_is_told_in_the_next_run(
    run: Callable[..., Run],
) -> None:
    run().tell(pipeline("front"), pipeline("back"))
    second = run()
    second.outlet.acknowledges = False
    second.tell(pipeline("front"))
    second.announcer.check()
    third = run()
    assert "back-objects" in third.tell(pipeline("front")).gone
    third.announcer.check()
    assert run().tell(pipeline("front")).gone == ()


def test_a_start_without_a_model_yet_takes_nothing_away(run: Callable[..., Run]) -> None:
    run().tell(pipeline("front"))
    record = run().tell(pipeline("front", None))
    assert record.gone == ()
    assert ("front", "objects") in shown(record)


def test_many_that_are_gone_go_in_several_messages(run: Callable[..., Run]) -> None:
    run().tell(*(pipeline(f"{n:064}") for n in range(40)))
    now = run()
    now.tell(*(pipeline(f"camera-{n}") for n in range(45)))
    gone: set[str] = set()
    while now.last.gone:
        gone |= set(now.last.gone)
        now.announcer.check()
    assert len([key for key in gone if key.endswith("-objects")]) >= 20
    assert run().tell(*(pipeline(f"camera-{n}") for n in range(45))).gone == ()


# ---- switched off, renamed -----------------------------------------------------------------------


def test_switched_off_it_withdraws_once_what_it_told_before(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    run().tell(pipeline("front"))
    off = run(prefix="")
    assert off.withdrawn == ["homeassistant/garden-pi"]
    off.announcer.announce(Info("litert", "2", "pi", "Debian", (pipeline("front"),)))
    off.announcer.check()
    assert len(off.outlet.records) == 1
    assert not (tmp_path / FILE_NAME).exists()
    assert run(prefix="").outlet.records == []


def test_switched_off_from_the_start_it_says_and_writes_nothing(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    off = run(prefix="")
    off.announcer.announce(Info("litert", "2", "pi", "Debian", (pipeline("front"),)))
    off.announcer.check()
    assert off.outlet.records == []
    assert list(tmp_path.iterdir()) == []


def test_a_withdrawal_that_the_broker_never_got_is_made_again(run: Callable[..., Run]) -> None:
    run().tell(pipeline("front"))
    off = run(prefix="")
    off.outlet.acknowledges = False
    off.announcer.check()
    assert run(prefix="").withdrawn == ["homeassistant/garden-pi"]


def test_under_another_prefix_the_one_before_is_withdrawn(run: Callable[..., Run]) -> None:
    run().tell(pipeline("front"))
    other = run(prefix="ha")
    assert other.withdrawn == ["homeassistant/garden-pi"]
    assert other.tell(pipeline("front")).place.prefix == "ha"
    other.announcer.check()
    assert run(prefix="ha").outlet.records == []


def test_without_any_pipeline_the_device_is_withdrawn_once(run: Callable[..., Run]) -> None:
    now = run()
    now.tell(pipeline("front"))
    now.announcer.announce(Info("litert", "2", "pi", "Debian", ()))
    for _ in range(4):
        now.announcer.check()
    assert now.withdrawn == ["homeassistant/garden-pi"]
    assert len(now.outlet.records) == 2


# ---- the file ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[1]",
        b'[{"prefix":"ha/#","device":"a","components":["a"]}]',
        b'[{"prefix":"ha","device":"a/b","components":["a"]}]',
        b'[{"prefix":"ha","device":"a","components":["a b"]}]',
    ],
)
def test_a_file_that_is_no_use_is_told_and_counts_as_none(
    run: Callable[..., Run], tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    now = run()
    assert "cannot be read" in caplog.text
    assert now.outlet.records == []
    assert now.tell(pipeline("front")).gone == ()
    assert "front-objects" in run().tell(pipeline("back")).gone


class Full(Disk):
    """A disk on which nothing can be created."""

    def create(self, path: Path) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_is_told_once_and_stops_nothing(
    run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    now = run(disk=Full())
    now.tell(pipeline("front"))
    now.tell(pipeline("front"), pipeline("back"))
    assert "back-objects" in now.tell(pipeline("front")).gone
    assert caplog.text.count("No space left on device") == 1


def test_it_is_written_before_anything_is_told(tmp_path: Path) -> None:
    class Watching(Outlet):
        def publish(self, record: Record) -> None:
            assert b"front-objects" in (tmp_path / FILE_NAME).read_bytes()
            super().publish(record)

    now = Run(tmp_path)
    outlet = Watching()
    now.announcer = Announcer(context("ha"), Memory(tmp_path / FILE_NAME), outlet)
    now.announcer.announce(Info("litert", "2", "pi", "Debian", (pipeline("front"),)))
    now.announcer.check()
    assert len(outlet.records) == 1


def test_what_does_not_change_is_not_written_again(run: Callable[..., Run], tmp_path: Path) -> None:
    now = run()
    now.tell(pipeline("front"))
    before = (tmp_path / FILE_NAME).stat()
    now.announcer.heard(Received(STATUS, b"online", False, None, None))
    now.now_s += 10
    now.announcer.check()
    assert len(now.outlet.records) == 2
    assert (tmp_path / FILE_NAME).stat().st_ino == before.st_ino
