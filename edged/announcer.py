"""When Home Assistant is told of this device, and when it is told to forget something.

Home Assistant forgets only what it is told to forget, so edged has to know what it has told: also
in a run before, with pipelines that were taken out since, under a prefix or a device id that the
configuration no longer has, or when Home Assistant was not switched off yet. The broker's retained
messages would tell no more than half of that, and only those who may read them. So it is kept in a
small file in the state directory, written before anything new is told. What is gone leaves the file
when the broker has acknowledged the message that says so.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from .config_types import TopicPrefix
from .log_fields import Event, about
from .publish import Context, Received
from .publish.home_assistant import announcement, left_out, place_of
from .publish.home_assistant_entities import component_id
from .publish.messages import MAX_PAYLOAD_BYTES
from .publish.wire.fields import ComponentId
from .records.home_assistant import Announcement, DiscoveryPlace
from .records.info import Info
from .records.published import Record
from .store.atomic import DISK, Disk

log = logging.getLogger("edged.home_assistant")

FILE_NAME = "home-assistant.json"
_ONLINE = b"online"
# A whole fleet hears at the same moment that Home Assistant has come up.
_SPREAD_S = 3.0


class Outlet(Protocol):
    """What the announcer needs of the publisher."""

    def publish(self, record: Record) -> None:
        """Hand a record over."""

    def wait_delivered(self, timeout_s: float) -> bool:
        """Whether the broker has acknowledged all that was handed over."""


class _Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The component ids that were told of at a place."""

    prefix: TopicPrefix
    device: ComponentId
    components: tuple[ComponentId, ...]


class Memory:
    """What Home Assistant may have been told of: component ids, by place."""

    def __init__(self, path: Path, disk: Disk = DISK) -> None:
        self.told: dict[DiscoveryPlace, frozenset[str]] = {}
        self._path = path
        self._disk = disk
        self._failed = False

    def open(self) -> None:
        """Read the file. One that is no use is told, and counts as none."""
        try:
            entries = msgspec.json.decode(self._path.read_bytes(), type=tuple[_Told, ...])
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as error:
            log.warning(
                "%s cannot be read (%s): what Home Assistant has of pipelines that are gone "
                "is to be removed there by hand",
                self._path,
                error,
                extra=about(Event.HOME_ASSISTANT),
            )
            return
        self.told = {
            DiscoveryPlace(entry.prefix, entry.device): frozenset(entry.components)
            for entry in entries
        }

    def keep(self, place: DiscoveryPlace, components: frozenset[str]) -> None:
        """From now on this was told at a place; that it cannot be written is logged."""
        if self.told.get(place, frozenset()) == components:
            return
        self.told[place] = components
        self.told = {place: components for place, components in self.told.items() if components}
        entries = [
            _Told(place.prefix, place.device, tuple(sorted(told)))
            for place, told in self.told.items()
        ]
        try:
            if entries:
                self._disk.write_atomically(self._path, msgspec.json.encode(entries))
            else:
                self._disk.remove(self._path)
        except OSError as error:
            if not self._failed:
                log.warning(
                    "%s cannot be written (%s): what is taken out while edged does not run will "
                    "have to be removed from Home Assistant by hand",
                    self._path,
                    error,
                    extra=about(Event.HOME_ASSISTANT),
                )
            self._failed = True
        else:
            self._failed = False


class Announcer:
    """``open`` once, then ``check`` about once a second in the same thread: it does the work.

    ``announce`` and ``heard`` only note, and may be called from any thread. Where Home
    Assistant is switched off it only takes back what was told before.
    """

    def __init__(
        self,
        context: Context,
        memory: Memory,
        outlet: Outlet,
        *,
        now_s: Callable[[], float] = time.monotonic,
        spread_s: Callable[[], float] = lambda: random.uniform(0, _SPREAD_S),
    ) -> None:
        self._context = context
        self._place = place_of(context)
        self._memory = memory
        self._outlet = outlet
        self._now_s = now_s
        self._spread_s = spread_s
        self._lock = threading.Lock()  # of the next three
        self._info: Info | None = None
        self._due_s = math.inf
        self._again = False  # even where nothing has changed
        self._last: Record | None = None
        self._leaving: dict[
            DiscoveryPlace, frozenset[str]
        ] = {}  # named as gone, not acknowledged yet
        self._told_left_out: str | None = None

    def open(self) -> None:
        """Read what was told before, and withdraw what is no more under that name."""
        self._memory.open()
        for place in self._memory.told:
            if not self._context.home_assistant or place != self._place:
                self._withdraw(place)

    def announce(self, info: Info) -> None:
        """This is how the device is now."""
        with self._lock:
            self._info = info
            self._due_s = min(self._due_s, self._now_s())

    def heard(self, message: Received) -> None:
        """What came on Home Assistant's ``status``: when it comes up it wants to be told again.

        A retained message says nothing new: it comes with every connection, and to whoever comes
        up after its retained birth message the broker gives our retained announcement.
        """
        if message.payload == _ONLINE and not message.retained:
            with self._lock:
                self._again = True
                self._due_s = min(self._due_s, self._now_s() + self._spread_s())

    def check(self) -> None:
        """Announce what is due; forget what the broker knows to be gone."""
        if self._leaving and self._outlet.wait_delivered(0):
            self._forget()
        with self._lock:
            info, again = self._info, self._again
            if not self._context.home_assistant or info is None or self._now_s() < self._due_s:
                return
            self._due_s, self._again = math.inf, False
        if info.pipelines:
            self._announce(info, again)
        elif self._memory.told.get(self._place):
            self._withdraw(self._place)

    def _announce(self, info: Info, again: bool) -> None:
        known = self._memory.told.get(self._place, frozenset())
        record = announcement(info, known, self._context, MAX_PAYLOAD_BYTES)
        if record == self._last and not again:
            return
        self._last = record
        self._memory.keep(self._place, known | set(map(component_id, record.entities)))
        self._outlet.publish(record)
        self._leaving.pop(self._place, None)
        if record.gone:
            self._leaving[self._place] = frozenset(record.gone)
            gone = ", ".join(record.gone)
            fields = about(Event.HOME_ASSISTANT)
            log.info("Home Assistant is told to remove %s", gone, extra=fields)
        missing = left_out(info, record)
        if missing != self._told_left_out and missing is not None:
            log.warning(
                "What Home Assistant is told has to fit into %d bytes, so it leaves out %s. "
                "The topics of edged have it all",
                MAX_PAYLOAD_BYTES,
                missing,
                extra=about(Event.HOME_ASSISTANT),
            )
        self._told_left_out = missing

    def _withdraw(self, place: DiscoveryPlace) -> None:
        log.info(
            "Home Assistant is told to remove the device %s",
            place.device,
            extra=about(Event.HOME_ASSISTANT),
        )
        self._last = None
        self._leaving[place] = self._memory.told[place]
        self._outlet.publish(Announcement(place))

    def _forget(self) -> None:
        """The broker has what says that these are gone; the next announcement leaves them out."""
        log.info(
            "The broker has what Home Assistant is to remove", extra=about(Event.HOME_ASSISTANT)
        )
        leaving, self._leaving = self._leaving, {}
        for place, components in leaving.items():
            self._memory.keep(place, self._memory.told.get(place, frozenset()) - components)
        if self._place in leaving:
            with self._lock:
                self._due_s = min(self._due_s, self._now_s())
