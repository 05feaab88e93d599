"""The daemon from outside: files in, MQTT out, signals, bad input."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from household import BLUE, GREEN, RED, House, at_least, content, five_seconds, images, published
from jsonschema import Draft202012Validator

from edged.publish.wire.kinds import schema

Make = Callable[..., Any]
CLASSIFY = 'name = "eye"\nmodel = "classifier_uint8"\n'


def test_pictures_become_results_and_the_daemon_ends_when_they_do(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    house.labels("classifier_uint8", "red", "green", "blue")
    house.configure(broker.port, CLASSIFY + images(house.pictures(RED, BLUE, GREEN, BLUE)))
    assert house.run().wait() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    results = published(messages, "pi/eye/result")
    assert [result["classes"][0]["label"] for result in results] == ["red", "blue", "green", "blue"]
    assert [result["sequence"] for result in results] == [0, 1, 2, 3]
    assert results[0]["classes"][0]["score"] == pytest.approx(0.91, abs=0.01)
    assert len({result["run"] for result in results}) == 1


def test_every_message_is_valid_and_retained_as_promised(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    house.model("detector_tf1")
    pictures = house.pictures(RED, BLUE)
    house.configure(
        broker.port,
        CLASSIFY + images(pictures),
        'name = "finder"\nmodel = "detector_tf1"\n' + images(pictures),
    )
    assert house.run().wait() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    names = {"homeassistant/device/pi/config": "discovery"}
    kinds = {names.get(each.topic, each.topic.rpartition("/")[2]) for each in messages}
    assert kinds == {"status", "info", "model", "health", "result", "metrics", "discovery"}
    for message in messages:
        kind = names.get(message.topic, message.topic.rpartition("/")[2])
        assert message.retain == (kind not in ("result", "metrics")), message.topic
        assert message.qos == 1
        if kind != "status":
            Draft202012Validator(schema(kind)).validate(content(message))
    assert [m.payload for m in messages if m.topic == "edged/pi/status"] == [b"online", b"offline"]


def test_boxes_are_shares_of_the_frame(house: House, mosquitto: Make, subscriber: Make) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("detector_tf2")
    house.labels("detector_tf2", "???", "rose", "leaf")
    house.configure(
        broker.port, 'name = "eye"\nmodel = "detector_tf2"\n' + images(house.pictures(RED, BLUE))
    )
    assert house.run().wait() == 0
    red, blue = published(heard.wait_for(at_least(2, "eye/result")), "eye/result")
    assert red["task"] == "detection"
    assert [found["label"] for found in red["detections"]] == ["rose"]
    assert red["detections"][0]["box"] == pytest.approx([0.1, 0.1, 0.4, 0.5], abs=0.01)
    # The third class has no label: its number stands for it.
    assert [found["label"] for found in blue["detections"]] == ["2"]


def test_a_broken_picture_is_skipped_told_and_counted(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    pictures = house.pictures(RED, GREEN)
    (pictures / "000a.jpg").write_bytes(b"\xff\xd8 no picture at all")
    house.configure(broker.port, CLASSIFY + images(pictures))
    daemon = house.run()
    assert daemon.wait() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    assert len(published(messages, "eye/result")) == 2
    assert published(messages, "pi/metrics")[-1]["pipelines"]["eye"]["skipped"] == 1
    assert sum("000a.jpg" in line for line in daemon.lines) == 1


def test_a_video_file_plays_to_its_end(house: House, mosquitto: Make, subscriber: Make) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    house.labels("classifier_uint8", "red", "green", "blue")
    path = house.directory / "film.avi"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for colour in [RED] * 5 + [BLUE] * 5:
        film.write(np.full((48, 64, 3), colour[::-1], np.uint8))
    film.release()
    source = f'[pipelines.source]\nkind = "video"\npath = "{path}"\nrealtime = false'
    house.configure(broker.port, CLASSIFY + source)
    assert house.run().wait() == 0
    results = published(heard.wait_for(at_least(10, "eye/result")), "eye/result")
    assert [result["classes"][0]["label"] for result in results] == ["red"] * 5 + ["blue"] * 5


def test_change_publishes_what_is_new(house: House, mosquitto: Make, subscriber: Make) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    pictures = house.pictures(RED, RED, BLUE, BLUE, RED)
    house.configure(broker.port, CLASSIFY + 'publish = "change"\n' + images(pictures))
    assert house.run().wait() == 0
    results = published(heard.wait_for(at_least(3, "eye/result")), "eye/result")
    assert [result["classes"][0]["label"] for result in results] == ["0", "2", "0"]
    assert [result["sequence"] for result in results] == [0, 1, 2]


def test_only_allowed_labels_leave_and_unknown_ones_are_told(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("detector_tf1")
    house.labels("detector_tf1", "rose", "leaf", "sky")
    white = (255, 255, 255)
    house.configure(
        broker.port,
        'name = "eye"\nmodel = "detector_tf1"\nlabels = ["sky", "laef"]\n'
        + images(house.pictures(white)),
    )
    daemon = house.run()
    assert daemon.wait() == 0
    messages = heard.wait_for(at_least(1, "eye/result"))
    found = published(messages, "eye/result")[0]["detections"]
    assert [one["label"] for one in found] == ["sky"]
    told = 'the model has no label "laef" (did you mean "leaf"?): nothing is published for it'
    assert published(messages, "eye/model")[-1]["candidate"]["reason"] == told
    daemon.wait_for_line(told)


def test_a_bad_model_stops_its_own_pipeline_alone(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    (house.models / "broken.tflite").write_bytes(b"no model")
    synthetic = '[pipelines.source]\nkind = "synthetic"'
    house.configure(
        broker.port,
        CLASSIFY + synthetic,
        'name = "bad"\nmodel = "broken"\n' + synthetic,
        'name = "none"\nmodel = "classifier_unit8"\n' + synthetic,
    )
    daemon = house.run()
    messages = heard.wait_for(
        lambda got: at_least(5, "eye/result")(got) and at_least(1, "none/health")(got)
    )
    report = published(messages, "bad/model")[-1]
    assert report["active"] is None
    assert report["candidate"]["verdict"] == "refused"
    assert "no TFLite model" in report["candidate"]["reason"]
    assert published(messages, "bad/health")[-1]["state"] == "stopped"
    absent = published(messages, "none/model")[-1]["candidate"]
    assert 'did you mean "classifier_uint8"?' in absent["reason"]
    assert daemon.stop() == 0


def test_a_model_that_comes_later_is_taken(house: House, mosquitto: Make, subscriber: Make) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.configure(broker.port, CLASSIFY + '[pipelines.source]\nkind = "synthetic"')
    daemon = house.run()
    heard.wait_for(at_least(1, "eye/health"))
    house.model("classifier_uint8")
    heard.wait_for(at_least(1, "eye/result"))
    assert daemon.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_within_5_s_and_offline(
    number: signal.Signals, house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    house.configure(broker.port, CLASSIFY + '[pipelines.source]\nkind = "synthetic"')
    daemon = house.run()
    heard.wait_for(at_least(1, "eye/result"))
    daemon.signal(number)
    assert daemon.wait(five_seconds()) == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    assert published(messages, "eye/health")[-1]["state"] == "stopped"


def test_it_stops_within_5_s_without_a_broker(house: House) -> None:
    house.model("classifier_uint8")
    house.configure(1, CLASSIFY + '[pipelines.source]\nkind = "synthetic"')
    daemon = house.run()
    daemon.wait_for_line("running")
    daemon.wait_for_line("No connection")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait(five_seconds()) == 0


def test_results_wait_for_a_broker_that_comes_later(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    broker.kill()
    house.model("classifier_uint8")
    house.configure(broker.port, CLASSIFY + images(house.pictures(RED, BLUE)))
    daemon = house.run()
    daemon.wait_for_line("wait for the broker")
    broker.start()
    assert daemon.wait() == 0
    assert broker.topics().count("edged/pi/eye/result") == 2


def test_reload_touches_only_what_changed(house: House, mosquitto: Make, subscriber: Make) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    house.model("detector_tf1")
    synthetic = '[pipelines.source]\nkind = "synthetic"'
    other = 'name = "other"\nmodel = "detector_tf1"\n'
    config = house.configure(broker.port, CLASSIFY + synthetic, other + synthetic)
    daemon = house.run(config)
    heard.wait_for(lambda got: at_least(2, "eye/result")(got) and at_least(2, "other/result")(got))
    house.configure(broker.port, CLASSIFY + synthetic, other + "threshold = 0\n" + synthetic)
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_line("reloaded: started other")
    before = len(published(heard.messages, "other/result"))
    heard.wait_for(at_least(before + 2, "other/result"))
    messages = heard.wait_for(at_least(4, "eye/result"))
    states = [health["state"] for health in published(messages, "eye/health")]
    assert states == ["running"]
    states = [health["state"] for health in published(messages, "other/health")]
    assert states == ["running", "stopped", "running"]
    for name in ("eye", "other"):
        numbers = [result["sequence"] for result in published(messages, f"{name}/result")]
        assert numbers == list(range(len(numbers)))
    assert daemon.stop() == 0


def test_reload_of_a_wrong_file_changes_nothing_and_is_told(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    config = house.configure(broker.port, CLASSIFY + '[pipelines.source]\nkind = "synthetic"')
    daemon = house.run(config)
    heard.wait_for(at_least(1, "eye/result"))
    config.write_text(config.read_text().replace("state_dir", "state_dri"))
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_line('device.state_dri: unknown key; did you mean "state_dir"?')
    daemon.wait_for_line("was not reloaded")
    before = len(published(heard.messages, "eye/result"))
    heard.wait_for(at_least(before + 2, "eye/result"))
    assert daemon.stop() == 0


def test_a_camera_that_is_not_there_is_source_lost_and_the_rest_runs(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    house.configure(
        broker.port,
        CLASSIFY + '[pipelines.source]\nkind = "synthetic"',
        'name = "usb"\nmodel = "classifier_uint8"\n'
        '[pipelines.source]\nkind = "v4l2"\ndevice = "/dev/video77"',
    )
    daemon = house.run()
    messages = heard.wait_for(
        lambda got: at_least(2, "eye/result")(got) and at_least(1, "usb/health")(got)
    )
    health = published(messages, "usb/health")[-1]
    assert health["state"] == "source-lost"
    assert "/dev/video77" in health["reason"]
    assert daemon.stop() == 0


def test_numbers_that_are_not_finite_are_told_once_and_end_when_they_do(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_float32_nan_when_bright")
    white, black = (255, 255, 255), (0, 0, 0)
    house.configure(
        broker.port,
        'name = "eye"\nmodel = "classifier_float32_nan_when_bright"\nthreshold = 0\n'
        + images(house.pictures(black, white, white, black)),
    )
    daemon = house.run()
    assert daemon.wait() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    assert len(published(messages, "eye/result")) == 2
    told = [line.partition("pipeline eye: ")[2] for line in daemon.lines if " eye: " in line]
    assert [line for line in told if not line.startswith("model ")] == [
        "running",
        "degraded: inference fails: its scores are not finite numbers",
        "it had failed on 2 frames",
        "running",
        "stopped: the recording has ended",
    ]


def test_the_serving_file_may_be_overwritten(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    house.configure(broker.port, CLASSIFY + '[pipelines.source]\nkind = "synthetic"')
    daemon = house.run()
    heard.wait_for(at_least(2, "eye/result"))
    served = house.models / "classifier_uint8.tflite"
    with served.open("r+b") as file:  # in place: the inode stays, as with cp over the old one
        file.truncate(0)
    before = len(published(heard.messages, "eye/result"))
    heard.wait_for(at_least(before + 10, "eye/result"))
    assert daemon.stop() == 0


def test_without_a_state_directory_to_write_it_says_what_to_do(
    house: House, tmp_path: Path
) -> None:
    house.model("classifier_uint8")
    (tmp_path / "state").write_text("a file where a directory should be")
    house.configure(1, CLASSIFY + '[pipelines.source]\nkind = "synthetic"')
    daemon = house.run()
    assert daemon.wait() == 1
    assert any("device.state_dir" in line for line in daemon.lines), daemon.lines
