"""How many of a source's frames are handed on: the rate asked for, and less when it is hot."""

from __future__ import annotations


class Pace:
    """Which frames are handed on, and when: at most ``fps`` a second on average.

    Of a live source frames are passed over; a source that is not live is made to wait.
    """

    def __init__(self, fps: float | None, live: bool) -> None:
        self._asked_ns = round(1e9 / fps) if fps else 0
        self._interval_ns = self._asked_ns
        self._live = live
        self._next_ns = 0
        self._given_before, self._measured_ns = 0, 0

    def due_ns(self, captured_ns: int) -> int | None:
        """When to hand on a frame of that time; None when it comes too soon to be wanted."""
        next_ns, interval_ns = self._next_ns, self._interval_ns
        if not self._live:
            due_ns = max(captured_ns, next_ns)
            self._next_ns = due_ns + interval_ns
            return due_ns
        # A camera that runs at this very rate, with jitter, must not lose every other frame.
        if captured_ns < next_ns - interval_ns // 4:
            return None
        on_time = captured_ns - next_ns < interval_ns
        self._next_ns = (next_ns if on_time else captured_ns) + interval_ns
        return captured_ns

    def measure_from(self, given: int, now_ns: int) -> None:
        """The source is opened now, and had given so many frames before."""
        self._given_before, self._measured_ns = given, now_ns

    def slow_to(self, share: float, busy_ns: int, given: int, now_ns: int) -> None:
        """Hand on that share of what would be inferred otherwise; from any thread, about once a
        second. ``given``: how many frames the source has given so far.

        ``busy_ns`` is what the model takes for a frame: of a source that gives more than that
        allows, and loses most of it, a share of the few that are inferred is meant.
        """
        frames, elapsed_ns = given - self._given_before, now_ns - self._measured_ns
        if share >= 1:
            self._interval_ns = self._asked_ns
        elif self._live and not frames:
            return  # a slow source: what it gives is known when it has given something
        else:
            source_ns = elapsed_ns / frames if self._live else 0
            least_ns = round(max(source_ns, busy_ns, self._asked_ns) / share)
            self._interval_ns = max(self._asked_ns, least_ns)
        self.measure_from(given, now_ns)
