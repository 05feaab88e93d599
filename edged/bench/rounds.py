"""Contestants by turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .answers import INFERENCE
from .contestant import Contestant
from .figures import Turn

TURN_S = 0.5
_LEAST = 2  # of one frame no rate can be told
WARM_UP = 5


def frames_a_turn(contestant: Contestant, frames: int, turn_s: float = TURN_S) -> int:
    """How many take about ``turn_s``, at most ``frames``; it has warmed up then."""
    took_ms = min(contestant.turn(WARM_UP)[INFERENCE])
    return max(_LEAST, min(frames, round(turn_s * 1e3 / took_ms)))


def play(
    contestants: Sequence[Contestant], rounds: int, frames: Mapping[str, int]
) -> dict[str, list[Turn]]:
    """The turns of each by its name; ``frames``: how many each has in a turn.

    Every other round goes backwards, so that nobody always comes after the same one.
    """
    turns: dict[str, list[Turn]] = {contestant.name: [] for contestant in contestants}
    for contestant in contestants:
        contestant.turn(min(frames[contestant.name], WARM_UP))
    for number in range(rounds):
        for contestant in contestants[:: -1 if number % 2 else 1]:
            turns[contestant.name].append(Turn.of(contestant.turn(frames[contestant.name])))
    return turns
