"""Crops: the objects that one pipeline finds, as pictures for another.

    pipeline front: frame -> ... -> findings -> CropFeed -> slot -> pipeline close

The feed stands where other pipelines have their capture, but has no thread: the first pipeline's
hands it each frame with what was found there, once its own step is over. The frame is referred to
and not copied; its buffer is used again when nobody does any more (see ``buffers``).
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable

import msgspec

from .capture import CaptureState
from .engine.geometry import Rect
from .handoff import Closed, LatestSlot
from .minimise import Minimiser
from .records.frames import Frame, Size
from .records.health import HealthState
from .records.results import CropOf, Detection, Findings
from .samples import Captured, Crop, Crops, Want


class Sighting(msgspec.Struct, frozen=True):
    """What a pipeline has found in a frame, best first and as exactly as it knows; ``sequence`` is
    that of the result that told of it, None where none did.
    """

    frame: Frame
    findings: Findings
    sequence: int | None


class CropRule(msgspec.Struct, frozen=True):
    """Which objects of ``pipeline`` are looked at: those with one of ``labels`` (casefolded; None:
    all), the best ``most`` of a frame, each with ``margin`` times its sides around it.

    ``tracked``: whether they have numbers. ``telling``: what that pipeline leaves out, and how
    coarse boxes may be told. ``waits``: every frame counts, and the pipeline waits; else the newest
    wins. ``empty``: frames without any such object count too.
    """

    pipeline: str
    labels: frozenset[str] | None
    margin: float
    most: int
    tracked: bool
    telling: Minimiser
    waits: bool
    empty: bool

    def crops(self, seen: Sighting) -> Crops:
        """What is to be looked at of a frame."""
        height, width = seen.frame.pixels.shape[:2]
        found = [each for each in seen.findings if isinstance(each, Detection)]
        counts = Counter(each.label for each in found)
        wanted = [
            each
            for each in found
            if counts[each.label] >= self.telling.min_count
            and (self.labels is None or each.label.casefold() in self.labels)
        ]
        return Crops(
            seen.frame,
            tuple(
                Crop(
                    Rect.around(each.box, Size(width, height), self.margin),
                    CropOf(
                        self.pipeline,
                        seen.sequence,
                        each.label,
                        each.score,
                        self.telling.box(each.box),
                        each.track,
                    ),
                )
                for each in wanted[: self.most]
            ),
        )


class Followed(msgspec.Struct, frozen=True):
    """How the other pipeline is. ``misfit``: why its model finds nothing to look at."""

    state: HealthState
    reason: str | None
    misfit: str | None = None


class CropFeed:
    """Puts crops into ``slot``: what a ``Capture`` is for pipelines with a source.

    ``on_state`` as there. ``frames`` counts crops, of which ``slot`` counts those that are dropped.
    """

    gated = skipped = gaps = 0
    died = False
    whole = False

    def __init__(
        self,
        rule: CropRule,
        slot: LatestSlot[Captured],
        on_state: Callable[[CaptureState, str | None], None],
    ) -> None:
        self.rule = rule
        self.frames = 0
        self._slot = slot
        self._on_state = on_state
        self._waits = rule.waits
        self._telling = threading.Lock()  # guards all below
        self._started = self._retired = self._gave_up = False
        self._followed: Followed | None = None
        self._told: tuple[CaptureState, str | None] | None = None

    # ---- called by the pipeline whose objects they are -------------------------------------------

    def look(self, seen: Sighting) -> None:
        """Waits where every frame counts."""
        crops = self.rule.crops(seen)
        if not crops.crops and not self.rule.empty:
            return
        self.frames += len(crops.crops)
        with contextlib.suppress(Closed):
            (self._slot.put_wait if self._waits else self._slot.put)(crops)

    # ---- called by the daemon --------------------------------------------------------------------

    def follow(self, followed: Followed) -> None:
        """What the other pipeline is at; to be called about once a second."""
        with self._telling:
            self._followed = followed
            self._tell()

    def retire(self) -> None:
        """The other pipeline has ended: what it has handed over is the last."""
        self._retired = True
        self._slot.close()
        if self._gave_up:
            self._clear()

    @property
    def over(self) -> bool:
        """Whether nothing is left to look at, and nothing will come."""
        return self._retired and not len(self._slot)

    # ---- as a capture ----------------------------------------------------------------------------

    def start(self, want: Want) -> None:
        """There is a model to look with; ``want`` is nothing that crops could go by."""
        with self._telling:
            self._started, self._gave_up, self._waits = True, False, self.rule.waits
            self._tell()

    def give_up(self) -> None:
        """There is no model: who waits for one goes on."""
        self._gave_up, self._waits = True, False
        self._clear()

    def _clear(self) -> None:
        with contextlib.suppress(Closed):
            if crops := self._slot.take(0):
                self._slot.dropped += weight(crops)

    def reopen(self, want: Want) -> None:
        """Crops are what they are."""

    def check(self) -> None:
        """It cannot stall by itself."""

    def slow_to(self, share: float, busy_ns: int) -> None:
        """The other pipeline is slowed down, and so are its crops."""

    def stop(self, timeout_s: float = 0.0) -> bool:
        self._slot.close()
        return True

    def _tell(self) -> None:
        if not self._started or self._followed is None:
            return
        state = self._state(self._followed)
        if state != self._told:
            self._told = state
            self._on_state(*state)

    def _state(self, followed: Followed) -> tuple[CaptureState, str | None]:
        named = f"pipeline {self.rule.pipeline}, whose objects it looks at,"
        reason = followed.reason
        if followed.misfit is not None:
            return CaptureState.LOST, followed.misfit
        if followed.state is HealthState.SOURCE_LOST:
            return CaptureState.LOST, f"{named} has lost its source: {reason}"
        if followed.state is HealthState.STOPPED:
            return CaptureState.LOST, f"{named} is stopped: {reason}"
        if followed.state is HealthState.RUNNING and reason is not None:
            return CaptureState.ASLEEP, f"{named} is {reason}"
        return CaptureState.RUNNING, None


def weight(item: Captured) -> int:
    """For how much it counts where it is dropped."""
    return len(item.crops) if isinstance(item, Crops) else 1
