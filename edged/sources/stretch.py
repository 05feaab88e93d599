"""The samples between two gaps, on their way to windows: resampled, cut and dated."""

from __future__ import annotations

from fractions import Fraction

from ..records.arrays import FloatArray
from ..samples import Samples, Window, WindowShape
from .cutting import Cutter
from .resampling import Resampler, same_rate


class Stretch:
    """``block`` and what follows it without a gap, in windows of the shape ``want``, a hop apart.

    ``before`` is the stretch before the gap, None at the beginning. Samples are counted twice: as
    their source does, and at the rate of the windows.
    """

    def __init__(self, block: Samples, want: WindowShape, hop: int, before: Stretch | None) -> None:
        """Raises SourceError where the rates are too far apart."""
        self._block = block
        self._begin = block.first
        self._rate_hz = want.rate_hz or block.rate_hz
        self._resampler: Resampler | None = None
        self._ratio = Fraction(1)
        if not same_rate(block.rate_hz, self._rate_hz):
            self._resampler = Resampler(block.rate_hz, self._rate_hz)
            self._ratio = self._resampler.ratio
        # Kept exact: rounded, many gaps would add up to an error, and a short one could vanish.
        self._place, least = self._begin * self._ratio, 0
        if before is not None:
            self._place = before._place + (self._begin - before._begin) * before._ratio
            least = before.next + 1
        self._first = max(round(self._place), least)
        self.next: int = self._first
        """The number of the sample that would come next, at the rate of the windows."""
        self._length = want.length
        self._cutter = Cutter(want.length, hop, len(block.channels))
        self.ended = False
        self.feed(block)

    def breach(self, block: Samples) -> str | None:
        """Why ``block`` does not go on where the last one ended; None where it does."""
        due = self._block.first + len(self._block.values)
        if block.first != due:
            lost = block.first - due
            return f"{lost} sample{'s' * (lost != 1)} lost before number {block.first}"
        if block.rate_hz != self._block.rate_hz:
            return f"The rate has changed from {self._block.rate_hz:g} to {block.rate_hz:g} Hz"
        if block.channels != self._block.channels:
            return f"The channels have changed to {', '.join(map(str, block.channels))}"
        return None

    def feed(self, block: Samples) -> None:
        """Go on with it; to be called when ``cut`` has nothing more."""
        self._block = block
        self._give(self._resampler.feed(block.values) if self._resampler else block.values)

    def end(self) -> None:
        """No more will come: what was held back for resampling is given."""
        self.ended = True
        if self._resampler:
            self._give(self._resampler.flush())

    def _give(self, values: FloatArray) -> None:
        self.next += len(values)
        self._cutter.feed(values)

    def cut(self, number: int) -> Window | None:
        """The next window, which gets that number; None where it is not complete yet."""
        begun = self._cutter.begun
        samples = self._cutter.cut()
        if samples is None:
            return None
        block = self._block
        last = self._begin + (begun + self._length - 1) / self._ratio  # as the source counts
        behind = block.first + len(block.values) - 1 - last
        return Window(
            number=number,
            captured_ns=block.captured_ns - round(behind / block.rate_hz * 1e9),
            arrived_ns=block.arrived_ns,
            samples=samples,
            rate_hz=self._rate_hz,
            channels=block.channels,
            first=self._first + begun,
        )
