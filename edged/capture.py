"""The thread around a source: retried for ever, paced, watched.

What is said of frames here holds for windows of samples too.
"""

from __future__ import annotations

import enum
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from .cascade import Alarm
from .errors import EdgedError
from .gate import MotionGate
from .handoff import Closed, LatestSlot
from .log_fields import Event, Lasting, about
from .pace import Pace
from .samples import Captured, Want
from .sources import Gap, NotYet, Source, Unreadable

log = logging.getLogger(__name__)

STALL_AFTER_S = 5.0
LONGEST_PAUSE_S = 60.0
STEADY_S = 10.0


class CaptureState(enum.Enum):
    """What a capture is at. Nothing is told before the first frame or failure."""

    RUNNING = "running"
    LOST = "lost"  # and being retried
    ASLEEP = "asleep"  # closed, until another pipeline wakes it
    ENDED = "ended"  # a recording is over, or nobody wakes it any more; the slot is closed


def growing_pauses() -> Iterator[float]:
    """1, 2, 4 ... 60, 60 seconds, each up to a quarter shorter, lest daemons keep in step."""
    pause_s = 1.0
    while True:
        yield pause_s * random.uniform(0.75, 1.0)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


class Capture:
    """Owns one source and puts its frames into one slot, from a thread of its own.

    With ``realtime`` the newest frame wins (``slot.put``); without it the source waits until the
    last one was taken (``slot.put_wait``). A source that fails is opened again after growing
    pauses, for ever. With an ``alarm`` it is open only while that is awake. What a ``gate`` keeps
    back never comes into the slot. That is closed at the end of a recording and by ``stop``.
    ``prepare`` is called for each frame that is sure to be taken, before it waits: without
    ``realtime``, for else a newer one may replace it.

    ``on_state`` gets the new state and its reason (None while all is well) at each change, from
    the capture thread or from that of ``check``, with an internal lock held: it must only hand on.
    ``frames`` counts what came at the pace that is asked for, ``gated`` those of them that did not
    pass the gate, ``skipped`` pictures that could not be read, ``gaps`` the breaks in a sensor's
    samples.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        slot: LatestSlot[Captured],
        *,
        fps: float | None,
        realtime: bool,
        on_state: Callable[[CaptureState, str | None], None],
        alarm: Alarm | None = None,
        gate: MotionGate | None = None,
        prepare: Callable[[Captured], None] = lambda _: None,
        pauses: Callable[[], Iterator[float]] = growing_pauses,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self.frames = 0
        self.gated = 0
        self.skipped = 0
        self.gaps = 0
        self.whole = False
        """Whether all is handed on, as a stream needs it, whatever the pace; from any thread."""
        self._given = 0  # by the source, whether handed on or passed over
        self._source = source
        self._slot = slot
        self._put = slot.put if realtime else self._put_prepared
        self._prepare = prepare
        self._pace = Pace(fps, source.live)
        self._pace.measure_from(0, now_ns())
        self._on_state = on_state
        self._alarm = alarm
        self._gate = gate
        self._new_pauses = pauses
        self._pauses: Iterator[float] | None = None  # None: it is steady
        self._failures = 0  # since it was
        self._opened_ns = 0
        self._skips, self._breaks = Lasting(), Lasting()
        self._now_ns = now_ns
        self._want: Want = None
        self._stopping = threading.Event()
        self._reopening = threading.Event()
        self._telling = threading.Lock()
        self._told: tuple[CaptureState | None, str | None] = (None, None)
        self._over = False  # the thread has come to its end, as it should
        self._waiting_since_ns: int | None = None  # for the source to open or to give a frame
        # A source may hang in its driver, beyond reach; the process must be able to end even so.
        self._thread = threading.Thread(target=self._run, name=f"capture-{name}", daemon=True)

    def start(self, want: Want) -> None:
        """Begin, asking the source for what the model wants (see ``Source.open``)."""
        self._want = want
        self._thread.start()

    def reopen(self, want: Want) -> None:
        """Ask the source for something else, after the frame in hand.

        The source is opened again for it, without being closed before. A camera pauses.
        """
        self._want = want
        self._reopening.set()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Close the slot and end the thread; False when it is still stuck in its source then."""
        self._stopping.set()
        if self._alarm is not None:
            self._alarm.retire()
        self._slot.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def died(self) -> bool:
        """Whether the thread has ended although nobody asked it to and there is more to come."""
        # Looked at in this order: it says that it is over before it ends.
        return self._thread.ident is not None and not self._thread.is_alive() and not self._over

    def check(self) -> None:
        """Notice a stall; to be called about once a second, from any thread."""
        with self._telling:
            since_ns = self._waiting_since_ns
            if since_ns is None or self._told[0] is CaptureState.LOST or self._stopping.is_set():
                return
            if self._now_ns() - since_ns > STALL_AFTER_S * 1e9:
                self._tell(CaptureState.LOST, f"The source gave no frame for {STALL_AFTER_S:g} s.")

    def slow_to(self, share: float, busy_ns: int) -> None:
        """See ``Pace``; called about once a second."""
        self._pace.slow_to(share, busy_ns, self._given, self._now_ns())

    def _run(self) -> None:
        self._play_for_ever()
        self._over = True

    def _play_for_ever(self) -> None:
        """Until it is stopped, or a recording is over."""
        while not self._stopping.is_set():
            if not self._wait_to_be_woken():
                return
            try:
                ended = self._play()
            except Closed:
                return
            except Exception as error:  # also a driver's or library's: a camera is worth retrying
                if self._stopping.is_set():
                    return
                log.debug("%s: the source failed", self.name, exc_info=error)
                with self._telling:
                    self._tell(CaptureState.LOST, _reason(error))
                self._pauses = self._pauses or self._new_pauses()
                self._failures += 1
                self._stopping.wait(next(self._pauses))
                continue
            if ended:
                self._end()
                return

    def _end(self) -> None:
        with self._telling:
            self._tell(CaptureState.ENDED, None)
        self._slot.close()

    def _wait_to_be_woken(self) -> bool:
        """At once where it is to run now; False at the end."""
        alarm = self._alarm
        if alarm is None or alarm.awake:
            return True
        if not alarm.over:
            with self._telling:
                self._tell(CaptureState.ASLEEP, None)
            if alarm.wait():
                # What failed before it slept may do by now.
                self._pauses, self._failures = None, 0
                return True
        if not self._stopping.is_set():
            self._end()
        return False

    @property
    def _runs(self) -> bool:
        """Whether the source is to be open."""
        return not self._stopping.is_set() and (self._alarm is None or self._alarm.awake)

    def _play(self) -> bool:
        """Hand on the source's frames: True at its end, False when it is to stop or to sleep."""
        try:
            while self._runs:
                self._reopening.clear()
                self._waiting_since_ns = self._opened_ns = self._now_ns()
                self._source.open(self._want)
                if self._gate is not None:
                    self._gate.reset()
                self._pace.measure_from(self._given, self._opened_ns)
                while self._runs and not self._reopening.is_set():
                    if not self._step():
                        return True
            return False
        finally:
            self._waiting_since_ns = None
            self._tell_rest(self._skips, "were skipped like that")
            self._tell_rest(self._breaks, "gaps came after that")
            self._source.close()

    def _step(self) -> bool:
        """One frame's way; False at the end. Keeps no reference: the buffer is to be used again."""
        self._waiting_since_ns = self._now_ns()
        try:
            frame = self._source.read()
        except Unreadable as error:
            self.skipped += 1
            return self._tell_fault(self._skips, error)
        except Gap as error:
            self.gaps += 1
            return self._tell_fault(self._breaks, error)
        except NotYet:
            self._well()
            return True
        self._waiting_since_ns = None
        if frame is None:
            return False
        self._given += 1
        self._well()
        due_ns = frame.captured_ns if self.whole else self._pace.due_ns(frame.captured_ns)
        if due_ns is None:
            return True
        early_ns = due_ns - self._now_ns()
        if early_ns > 0:
            if self._stopping.wait(early_ns / 1e9):
                return True
            frame = replace(frame, captured_ns=due_ns, arrived_ns=due_ns)
        if self._gate is None or self._gate.lets_pass(frame):
            self._put(frame)
        else:
            self.gated += 1
        self.frames += 1
        return True

    def _put_prepared(self, frame: Captured) -> None:
        self._prepare(frame)
        self._slot.put_wait(frame)

    def _well(self) -> None:
        if self._pauses is not None:
            self._came_back()
        with self._telling:
            self._tell(CaptureState.RUNNING, None)

    def _came_back(self) -> None:
        """After a failure. One that gives a frame now and then is no better than one that is gone:
        it is retried more and more slowly until it has been steady for a while.
        """
        if self._now_ns() - self._opened_ns >= STEADY_S * 1e9:
            fields = about(Event.SOURCE, self.name)
            log.info("%s: its source had failed %d times", self.name, self._failures, extra=fields)
            self._pauses, self._failures = None, 0

    def _tell_fault(self, faults: Lasting, error: EdgedError) -> bool:
        """Of a source that goes on all the same: True."""
        if faults.happened(str(error)):
            log.warning("%s: %s", self.name, error, extra=about(Event.SOURCE, self.name))
        return True

    def _tell_rest(self, faults: Lasting, what: str) -> None:
        if untold := faults.untold:
            fields = about(Event.SOURCE, self.name)
            log.warning("%s: %d more %s", self.name, untold, what, extra=fields)
        faults.over()

    def _tell(self, state: CaptureState, reason: str | None) -> None:
        """Call with ``_telling`` held: a stall and the frame that ends it come from two threads."""
        if self._told != (state, reason):
            self._told = (state, reason)
            self._on_state(state, reason)


def _reason(error: Exception) -> str:
    if isinstance(error, EdgedError):
        return str(error)
    return f"The source failed: {type(error).__name__}: {' '.join(str(error).split())}"
