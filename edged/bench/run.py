"""The bench from beginning to end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ..demo.broker import Broker
from ..engine.preprocess import image_shape
from ..inputs import LogMelInput, WindowInput
from ..loading import LoadOptions
from ..records.frames import PixelOrder, Size
from . import items
from .contestant import Contestant, Memory
from .figures import Turn
from .items import Kept
from .rounds import TURN_S, frames_a_turn, play
from .stage import Stage, Tried, stage, try_model

CAMERA = Size(1280, 720)
_STARTS = 3


class Outcome(msgspec.Struct, frozen=True):
    """What came of one contestant. ``first_s``: from the start of its process to its first result;
    ``later_s``: of further starts, with a model that the daemon knows to be good. None and empty
    where it gives no results.
    """

    turns: list[Turn]
    memory: Memory
    first_s: float | None
    later_s: list[float]


class Measured(msgspec.Struct, frozen=True):
    """``cases``: the daemon's outcomes by what it was given, in the same rounds as ``bare``.
    ``held_mb``: the memory that the frames themselves take.
    """

    model: str
    options: LoadOptions
    broker: str
    cases: dict[str, Outcome]
    held_mb: dict[str, float]
    bare: Outcome


def bench(path: Path, options: LoadOptions, frames: int, tell: Callable[[str], None]) -> Measured:
    """At least so many ``frames`` of each. ``tell`` hears of the progress. Raises EdgedError."""
    tried = try_model(path, options)
    given = kept_for(tried)
    with stage() as place:
        served = [place.served(what, tried, kept) for what, kept in given.items()]
        bare = place.bare(tried, next(iter(given.values())))
        outcomes = measure([*served, bare], place, frames, tell)
        return Measured(
            model=path.name,
            options=options,
            broker=place.broker.name,
            cases={what: outcomes[what] for what in given},
            held_mb={what: kept.megabytes for what, kept in given.items()},
            bare=outcomes[bare.name],
        )


def kept_for(tried: Tried) -> dict[str, Kept]:
    """What the daemon is to be given, by what it is called."""
    input_ = tried.reading.input
    if isinstance(input_, WindowInput | LogMelInput):
        windows = items.windows(input_)
        length, width = windows.values.shape[1:]
        return {f"windows of {length} x {width} samples": windows}
    height, width, _ = image_shape(tried.tensor)
    own = Size(width, height)
    drawn = items.draw(CAMERA)
    return {
        f"frames of {CAMERA}": items.frames(drawn, CAMERA, PixelOrder.BGR),
        f"frames of {own}, the model's own size": items.frames(drawn, own, PixelOrder.RGB),
    }


def measure(
    contestants: Sequence[Contestant], place: Stage, frames: int, tell: Callable[[str], None]
) -> dict[str, Outcome]:
    """By their names. The last one is that by which the length of a turn is told."""
    with contextlib.ExitStack() as at_end:
        firsts = {}
        for each in contestants:
            at_end.callback(each.close)
            firsts[each.name] = each.start(place.broker)
        count = frames_a_turn(contestants[-1], frames)
        rounds = -(-frames // count)
        seconds = rounds * len(contestants) * TURN_S
        tell(
            f"{len(contestants)} processes in turns of {count} frames, {rounds} times each: "
            f"about {max(1, round(seconds))} s"
        )
        turns = play(contestants, rounds, {each.name: count for each in contestants})
        memories = {each.name: each.memory() for each in contestants}
        starts = [each for each in contestants if each.close().get("starts_again", False)]
        later: dict[str, list[float]] = {each.name: [] for each in contestants}
        for _ in range(_STARTS):
            for each in starts:
                later[each.name].append(started_again(each, place.broker))
    return {name: Outcome(turns[name], memories[name], firsts[name], later[name]) for name in turns}


def started_again(contestant: Contestant, broker: Broker) -> float:
    seconds = contestant.start(broker)
    contestant.close()
    assert seconds is not None  # it gives results
    return seconds
