#!/usr/bin/env python3
"""Make all that lies between results and their broker fail, and see whether every result arrives.

The real daemon at 20 results/s and a real mosquitto. The broker is ended, killed, started anew
with and without what it had kept, and frozen; the network loses all packets, those of one
direction, or some, late; connections break off; the daemon is killed, also in the midst of all
that. What fails when is drawn from a seed, which is printed. The network is one of our own, between
two network namespaces (tests/tunnel.py); where there can be none, its faults are left out, and
said to be. Each kind has its turn before any comes again, and all have it, however short the run.

What arrived is witnessed in front of the broker (tests/witness.py), what was to arrive by the
kernel, and a subscriber hears what comes out. The exit status is 1 where a promise was broken: a
result lost that was older than a second at a KILL, any lost otherwise; one out of order; repeated
without a reason; dropped; acknowledged and not handed on while the broker lived.

    scripts/chaos_delivery.py [--minutes N] [--seed N] [--slack S] [--json] [--verbose]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from chaos_faults import FAULTS, NETWORK_FAULTS, NOTHING, fault
from chaos_stage import FPS, Stage
from deliveries import Allowed, Delivered, judge
from household import Daemon
from tunnel import Tunnel, enter_namespace

from edged.publish.mqtt import WINDOW

SHORT_MINUTES = 2.0  # below it outages are short too, so that every kind has its turn


@dataclass(frozen=True, slots=True)
class Rhythm:
    """From how long to how long, in seconds, an outage and the time after it may be."""

    outage_s: tuple[float, float]
    calm_s: tuple[float, float]


QUICK = Rhythm((1.0, 3.0), (1.0, 3.0))
PATIENT = Rhythm((1.0, 40.0), (1.0, 20.0))


@dataclass(frozen=True, slots=True)
class Outcome:
    """``without``: why there was no network of our own, else ``packets_lost`` in it. ``dropped``:
    results, as edged published it.
    """

    seed: int
    seconds: float
    rate_hz: float
    runs: int
    faults: dict[str, int]
    without: str | None
    packets_lost: int
    kills: int
    dropped: int
    delivered: Delivered

    def broken(self) -> list[str]:
        """The promises that were not kept."""
        dropped = [f"edged dropped {self.dropped} results"] if self.dropped else []
        return self.delivered.broken + dropped


def main(arguments: Sequence[str] | None = None) -> int:
    without = enter_namespace()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="default: 30")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--slack", type=float, default=0.5, metavar="S", help="default: 0.5 s")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="tell what fails as it does")
    options = parser.parse_args(arguments)
    print(f"chaos_delivery: the seed is {options.seed}", file=sys.stderr)
    if without is not None:
        print(f"chaos_delivery: the network does not fail: {without}", file=sys.stderr)
    chaos = Chaos(options.seed, options.verbose)
    outcome = chaos.run(60 * options.minutes, without, options.slack)
    print(json.dumps(asdict(outcome), indent=1) if options.json else _told(outcome))
    for promise in outcome.broken()[:20]:
        print(f"BROKEN: {promise}", file=sys.stderr)
    return 1 if outcome.broken() else 0


class Chaos:
    """``run`` once."""

    def __init__(self, seed: int, verbose: bool) -> None:
        self._seed = seed
        self._chances = random.Random(seed)
        self._verbose = verbose
        self._began_s = time.monotonic()
        self._faults: Counter[str] = Counter()
        self._diary: list[str] = []

    def run(self, seconds: float, without: str | None, slack_s: float) -> Outcome:
        tunnel = Tunnel(random.Random(self._seed)).open() if without is None else None
        with tempfile.TemporaryDirectory(prefix="edged-chaos-") as place:
            stage = Stage(Path(place), tunnel)
            try:
                stage.open()
                self._began_s = time.monotonic()
                self._fail(stage, seconds)
                self._note("no more faults")
                stage.finish()
                self._note("done")
            except BaseException:
                print(*stage.log(), *self._diary, sep="\n", file=sys.stderr)
                raise
            finally:
                stage.close()
                if tunnel is not None:
                    tunnel.close()
        outcome = self._outcome(stage, without, slack_s)
        if outcome.broken():
            print(*stage.log(), *self._diary, sep="\n", file=sys.stderr)
        return outcome

    def _fail(self, stage: Stage, seconds: float) -> None:
        rhythm = QUICK if seconds < 60 * SHORT_MINUTES else PATIENT
        all_kinds = [*FAULTS, *(NETWORK_FAULTS if stage.tunnel else ())]
        kinds: list[str] = []
        while time.monotonic() - self._began_s < seconds or len(self._faults) < len(all_kinds):
            if not kinds:  # each once before any comes again
                kinds = all_kinds.copy()
                self._chances.shuffle(kinds)
            kind = kinds.pop()
            self._note(kind)
            self._faults[kind] += 1
            with fault(kind, stage, self._chances):
                self._pause(rhythm.outage_s)
                if kind == NOTHING or self._chances.random() < 0.4:
                    self._kill_daemon(stage)
                    self._pause(rhythm.outage_s)
            self._note(f"{kind} is over")
            self._pause(rhythm.calm_s)
            if self._chances.random() < 0.2:
                self._kill_daemon(stage)

    def _kill_daemon(self, stage: Stage) -> None:
        self._note("the daemon is killed")
        stage.end_daemon(Daemon.kill, killed=True)
        self._pause((0.0, 1.0))
        stage.start_daemon()

    def _pause(self, between_s: tuple[float, float]) -> None:
        time.sleep(self._chances.uniform(*between_s))

    def _note(self, event: str) -> None:
        """With both the seconds since the beginning and the time that edged's log has."""
        now = time.strftime("%H:%M:%S")
        self._diary.append(f"{now} ({time.monotonic() - self._began_s:7.1f} s) {event}")
        if self._verbose:
            print(self._diary[-1], file=sys.stderr)

    def _outcome(self, stage: Stage, without: str | None, slack_s: float) -> Outcome:
        witness = stage.witness
        delivered = judge(
            stage.runs, witness.sent, witness.talks, stage.listenings, Allowed(WINDOW, slack_s)
        )
        delivered.broken.extend(f"no MQTT: {told}" for told in witness.broken)
        return Outcome(
            seed=self._seed,
            seconds=time.monotonic() - self._began_s,
            rate_hz=FPS,
            runs=len(stage.runs),
            faults=dict(self._faults),
            without=without,
            packets_lost=stage.tunnel.lost if stage.tunnel else 0,
            kills=sum(run.killed for run in stage.runs),
            dropped=stage.dropped,
            delivered=delivered,
        )


def _told(outcome: Outcome) -> str:
    done = outcome.delivered
    faults = ", ".join(f"{number} {kind}" for kind, number in sorted(outcome.faults.items()))
    return (
        f"{outcome.seconds / 60:.1f} min at {outcome.rate_hz} results/s, seed {outcome.seed}: "
        f"{done.made} made in {outcome.runs} runs, {done.arrived} arrived; "
        f"{done.lost_at_kills} lost at {outcome.kills} KILLs of the daemon, the oldest "
        f"{done.oldest_lost_s:.2f} s before; {outcome.dropped} dropped; "
        f"{done.sent_again} sent again (at most {done.most_sent_again}), {done.duplicates} of them "
        f"after an acknowledgement; {done.overtaken} overtaken by newer ones; {done.unheard} died "
        f"with the broker that had acknowledged them. Faults: {faults}; "
        f"{outcome.packets_lost} packets lost"
    )


if __name__ == "__main__":
    sys.exit(main())
