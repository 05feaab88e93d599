"""Home Assistant's device discovery: what is announced of a device. Pure.

One message names all entities. What is merely left out of it stays in Home Assistant; what stands
there with nothing but its platform is removed, with all that its owner has made of it. So an entity
is only named as gone when that is certain.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

import msgspec

from ..plain_text import plain
from ..records.home_assistant import Announcement, DiscoveryPlace, Entity, EntityKind
from ..records.info import Info, PipelineInfo
from . import Context
from .home_assistant_entities import (
    component,
    component_id,
    device_availability,
    gone_component,
    plain_id,
)
from .wire.discovery import Component, Discovery, DiscoveryDevice, DiscoveryOrigin
from .wire.fields import MAX_TEXT_CHARS

_SUMMARY_OF_TASK = {
    "classification": EntityKind.CLASS,
    "keyword": EntityKind.KEYWORD,
    "detection": EntityKind.OBJECTS,
    "segmentation": EntityKind.REGIONS,
    "pose": EntityKind.PEOPLE,
    "regression": EntityKind.VALUE,
    "anomaly": EntityKind.ANOMALY,
}
_SUMMARIES = tuple(_SUMMARY_OF_TASK.values())
_HAPPENS = {EntityKind.PRESENCE: "counts", EntityKind.COUNT: "counts", EntityKind.EVENT: "event"}
_SEEN = (*_SUMMARIES, *_HAPPENS)
_STATES = (EntityKind.HEALTH, EntityKind.MODEL)
_FIGURES = (EntityKind.RATE, EntityKind.LATENCY)
_OF_DEVICE = (EntityKind.TEMPERATURE, EntityKind.WAITING)
# As much of a message is kept free for telling what is gone.
_ROOM_FOR_GONE_BYTES = 1024


def place_of(context: Context) -> DiscoveryPlace:
    """Where this device is announced."""
    return DiscoveryPlace(context.home_assistant, plain_id(context.device))


def announcement(info: Info, known: Set[str], context: Context, most_bytes: int) -> Announcement:
    """What to announce in at most ``most_bytes``.

    ``known``: the component ids of all that Home Assistant may have been told of. Where there is
    no room, the figures of the pipelines go first, then their health and models, then what an
    entity can do without, then zones, lines and labels, then the entities of the last pipelines.
    """
    bare = msgspec.json.encode(_discovery(info.os, {}, context))
    room = most_bytes - len(bare) - _ROOM_FOR_GONE_BYTES
    for kinds, brief in (
        ((*_SEEN, *_STATES, *_FIGURES), False),
        ((*_SEEN, *_STATES), False),
        (_SEEN, False),
        (_SEEN, True),
    ):
        entities = list(_entities(info, kinds, known))
        costs = [_cost(component_id(e), component(e, context, brief)) for e in entities]
        if sum(costs) <= room:
            break
    while sum(costs) > room:
        costs.pop()
        entities.pop()
    room += _ROOM_FOR_GONE_BYTES - sum(costs)
    gone = []
    for key in sorted(known - {component_id(entity) for entity in entities}):
        room -= _cost(key, gone_component(key))
        if room >= 0:
            gone.append(key)
    return Announcement(place_of(context), info.os, tuple(entities), tuple(gone), brief)


def left_out(info: Info, record: Announcement) -> str | None:
    """What there was no room for, in words; None: nothing."""
    kinds = {entity.kind for entity in record.entities}
    told = {entity.pipeline for entity in record.entities}
    parts_absent = sum(len(list(_parts(each))) for each in info.pipelines)
    parts_absent -= sum(bool(each.part or each.label) for each in record.entities)
    absent = sum(p.task in _SUMMARY_OF_TASK and p.name not in told for p in info.pipelines)
    parts = []
    if not kinds & set(_FIGURES):
        parts.append("rates and latencies")
    if not kinds & set(_STATES):
        parts.append("health and models")
    if record.brief:
        parts.append("attributes")
    if parts_absent:
        parts.append(f"{parts_absent} entities of zones, lines and labels")
    if absent:
        parts.append(f"{absent} of {len(info.pipelines)} pipelines")
    return ", ".join(parts) or None


def _entities(info: Info, kinds: tuple[EntityKind, ...], known: Set[str]) -> Iterator[Entity]:
    for kind in _OF_DEVICE:
        yield Entity(kind, None)
    for pipeline in info.pipelines:
        for kind in kinds:
            entity = Entity(kind, pipeline.name)
            if kind in _HAPPENS and _HAPPENS[kind] not in pipeline.tells:
                continue
            if kind not in _SUMMARIES or _is_summary_of(entity, pipeline, known):
                yield entity
    for pipeline in info.pipelines:
        yield from _parts(pipeline)


def _parts(pipeline: PipelineInfo) -> Iterator[Entity]:
    """Of each zone, each line, and in the whole picture and each zone of each label that the
    configuration names, where there are several.
    """
    for zone in pipeline.zones:
        labels = zone.labels if len(zone.labels) > 1 else ()
        for label in (None, *labels):
            if zone.name is not None or label is not None:
                yield Entity(EntityKind.PRESENCE, pipeline.name, zone.name, label)
                yield Entity(EntityKind.COUNT, pipeline.name, zone.name, label)
    for line in pipeline.lines:
        yield Entity(EntityKind.TO_LEFT, pipeline.name, line)
        yield Entity(EntityKind.TO_RIGHT, pipeline.name, line)


def _is_summary_of(entity: Entity, pipeline: PipelineInfo, known: Set[str]) -> bool:
    """While no model serves, nobody knows the task, and what was told before holds."""
    if "result" not in pipeline.tells:
        return False
    if pipeline.task is None:
        return component_id(entity) in known
    return entity.kind is _SUMMARY_OF_TASK.get(pipeline.task)


def _cost(key: str, what: Component) -> int:
    """The bytes that one more component takes."""
    return len(msgspec.json.encode({key: what})) - len("{}") + len(",")


def discovery(record: Announcement, context: Context) -> Discovery | None:
    """The message; None: it is empty. What is gone comes first: Home Assistant may not read all of
    a message while one of its components is still being set up.
    """
    if not record.entities:
        return None
    components = {key: gone_component(key) for key in record.gone}
    for entity in record.entities:
        components[component_id(entity)] = component(entity, context, record.brief)
    return _discovery(record.os, components, context)


def _discovery(os: str, components: dict[str, Component], context: Context) -> Discovery:
    return Discovery(
        DiscoveryDevice(
            identifiers=(f"edged-{plain_id(context.device)}",),
            name=context.device,
            manufacturer="edged",
            model=f"TFLite on {plain(os)}"[:MAX_TEXT_CHARS],
            sw_version=context.version,
        ),
        DiscoveryOrigin("edged", context.version),
        (device_availability(context),),
        components,
    )
