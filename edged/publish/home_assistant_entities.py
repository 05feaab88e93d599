"""What Home Assistant shows: each entity's name, its topic, and the template for its value."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Literal

import msgspec

from ..records.home_assistant import Entity, EntityKind
from . import Context
from . import home_assistant_templates as templates
from .wire.discovery import Availability, Component
from .wire.fields import MAX_TEXT_CHARS

_PLAIN = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_STATES = ("running", "source-lost", "degraded", "stopped")


def plain_id(name: str) -> str:
    """A name in the characters that Home Assistant's ids have, no two names coming to the same.

    A name of at most 64 of these characters stays as it is. Any other becomes 65 characters long,
    the last 32 or more of them its digest.
    """
    if _PLAIN.fullmatch(name):
        return name
    beginning = re.sub("[^a-zA-Z0-9_-]+", "-", name)[:32]
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{beginning}-{digest}"[:65]


def component_id(entity: Entity) -> str:
    """An entity's key in the message. No kind has a ``-``, so the last one ends the pipeline."""
    if entity.pipeline is None:
        return entity.kind.value
    name = entity.pipeline
    if entity.part is not None or entity.label is not None:
        # Neither a pipeline nor a part has a "/" in its name.
        name = f"{name}/{entity.part or ''}/{entity.label or ''}"
    return f"{plain_id(name)}-{entity.kind.value}"


def gone_component(key: str) -> Component:
    """What removes an entity: Home Assistant finds it by its platform and its key."""
    return Component(platform=_platform(key.rpartition("-")[2]))


def _platform(kind: str) -> Literal["sensor", "binary_sensor", "event"]:
    match kind:
        case EntityKind.ANOMALY.value | EntityKind.PRESENCE.value:
            return "binary_sensor"
        case EntityKind.KEYWORD.value | EntityKind.EVENT.value:
            return "event"
    return "sensor"


def device_availability(context: Context) -> Availability:
    """Of the whole device; ``online`` and ``offline`` are Home Assistant's own words."""
    return Availability(f"{context.prefix}/{context.device}/status")


def component(entity: Entity, context: Context, brief: bool) -> Component:
    """How Home Assistant is to show an entity; ``brief`` leaves out what it can do without."""
    place = _Place(
        root=f"{context.prefix}/{context.device}",
        pipeline=entity.pipeline or "",
        part=entity.part,
        label=entity.label,
        unique_id=f"edged-{plain_id(context.device)}/{component_id(entity)}",
        status=device_availability(context),
    )
    made = _COMPONENTS[entity.kind](place)
    if not brief:
        return made
    return msgspec.structs.replace(
        made,
        json_attributes_topic=None,
        json_attributes_template=None,
        availability=None,
        availability_mode=None,
    )


class _Place(msgspec.Struct, frozen=True):
    """Where an entity's values come from."""

    root: str
    pipeline: str
    part: str | None
    label: str | None
    unique_id: str
    status: Availability

    def topic(self, kind: str) -> str:
        return f"{self.root}/{self.pipeline}/{kind}"

    @property
    def availability(self) -> tuple[Availability, ...]:
        """A result says nothing any more when the camera is lost."""
        return self.status, Availability(self.topic("health"), templates.PIPELINE_RUNS)

    @property
    def name(self) -> str:
        """What the entity is of."""
        return " ".join(filter(None, (self.pipeline, self.part, self.label)))


def _of_results(
    place: _Place,
    kind: EntityKind,
    template: str,
    attributes: str | None = None,
    *,
    leaf: str = "result",
) -> Component:
    """What is made of the pipeline's results, or of its messages on another topic."""
    topic = place.topic(leaf)
    return Component(
        platform=_platform(kind.value),
        name=f"{place.name} {kind.value.replace('_', ' ')}"[:MAX_TEXT_CHARS],
        unique_id=place.unique_id,
        state_topic=topic,
        value_template=template,
        json_attributes_topic=topic if attributes else None,
        json_attributes_template=attributes,
        availability=place.availability,
        availability_mode="all",
    )


def _class(place: _Place) -> Component:
    return _of_results(place, EntityKind.CLASS, templates.CLASS, templates.CLASS_ATTRIBUTES)


def _keyword(place: _Place) -> Component:
    """An event, with the word and its score: two of the same are two, which no state could tell."""
    made = _of_results(place, EntityKind.KEYWORD, templates.KEYWORD)
    return msgspec.structs.replace(made, event_types=("heard",))


def _objects(place: _Place) -> Component:
    made = _of_results(place, EntityKind.OBJECTS, templates.OBJECTS, templates.OBJECTS_ATTRIBUTES)
    return msgspec.structs.replace(made, state_class="measurement")


def _regions(place: _Place) -> Component:
    return _of_results(place, EntityKind.REGIONS, templates.REGION, templates.REGION_ATTRIBUTES)


def _people(place: _Place) -> Component:
    made = _of_results(place, EntityKind.PEOPLE, templates.PEOPLE)
    return msgspec.structs.replace(made, state_class="measurement")


def _value(place: _Place) -> Component:
    """The first number. Each result changes it, so the attributes may as well have all of them."""
    made = _of_results(place, EntityKind.VALUE, templates.VALUE, templates.VALUE_ATTRIBUTES)
    return msgspec.structs.replace(made, state_class="measurement")


def _anomaly(place: _Place) -> Component:
    made = _of_results(place, EntityKind.ANOMALY, templates.ANOMALY)
    return msgspec.structs.replace(made, device_class="problem")


def _presence(place: _Place) -> Component:
    template = templates.presence(place.part, place.label)
    made = _of_results(place, EntityKind.PRESENCE, template, leaf="counts")
    return msgspec.structs.replace(made, device_class="occupancy")


def _count(place: _Place) -> Component:
    whole = place.part is None and place.label is None
    attributes = templates.COUNT_ATTRIBUTES if whole else None
    template = templates.count(place.part, place.label)
    made = _of_results(place, EntityKind.COUNT, template, attributes, leaf="counts")
    return msgspec.structs.replace(made, state_class="measurement")


def _to_left(place: _Place) -> Component:
    template = templates.crossed(place.part or "", "to_left")
    made = _of_results(place, EntityKind.TO_LEFT, template, leaf="counts")
    return msgspec.structs.replace(made, state_class="total_increasing")


def _to_right(place: _Place) -> Component:
    template = templates.crossed(place.part or "", "to_right")
    made = _of_results(place, EntityKind.TO_RIGHT, template, leaf="counts")
    return msgspec.structs.replace(made, state_class="total_increasing")


def _event(place: _Place) -> Component:
    made = _of_results(place, EntityKind.EVENT, templates.EVENT, leaf="event")
    return msgspec.structs.replace(made, event_types=("started", "updated", "ended"))


def _health(place: _Place) -> Component:
    return Component(
        platform="sensor",
        name=f"{place.pipeline} health",
        unique_id=place.unique_id,
        state_topic=place.topic("health"),
        value_template=templates.HEALTH,
        device_class="enum",
        options=_STATES,
        entity_category="diagnostic",
        json_attributes_topic=place.topic("health"),
        json_attributes_template=templates.HEALTH_ATTRIBUTES,
    )


def _model(place: _Place) -> Component:
    return Component(
        platform="sensor",
        name=f"{place.pipeline} model",
        unique_id=place.unique_id,
        state_topic=place.topic("model"),
        value_template=templates.MODEL,
        entity_category="diagnostic",
        json_attributes_topic=place.topic("model"),
        json_attributes_template=templates.MODEL_ATTRIBUTES,
    )


def _rate(place: _Place) -> Component:
    return Component(
        platform="sensor",
        name=f"{place.pipeline} rate",
        unique_id=place.unique_id,
        state_topic=f"{place.root}/metrics",
        value_template=templates.rate(place.pipeline),
        device_class="frequency",
        unit_of_measurement="Hz",
        state_class="measurement",
        suggested_display_precision=1,
        entity_category="diagnostic",
    )


def _latency(place: _Place) -> Component:
    return Component(
        platform="sensor",
        name=f"{place.pipeline} latency",
        unique_id=place.unique_id,
        state_topic=f"{place.root}/metrics",
        value_template=templates.latency(place.pipeline),
        device_class="duration",
        unit_of_measurement="ms",
        state_class="measurement",
        suggested_display_precision=1,
        entity_category="diagnostic",
    )


def _temperature(place: _Place) -> Component:
    return Component(
        platform="sensor",
        name="CPU temperature",
        unique_id=place.unique_id,
        state_topic=f"{place.root}/metrics",
        value_template=templates.TEMPERATURE,
        device_class="temperature",
        unit_of_measurement="°C",
        state_class="measurement",
        suggested_display_precision=1,
        entity_category="diagnostic",
    )


def _waiting(place: _Place) -> Component:
    return Component(
        platform="sensor",
        name="Results waiting",
        unique_id=place.unique_id,
        state_topic=f"{place.root}/metrics",
        value_template=templates.WAITING,
        state_class="measurement",
        entity_category="diagnostic",
    )


_COMPONENTS: dict[EntityKind, Callable[[_Place], Component]] = {
    EntityKind.CLASS: _class,
    EntityKind.KEYWORD: _keyword,
    EntityKind.OBJECTS: _objects,
    EntityKind.REGIONS: _regions,
    EntityKind.PEOPLE: _people,
    EntityKind.VALUE: _value,
    EntityKind.ANOMALY: _anomaly,
    EntityKind.PRESENCE: _presence,
    EntityKind.COUNT: _count,
    EntityKind.EVENT: _event,
    EntityKind.TO_LEFT: _to_left,
    EntityKind.TO_RIGHT: _to_right,
    EntityKind.HEALTH: _health,
    EntityKind.MODEL: _model,
    EntityKind.RATE: _rate,
    EntityKind.LATENCY: _latency,
    EntityKind.TEMPERATURE: _temperature,
    EntityKind.WAITING: _waiting,
}
