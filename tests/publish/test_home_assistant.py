"""What is announced to Home Assistant: by its rules, within bounds, with nothing smuggled in."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from home_assistant import RULES, VALIDATOR, HomeAssistant, checked
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from msgspec.structs import replace

from edged.clock import SystemClock
from edged.config_types import TopicLevel
from edged.errors import MessageRefused
from edged.publish import Context
from edged.publish.home_assistant import announcement, left_out
from edged.publish.home_assistant_entities import component_id, plain_id
from edged.publish.messages import MAX_PAYLOAD_BYTES, encode
from edged.publish.wire.kinds import schema
from edged.records.home_assistant import Announcement, DiscoveryPlace, Entity, EntityKind
from edged.records.info import Info, PipelineInfo, ZoneInfo
from edged.records.models import ModelRef
from edged.typed_toml import fits

CONTEXT = Context(
    "edged", "garden-pi", "c0ffee12", 1, SystemClock(), "0.1.0", home_assistant="homeassistant"
)
PLACE = DiscoveryPlace("homeassistant", "garden-pi")
NOTHING: frozenset[str] = frozenset()
OWN_SCHEMA = Draft202012Validator(schema("discovery"))


def pipeline(name: str, task: str | None = "detection") -> PipelineInfo:
    return PipelineInfo(
        name, "picamera2", task, ModelRef("m", "e4b118e5e453"), ("tabby", "spaniel")
    )


def info(*pipelines: PipelineInfo) -> Info:
    return Info("ai-edge-litert", "2.3.0", "garden-pi", "Debian GNU/Linux 12", pipelines)


def announced(
    told: Info, known: frozenset[str] = NOTHING, context: Context = CONTEXT
) -> dict[str, Any]:
    """The payload, as it goes out and valid by the rules and by edged's own type."""
    record = announcement(told, known, context, MAX_PAYLOAD_BYTES)
    message = encode(record, context)
    assert message.retain
    payload = checked(message.payload)
    OWN_SCHEMA.validate(payload)
    return payload


FRONT = info(pipeline("front"), pipeline("door", "classification"))


def watched(name: str, *zones: ZoneInfo, lines: tuple[str, ...] = ()) -> PipelineInfo:
    """A pipeline with zones, which tells events."""
    tells = frozenset({"event", "counts"})
    return replace(pipeline(name), tells=tells, zones=zones, lines=lines)


# ---- the message ---------------------------------------------------------------------------------


def test_one_retained_message_tells_of_the_device_and_all_that_it_shows() -> None:
    record = announcement(FRONT, NOTHING, CONTEXT, MAX_PAYLOAD_BYTES)
    message = encode(record, CONTEXT)
    assert (message.topic, message.retain) == ("homeassistant/device/garden-pi/config", True)
    payload = announced(FRONT)
    assert list(payload) == ["device", "origin", "availability", "components"]
    assert payload["device"] == {
        "identifiers": ["edged-garden-pi"],
        "name": "garden-pi",
        "manufacturer": "edged",
        "model": "TFLite on Debian GNU/Linux 12",
        "sw_version": "0.1.0",
    }
    assert payload["origin"] == {"name": "edged", "sw_version": "0.1.0"}
    assert payload["availability"] == [{"topic": "edged/garden-pi/status"}]
    assert sorted(payload["components"]) == [
        "door-class",
        "door-health",
        "door-latency",
        "door-model",
        "door-rate",
        "front-health",
        "front-latency",
        "front-model",
        "front-objects",
        "front-rate",
        "temperature",
        "waiting",
    ]


def test_what_is_not_a_result_is_diagnostic() -> None:
    components = announced(FRONT)["components"]
    assert {
        key for key, config in components.items() if config.get("entity_category") != "diagnostic"
    } == {"front-objects", "door-class"}


def test_unique_ids_are_unique_over_devices_too() -> None:
    ids: list[str] = []
    for device in ("a", "a-b", "b"):
        context = replace(CONTEXT, device=device)
        told = info(pipeline("b-c"), pipeline("c"), pipeline("c-objects", "classification"))
        payload = announced(told, context=context)
        ids += [config["unique_id"] for config in payload["components"].values()]
    assert len(ids) == len(set(ids))


def test_a_withdrawal_is_an_empty_retained_message() -> None:
    message = encode(Announcement(DiscoveryPlace("ha", "old-pi")), CONTEXT)
    assert message.topic == "ha/device/old-pi/config"
    assert (message.payload, message.retain) == (b"", True)


def test_nothing_is_told_of_paths_hosts_and_labels() -> None:
    text = json.dumps(announced(FRONT))
    assert not re.search("tabby|spaniel|/var|/etc|/home|password|e4b118e5e453|picamera2", text)


def test_a_record_that_is_not_what_its_type_says_is_refused() -> None:
    for gone in (("a b",), (b"x",), ("x" * 20_000,)):
        record = Announcement(PLACE, "Debian", (Entity(EntityKind.WAITING, None),), gone)  # type: ignore[arg-type]
        with pytest.raises(MessageRefused):
            encode(record, CONTEXT)


@pytest.mark.parametrize(
    "place",
    [
        None,
        "homeassistant",
        DiscoveryPlace("", "pi"),
        DiscoveryPlace("ha/#", "pi"),
        DiscoveryPlace("ha", "a/b"),
        DiscoveryPlace("ha", ""),
        DiscoveryPlace("ha\n", "pi"),
        DiscoveryPlace(b"ha", "pi"),  # type: ignore[arg-type]
    ],
)
def test_a_place_that_is_no_topic_is_refused(place: Any) -> None:
    with pytest.raises(MessageRefused, match="no proper names"):
        encode(Announcement(place), CONTEXT)


def test_zones_lines_and_the_labels_that_are_named_have_entities_of_their_own() -> None:
    zones = (ZoneInfo(None, ("person", "car")), ZoneInfo("drive way", ("person", "car")))
    told = info(watched("front", *zones, ZoneInfo("door", ("person",)), lines=("gate",)))
    components = announced(told)["components"]
    shown = {each["name"]: each for each in components.values() if each["name"][:5] == "front"}
    assert [name for name in shown if shown[name].get("entity_category") is None] == [
        "front presence",
        "front count",
        "front event",
        "front person presence",
        "front person count",
        "front car presence",
        "front car count",
        "front drive way presence",
        "front drive way count",
        "front drive way person presence",
        "front drive way person count",
        "front drive way car presence",
        "front drive way car count",
        "front door presence",
        "front door count",
        "front gate to left",
        "front gate to right",
    ]
    one = shown["front drive way person presence"]
    assert (one["platform"], one["device_class"]) == ("binary_sensor", "occupancy")
    assert one["state_topic"] == "edged/garden-pi/front/counts"
    assert shown["front gate to left"]["state_class"] == "total_increasing"


def test_a_zone_that_is_taken_out_is_gone_in_home_assistant() -> None:
    hass = HomeAssistant()
    both = info(watched("front", ZoneInfo("door", ()), ZoneInfo("street", ()), lines=("gate",)))
    before = announcement(both, NOTHING, CONTEXT, MAX_PAYLOAD_BYTES)
    less = info(watched("front", ZoneInfo("door", ())))
    after = announcement(
        less, frozenset(map(component_id, before.entities)), CONTEXT, MAX_PAYLOAD_BYTES
    )
    for record in (before, after):
        message = encode(record, CONTEXT)
        hass.hear(message.topic, message.payload)
    assert hass.entities.keys() == set(map(component_id, after.entities))
    assert len(hass.removed) == 4


# ---- what is gone, and what is only not known ----------------------------------------------------


def test_what_is_gone_is_told_with_nothing_but_its_platform() -> None:
    known = frozenset({"front-objects", "back-objects", "back-rate"})
    components = announced(FRONT, known)["components"]
    assert list(components)[:2] == ["back-objects", "back-rate"]
    assert components["back-objects"] == components["back-rate"] == {"platform": "sensor"}
    assert "state_topic" in components["front-objects"]


def test_what_is_gone_is_told_with_the_platform_that_it_had() -> None:
    known = frozenset({"anomaly-objects", "motor-anomaly"})
    components = announced(FRONT, known)["components"]
    assert components["anomaly-objects"] == {"platform": "sensor"}
    assert components["motor-anomaly"] == {"platform": "binary_sensor"}


def test_without_a_model_the_task_told_before_holds() -> None:
    told = info(pipeline("front", task=None))
    assert "front-objects" not in announced(told)["components"]
    components = announced(told, frozenset({"front-objects"}))["components"]
    assert "state_topic" in components["front-objects"]
    assert "front-class" not in components


def test_with_another_task_what_showed_the_one_before_is_gone() -> None:
    told = info(pipeline("front", "classification"))
    components = announced(told, frozenset({"front-objects"}))["components"]
    assert components["front-objects"] == {"platform": "sensor"}
    assert "state_topic" in components["front-class"]


def test_home_assistant_ends_up_with_what_there_is() -> None:
    hass, known = HomeAssistant(), NOTHING
    for told in (
        FRONT,
        info(pipeline("front"), pipeline("motor", "anomaly"), pipeline("light", "regression")),
        info(pipeline("front", "classification")),
    ):
        record = announcement(told, known, CONTEXT, MAX_PAYLOAD_BYTES)
        message = encode(record, CONTEXT)
        hass.hear(message.topic, message.payload)
        known = frozenset(map(component_id, record.entities))
        assert hass.entities.keys() == known
    assert "front-class" in hass.entities
    assert {"front-objects", "motor-anomaly", "light-value"} <= set(hass.removed)
    assert len(hass.removed) == 16


# ---- ids -----------------------------------------------------------------------------------------

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
PLAIN = st.text("abcXYZ019_-", min_size=1, max_size=64)


@pytest.mark.parametrize("name", ["garden-pi", "front_door", "a", "x" * 64])
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert plain_id(name) == name


@given(st.lists(NAMES | PLAIN, unique=True, min_size=2))
def test_ids_are_allowed_and_never_the_same(names: list[str]) -> None:
    ids = [plain_id(name) for name in names]
    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,65}", each) for each in ids)
    assert len(set(ids)) == len(ids)
    assert all(len(each) == 65 for each, name in zip(ids, names, strict=True) if each != name)


@given(st.lists(NAMES | PLAIN, unique=True, min_size=2, max_size=5))
def test_component_ids_are_never_the_same(names: list[str]) -> None:
    entities = [Entity(kind, name) for name in names for kind in EntityKind]
    entities += [Entity(kind, None) for kind in EntityKind]
    assert len(set(map(component_id, entities))) == len(entities)


LEVELS = NAMES.filter(lambda name: fits(TopicLevel, name)) | PLAIN


@given(st.lists(LEVELS, unique=True, min_size=2, max_size=4), NAMES)
def test_ids_of_zones_lines_and_labels_are_never_the_same(names: list[str], label: str) -> None:
    places = itertools.product(names, [None, *names], [None, label, "a/b", "/"])
    entities = {Entity(EntityKind.COUNT, *place) for place in places}
    assert len(set(map(component_id, entities))) == len(entities)


def test_a_device_whose_name_home_assistant_does_not_allow_has_a_topic_that_it_does() -> None:
    context = replace(CONTEXT, device="Garten Süd")
    message = encode(announcement(FRONT, NOTHING, context, MAX_PAYLOAD_BYTES), context)
    assert re.fullmatch("homeassistant/device/Garten-S-d-[0-9a-f]{54}/config", message.topic)
    assert checked(message.payload)["device"]["name"] == "Garten Süd"


# ---- strings that would like to be more than strings ---------------------------------------------

NASTY = st.sampled_from(
    ["'", '"', "\\", "{{ 7 * 7 }}", "{% raw %}", "#}", "}}", "\u2028", "é", "😀", "'}}{{x", "\\'"]
)
NASTY_NAMES = (
    st.lists(NASTY | NAMES, min_size=1, max_size=6)
    .map(lambda parts: "".join(parts)[:64])
    .filter(lambda name: fits(TopicLevel, name))
)


@given(NASTY_NAMES, st.sampled_from(["detection", "classification", None]))
def test_no_name_breaks_the_message_or_reaches_a_template(name: str, task: str | None) -> None:
    context = replace(CONTEXT, device=name)
    payload = announced(info(pipeline(name, task)), context=context)
    harmless = announced(info(pipeline("x", task)))
    assert payload["device"]["name"] == name
    ours = {plain_id(name) + key[1:]: config for key, config in harmless["components"].items()}
    for key, config in payload["components"].items():
        pattern = ours.get(key) or harmless["components"][key]
        for field in ("value_template", "json_attributes_template"):
            assert (field in config) == (field in pattern)
            if field in config:
                literal = re.sub(r"get\('[a-zA-Z0-9\\]+', {}\)", "get('x', {})", config[field])
                assert literal == pattern[field]


@given(NASTY_NAMES, NASTY_NAMES, NASTY_NAMES)
@settings(max_examples=20)
def test_no_zone_line_or_label_reaches_a_template(zone: str, line: str, label: str) -> None:
    def parts(zone: str, line: str, label: str) -> dict[str, Any]:
        seen = watched("front", ZoneInfo(zone, (label, label + "2")), lines=(line,))
        return announced(info(seen))["components"]  # type: ignore[no-any-return]

    ours, harmless = parts(zone, line, label).values(), parts("z", "l", "y").values()
    literal = re.compile(r"get\('[a-zA-Z0-9\\]+'")
    for config, pattern in zip(ours, harmless, strict=True):
        templates = (each["value_template"] for each in (config, pattern))
        mine, other = (literal.sub("get('x'", template) for template in templates)
        assert mine == other


# ---- size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 5, 8, 12, 20, 40, 100])
@pytest.mark.parametrize("length", [1, 12, 64])
def test_it_never_gets_too_long(number: int, length: int) -> None:
    told = info(*(pipeline(f"{n}".rjust(length, "p")) for n in range(number)))
    known = frozenset(f"gone-{n}-objects" for n in range(200))
    record = announcement(told, known, CONTEXT, MAX_PAYLOAD_BYTES)
    payload = encode(record, CONTEXT).payload
    checked(payload)
    assert len(payload) <= MAX_PAYLOAD_BYTES
    assert len(record.gone) > 10
    assert record.entities


def test_diagnostics_are_left_out_first_and_that_is_said() -> None:
    def kinds(number: int) -> tuple[set[EntityKind], str | None]:
        told = info(*(pipeline(f"camera-{n}") for n in range(number)))
        record = announcement(told, NOTHING, CONTEXT, MAX_PAYLOAD_BYTES)
        components = checked(encode(record, CONTEXT).payload)["components"]
        assert sum(key.endswith("-objects") for key in components) == number
        return {each.kind for each in record.entities if each.pipeline}, left_out(told, record)

    assert kinds(4) == (
        {
            EntityKind.OBJECTS,
            EntityKind.HEALTH,
            EntityKind.MODEL,
            EntityKind.RATE,
            EntityKind.LATENCY,
        },
        None,
    )
    assert kinds(7) == (
        {EntityKind.OBJECTS, EntityKind.HEALTH, EntityKind.MODEL},
        "rates and latencies",
    )
    assert kinds(14) == ({EntityKind.OBJECTS}, "rates and latencies, health and models")
    assert kinds(40) == (
        {EntityKind.OBJECTS},
        "rates and latencies, health and models, attributes",
    )


def test_of_far_too_many_zones_the_last_are_left_out_and_that_is_said() -> None:
    labels = tuple(f"label {n}" for n in range(20))
    told = info(watched("front", *(ZoneInfo(f"zone {n}", labels) for n in range(16))))
    record = announcement(told, NOTHING, CONTEXT, MAX_PAYLOAD_BYTES)
    assert len(encode(record, CONTEXT).payload) <= MAX_PAYLOAD_BYTES
    parts = [each for each in record.entities if each.part]
    assert len(parts) > 20
    assert {each.kind for each in record.entities} >= {EntityKind.PRESENCE, EntityKind.EVENT}
    assert left_out(told, record) == (
        "rates and latencies, health and models, attributes, "
        f"{16 * 21 * 2 - len(parts)} entities of zones, lines and labels"
    )


def test_of_far_too_many_pipelines_the_last_are_left_out() -> None:
    told = info(*(pipeline(f"camera-{n}") for n in range(100)))
    record = announcement(told, NOTHING, CONTEXT, MAX_PAYLOAD_BYTES)
    names = [each.pipeline for each in record.entities if each.pipeline]
    assert names == [f"camera-{n}" for n in range(len(names))]
    assert 40 <= len(names) < 100
    assert f"{100 - len(names)} of 100 pipelines" in (left_out(told, record) or "")


# ---- the rules themselves ------------------------------------------------------------------------


def test_the_rules_are_a_schema() -> None:
    Draft202012Validator.check_schema(RULES)


def _edit(*path: str, value: Any = None) -> Callable[[dict[str, Any]], None]:
    """Set what is at a path, or with None take it out."""

    def edit(payload: dict[str, Any]) -> None:
        *parents, last = path
        for key in parents:
            payload = payload[key]
        if value is None:
            del payload[last]
        else:
            payload[last] = value

    return edit


_OBJECTS = ("components", "front-objects")
_HEALTH = ("components", "front-health")
WRONG = {
    "no device": _edit("device"),
    "no origin": _edit("origin"),
    "no components": _edit("components"),
    "an origin without a name": _edit("origin", "name"),
    "an origin's url by another key": _edit("origin", "url", value="https://example.com"),
    "nothing to know the device by": _edit("device", "identifiers"),
    "no identifiers in the list": _edit("device", "identifiers", value=[]),
    "a device without a name": _edit("device", "name"),
    "an unknown key of the device": _edit("device", "firmware", value="1"),
    "an unknown key at the top": _edit("schema", value="edged.discovery/1"),
    "an abbreviation at the top": _edit("cmps", value={}),
    "no component at all": _edit("components", value={}),
    "both kinds of availability": _edit("availability_topic", value="a/b"),
    "an availability without a topic": _edit("availability", value=[{"payload_available": "x"}]),
    "an unknown availability mode": _edit("availability_mode", value="some"),
    "a component id with a space": _edit(
        "components", "front objects", value={"platform": "sensor"}
    ),
    "a component without a platform": _edit(*_OBJECTS, "platform"),
    "an unknown platform": _edit(*_OBJECTS, "platform", value="camera_frame"),
    "an entity without a unique id": _edit(*_OBJECTS, "unique_id"),
    "a sensor without a topic": _edit(*_OBJECTS, "state_topic"),
    "a topic with a wildcard": _edit(*_OBJECTS, "state_topic", value="edged/+/result"),
    "a template that is none": _edit(*_OBJECTS, "value_template", value="value_json.x"),
    "a misspelt key": _edit(*_OBJECTS, "stateclass", value="measurement"),
    "an unknown state class": _edit(*_OBJECTS, "state_class", value="average"),
    "attributes from nowhere": _edit(*_OBJECTS, "json_attributes_topic"),
    "options that are no enum": _edit(*_HEALTH, "device_class"),
    "an enum with a state class": _edit(*_HEALTH, "state_class", value="measurement"),
    "an enum with a unit": _edit(*_HEALTH, "unit_of_measurement", value="Hz"),
    "an empty list of options": _edit(*_HEALTH, "options", value=[]),
    "a sensor as configuration": _edit(*_HEALTH, "entity_category", value="config"),
    "a temperature in hertz": _edit("components", "temperature", "unit_of_measurement", value="Hz"),
    "a duration without a unit": _edit("components", "front-latency", "unit_of_measurement"),
    "an event without its types": _edit(
        "components",
        "e",
        value={"platform": "event", "unique_id": "e", "name": "e", "state_topic": "a/b"},
    ),
}


@pytest.mark.parametrize("edit", WRONG.values(), ids=WRONG)
def test_the_rules_refuse(edit: Callable[[dict[str, Any]], None]) -> None:
    payload = copy.deepcopy(announced(info(pipeline("front"))))
    edit(payload)
    with pytest.raises(ValidationError):
        VALIDATOR.validate(payload)


def test_the_rules_allow_the_examples_of_home_assistants_own_page() -> None:
    """In full key names: one component with its configuration, one that is to be removed."""
    VALIDATOR.validate(
        {
            "device": {
                "identifiers": "ea334450945afc",
                "name": "Kitchen",
                "manufacturer": "Bla electronics",
                "model": "xya",
                "sw_version": "1.0",
                "serial_number": "ea334450945afc",
                "hw_version": "1.0rev2",
            },
            "origin": {
                "name": "bla2mqtt",
                "sw_version": "2.1",
                "support_url": "https://bla2mqtt.example.com/support",
            },
            "components": {
                "some_unique_component_id1": {
                    "platform": "sensor",
                    "name": "Temperature",
                    "state_topic": "sensorBedroom/state",
                    "device_class": "temperature",
                    "unit_of_measurement": "°C",
                    "value_template": "{{ value_json.temperature }}",
                    "unique_id": "temp01ae_t",
                },
                "some_unique_id2": {"platform": "sensor"},
            },
            "state_topic": "sensorBedroom/state",
            "qos": 2,
        }
    )
