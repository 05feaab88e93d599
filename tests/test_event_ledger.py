"""Whoever was told that something began is told that it ended, whatever happens in between."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from spools import BOOT, EARLIER, PATIENCE_S, mounted

from edged.clock import SystemClock
from edged.event_ledger import MOST_KEPT, EventLedger
from edged.publish import Context, Stored
from edged.records.happenings import EventType, Happening
from edged.records.published import Record
from edged.store.atomic import Disk

S = 1_000_000_000
Opened = Callable[..., EventLedger]


class Outlet:
    """What a publisher was given; ``safe_s``: what came before is delivered or spooled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[Happening] = []
        self.ends: list[dict[str, Any]] = []
        self.stored: list[Stored] = []
        self.kept_then: list[set[str]] = []
        """The ids in the file when each event was handed over."""
        self.safe_s = 0.0

    def publish(self, record: Record) -> None:
        assert isinstance(record, Happening)
        self.told.append(record)
        self.kept_then.append(ids_in(self.path))

    def publish_kept(self, stored: Stored) -> None:
        self.stored.append(stored)
        self.ends.append(json.loads(stored.payload))

    def kept_before_s(self) -> float:
        return self.safe_s


class Quick(Outlet):
    """Does not look into the file."""

    def publish(self, record: Record) -> None:
        assert isinstance(record, Happening)
        self.told.append(record)


def ids_in(path: Path) -> set[str]:
    return {each["id"] for each in json.loads(path.read_bytes())} if path.exists() else set()


def context(run: str = "c0ffee12") -> Context:
    return Context("edged", "pi", run, 1, SystemClock(), "0.1.0")


def event(number: int, kind: EventType = EventType.STARTED, pipeline: str = "front") -> Happening:
    return Happening(
        pipeline=pipeline,
        sequence=0,
        id=f"{number:016x}",
        type=kind,
        label="person",
        score=0.9,
        track=number + 1,
        zone="driveway",
        box=(0.1, 0.1, 0.4, 0.5),
        started_ns=number * S,
        seen_ns=(number + 1) * S,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.json"


@pytest.fixture
def outlet(path: Path) -> Outlet:
    return Outlet(path)


@pytest.fixture
def opened(path: Path, outlet: Outlet) -> Iterator[Opened]:
    """``opened(outlet, boot=…)``: a ledger that runs, until the end of the test."""
    ledgers: list[EventLedger] = []

    def made(
        to: Outlet = outlet, boot: str = BOOT, run: str = "c0ffee12", **more: Any
    ) -> EventLedger:
        ledger = EventLedger(to.path, context(run), boot, to, **more)
        ledgers.append(ledger)
        ledger.open()
        ledger.start()
        return ledger

    yield made
    for ledger in ledgers:
        ledger.close(PATIENCE_S)


def put(ledger: EventLedger, *events: Happening) -> None:
    """And wait until they are handed over."""
    for each in events:
        ledger.put(each)
    ledger.flush()


def test_an_event_is_in_the_file_before_anyone_is_told_of_it(
    opened: Opened, outlet: Outlet
) -> None:
    put(opened(), *(event(number) for number in range(20)))
    assert [each.sequence for each in outlet.told] == list(range(20))
    for told, kept in zip(outlet.told, outlet.kept_then, strict=True):
        assert told.id in kept


def test_what_a_run_before_has_begun_ends_in_the_next_in_its_order(
    opened: Opened, outlet: Outlet, path: Path
) -> None:
    first = opened()
    put(first, event(1), event(2), event(3, pipeline="back"), event(1, EventType.ENDED))
    outlet.safe_s = float("inf")  # the end of the first is delivered
    first.close(PATIENCE_S)
    first.finish()
    assert ids_in(path) == {event(2).id, event(3).id}
    later = Outlet(path)
    second = opened(later, run="beefbeef")
    assert [(each["id"], each["type"], each["sequence"]) for each in later.ends] == [
        (event(2).id, "ended", 0),
        (event(3).id, "ended", 0),
    ]
    assert {each["run"] for each in later.ends} == {"beefbeef"}
    assert later.ends[0]["duration_s"] == 1
    put(second, event(4))
    assert later.told[0].sequence == 1  # after the end of the second


def test_an_end_stays_in_the_file_until_it_is_delivered_or_spooled(
    opened: Opened, outlet: Outlet, path: Path
) -> None:
    ledger = opened()
    put(ledger, event(1), event(1, EventType.ENDED))
    ledger.close(PATIENCE_S)
    ledger.finish()
    assert ids_in(path) == {event(1).id}
    again = Outlet(path)
    opened(again)
    assert [each["type"] for each in again.ends] == ["ended"]
    outlet.safe_s = float("inf")
    ledger.finish()
    assert ids_in(path) == set()


def test_an_end_of_an_earlier_boot_keeps_its_own_times(opened: Opened, path: Path) -> None:
    earlier = Outlet(path)
    put(opened(earlier, boot=EARLIER), event(7))
    later = Outlet(path)
    opened(later, boot=BOOT)
    (stored,) = later.stored
    assert (stored.boot, stored.captured_ns, stored.pipeline) == (EARLIER, 8 * S, "front")
    kept = json.loads(path.read_bytes())
    assert kept[0]["boot"] == EARLIER


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"[",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"null",
        b'{"id": "x"}',
        b'[{"id": "x"}]',
        b'[{"id": 1, "pipeline": "front", "payload": "", "boot": "", "captured_ns": 0, '
        b'"captured_at_s": 0, "clock_synced": true}]',
    ],
)
def test_a_damaged_file_is_told_and_replaced(
    opened: Opened,
    outlet: Outlet,
    path: Path,
    damaged: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path.write_bytes(damaged)
    ledger = opened()
    (record,) = caplog.records
    assert record.message.startswith(f"{path} cannot be read (")
    assert record.message.endswith("): some events of the run before may never end")
    assert outlet.ends == []
    put(ledger, event(1))
    assert ids_in(path) == {event(1).id}


def test_a_kept_event_that_is_none_is_told_and_the_others_end(
    opened: Opened, outlet: Outlet, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = opened()
    put(ledger, event(1), event(2))
    ledger.close(PATIENCE_S)
    kept = json.loads(path.read_bytes())
    kept[0]["payload"] = '{"schema": "edged.event/1"}'
    path.write_text(json.dumps(kept))
    later = Outlet(path)
    opened(later)
    assert [each["id"] for each in later.ends] == [event(2).id]
    assert "An event that was kept is none" in caplog.text


class Forbidding(Disk):
    """Nothing can be made on it while ``trouble`` is set."""

    trouble: OSError | None = None

    def create(self, path: Path) -> int:
        if self.trouble is not None:
            raise self.trouble
        return super().create(path)


def test_a_directory_that_cannot_be_written_is_told_once_and_events_go_on(
    opened: Opened, outlet: Outlet, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Forbidding()
    disk.trouble = OSError(30, "Read-only file system")
    ledger = opened(disk=disk)
    for number in range(3):
        put(ledger, event(number))
    assert [each.id for each in outlet.told] == [event(number).id for number in range(3)]
    assert [record.message for record in caplog.records] == [
        f"{path} cannot be written ([Errno 30] Read-only file system): until it can, a kill costs "
        "the ends of events"
    ]
    disk.trouble = None
    put(ledger, event(3))
    assert ids_in(path) == {event(number).id for number in range(4)}
    disk.trouble = OSError(30, "Read-only file system")
    put(ledger, event(4))
    assert len(caplog.records) == 2


def test_on_a_full_disk_events_go_on_and_are_kept_again_when_there_is_room(
    opened: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with mounted(tmp_path / "disk", "1m") as disk:
        outlet = Outlet(disk.path / "events.json")
        ledger = opened(outlet)
        put(ledger, event(1))
        disk.fill()
        put(ledger, *(event(number) for number in range(2, 50)))
        assert len(outlet.told) == 49
        assert "No space left on device" in caplog.text
        assert event(1).id in ids_in(outlet.path)  # the file before is whole
        disk.free()
        put(ledger, event(50))
        assert ids_in(outlet.path) == {event(number).id for number in range(1, 51)}
        ledger.close(PATIENCE_S)


def test_what_had_begun_ends_after_a_kill_at_any_moment(opened: Opened, path: Path) -> None:
    """All of which a subscriber has heard the beginning: the child says what it has handed over."""
    code = f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from spools import BOOT
        from edged.event_ledger import EventLedger
        import importlib.util
        spec = importlib.util.spec_from_file_location("here", {str(Path(__file__))!r})
        here = importlib.util.module_from_spec(spec)
        sys.modules["here"] = here
        spec.loader.exec_module(here)

        class Told(here.Outlet):
            def publish(self, record):
                print(record.id, record.type.value, flush=True)

        path = Path(sys.argv[1])
        ledger = EventLedger(path, here.context(), BOOT, Told(path))
        ledger.open()
        ledger.start()
        number = 0
        while True:
            ledger.put(here.event(number))
            if number % 3 == 2:
                ledger.put(here.event(number - 1, here.EventType.ENDED))
            number += 1
            time.sleep(0.001)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    heard = [child.stdout.readline() for _ in range(30)]
    child.kill()
    heard += child.stdout.readlines()
    child.wait(PATIENCE_S)
    child.stdout.close()
    words = [line.split() for line in heard if line.endswith("\n")]
    begun = {name for name, kind in words if kind == "started"}
    later = Outlet(path)
    opened(later, run="beefbeef")
    ended = {name for name, kind in words if kind == "ended"} | {each["id"] for each in later.ends}
    assert begun <= ended
    assert all(each["type"] == "ended" for each in later.ends)


def test_of_far_too_many_the_oldest_ends_are_forgotten_and_what_lasts_is_not(
    opened: Opened, path: Path
) -> None:
    ledger = opened(Quick(path))
    put(ledger, event(0))
    for number in range(1, MOST_KEPT + 50):
        ledger.put(event(number))
        ledger.put(event(number, EventType.ENDED))
    ledger.flush()
    ledger.close(PATIENCE_S)
    ledger.finish()
    kept = ids_in(path)
    assert len(kept) == MOST_KEPT
    assert event(0).id in kept
    assert event(1).id not in kept
    assert event(MOST_KEPT + 49).id in kept


def test_an_update_is_the_end_that_is_kept(opened: Opened, outlet: Outlet, path: Path) -> None:
    ledger = opened()
    put(ledger, event(1), replace(event(1, EventType.UPDATED), seen_ns=90 * S, score=0.95))
    ledger.close(PATIENCE_S)
    later = Outlet(path)
    opened(later)
    (end,) = later.ends
    assert (end["type"], end["duration_s"], end["score"]) == ("ended", 89, 0.95)


def test_it_may_be_closed_twice_and_before_it_runs(path: Path, outlet: Outlet) -> None:
    ledger = EventLedger(path, context(), BOOT, outlet)
    ledger.close(PATIENCE_S)
    ledger.close(PATIENCE_S)
    ledger.finish()
    assert not path.exists()


def test_who_puts_never_waits_for_the_disk(opened: Opened, outlet: Outlet) -> None:
    class Slow(Disk):
        goes_on = threading.Event()

        def create(self, path: Path) -> int:
            assert self.goes_on.wait(PATIENCE_S)
            return super().create(path)

    disk = Slow()
    ledger = opened(disk=disk)
    for number in range(100):
        ledger.put(event(number))
    assert outlet.told == []  # nobody hears of what is not on the disk yet
    disk.goes_on.set()
    ledger.flush()
    assert len(outlet.told) == 100
