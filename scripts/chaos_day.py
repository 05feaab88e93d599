#!/usr/bin/env python3
"""A day without a broker, as fast as the machine can: bounded, and delivered afterwards.

The real daemon makes as many results as a day has at one a second, while nothing listens where its
broker should be. Then its pictures are gone, and a real mosquitto comes. Time is pressed: an hour
passes in a quarter of a minute. So a commit holds hundreds of results, where at one a second each
holds one; what that costs the disk tells scripts/spool_writes.py.

A promise is broken, and the exit status 1, where a result that was not counted as dropped does not
arrive, or out of order; where the spool takes more than its bound; where resident memory after the
outage or after the delivery is more than 5 MB over that after the first hour.

    scripts/chaos_day.py [--hours N] [--max-bytes N] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from conftest import Mosquitto
from deliveries import overtakings
from household import House, images, resident_kb
from readings import Readings
from witness import Witness

PER_HOUR = 3600
FPS = 250  # what the spool can write of a small max_bytes: it bounds its commits too
AT_REST_S = 3.0  # the spool's file has everything when it was not written for so long
MOST_GROWTH_KB = 5 * 1024
GIVEN_BACK_BYTES = 1_000_000  # the spool takes less when all is delivered
SAMPLE_S = 0.5
PATIENCE_S = 3600.0
_PIPELINE = 'name = "eye"\nmodel = "classifier_uint8"\nthreshold = 0\npublish = "every"\n'


@dataclass(frozen=True, slots=True)
class Outcome:
    """``resident_kb_*``: after the first hour, after the outage, after the delivery, and the most
    that was seen from the first hour on. ``spool_bytes_most``: with all its files, at any sample.
    """

    made: int
    arrived: int
    dropped: int
    out_of_order: int
    sent_again: int
    max_bytes: int
    spool_bytes_most: int
    spool_bytes_after: int
    resident_kb_early: int
    resident_kb_outage: int
    resident_kb_delivered: int
    resident_kb_most: int
    outage_s: float
    delivery_s: float

    def broken(self) -> list[str]:
        """The promises that were not kept."""
        told = []
        if self.arrived + self.dropped != self.made:
            told.append(f"{self.made - self.arrived - self.dropped} results are unaccounted for")
        if self.out_of_order:
            told.append(f"{self.out_of_order} results came out of order")
        if self.spool_bytes_most > self.max_bytes:
            told.append(f"the spool took {self.spool_bytes_most:,} bytes of {self.max_bytes:,}")
        for when, kb in (
            ("the outage", self.resident_kb_outage),
            ("the delivery", self.resident_kb_delivered),
        ):
            if kb - self.resident_kb_early > MOST_GROWTH_KB:
                grown = (kb - self.resident_kb_early) / 1024
                told.append(f"after {when} the memory had grown by {grown:.1f} MB")
        return told


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=int, default=24, help="default: 24")
    parser.add_argument("--max-bytes", type=int, default=64 * 1024 * 1024, help="default: 64 MiB")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.hours < 2:
        parser.error(f"--hours {options.hours}: after the first hour at least another is needed")
    outcome = live_through(options.hours, options.max_bytes)
    print(json.dumps(asdict(outcome), indent=1) if options.json else _told(outcome))
    for promise in outcome.broken():
        print(f"BROKEN: {promise}", file=sys.stderr)
    return 1 if outcome.broken() else 0


def live_through(hours: int, max_bytes: int) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="edged-day-") as place:
        day = Day(Path(place), max_bytes)
        try:
            outcome = day.live_through(hours)
            if outcome.broken():
                print(*day.daemon.lines, sep="\n", file=sys.stderr)
            return outcome
        except BaseException:
            print("edged said at last:", *day.daemon.lines[-20:], sep="\n", file=sys.stderr)
            raise
        finally:
            day.close()


class Day:
    """A daemon that has nobody to tell its results to, until ``live_through`` brings a broker."""

    def __init__(self, place: Path, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._house = House(place)
        self._state = place / "state"
        self._broker = Mosquitto(place)
        self._witness = Witness(self._broker.port)
        self._house.model("classifier_uint8")
        pictures = self._house.pictures(*((n, n, n) for n in range(0, 200, 10)))
        self._readings = Readings(pictures)
        self._readings.open()
        self._pictures = place / "link"  # so that all can be gone at once
        self._pictures.symlink_to(pictures)
        self._house.configure(
            self._witness.port,
            _PIPELINE + images(self._pictures, "loop = true", f"fps = {FPS}", "realtime = false"),
            spool=f"max_bytes = {max_bytes}",
        )
        self._most_bytes = self._most_kb = 0
        self.daemon = self._house.run()

    def live_through(self, hours: int) -> Outcome:
        began_s = time.monotonic()
        self._watch_until(lambda: self._readings.count >= PER_HOUR)
        early_kb = self._most_kb = resident_kb(self.daemon.process.pid)
        self._watch_until(lambda: self._readings.count >= hours * PER_HOUR)
        self._pictures.unlink()
        self.daemon.wait_for_line("source-lost")
        made = len(self._readings.take())
        self._watch_until(self._at_rest)
        outage_kb = resident_kb(self.daemon.process.pid)
        came_s = time.monotonic()
        self._broker.start()
        self._witness.open_door()
        self._watch_until(lambda: self._arrived() + self._dropped() >= made)
        delivered_s = time.monotonic()
        delivered_kb = resident_kb(self.daemon.process.pid)
        self._watch_until(lambda: self._spool_bytes() < GIVEN_BACK_BYTES, 60.0)
        self.daemon.stop()
        first = dict.fromkeys((each.run, each.sequence) for each in self._witness.sent)
        return Outcome(
            made=made,
            arrived=self._arrived(),
            dropped=self._dropped(),
            out_of_order=len(overtakings(sequence for _, sequence in first)),
            sent_again=len(self._witness.sent) - len(first),
            max_bytes=self._max_bytes,
            spool_bytes_most=self._most_bytes,
            spool_bytes_after=self._spool_bytes(),
            resident_kb_early=early_kb,
            resident_kb_outage=outage_kb,
            resident_kb_delivered=delivered_kb,
            resident_kb_most=self._most_kb,
            outage_s=came_s - began_s,
            delivery_s=delivered_s - came_s,
        )

    def close(self) -> None:
        self._house.end()
        self._witness.close()
        self._broker.kill()
        self._readings.close()

    def _watch_until(self, holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Take samples until it does. Raises AssertionError where it does not in time."""
        until_s = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < until_s, "it takes too long"
            assert self.daemon.process.poll() is None, "the daemon ended by itself"
            self._most_bytes = max(self._most_bytes, self._spool_bytes())
            self._most_kb = max(self._most_kb, resident_kb(self.daemon.process.pid))
            time.sleep(SAMPLE_S)

    def _spool_bytes(self) -> int:
        """Of all its files; one may go while it is looked at."""
        total = 0
        for path in self._state.glob("spool.db*"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def _at_rest(self) -> bool:
        written_s = max(path.stat().st_mtime for path in self._state.glob("spool.db*"))
        return time.time() - written_s > AT_REST_S

    def _arrived(self) -> int:
        sent = self._witness.sent
        return len({(e.run, e.sequence) for e in sent if e.acknowledged_s is not None})

    def _dropped(self) -> int:
        return max((told["spool"]["dropped"] for told in self._witness.metrics), default=0)


def _told(outcome: Outcome) -> str:
    early_mb, outage_mb, delivered_mb, most_mb = (
        kb / 1024
        for kb in (
            outcome.resident_kb_early,
            outcome.resident_kb_outage,
            outcome.resident_kb_delivered,
            outcome.resident_kb_most,
        )
    )
    return (
        f"{outcome.made} results in {outcome.outage_s:.0f} s without a broker, then "
        f"{outcome.arrived} arrived in {outcome.delivery_s:.0f} s, {outcome.out_of_order} of them "
        f"out of order, {outcome.dropped} were dropped, {outcome.sent_again} sent again; the spool "
        f"took {outcome.spool_bytes_most / 1e6:.1f} MB of {outcome.max_bytes / 1e6:.1f}, and "
        f"{outcome.spool_bytes_after / 1e6:.2f} afterwards; resident memory {early_mb:.1f} MB "
        f"after the first hour, {outage_mb:.1f} after the outage, {delivered_mb:.1f} after the "
        f"delivery, {most_mb:.1f} at most"
    )


if __name__ == "__main__":
    sys.exit(main())
