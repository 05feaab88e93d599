"""What the daemon does when it is commanded over MQTT, as whoever commands it sees it."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from household import BLUE, GREEN, RED, House, at_least, content, images, published
from jsonschema import Draft202012Validator
from listening import say
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from patience import PATIENCE_S

from edged.publish.wire.kinds import schema

Make = Callable[..., Any]
EYE = 'name = "eye"\nmodel = "classifier_uint8"\n'
README = Path(__file__).parents[2] / "README.md"
ANSWERS = "controller/answers"


class Asker:
    """Commands over MQTT 5, and waits for the answer by its correlation data."""

    def __init__(self, port: int, username: str | None = None, password: str = "") -> None:
        self._answers: dict[bytes, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._asked = 0
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        ready = threading.Event()
        self._client.username_pw_set(username, password)
        self._client.on_connect = lambda *_: self._client.subscribe(ANSWERS, 1)
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(PATIENCE_S)

    def ask(self, topic: str, command: object, retain: bool = False) -> dict[str, Any]:
        payload = command if isinstance(command, bytes) else json.dumps(command).encode()
        self._asked += 1
        correlation = b"question %d" % self._asked
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = ANSWERS
        properties.CorrelationData = correlation
        self._client.publish(topic, payload, 1, retain, properties)
        with self._changed:
            assert self._changed.wait_for(lambda: correlation in self._answers, PATIENCE_S)
            answer = self._answers[correlation]
        Draft202012Validator(schema("answer")).validate(answer)
        return answer

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, _: Client, __: object, message: MQTTMessage) -> None:
        assert message.properties is not None
        with self._changed:
            assert not message.retain
            self._answers[message.properties.CorrelationData] = json.loads(message.payload)
            self._changed.notify_all()


@pytest.fixture
def asker() -> Iterator[Callable[[int], Asker]]:
    askers: list[Asker] = []

    def made(port: int, *login: str) -> Asker:
        askers.append(Asker(port, *login))
        return askers[-1]

    yield made
    for each in askers:
        each.close()


def watching(house: House, port: int, threshold: float = 0.5, mqtt: str = "commands = true") -> Any:
    """A daemon that looks at pictures in a loop and takes commands, once it has a result."""
    house.model("classifier_uint8")
    house.labels("classifier_uint8", "red", "green", "blue")
    pictures = house.directory / "pictures"
    if not pictures.exists():
        house.pictures(RED, BLUE, GREEN)
    source = images(pictures, "loop = true", "fps = 20")
    house.configure(port, f"{EYE}threshold = {threshold}\n{source}", mqtt=mqtt)
    return house.run()


def healths(messages: list[Any]) -> list[tuple[str, str | None]]:
    return [(each["state"], each["reason"]) for each in published(messages, "eye/health")]


def last_info(messages: list[Any]) -> dict[str, Any]:
    info: dict[str, Any] = published(messages, "pi/info")[-1]["pipelines"][0]
    return info


def test_a_pipeline_is_disabled_and_enabled_again(
    house: House, mosquitto: Make, subscriber: Make, asker: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    watching(house, broker.port)
    heard.wait_for(at_least(3, "eye/result"))
    ask = asker(broker.port).ask

    answer = ask("edged/pi/eye/set", {"enabled": False})

    assert answer == {"schema": "edged.answer/1", "ok": True, "reason": None}
    messages = heard.wait_for(lambda got: healths(got)[-1][0] == "stopped")
    assert healths(messages)[-1] == ("stopped", "disabled by a command")
    messages = heard.wait_for(lambda got: not last_info(got)["enabled"])
    assert last_info(messages)["task"] == "classification"
    ask("edged/pi/eye/set", {"enabled": False})  # again: nothing changes
    before = len(published(heard.messages, "eye/result"))

    assert ask("edged/pi/eye/set", {"enabled": True})["ok"]

    messages = heard.wait_for(at_least(before + 3, "eye/result"))
    assert healths(messages)[-1] == ("running", None)
    assert last_info(heard.wait_for(lambda got: last_info(got)["enabled"]))["enabled"]
    sequences = [result["sequence"] for result in published(messages, "eye/result")]
    assert sequences == list(range(len(sequences)))


def test_a_threshold_holds_from_the_next_frame_on_and_is_told(
    house: House, mosquitto: Make, subscriber: Make, asker: Make
) -> None:
    """The classifier gives 0.91 to the colour that it sees and 0.04 to the others."""
    broker = mosquitto()
    heard = subscriber(broker.port)
    watching(house, broker.port)
    heard.wait_for(at_least(3, "eye/result"))
    ask = asker(broker.port).ask

    assert ask("edged/pi/eye/set", {"threshold": 0.01})["ok"]
    heard.wait_for(lambda got: len(published(got, "eye/result")[-1]["classes"]) == 3)
    heard.wait_for(lambda got: last_info(got)["threshold"] == 0.01)

    assert ask("edged/pi/eye/set", {"threshold": 0.99})["ok"]
    heard.wait_for(lambda got: published(got, "eye/result")[-1]["classes"] == [])
    heard.wait_for(lambda got: last_info(got)["threshold"] == 0.99)


def test_a_threshold_outlives_being_disabled_and_other_reloads_but_not_a_change_of_its_own(
    house: House, mosquitto: Make, subscriber: Make, asker: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    watching(house, broker.port)
    heard.wait_for(at_least(1, "eye/result"))
    ask = asker(broker.port).ask

    assert ask("edged/pi/eye/set", {"threshold": 0.01, "enabled": False})["ok"]
    assert ask("edged/pi/set", {"reload": True})["ok"]
    assert ask("edged/pi/eye/set", {"enabled": True})["ok"]
    heard.wait_for(lambda got: len(published(got, "eye/result")[-1]["classes"]) == 3)

    assert ask("edged/pi/eye/set", {"enabled": False})["ok"]
    config = house.directory / "edged.toml"
    config.write_text(config.read_text().replace("threshold = 0.5", "threshold = 0.6"))
    before = len(published(heard.messages, "eye/result"))
    assert ask("edged/pi/set", {"reload": True})["ok"]

    messages = heard.wait_for(at_least(before + 2, "eye/result"))
    assert len(published(messages, "eye/result")[-1]["classes"]) == 1
    heard.wait_for(lambda got: last_info(got)["threshold"] == 0.6 and last_info(got)["enabled"])


def test_a_reload_that_fails_is_answered_without_a_word_of_the_file(
    house: House, mosquitto: Make, subscriber: Make, asker: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    daemon = watching(house, broker.port)
    heard.wait_for(at_least(1, "eye/result"))
    (house.directory / "edged.toml").write_text('secret = "word"')

    answer = asker(broker.port).ask("edged/pi/set", {"reload": True})

    assert not answer["ok"]
    assert answer["reason"] == "The configuration has errors and was not read; the log has them."
    daemon.wait_for_line("secret")
    heard.wait_for(at_least(len(heard.on("edged/pi/eye/result")) + 2, "eye/result"))


@pytest.mark.parametrize(
    ("topic", "command", "reason"),
    [
        ("edged/pi/eye/set", b"off", "It must be {"),
        ("edged/pi/eye/set", {"model": "other"}, "It must be {"),
        ("edged/pi/eye/set", {"threshold": 2}, "It must be {"),
        ("edged/pi/nose/set", {"enabled": False}, "There is no pipeline of that name."),
        ("edged/pi/set", {"reload": True, "config": "/etc/passwd"}, "It must be {"),
        ("edged/pi/eye/set", b" " * 5000, "It is over 1,024 bytes."),
    ],
)
def test_everything_else_is_refused_told_and_changes_nothing(
    topic: str, command: Any, reason: str, house: House, mosquitto: Make, asker: Make
) -> None:
    broker = mosquitto()
    daemon = watching(house, broker.port)
    broker.wait_for_log("Sending SUBACK to edged-pi")

    answer = asker(broker.port).ask(topic, command)

    assert not answer["ok"]
    assert answer["reason"].startswith(reason)
    assert reason in daemon.wait_for_line("refused a command")
    assert daemon.stop() == 0


def test_a_retained_command_is_refused_at_once_and_at_the_next_start(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    say(broker.port, ("edged/pi/eye/set", b'{"enabled": false}'), retain=True)
    daemon = watching(house, broker.port)

    assert "retain" in daemon.wait_for_line("refused a command")
    heard.wait_for(at_least(3, "eye/result"))
    assert ("stopped", "disabled by a command") not in healths(heard.messages)


def test_without_the_key_nothing_is_subscribed_to_and_no_command_is_taken(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    daemon = watching(house, broker.port, mqtt="home_assistant = false")
    heard.wait_for(at_least(1, "eye/result"))
    say(broker.port, ("edged/pi/eye/set", b'{"enabled": false}'))

    heard.wait_for(at_least(len(heard.on("edged/pi/eye/result")) + 5, "eye/result"))
    assert daemon.stop() == 0
    assert not any("Received SUBSCRIBE from edged-pi" in line for line in broker.log)
    assert not any("command" in line for line in daemon.lines)


def test_the_access_list_of_the_readme_does_for_both(
    house: House, mosquitto: Make, asker: Make, tmp_path: Path
) -> None:
    rules = re.search(r"```text\n(user edged\n.*?)```", README.read_text(), re.DOTALL)
    assert rules is not None
    (tmp_path / "acl").write_text(rules[1].replace("garden-pi", "pi"))
    passwords = str(tmp_path / "passwords")
    for options, user in ((["-b", "-c"], "edged"), (["-b"], "controller"), (["-b"], "other")):
        command = ["mosquitto_passwd", *options, passwords, user, "word"]
        subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "word").write_text("word")
    broker = mosquitto(
        "allow_anonymous false",
        f"password_file {passwords}",
        f"acl_file {tmp_path}/acl",
    )
    login = 'commands = true\nusername = "edged"\npassword_file = "word"'
    daemon = watching(house, broker.port, mqtt=login)
    broker.wait_for_log("Sending SUBACK to edged-pi")

    assert asker(broker.port, "controller", "word").ask("edged/pi/eye/set", {"threshold": 0.7})[
        "ok"
    ]

    pub = ["mosquitto_pub", "-p", str(broker.port), "-u", "other", "-P", "word"]
    subprocess.run(
        [*pub, "-V", "5", "-q", "1", "-t", "edged/pi/front/set", "-m", '{"threshold": 0.7}'],
        check=False,
        capture_output=True,
    )
    broker.wait_for_log("Denied PUBLISH")
    assert daemon.stop() == 0
    assert not any("refused" in line for line in daemon.lines)


def test_with_mqtt_3_1_1_it_is_carried_out_without_an_answer(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    """Whoever commands speaks 3.1.1, which has no response topic."""
    broker = mosquitto()
    heard = subscriber(broker.port)
    watching(house, broker.port)
    heard.wait_for(at_least(1, "eye/result"))
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.publish("edged/pi/eye/set", b'{"enabled": false}', 1)

    heard.wait_for(lambda got: ("stopped", "disabled by a command") in healths(got))
    client.disconnect()
    client.loop_stop()


def test_a_flood_of_nonsense_stops_neither_the_results_nor_the_daemon(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port, "edged/#")
    daemon = watching(house, broker.port)
    heard.wait_for(at_least(1, "eye/result"))

    nonsense = [("edged/pi/eye/set", bytes([number % 256]) * number) for number in range(1500)]
    say(broker.port, *nonsense)

    heard.wait_for(at_least(len(heard.on("edged/pi/eye/result")) + 3, "eye/result"))
    assert daemon.stop() == 0
    assert sum("command" in line for line in daemon.lines) < 60


def test_a_disabled_pipeline_keeps_the_daemon_waiting_for_being_enabled_again(
    house: House, mosquitto: Make, subscriber: Make, asker: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    daemon = watching(house, broker.port)
    heard.wait_for(at_least(1, "eye/result"))

    assert asker(broker.port).ask("edged/pi/eye/set", {"enabled": False})["ok"]

    assert daemon.process.poll() is None
    assert daemon.stop() == 0
    statuses = [content_or_text(each) for each in heard.on("edged/pi/status")]
    assert statuses[-1] == "offline"


def content_or_text(message: Any) -> Any:
    try:
        return content(message)
    except ValueError:
        return message.payload.decode()
