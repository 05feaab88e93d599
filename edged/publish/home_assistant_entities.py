"""What Home Assistant shows: each entity's name, its topic, and how its value is read from there.

The templates are Jinja that Home Assistant runs on edged's messages. They need nothing that plain
Jinja lacks, put nothing into themselves but a pipeline's name as an escaped literal, and give
``None``, which Home Assistant shows as unknown, for what a message does not tell.

Attributes hold what stays the same while the scene does: labels and their numbers. Scores and boxes
differ in every frame, and each difference would become a row of Home Assistant's database.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Literal

import msgspec

from ..records.home_assistant import Entity, EntityKind
from . import Context
from .wire.discovery import Availability, Component
from .wire.fields import MAX_TEXT_CHARS

_PLAIN = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CLASS = "{{ value_json.classes[0].label if value_json.classes else 'None' }}"
_CLASS_ATTRIBUTES = (
    "{{ {'labels': value_json.classes | map(attribute='label') | sort(case_sensitive=true) | list}"
    " | tojson }}"
)
_KEYWORD = (
    "{% if value_json.classes %}"
    "{{ dict(value_json.classes[0], event_type='heard') | tojson }}{% else %}None{% endif %}"
)
_OBJECTS = "{{ value_json.detections | count if value_json.detections is defined else 'None' }}"
_OBJECTS_ATTRIBUTES = (
    "{% set ns = namespace(counts={}) %}"
    "{% for label, found in value_json.detections | groupby('label', case_sensitive=true) %}"
    "{% set ns.counts = dict(ns.counts, **{label: found | count}) %}{% endfor %}"
    "{{ {'labels': ns.counts | list, 'counts': ns.counts} | tojson }}"
)
_REGION = "{{ value_json.regions[0].label if value_json.regions else 'None' }}"
# Shares differ in every frame too, but are what a segmentation is for.
_REGION_ATTRIBUTES = (
    "{% set ns = namespace(shares={}) %}{% for one in value_json.regions or [] %}"
    "{% set ns.shares = dict(ns.shares, **{one.label: one.fraction}) %}{% endfor %}"
    "{{ {'shares': ns.shares} | tojson }}"
)
_PEOPLE = "{{ value_json.people | count if value_json.people is defined else 'None' }}"
# Neither ``.values`` nor ``['values']``: Jinja takes a dict's method where there is no such key.
_VALUE = "{{ value_json.get('values', {}).values() | first | default('None') }}"
_VALUE_ATTRIBUTES = "{{ {'values': value_json.get('values', {})} | tojson }}"
_SCORE = "value_json.get('values', {}).get('score')"
_ANOMALY = f"{{{{ 'None' if {_SCORE} is none else 'ON' if {_SCORE} > 1 else 'OFF' }}}}"
_COUNT_ATTRIBUTES = (
    "{{ {'counts': value_json.get('counts', {}), 'zones': value_json.get('zones', {}), "
    "'lines': value_json.get('lines', {})} | tojson }}"
)
_EVENT = (
    "{{ {'event_type': value_json.type, 'label': value_json.label, 'zone': value_json.zone, "
    "'track': value_json.track, 'duration_s': value_json.duration_s} | tojson }}"
)
_HEALTH = "{{ value_json.state }}"
_HEALTH_ATTRIBUTES = "{{ {'reason': value_json.reason, 'since': value_json.since} | tojson }}"
_MODEL = "{{ value_json.active.version if value_json.active else 'None' }}"
_MODEL_ATTRIBUTES = (
    "{% set active, tried = value_json.active or {}, value_json.candidate or {} %}"
    "{{ {'model': active.get('name'), 'task': active.get('task'), "
    "'candidate': tried.get('version'), 'verdict': tried.get('verdict'), "
    "'reason': tried.get('reason')} | tojson }}"
)
_PIPELINE_RUNS = "{{ 'offline' if value_json.state in ('source-lost', 'stopped') else 'online' }}"
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
        return self.status, Availability(self.topic("health"), _PIPELINE_RUNS)

    @property
    def name(self) -> str:
        """What the entity is of."""
        return " ".join(filter(None, (self.pipeline, self.part, self.label)))

    @property
    def figures(self) -> str:
        """A template's expression for the pipeline's metrics, {} where it has none."""
        return f"value_json.pipelines.get({_literal(self.pipeline)}, {{}})"

    @property
    def number(self) -> str:
        """A template's expression for how many there are."""
        counts = "value_json.get('counts', {})"
        if self.part is not None:
            part = _literal(self.part)
            counts = f"value_json.get('zones', {{}}).get({part}, {{}}).get('inside', {{}})"
        if self.label is not None:
            return f"{counts}.get({_literal(self.label)}, 0)"
        return f"{counts}.values() | sum"

    def crossed(self, way: str) -> str:
        """A template for how many went over the line."""
        line = _literal(self.part or "")
        return f"{{{{ value_json.get('lines', {{}}).get({line}, {{}}).get('{way}', 'None') }}}}"


def _literal(name: str) -> str:
    """Of letters, digits and escapes: it cannot end before its end."""
    escaped = "".join(
        char if char.isascii() and char.isalnum() else f"\\U{ord(char):08x}" for char in name
    )
    return f"'{escaped}'"


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
    return _of_results(place, EntityKind.CLASS, _CLASS, _CLASS_ATTRIBUTES)


def _keyword(place: _Place) -> Component:
    """An event, with the word and its score: two of the same are two, which no state could tell."""
    made = _of_results(place, EntityKind.KEYWORD, _KEYWORD)
    return msgspec.structs.replace(made, event_types=("heard",))


def _objects(place: _Place) -> Component:
    made = _of_results(place, EntityKind.OBJECTS, _OBJECTS, _OBJECTS_ATTRIBUTES)
    return msgspec.structs.replace(made, state_class="measurement")


def _regions(place: _Place) -> Component:
    return _of_results(place, EntityKind.REGIONS, _REGION, _REGION_ATTRIBUTES)


def _people(place: _Place) -> Component:
    made = _of_results(place, EntityKind.PEOPLE, _PEOPLE)
    return msgspec.structs.replace(made, state_class="measurement")


def _value(place: _Place) -> Component:
    """The first number. Each result changes it, so the attributes may as well have all of them."""
    made = _of_results(place, EntityKind.VALUE, _VALUE, _VALUE_ATTRIBUTES)
    return msgspec.structs.replace(made, state_class="measurement")


def _anomaly(place: _Place) -> Component:
    made = _of_results(place, EntityKind.ANOMALY, _ANOMALY)
    return msgspec.structs.replace(made, device_class="problem")


def _presence(place: _Place) -> Component:
    template = f"{{{{ 'ON' if {place.number} else 'OFF' }}}}"
    made = _of_results(place, EntityKind.PRESENCE, template, leaf="counts")
    return msgspec.structs.replace(made, device_class="occupancy")


def _count(place: _Place) -> Component:
    whole = place.part is None and place.label is None
    attributes = _COUNT_ATTRIBUTES if whole else None
    template = f"{{{{ {place.number} }}}}"
    made = _of_results(place, EntityKind.COUNT, template, attributes, leaf="counts")
    return msgspec.structs.replace(made, state_class="measurement")


def _to_left(place: _Place) -> Component:
    made = _of_results(place, EntityKind.TO_LEFT, place.crossed("to_left"), leaf="counts")
    return msgspec.structs.replace(made, state_class="total_increasing")


def _to_right(place: _Place) -> Component:
    made = _of_results(place, EntityKind.TO_RIGHT, place.crossed("to_right"), leaf="counts")
    return msgspec.structs.replace(made, state_class="total_increasing")


def _event(place: _Place) -> Component:
    made = _of_results(place, EntityKind.EVENT, _EVENT, leaf="event")
    return msgspec.structs.replace(made, event_types=("started", "updated", "ended"))


def _health(place: _Place) -> Component:
    return Component(
        platform="sensor",
        name=f"{place.pipeline} health",
        unique_id=place.unique_id,
        state_topic=place.topic("health"),
        value_template=_HEALTH,
        device_class="enum",
        options=_STATES,
        entity_category="diagnostic",
        json_attributes_topic=place.topic("health"),
        json_attributes_template=_HEALTH_ATTRIBUTES,
    )


def _model(place: _Place) -> Component:
    return Component(
        platform="sensor",
        name=f"{place.pipeline} model",
        unique_id=place.unique_id,
        state_topic=place.topic("model"),
        value_template=_MODEL,
        entity_category="diagnostic",
        json_attributes_topic=place.topic("model"),
        json_attributes_template=_MODEL_ATTRIBUTES,
    )


def _rate(place: _Place) -> Component:
    return Component(
        platform="sensor",
        name=f"{place.pipeline} rate",
        unique_id=place.unique_id,
        state_topic=f"{place.root}/metrics",
        value_template=f"{{{{ {place.figures}.get('inference_rate_hz', 'None') }}}}",
        device_class="frequency",
        unit_of_measurement="Hz",
        state_class="measurement",
        suggested_display_precision=1,
        entity_category="diagnostic",
    )


def _latency(place: _Place) -> Component:
    total = f"(({place.figures}.get('latency_ms') or {{}}).get('total') or {{}})"
    return Component(
        platform="sensor",
        name=f"{place.pipeline} latency",
        unique_id=place.unique_id,
        state_topic=f"{place.root}/metrics",
        value_template=f"{{{{ {total}.get('p50', 'None') }}}}",
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
        value_template="{{ value_json.cpu_temperature_c }}",
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
        value_template="{{ value_json.spool.depth }}",
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
