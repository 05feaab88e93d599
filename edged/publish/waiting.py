"""What waits for the broker, piece by piece: results, state, and what is under way."""

from __future__ import annotations

import enum
from collections import OrderedDict

import msgspec

from ..records.home_assistant import Announcement
from ..records.published import Queued, Record
from . import Stored
from .messages import is_retained


class Place(enum.Enum):
    """Where a result is, as far as memory knows."""

    WAITING = enum.auto()
    UNDER_WAY = enum.auto()
    GONE = enum.auto()  # delivered, refused, or dropped


class Waiting(msgspec.Struct, eq=False):
    """A result that waits or is under way. ``row`` is its number in the spool, if it is there.

    ``name`` is what it is called in the log; ``since_s`` is the clock's time at which it was handed
    over.
    """

    name: str
    content: Queued | Stored
    since_s: float
    row: int | None = None
    place: Place = Place.WAITING


class Parcel(msgspec.Struct, frozen=True):
    """What is under way. ``number`` names it until it is settled; sent again it has another.

    ``name`` is the topic, or a spooled result's pipeline; ``waiting`` is None for state.
    """

    number: int
    name: str
    content: Record | Stored
    waiting: Waiting | None


class Wanted(msgspec.Struct, frozen=True):
    """Which rows are to be read from the spool: those after ``after``, the oldest first."""

    generation: int
    after: int


class State:
    """Records of which only the newest of a topic counts. Without a lock: the outbox has one."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[str, Record] = OrderedDict()  # by topic, in the order of sending
        self._retained: dict[str, Record] = {}  # by topic: what the broker ought to hold

    def put(self, topic: str, record: Record) -> None:
        self.waiting[topic] = record
        if isinstance(record, Announcement) and not record.entities:
            self._retained.pop(topic, None)  # to take it back once is enough
        elif is_retained(record):
            self._retained[topic] = record

    def start_over(self, not_acknowledged: dict[str, Record]) -> None:
        """The connection broke: that, and all that the broker ought to hold, waits again."""
        self.waiting = OrderedDict(not_acknowledged | self._retained | self.waiting)
