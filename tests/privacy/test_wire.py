"""Every byte that leaves, captured on the wire while the daemon looks at noise and at shapes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import captured
import cv2
import numpy as np
import pytest
from captured import Packet, Published
from household import House
from jsonschema import Draft202012Validator
from patience import PATIENCE_S
from sounds import bursts, traces, write_wav

from edged.publish.wire.kinds import schema

PORT = 18830
# What every Linux says of itself on a network, with nothing of ours in it: who has this address,
# where is a router, which groups do I listen to.
NOISE = {"arp", *(f"icmpv6 {kind}" for kind in (133, 134, 135, 136, 143))}
RESULTS = 60

SHAPES = """
name = "shapes"
model = "shapes"
[pipelines.source]
kind = "synthetic"
fps = 20
"""
NOISY = """
name = "noise"
model = "eye"
threshold = 0
[pipelines.source]
kind = "images"
path = "noise"
loop = true
fps = 20
"""


EAR = """
name = "ear"
model = "keyword"
publish = "interval"
interval_s = 1
[pipelines.source]
kind = "wav"
path = "sound.wav"
loop = true
"""
SOUND = bursts(0.5, seconds=3)


def furnish(house: House, host: str) -> Path:
    """Three pipelines: one sees shapes, one pictures of noise, from which nothing is left out by
    any compression, and one hears bursts of noise.
    """
    model = Path(__file__).resolve().parent.parent.parent / "edged" / "models" / "shapes.tflite"
    house.model("shapes", model)
    house.model("eye", house_model("classifier_uint8"))
    house.labels("eye", "red", "gre\x1b[32men", '{"blue": "' + "x" * 1000)
    noise = house.directory / "noise"
    noise.mkdir()
    source = np.random.default_rng(7)
    for number in range(4):
        picture = source.integers(0, 256, (480, 640, 3), np.uint8)
        assert cv2.imwrite(str(noise / f"{number}.png"), picture)
    house.model("keyword")
    write_wav(house.directory / "sound.wav", SOUND)
    config = house.configure(PORT, SHAPES, NOISY, EAR)
    config.write_text(config.read_text().replace('"127.0.0.1"', f'"{host}"'))
    return config


def house_model(name: str) -> Path:
    return Path(__file__).resolve().parent.parent / "models" / f"{name}.tflite"


def audited(config: Path) -> dict[str, Any]:
    """What the command says."""
    command = [sys.executable, "-m", "edged", "audit", "--json", "-c", str(config)]
    told: dict[str, Any] = json.loads(subprocess.check_output(command, timeout=PATIENCE_S))
    return told


@pytest.fixture
def run(house: House, network: Any) -> tuple[dict[str, Any], list[Packet], float]:
    """What the audit says, all packets of a run with a model that is swapped, and its seconds."""
    config = furnish(house, network.broker)
    began_s = time.monotonic()
    daemon = house.run(None, {}, "--debug", prefix=network.inside)
    daemon.wait_for_line("Connected to")
    daemon.wait_for_line("pipeline noise: model eye")
    wait_for_results(network, RESULTS)
    shutil.copy(house_model("classifier_int8"), house.models / "eye.tflite")
    daemon.wait_for_line("pipeline noise: model eye " + version("classifier_int8"))
    wait_for_results(network, 2 * RESULTS)
    network.wait_for(lambda lines: any("ear/result'" in line for line in lines))
    assert daemon.stop() == 0
    took_s = time.monotonic() - began_s
    return audited(config), network.end_capture(), took_s


def version(name: str) -> str:
    return hashlib.sha256(house_model(name).read_bytes()).hexdigest()[:12]


def wait_for_results(network: Any, number: int) -> None:
    """Until the broker was sent so many in all, as it says itself."""
    network.wait_for(lambda lines: sum("/result'" in line for line in lines) >= number)


def test_only_valid_messages_to_the_broker_leave_and_nothing_else(
    run: tuple[dict[str, Any], list[Packet], float], network: Any
) -> None:
    audit, packets, took_s = run
    broker = f"{network.broker}:{PORT}"

    # To whom: nobody but the broker. No name was looked up, on loopback neither.
    ours = [packet for packet in packets if packet.kind not in NOISE]
    assert {packet.kind for packet in ours} == {"tcp"}, Counter(map(str, ours)).most_common(9)
    for packet in ours:
        ends = {packet.source, packet.target}
        assert broker in ends, str(packet)
        [other] = ends - {broker}
        assert other.startswith(f"{network.address}:"), str(packet)

    # What: MQTT, to the last byte.
    sent: list[Published] = []
    for (_, target), stream in captured.streams(ours).items():
        if target == broker:
            assert not [trace for trace in traces(SOUND) if trace in stream]
            sent += messages(stream, {heard["topic"] for heard in audit["hears"]})

    # Each message is one that the audit names, valid, and within what it says.
    topics = {topic["topic"]: topic for topic in audit["sends"]}
    for message in sent:
        named = topics[message.topic]
        assert (message.retained, message.qos) == (named["retained"], named["qos"]), message.topic
        assert len(message.payload) <= min(named["most_bytes"], 16_384), message
        # Beside topic and payload: lengths, the kind of content, an expiry; of a CONNECT the
        # client's name too.
        assert message.size - len(message.topic) - len(message.payload) <= 100, message
        assert_valid(named["kind"], message)

    # And so often.
    for topic, count in Counter(message.topic for message in sent).items():
        per_hour = topics[topic]["most_per_hour"]
        assert count <= per_hour, topic
    results = Counter(m.topic for m in sent if topics[m.topic]["kind"] == "result")
    assert sum(results.values()) >= 2 * RESULTS
    assert len(results) == 3, "all pipelines have spoken"
    for topic, count in results.items():
        assert count <= topics[topic]["most_per_hour"] / 3600 * took_s + 2, topic
    kinds = {topics[message.topic]["kind"] for message in sent}
    assert kinds >= {"status", "info", "model", "health", "metrics", "result"}


def test_the_capture_would_show_whatever_else_is_sent(network: Any) -> None:
    """Or the test above would prove nothing."""
    script = (
        "import socket; to = socket.socket(type=socket.SOCK_DGRAM); "
        "to.sendto(b'name?', ('127.0.0.1', 53)); to.sendto(b'name?', ('192.0.2.7', 53)); "
        "other = socket.socket(); other.setblocking(False); other.connect_ex(('192.0.2.8', 80))"
    )
    subprocess.run([*network.inside, sys.executable, "-c", script], check=True, timeout=PATIENCE_S)
    shown = {str(packet) for packet in network.end_capture()}
    assert "ip protocol 17 port 53 127.0.0.1 > 127.0.0.1" in shown
    assert "ip protocol 17 port 53 10.186.0.2 > 192.0.2.7" in shown
    assert any(line.startswith("tcp") and line.endswith("> 192.0.2.8:80") for line in shown)


def messages(stream: bytes, heard: set[str]) -> list[Published]:
    """What one connection has published, its will first; all other packets carry nothing."""
    connect, *rest = captured.controls(stream)
    assert connect.kind == captured.CONNECT
    found = [captured.will(connect)]
    for control in rest:
        if control.kind == captured.PUBLISH:
            found.append(captured.published(control))
        elif control.kind == captured.SUBSCRIBE:
            assert set(captured.filters(control)) <= heard
        else:
            assert control.kind in captured.HOUSEKEEPING, control
            assert control.size <= 10, control
    return found


def assert_valid(kind: str, message: Published) -> None:
    if kind == "status":
        assert message.payload in (b"online", b"offline")
        return
    Draft202012Validator(schema(kind)).validate(json.loads(message.payload))  # type: ignore[arg-type]
    assert not any(byte < 0x20 or byte == 0x7F for byte in message.payload)
