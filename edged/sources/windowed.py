"""Windows out of a source of samples: what makes a sensor a source like a camera."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec.structs import replace

from ..errors import SourceError
from ..samples import Samples, Want, Window, WindowShape
from . import Gap, NotYet, SampleSource
from .stretch import Stretch

PATIENCE_NS = 1_000_000_000


class WindowedSource:
    """A ``Source`` of the windows that a model asks for, cut from the samples of another.

    Where the model does not say how windows follow each other, ``hop_s`` does (from one's beginning
    to the next one's) or ``overlap`` (the share of a window that the next one has too). No window
    spans a gap: where samples are missing, or rate or channels change, ``read`` raises Gap, and
    windows begin anew.
    """

    def __init__(
        self,
        source: SampleSource,
        *,
        hop_s: float | None = None,
        overlap: float = 0,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._source = source
        self._hop_s = hop_s
        self._overlap = overlap
        self._now_ns = now_ns
        self._want: WindowShape | None = None  # None: it is closed
        self._number = 0
        self._stretch: Stretch | None = None
        self._held: Samples | None = None  # the block after a gap, while windows before it are cut

    @property
    def live(self) -> bool:
        return self._source.live

    def open(self, want: Want) -> None:
        if not isinstance(want, WindowShape):
            raise SourceError(
                "The source gives samples, and the model looks at pictures. Give the pipeline a "
                "camera, or a model for samples."
            )
        if self._want is None:
            self._source.open()
        self._want, self._stretch, self._held = want, None, None

    def read(self) -> Window | None:
        since_ns = self._now_ns()
        while True:
            if self._stretch is not None:
                window = self._stretch.cut(self._number)
                if window is not None:
                    self._number += 1
                    # What a source gives that waits is of the moment at which it is taken.
                    return window if self.live else replace(window, captured_ns=window.arrived_ns)
                if self._stretch.ended:
                    if self._held is None:
                        return None
                    self._begin(self._held)
                    continue
            if self._now_ns() - since_ns > PATIENCE_NS:
                raise NotYet
            self._take(self._source.read())
            if self._stretch is None:
                return None

    def _take(self, block: Samples | None) -> None:
        """Raises Gap."""
        if self._stretch is None:
            if block is not None:
                self._begin(block)
        elif block is None:
            self._stretch.end()
        elif (breach := self._stretch.breach(block)) is None:
            self._stretch.feed(block)
        else:
            self._stretch.end()
            self._held = block
            raise Gap(f"{breach}: windows begin anew.")

    def _begin(self, block: Samples) -> None:
        want = self._want
        assert want is not None
        hop = want.hop
        if hop is None and self._hop_s is not None:
            hop = round(self._hop_s * (want.rate_hz or block.rate_hz))
        elif hop is None:
            hop = round(want.length * (1 - self._overlap))
        self._stretch, self._held = Stretch(block, want, max(1, hop), self._stretch), None

    def close(self) -> None:
        self._want = self._stretch = self._held = None
        self._source.close()
