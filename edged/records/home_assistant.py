"""What Home Assistant is told of a device."""

from __future__ import annotations

import enum

import msgspec


class EntityKind(enum.Enum):
    """What Home Assistant can show: of a pipeline, and the last two of the device."""

    CLASS = "class"
    KEYWORD = "keyword"
    OBJECTS = "objects"
    REGIONS = "regions"
    PEOPLE = "people"
    VALUE = "value"
    ANOMALY = "anomaly"
    PRESENCE = "presence"
    COUNT = "count"
    EVENT = "event"
    TO_LEFT = "to_left"
    TO_RIGHT = "to_right"
    HEALTH = "health"
    MODEL = "model"
    RATE = "rate"
    LATENCY = "latency"
    TEMPERATURE = "temperature"
    WAITING = "waiting"


class Entity(msgspec.Struct, frozen=True):
    """One thing that Home Assistant shows; ``pipeline`` is None for what is of the device.

    ``part``: of this zone or line alone; ``label``: of what goes by it alone.
    """

    kind: EntityKind
    pipeline: str | None
    part: str | None = None
    label: str | None = None


class DiscoveryPlace(msgspec.Struct, frozen=True):
    """Where a device is announced: Home Assistant's prefix, and the device as its topic has it."""

    prefix: str
    device: str


class Announcement(msgspec.Struct, frozen=True):
    """What Home Assistant is told of a device; without any entity it is to forget the device.

    ``gone``: the component ids of what it was told of before and is to remove. ``brief``: only what
    an entity cannot do without, where there is no room for more.
    """

    place: DiscoveryPlace
    os: str = ""
    entities: tuple[Entity, ...] = ()
    gone: tuple[str, ...] = ()
    brief: bool = False
