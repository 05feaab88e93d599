"""What every test may use: the shared data, a real MQTT broker, and a subscriber that records."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions
from patience import PATIENCE_S
from ports import free_port

REPO = Path(__file__).resolve().parent.parent
# A busy machine is no fault of the code.
hypothesis.settings.register_profile("edged", deadline=None)
hypothesis.settings.load_profile("edged")
# A shell lets what it runs in the background ignore SIGINT, and all that comes of it inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The shared models, broken models and photos; skips the test where they are absent."""
    given = os.environ.get("EDGED_TESTDATA")
    path = Path(given) if given else REPO.parent / "shared" / "testdata"
    if not path.is_dir() and given:
        pytest.fail(f"EDGED_TESTDATA names {path}, and there is no such directory")
    if not path.is_dir():
        pytest.skip(f"no test data at {path}; name its directory in EDGED_TESTDATA")
    return path


class Mosquitto:
    """A mosquitto of our own on a loopback port. ``log`` holds what it has said since its start."""

    def __init__(self, directory: Path, *lines: str, keeps: bool = False) -> None:
        """``lines`` go into its config, below the listener; without any everybody may connect.

        ``keeps``: what it holds outlives its end by ``stop``, until ``forget``.
        """
        self.port = free_port()
        self.log: list[str] = []
        self._said = threading.Condition()
        self._config = directory / f"mosquitto-{self.port}.conf"
        self._kept = directory / f"mosquitto-{self.port}.db"
        settings = (
            "user root",
            f"listener {self.port} 127.0.0.1",
            *(lines or ("allow_anonymous true",)),
            f"persistence {str(keeps).lower()}",
            f"persistence_file {self._kept.name}",
            f"persistence_location {directory}/",
            "log_dest stderr",
            "log_type all",
        )
        self._config.write_text("\n".join(settings))
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Mosquitto:
        """Start it, again on the same port and, unless it ``keeps``, with nothing remembered; waits
        until it listens.
        """
        path = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        if path is None:
            pytest.fail("mosquitto is not installed: run scripts/test")
        self.log = []
        command = [path, "-c", str(self._config)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read_log, args=(self._process, self.log))
        self._reader.start()
        self.wait_for_log("running")
        return self

    def wait_for_log(self, text: str, timeout_s: float = PATIENCE_S, times: int = 1) -> None:
        """Wait until it has logged a line with ``text``, or so many."""

        def said() -> bool:
            return sum(text in line for line in self.log) >= times

        with self._said:
            if not self._said.wait_for(said, timeout_s):
                pytest.fail(f"mosquitto did not say {text!r} but:\n" + "\n".join(self.log[-20:]))

    def wait_for_topics(self, holds: Callable[[list[str]], bool]) -> None:
        """Wait until the topics of what it was sent since its start satisfy ``holds``."""
        with self._said:
            assert self._said.wait_for(lambda: holds(self.topics()), PATIENCE_S)

    def topics(self) -> list[str]:
        """The topics of the messages that it was sent since its start, in order."""
        received = [line for line in self.log if "Received PUBLISH from" in line]
        return [line.split("'")[1] for line in received]

    def freeze(self) -> None:
        """It keeps its connections and answers nothing more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it was frozen."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, and wait for that."""
        self._end(signal.SIGTERM)

    def forget(self) -> None:
        """Take from it, while it is ended, what it has kept."""
        self._kept.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it at once, frozen or not; may be called twice."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._reader.join(PATIENCE_S)
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _read_log(self, process: subprocess.Popen[str], log: list[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                with self._said:
                    log.append(line.rstrip())
                    self._said.notify_all()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Starts real brokers: ``mosquitto()``, ``mosquitto("password_file /x", ...)``."""
    brokers: list[Mosquitto] = []

    def started(*lines: str) -> Mosquitto:
        brokers.append(Mosquitto(tmp_path, *lines))
        return brokers[-1].start()

    yield started
    for broker in brokers:
        broker.kill()


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came. ``retain`` is the flag with which it was published."""

    topic: str
    payload: bytes
    retain: bool
    qos: int


class Subscriber:
    """Records what comes; made when the subscription stands."""

    def __init__(self, port: int, topic: str, protocol: MQTTProtocolVersion) -> None:
        self.messages: list[Received] = []
        self._changed = threading.Condition()
        self._subscribed = False
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self._topic, self._protocol = topic, protocol
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        with self._changed:
            assert self._changed.wait_for(lambda: self._subscribed, PATIENCE_S)

    def wait_for(
        self, predicate: Callable[[list[Received]], bool], timeout_s: float = PATIENCE_S
    ) -> list[Received]:
        """Wait until the messages so far satisfy ``predicate``; gives them all."""
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(self.messages), timeout_s):
                told = "\n".join(map(str, self.messages[-20:])) or "nothing"
                pytest.fail(f"not in {timeout_s} s; came {len(self.messages)}, at last:\n{told}")
            return list(self.messages)

    def on(self, topic: str) -> list[Received]:
        """What came on one topic."""
        with self._changed:
            return [message for message in self.messages if message.topic == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        # Out of the circle of references: it closes its last sockets itself when it goes.
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None

    def _on_connect(self, client: Client, *_: Any) -> None:
        if self._protocol is MQTTProtocolVersion.MQTTv5:
            options = SubscribeOptions(qos=2, retainAsPublished=True)
            client.subscribe(self._topic, options=options)
        else:
            client.subscribe(self._topic, qos=1)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        with self._changed:
            self.messages.append(
                Received(message.topic, message.payload, message.retain, message.qos)
            )
            self._changed.notify_all()

    def _on_subscribe(self, *_: Any) -> None:
        with self._changed:
            self._subscribed = True
            self._changed.notify_all()


@pytest.fixture
def subscriber() -> Iterator[Callable[..., Subscriber]]:
    """Subscribes to a broker: ``subscriber(port)``, ``subscriber(port, "edged/#")``."""
    subscribers: list[Subscriber] = []

    def subscribed(
        port: int,
        topic: str = "#",
        protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
    ) -> Subscriber:
        subscribers.append(Subscriber(port, topic, protocol))
        return subscribers[-1]

    yield subscribed
    for each in subscribers:
        each.close()
