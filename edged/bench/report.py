"""What was measured, for people and for programs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import asdict

from .answers import INFERENCE
from .figures import BESIDES, OVERHEAD, REST, TOTAL, Spread, median_rate_hz, rate_ratio, spreads
from .run import Measured, Outcome
from .settings import described

SCHEMA = "edged.bench/1"

_MEANT = {
    "wait": "in the slot; the next frame always lies there already",
    "preprocess": "",
    INFERENCE: "",
    "decode": "",
    TOTAL: "from the frame's arrival to the hand-over",
    OVERHEAD: "total - inference - wait",
    "hand-over": "to the publisher's thread",
    REST: "between a hand-over and the next frame",
    BESIDES: "all that goes by between two frames, without the inference",
}


def as_text(measured: Measured, machine: Mapping[str, str]) -> list[str]:
    """Lines."""
    lines = [f"{key:<9} {value}" for key, value in machine.items()]
    bare = measured.bare
    lines += [
        f"{'model':<9} {measured.model}, {described(measured.options)}",
        f"{'measured':<9} {_frames(bare)} frames of each in {len(bare.turns)} turns; the whole "
        f"daemon, results at QoS 1 to {measured.broker}",
    ]
    for what, outcome in measured.cases.items():
        lines += ["", *_case_text(what, outcome, measured)]
    lines += ["", f"{'bare interpreter, ms':<24}  median       p99"]
    lines.append(_line(INFERENCE, spreads(bare.turns)[INFERENCE], ""))
    return lines


def _case_text(what: str, outcome: Outcome, measured: Measured) -> list[str]:
    found = spreads(outcome.turns)
    lines = [what, f"{'ms':<24}  median       p99"]
    lines += [_line(stage, found[stage], meant) for stage, meant in _MEANT.items()]
    rate, bare_rate = median_rate_hz(outcome.turns), median_rate_hz(measured.bare.turns)
    ratio = rate_ratio(outcome.turns, measured.bare.turns)
    against = f"{ratio:.1%} of the bare interpreter's {bare_rate:.1f}"
    lines.append(f"  rate          {rate:.1f} a second, {against}")
    memory = outcome.memory
    shared = memory.proportional_mb
    told = "" if shared is None else f" ({shared:.1f} MB with shared pages divided)"
    held = measured.held_mb[what]
    given = f"of them {held:.1f} MB for what it is given"
    lines.append(f"  memory        {memory.resident_mb:.1f} MB{told}, {given}")
    assert outcome.first_s is not None  # the daemon gives results
    later = ""
    if outcome.later_s:
        later = f"; {statistics.median(outcome.later_s):.2f} s with one that it knows to be good"
    lines.append(f"  first result  {outcome.first_s:.2f} s after a start with a new model{later}")
    return lines


def _line(stage: str, spread: Spread, meant: str) -> str:
    return f"  {stage:<18} {spread.median:>9.3f} {spread.p99:>9.3f}   {meant}".rstrip()


def _frames(outcome: Outcome) -> str:
    return f"{sum(len(turn.stages[INFERENCE]) for turn in outcome.turns):,}"


def as_json(measured: Measured, machine: Mapping[str, str]) -> dict[str, Any]:
    """The same, with every turn's rate."""
    return {
        "schema": SCHEMA,
        "machine": dict(machine),
        "model": measured.model,
        "settings": {
            "threads": measured.options.threads,
            "delegate": measured.options.delegate and measured.options.delegate.name,
        },
        "broker": measured.broker,
        "qos": 1,
        "cases": [
            {
                "given": what,
                "held_mb": measured.held_mb[what],
                **outcome_json(outcome, measured.bare),
            }
            for what, outcome in measured.cases.items()
        ],
        "bare": outcome_json(measured.bare, measured.bare),
    }


def outcome_json(outcome: Outcome, reference: Outcome) -> dict[str, Any]:
    return {
        "frames": sum(len(turn.stages[INFERENCE]) for turn in outcome.turns),
        "stages_ms": {name: asdict(spread) for name, spread in spreads(outcome.turns).items()},
        "rate_hz": median_rate_hz(outcome.turns),
        "rate_ratio": rate_ratio(outcome.turns, reference.turns),
        "rates_hz": _rates(outcome),
        **asdict(outcome.memory),
        "first_result_s": outcome.first_s,
        "later_first_results_s": outcome.later_s,
    }


def _rates(outcome: Outcome) -> Sequence[float]:
    return [turn.rate_hz for turn in outcome.turns]
