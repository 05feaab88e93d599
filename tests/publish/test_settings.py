from __future__ import annotations

from pathlib import Path

import pytest

from edged.build import mqtt_settings
from edged.config import load_config, parse_config
from edged.publish.settings import Address

CONFIG = Path(__file__).parents[1] / "cases" / "config" / "mqtt-hosts" / "edged.toml"
PIPELINE = '[[pipelines]]\nmodel = "m"\nsource.kind = "synthetic"\n'


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("10.0.0.2", Address("10.0.0.2", 1883), "10.0.0.2:1883"),
        ("mqtt.example:8883", Address("mqtt.example", 8883), "mqtt.example:8883"),
        ("[fd00::1]", Address("fd00::1", 1883), "[fd00::1]:1883"),
        ("[fd00::1]:1884", Address("fd00::1", 1884), "[fd00::1]:1884"),
    ],
)
def test_an_address_is_read_and_shown_as_the_configuration_has_it(
    text: str, address: Address, shown: str
) -> None:
    assert Address.parse(text, default_port=1883) == address
    assert str(address) == shown


def test_a_clusters_addresses_are_tried_in_the_order_of_the_configuration() -> None:
    settings = mqtt_settings(load_config(CONFIG).mqtt, "pi", {})

    assert [str(each) for each in settings.each()] == [
        "the MQTT broker at 10.0.0.2:1884",
        "the MQTT broker at mqtt.example:8883",
        "the MQTT broker at [fd00::1]:1884",
        "the MQTT broker at [fe80::1%eth0]:1884",
        "the MQTT broker at localhost:65535",
    ]
    assert {each.client_id for each in settings.each()} == {"edged-pi"}


def test_one_host_is_one_broker() -> None:
    config = parse_config(f'[mqtt]\nhost = "::1"\n{PIPELINE}'.encode(), "edged.toml")

    assert [str(each) for each in mqtt_settings(config.mqtt, "pi", {}).each()] == [
        "the MQTT broker at [::1]:1883"
    ]


@pytest.mark.parametrize(("qos", "kept_s"), [(0, 300), (1, 300), (2, 0)])
def test_a_session_is_kept_for_five_minutes_but_never_at_qos_2(qos: int, kept_s: int) -> None:
    config = parse_config(f"[mqtt]\nqos = {qos}\n{PIPELINE}".encode(), "edged.toml")

    assert mqtt_settings(config.mqtt, "pi", {}).session_expiry_s == kept_s
