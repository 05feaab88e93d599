"""All that is published and listened to: the one list that the publisher goes by.

A record without an entry cannot be published, and a topic without one cannot be subscribed to.
``edged audit`` tells this list.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Callable
from typing import Any

import msgspec

from ..errors import MessageRefused
from ..plain_text import PLAIN
from ..records.happenings import Counts, Happening
from ..records.health import Health, Metrics
from ..records.home_assistant import Announcement, DiscoveryPlace
from ..records.info import Info
from ..records.models import ModelReport
from ..records.published import Answer, Record
from ..records.results import Result
from . import Context, convert, home_assistant
from .wire.fields import MAX_TEXT_CHARS, Closed
from .wire.kinds import TYPES

ONLINE = b"online"
OFFLINE = b"offline"

# One level of a topic that the name of a pipeline is put into.
_LEVEL = re.compile(rf"{PLAIN}[^/+#]{{1,{MAX_TEXT_CHARS}}}\Z")
# Several levels, of the configuration.
_PREFIX = re.compile(rf"{PLAIN}[^+#]{{1,{MAX_TEXT_CHARS}}}\Z")
# A response topic: none of the broker's own, no wildcards.
_ANSWERED = re.compile(rf"{PLAIN}(?!\$)[^+#]{{1,{MAX_TEXT_CHARS}}}\Z")
MAX_CORRELATION_BYTES = 256


class Pace(enum.Enum):
    """What makes a message come."""

    RESULT = "as results come"
    EVENT = "as events begin, go on and end"
    METRICS = "every 30 s, and when the daemon stops"
    CHANGE = "on change, and at each connection"
    CONNECTION = "at each connection, and at its end"
    COMMAND = "one for each command that asks for it"


class Publication(msgspec.Struct, frozen=True):
    """One kind of message. ``record`` None: it is no record but one of ``words``.

    ``topic`` holds {prefix}, {device} and {pipeline}, or {home_assistant} and {device_id}. ``qos``
    None: that of the configuration.
    ``converts`` are tried in turn until one gives a message that is not too long; one that gives
    None makes an empty one. ``needs`` names the key of ``[mqtt]`` that must be on.
    """

    kind: str
    record: type[Record] | None
    topic: str
    retained: bool
    pace: Pace
    types: tuple[type[Closed], ...] = ()
    converts: tuple[Callable[[Any, Context], Closed | None], ...] = ()
    words: tuple[bytes, ...] = ()
    qos: int | None = None
    content_type: str = "application/json"
    needs: str | None = None


class Subscription(msgspec.Struct, frozen=True):
    """One topic that is listened to, and what is taken from it; ``needs`` as above."""

    topic: str
    what: str
    needs: str | None = None


STATUS = Publication(
    "status",
    None,
    "{prefix}/{device}/status",
    retained=True,
    pace=Pace.CONNECTION,
    words=(ONLINE, OFFLINE),
    qos=1,
    content_type="text/plain",
)

RESULT = Publication(
    "result",
    Result,
    "{prefix}/{device}/{pipeline}/result",
    retained=False,
    pace=Pace.RESULT,
    types=TYPES["result"],
    converts=(convert.result,),
)

EVENT = Publication(
    "event",
    Happening,
    "{prefix}/{device}/{pipeline}/event",
    retained=False,
    pace=Pace.EVENT,
    types=TYPES["event"],
    converts=(convert.event,),
)

PUBLISHED: tuple[Publication, ...] = (
    STATUS,
    Publication(
        "info",
        Info,
        "{prefix}/{device}/info",
        retained=True,
        pace=Pace.CHANGE,
        types=TYPES["info"],
        converts=(convert.info, convert.info_without_labels),
    ),
    Publication(
        "metrics",
        Metrics,
        "{prefix}/{device}/metrics",
        retained=False,
        pace=Pace.METRICS,
        types=TYPES["metrics"],
        converts=(convert.metrics,),
    ),
    RESULT,
    EVENT,
    Publication(
        "counts",
        Counts,
        "{prefix}/{device}/{pipeline}/counts",
        retained=True,
        pace=Pace.CHANGE,
        types=TYPES["counts"],
        converts=(convert.counts,),
    ),
    Publication(
        "model",
        ModelReport,
        "{prefix}/{device}/{pipeline}/model",
        retained=True,
        pace=Pace.CHANGE,
        types=TYPES["model"],
        converts=(convert.model,),
    ),
    Publication(
        "health",
        Health,
        "{prefix}/{device}/{pipeline}/health",
        retained=True,
        pace=Pace.CHANGE,
        types=TYPES["health"],
        converts=(convert.health,),
    ),
    Publication(
        "discovery",
        Announcement,
        "{home_assistant}/device/{device_id}/config",
        retained=True,
        pace=Pace.CHANGE,
        types=TYPES["discovery"],
        converts=(home_assistant.discovery,),
        needs="home_assistant",
    ),
    Publication(
        "answer",
        Answer,
        "(the response topic that a command names)",
        retained=False,
        pace=Pace.COMMAND,
        types=TYPES["answer"],
        converts=(convert.answer,),
        needs="commands",
    ),
)

HOME_ASSISTANT_STATUS = Subscription(
    "{home_assistant}/status", "that Home Assistant has come up", needs="home_assistant"
)
HEARD: tuple[Subscription, ...] = (
    HOME_ASSISTANT_STATUS,
    Subscription(
        "{prefix}/{device}/set", "to read the configuration again: reload", needs="commands"
    ),
    Subscription(
        "{prefix}/{device}/{pipeline}/set",
        "to switch a pipeline on or off, and its threshold: enabled, threshold",
        needs="commands",
    ),
)

_BY_RECORD: dict[type, Publication] = {
    entry.record: entry for entry in PUBLISHED if entry.record is not None
}


def publication_of(record: object) -> Publication:
    """How a record is published. Raises MessageRefused for anything that is no record."""
    entry = _BY_RECORD.get(type(record))
    if entry is None:
        raise MessageRefused(f"A {type(record).__name__} was not sent: only records are.")
    return entry


def announced_on(record: Announcement) -> str:
    """The topic of an announcement, which may be of an earlier run with other names.

    Raises MessageRefused where they cannot be in a topic.
    """
    entry, place = publication_of(record), record.place
    proper = isinstance(place, DiscoveryPlace) and all(
        isinstance(name, str) and pattern.match(name)
        for name, pattern in ((place.prefix, _PREFIX), (place.device, _LEVEL))
    )
    if not proper:
        raise MessageRefused(f"A {entry.kind} was not sent: its place has no proper names.")
    return entry.topic.format(home_assistant=place.prefix, device_id=place.device)


def topic_for(entry: Publication | Subscription, context: Context, pipeline: object = None) -> str:
    """The topic of a message. Raises MessageRefused where the pipeline's name cannot be in one."""
    if "{pipeline}" not in entry.topic:
        pipeline = ""
    elif not isinstance(pipeline, str) or not _is_level(pipeline):
        kind = entry.kind if isinstance(entry, Publication) else "message"
        raise MessageRefused(f"A {kind} was not sent: its pipeline has no proper name.")
    assert isinstance(pipeline, str)
    return _filled(entry.topic, context.prefix, context.device, context.home_assistant, pipeline)


# There are as many topics as kinds of messages and pipelines, and each result asks for its own.
@functools.lru_cache
def _is_level(pipeline: str) -> bool:
    return _LEVEL.match(pipeline) is not None


@functools.lru_cache
def _filled(topic: str, prefix: str, device: str, home_assistant: str, pipeline: str) -> str:
    return topic.format(
        prefix=prefix, device=device, home_assistant=home_assistant, pipeline=pipeline
    )


def answered_on(record: Answer, context: Context) -> str:
    """The topic of an answer: whoever sends a command chooses it, but not among those that others
    trust to be edged's own, of this device or another, or that Home Assistant acts upon.

    Raises MessageRefused, without a word of the topic.
    """
    topic = record.topic
    if not isinstance(topic, str) or not _ANSWERED.match(topic):
        raise MessageRefused("The response topic is not one that can be answered on.")
    roots = (context.prefix, context.home_assistant or "homeassistant")
    if any(f"{topic}/".startswith(f"{root}/") for root in roots):
        raise MessageRefused("The response topic is one of edged's or of Home Assistant's own.")
    if len(record.correlation or b"") > MAX_CORRELATION_BYTES:
        raise MessageRefused(f"The correlation data is over {MAX_CORRELATION_BYTES} bytes.")
    return topic
