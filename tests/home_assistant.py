"""Home Assistant as far as edged meets it: its rules, its templates, and how it takes discovery."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment
from jsonschema import Draft202012Validator

RULES = json.loads((Path(__file__).parent / "publish" / "home_assistant_rules.json").read_text())
VALIDATOR = Draft202012Validator(RULES)
_ENVIRONMENT = ImmutableSandboxedEnvironment()
_UNKNOWN = "None"  # what Home Assistant takes for "unknown"


def checked(payload: bytes) -> dict[str, Any]:
    """An announcement, held against the rules."""
    announced: dict[str, Any] = json.loads(payload)
    VALIDATOR.validate(announced)
    return announced


def rendered(template: str, payload: bytes) -> str:
    """A template on a message, as Home Assistant renders it: no strict undefined, stripped."""
    value = payload.decode()
    try:
        value_json = json.loads(value)
    except ValueError:
        return _ENVIRONMENT.from_string(template).render(value=value).strip()
    return _ENVIRONMENT.from_string(template).render(value=value, value_json=value_json).strip()


class HomeAssistant:
    """Feed it with messages in the order in which they come: ``hear``.

    ``entities``: by component id, what is set up; ``removed``: what it was told to remove, in
    order. Rules from homeassistant/components/mqtt: discovery.py, entity.py, sensor.py.
    """

    def __init__(self) -> None:
        self.device: dict[str, Any] | None = None
        self.entities: dict[str, dict[str, Any]] = {}
        self.removed: list[str] = []
        self.messages: dict[str, bytes] = {}  # the last on each topic
        self._shared: dict[str, Any] = {}

    def hear(self, topic: str, payload: bytes) -> None:
        if topic.startswith("homeassistant/device/") and topic.endswith("/config"):
            self._discover(payload)
        else:
            self.messages[topic] = payload

    def _discover(self, payload: bytes) -> None:
        if not payload:
            self.removed += self.entities
            self.entities, self.device = {}, None
            return
        announced = checked(payload)
        self.device = announced["device"]
        self._shared = {"availability": announced["availability"]}
        for key, config in announced["components"].items():
            if len(config) > 1:
                self.entities[key] = config
            elif gone := self.entities.pop(key, None):
                # discovery.py knows an entity by its platform too.
                assert config["platform"] == gone["platform"]
                self.removed.append(key)

    def available(self, key: str) -> bool:
        """Whether all that must say ``online`` does."""
        config = self._shared | self.entities[key]
        return all(self._says_online(each) for each in config["availability"])

    def _says_online(self, availability: dict[str, str]) -> bool:
        payload = self.messages.get(availability["topic"])
        template = availability.get("value_template", "{{ value }}")
        return payload is not None and rendered(template, payload) == "online"

    def state(self, key: str) -> str | None:
        """An entity's state by the last message; None: unknown."""
        config = self.entities[key]
        payload = self.messages.get(config["state_topic"])
        if payload is None:
            return None
        value = rendered(config["value_template"], payload)
        if value == _UNKNOWN:
            return None
        if {"state_class", "unit_of_measurement"} & config.keys():
            float(value)
        assert value in config.get("options", [value])
        if config["platform"] == "binary_sensor":
            assert value in ("ON", "OFF")
        assert 0 < len(value) <= 255
        return value

    def event(self, key: str) -> dict[str, Any] | None:
        """What an event entity makes of the last message; None: nothing happens."""
        config = self.entities[key]
        assert config["platform"] == "event"
        value = rendered(config["value_template"], self.messages[config["state_topic"]])
        if value in ("", _UNKNOWN, "{}"):
            return None
        event: dict[str, Any] = json.loads(value)
        assert event["event_type"] in config["event_types"]
        return event

    def attributes(self, key: str) -> dict[str, Any]:
        config = self.entities[key]
        payload = self.messages[config["json_attributes_topic"]]
        attributes = json.loads(rendered(config["json_attributes_template"], payload))
        assert isinstance(attributes, dict)
        assert not attributes.keys() & {"name", "state", "icon", "device_class", "unique_id"}
        return attributes
