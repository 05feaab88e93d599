"""Home Assistant's device discovery, as far as edged makes use of it.

The names are Home Assistant's: https://www.home-assistant.io/integrations/mqtt/ and /sensor.mqtt/
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .fields import MAX_COMPONENTS, Closed, ComponentId, Name, Template, Text, Topic, Word


class DiscoveryDevice(Closed, frozen=True):
    """What the entities belong to."""

    identifiers: tuple[Name]
    name: Name
    manufacturer: Name
    model: Name
    sw_version: Text


class DiscoveryOrigin(Closed, frozen=True):
    """Who announces."""

    name: Name
    sw_version: Text


class Availability(Closed, frozen=True, omit_defaults=True):
    """Where ``online`` or ``offline`` is told."""

    topic: Topic
    value_template: Template | None = None


class Component(Closed, frozen=True, omit_defaults=True, kw_only=True):
    """One entity. With nothing but its platform it is one that is to be removed."""

    platform: Literal["sensor", "binary_sensor", "event"]
    name: Name | None = None
    unique_id: Name | None = None
    state_topic: Topic | None = None
    value_template: Template | None = None
    device_class: (
        Literal["temperature", "frequency", "duration", "enum", "problem", "occupancy"] | None
    ) = None
    unit_of_measurement: Literal["°C", "Hz", "ms"] | None = None
    state_class: Literal["measurement", "total_increasing"] | None = None
    suggested_display_precision: Literal[1] | None = None
    options: Annotated[tuple[Word, ...], Meta(max_length=8)] | None = None
    event_types: (
        Annotated[tuple[Literal["heard", "started", "updated", "ended"], ...], Meta(max_length=3)]
        | None
    ) = None
    entity_category: Literal["diagnostic"] | None = None
    json_attributes_topic: Topic | None = None
    json_attributes_template: Template | None = None
    availability: Annotated[tuple[Availability, ...], Meta(max_length=2)] | None = None
    availability_mode: Literal["all"] | None = None


class Discovery(Closed, frozen=True):
    """What Home Assistant is told of the device; an empty message in its place takes it back."""

    device: DiscoveryDevice
    origin: DiscoveryOrigin
    availability: tuple[Availability]
    components: Annotated[dict[ComponentId, Component], Meta(max_length=MAX_COMPONENTS)]
