"""Commands over MQTT: from the publisher's thread, which hears them, to the main thread, which
carries them out one at a time, and back with the answer.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

from .errors import MessageRefused
from .log_fields import Event, about
from .publish import Context, Received
from .publish.commands import (
    MOST_PER_MINUTE,
    Change,
    CommandRefused,
    Reload,
    command_in,
    filters,
)
from .publish.publisher import Publisher
from .publish.topics import answered_on
from .records.published import Answer

log = logging.getLogger("edged.commands")

MOST_WAITING = 16
_LINES_PER_MINUTE = 20
_MINUTE_S = 60.0


class Controls(Protocol):
    """What can be commanded. Called on the main thread; each may raise CommandRefused."""

    def set_enabled(self, pipeline: str, enabled: bool) -> None: ...

    def set_threshold(self, pipeline: str, threshold: float) -> None: ...

    def reload(self) -> None: ...


class Remote:
    """``listen`` before the publisher starts; ``wake`` is called when there is something for
    ``work``, which carries out one command.

    At most ``MOST_WAITING`` wait; more are refused. What becomes of each is logged, as far as the
    log is not flooded, and answered where the command asks for it. Of more than MOST_PER_MINUTE
    the rest is only logged: no flood of commands becomes one of answers.
    """

    def __init__(
        self,
        context: Context,
        publisher: Publisher,
        wake: Callable[[], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context = context
        self._publisher = publisher
        self._wake = wake
        self._waiting: queue.Queue[Received] = queue.Queue(MOST_WAITING)
        self._allowance = Allowance(MOST_PER_MINUTE, _MINUTE_S, now_s)
        self._lines = Lines(Allowance(_LINES_PER_MINUTE, _MINUTE_S, now_s))

    def listen(self) -> None:
        for topic_filter in filters(self._context):
            self._publisher.listen(topic_filter, self.heard)

    def heard(self, message: Received) -> None:
        """Called on the publisher's thread."""
        if not self._allowance.take():
            self._lines.log(logging.WARNING, f"more than {MOST_PER_MINUTE} commands in a minute")
            return
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            self._refused(message, f"More than {MOST_WAITING} commands wait already.")
        else:
            self._wake()

    def work(self, controls: Controls) -> None:
        """Carry out one command, where one waits. Never raises for what is in it."""
        try:
            message = self._waiting.get_nowait()
        except queue.Empty:
            return
        try:
            self._check_answerable(message)
            command = command_in(message, self._context)
            _carry_out(command, controls)
        except CommandRefused as error:
            self._refused(message, str(error))
        except Exception as error:  # a mistake of ours: the daemon goes on
            log.debug("A command failed", exc_info=True)
            self._lines.log(logging.ERROR, f"a command failed: {type(error).__name__}: {error}")
            self._refused(message, "It failed; the log says why.")
        else:
            self._lines.log(logging.INFO, f"carried out a command: {command}")
            self._answer(message, ok=True, reason=None)

    def _check_answerable(self, message: Received) -> None:
        if message.response_topic is not None:
            try:
                answered_on(_answer_to(message, ok=True, reason=None), self._context)
            except MessageRefused as error:
                raise CommandRefused(str(error)) from error

    def _refused(self, message: Received, reason: str) -> None:
        topic = message.topic[:200]
        self._lines.log(logging.WARNING, f"refused a command on {topic!r}: {reason}")
        self._answer(message, ok=False, reason=reason)

    def _answer(self, message: Received, *, ok: bool, reason: str | None) -> None:
        if message.response_topic is None:
            return
        try:
            self._publisher.answer(_answer_to(message, ok=ok, reason=reason))
        except MessageRefused:  # of the response topic itself: the log has it
            log.debug("A command was not answered", exc_info=True)


def _answer_to(message: Received, *, ok: bool, reason: str | None) -> Answer:
    return Answer(message.response_topic or "", message.correlation, ok, reason)


def _carry_out(command: Reload | Change, controls: Controls) -> None:
    match command:
        case Reload():
            controls.reload()
        case Change(pipeline, enabled, threshold):
            if threshold is not None:
                controls.set_threshold(pipeline, threshold)
            if enabled is not None:
                controls.set_enabled(pipeline, enabled)


class Allowance:
    """So many in so many seconds. ``left_out`` counts the others. Not for several threads."""

    def __init__(
        self, most: int, per_s: float, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._per_s, self._now_s = most, per_s, now_s
        self._since_s = now_s()
        self._taken = 0
        self.left_out = 0

    def take(self) -> bool:
        now_s = self._now_s()
        if now_s - self._since_s >= self._per_s:
            self._since_s, self._taken = now_s, 0
        if self._taken >= self._most:
            self.left_out += 1
            return False
        self._taken += 1
        return True


class Lines:
    """A log that is not flooded: it tells how many lines it has left out. Any thread."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._lock = threading.Lock()

    def log(self, level: int, text: str) -> None:
        with self._lock:
            if not self._allowance.take():
                return
            left_out, self._allowance.left_out = self._allowance.left_out, 0
        if left_out:
            fields = about(Event.COMMAND)
            log.warning("%d more lines on commands were left out", left_out, extra=fields)
        log.log(level, "%s", text, extra=about(Event.COMMAND))
