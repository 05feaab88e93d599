"""A second model on what the first one finds, as its user runs it."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from household import SMALL_MODELS, House, content, images, published
from jsonschema import Draft202012Validator

from edged.check import check
from edged.publish.wire.kinds import schema

Make = Callable[..., Any]
PATIENCE_S = 60.0  # two models are tried one after the other
COCO = "coco_ssd_mobilenet_v1_quant"
MOVENET = "movenet_single_pose_lightning_ptq"
MOBILENET = "mobilenet_v2_1.0_224_quant"
FINDER = 'name = "front"\nmodel = "finder"\nthreshold = 0.05\n'
CLOSE = 'name = "close"\nmodel = "teller"\n'
# What the small detector knows, in its picture of 32 x 32: each box of its colour.
BOXES = {
    "red": (0.1, 0.1, 0.4, 0.5),
    "green": (0.5, 0.2, 0.9, 0.4),
    "blue": (0.1, 0.6, 0.9, 0.9),
}
COLOURS = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0)}  # as OpenCV has it


@pytest.fixture
def small(house: House) -> House:
    house.model("finder", SMALL_MODELS / "layouts" / "yolo_v8_float32.tflite")
    house.model("teller", SMALL_MODELS / "classifier_uint8.tflite")
    house.labels("teller", "red", "green", "blue")
    return house


def scene(house: House, count: int = 1, **colours: str) -> Path:
    """Pictures in which the boxes have their colours, or others."""
    path = house.directory / "scene"
    path.mkdir()
    picture = np.zeros((240, 320, 3), np.uint8)
    for label, (x_min, y_min, x_max, y_max) in BOXES.items():
        rows = slice(round(y_min * 240), round(y_max * 240))
        colour = COLOURS[colours.get(label, label)]
        picture[rows, round(x_min * 320) : round(x_max * 320)] = colour
    for number in range(count):
        assert cv2.imwrite(str(path / f"{number:03}.png"), picture)
    return path


def valid(messages: Any) -> None:
    for message in messages:
        if message.topic.endswith("/result"):
            Draft202012Validator(schema("result")).validate(content(message))


@pytest.mark.parametrize("teller", ["classifier_uint8", "classifier_float32_dynamic_batch"])
def test_each_object_has_a_result_that_is_joined_to_the_firsts(
    small: House, mosquitto: Make, subscriber: Make, teller: str
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    small.model("teller", SMALL_MODELS / f"{teller}.tflite")
    source = images(scene(small, count=5))
    crop = 'crop = {from = "front", margin = 0}'
    small.configure(broker.port, FINDER + source, CLOSE + crop)
    assert small.run().wait(PATIENCE_S) == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    valid(messages)
    firsts = {result["sequence"]: result for result in published(messages, "pi/front/result")}
    results = published(messages, "pi/close/result")
    assert [result["sequence"] for result in results] == list(range(15))
    for result in results:
        crop_of = result["crop"]
        first = firsts[crop_of["sequence"]]
        assert result["captured_at"] == first["captured_at"]
        assert crop_of["pipeline"] == "front"
        assert {key: crop_of[key] for key in ("label", "score", "box")} in first["detections"]
        assert result["classes"][0]["label"] == crop_of["label"]
    assert sorted(result["crop"]["label"] for result in results[:3]) == ["blue", "green", "red"]
    stopped = published(messages, "pi/close/health")[-1]
    assert stopped["reason"] == "pipeline front, whose objects it looks at, has ended"


def test_what_the_first_does_not_tell_is_not_looked_at_and_boxes_are_no_finer(
    small: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    small.model("finer", SMALL_MODELS / "layouts" / "yolo_v8_float32.tflite")
    first = f'{FINDER}labels = ["red", "blue"]\ncoarse = 0.25\n{images(scene(small))}'
    looks = 'crop = {from = "front", label = ["RED", "Blue"]}'
    finer = f'name = "finer"\nmodel = "finer"\nthreshold = 0.05\ncoarse = 0.01\n{looks}'
    small.configure(broker.port, first, CLOSE + looks, finer)
    assert small.run().wait(PATIENCE_S) == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    valid(messages)
    assert len(published(messages, "pi/close/result")) == 2
    assert len(published(messages, "pi/finer/result")) == 2
    for result in [
        *published(messages, "pi/close/result"),
        *published(messages, "pi/finer/result"),
    ]:
        boxes = [result["crop"]["box"], *(one["box"] for one in result.get("detections", ()))]
        assert result["crop"]["label"] in ("red", "blue")
        assert not np.any(np.array(boxes) % 0.25)


def test_what_is_behind_a_mask_of_the_first_is_hidden_from_the_second(
    small: House, mosquitto: Make, subscriber: Make
) -> None:
    """Two pictures that differ behind it, in the middle of the box of what is red."""
    broker = mosquitto()
    heard = subscriber(broker.port)
    small.model("teller", SMALL_MODELS / "classifier_float32.tflite")
    path = scene(small, count=2)
    for number, colour in enumerate(COLOURS.values()):
        if number < 2:
            picture = cv2.imread(str(path / f"{number:03}.png"))
            assert picture is not None
            picture[24:120, 96:128] = colour
            assert cv2.imwrite(str(path / f"{number:03}.png"), picture)
    masks = "masks = [{polygon = [[0.29, 0.05], [0.42, 0.05], [0.42, 0.55], [0.29, 0.55]]}]\n"
    looks = 'threshold = 0\ncrop = {from = "front", label = "red", margin = 0}'
    small.configure(broker.port, FINDER + masks + images(path), CLOSE + looks)
    assert small.run().wait(PATIENCE_S) == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    one, other = published(messages, "pi/close/result")
    assert one["crop"]["sequence"] != other["crop"]["sequence"]
    assert one["classes"] == other["classes"]


def test_tracks_join_the_results_and_a_change_is_told_for_each(
    small: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    path = scene(small)
    live = images(path, "loop = true", "fps = 20")
    crop = 'publish = "change"\ninterval_s = 3600\ncrop = {from = "front", margin = 0}'
    small.configure(broker.port, f"{FINDER}track = {{}}\n{live}", CLOSE + crop)
    daemon = small.run()
    heard.wait_for(lambda got: len(published(got, "pi/close/result")) == 3, PATIENCE_S)
    picture = cv2.imread(str(path / "000.png"))
    assert picture is not None
    picture[24:120, 32:128] = COLOURS["green"]
    picture[0:22] = COLOURS["red"]  # so that there still is the box of what is red
    new = path / "new.tmp.png"
    assert cv2.imwrite(str(new), picture)
    new.rename(path / "000.png")
    heard.wait_for(lambda got: len(published(got, "pi/close/result")) == 4, PATIENCE_S)
    before = len(published(list(heard.messages), "pi/front/result"))
    messages = heard.wait_for(
        lambda got: len(published(got, "pi/front/result")) > before + 20, PATIENCE_S
    )
    valid(messages)
    told = published(messages, "pi/close/result")
    assert sorted(one["crop"]["track"] for one in told[:3]) == [1, 2, 3]
    said = {one["crop"]["track"]: one["classes"][0]["label"] for one in told[:3]}
    assert sorted(said.values()) == ["blue", "green", "red"]
    (changed,) = told[3:]
    assert said[changed["crop"]["track"]] == "red"
    assert changed["classes"][0]["label"] == "green"
    assert daemon.stop() == 0


def test_the_breed_of_each_dog_is_told(
    house: House, mosquitto: Make, subscriber: Make, testdata: Path
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    for model in (COCO, MOBILENET):
        house.model(model, testdata / "models" / f"{model}.tflite")
    photo = images(testdata / "images" / "pets.jpg")
    breed = f'name = "breed"\nmodel = "{MOBILENET}"\nthreshold = 0.2\n'
    crop = 'crop = {from = "front", label = "dog"}'
    house.configure(broker.port, f'name = "front"\nmodel = "{COCO}"\n{photo}', breed + crop)
    assert house.run().wait(PATIENCE_S) == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    valid(messages)
    results = published(messages, "pi/breed/result")
    assert [result["crop"]["label"] for result in results] == ["dog", "dog"]
    best = [result["classes"][0]["label"] for result in results]
    assert best[0] in ("Italian greyhound", "whippet")
    assert best[1] == "Boston bull, Boston terrier"


def test_the_keypoints_of_a_person_are_told_in_shares_of_the_whole_frame(
    house: House, mosquitto: Make, subscriber: Make, testdata: Path
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    for model in (COCO, MOVENET):
        house.model(model, testdata / "models" / f"{model}.tflite")
    photo = images(testdata / "images" / "squat.bmp")
    pose = f'name = "pose"\nmodel = "{MOVENET}"\nfit = "letterbox"\n'
    crop = 'crop = {from = "front", label = "person", margin = 0.2}'
    house.configure(broker.port, f'name = "front"\nmodel = "{COCO}"\n{photo}', pose + crop)
    assert house.run().wait(PATIENCE_S) == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    (result,) = published(messages, "pi/pose/result")
    (person,) = result["people"]
    with (testdata / "reference" / f"{MOVENET}_reference.csv").open() as file:
        known = [
            (float(row["keypoint_x"]), float(row["keypoint_y"])) for row in csv.DictReader(file)
        ]
    points = [(point["x"], point["y"]) for point in person["keypoints"]]
    off = np.hypot(*(np.array(points) - np.array(known)).T)
    assert float(np.median(off)) < 0.03
    assert float(off.max()) < 0.08


# ---- edged check ---------------------------------------------------------------------------------


@pytest.fixture
def checked(small: House, mosquitto: Make) -> Callable[[str, str], tuple[int, list[str]]]:
    broker = mosquitto()
    source = images(scene(small))

    def lines_of(first: str, crop: str) -> tuple[int, list[str]]:
        config = small.configure(broker.port, f'name = "front"\nmodel = "{first}"\n{source}', crop)
        lines: list[str] = []
        environ = {"HOME": str(small.directory)}
        return check(config, environ, os.geteuid() == 0, lines.append), lines

    return lines_of


@pytest.mark.parametrize(
    ("first", "crop", "line"),
    [
        ("finder", "", "ok     source   close: crops of all objects of pipeline front"),
        (
            "finder",
            ', label = "red"',
            'ok     source   close: crops of "red" of pipeline front',
        ),
        (
            "finder",
            ', label = ["redd"]',
            "note   labels   close: has nothing to look at: in pipeline front the model has no "
            'label "redd" (did you mean "red"?)',
        ),
        (
            "teller",
            "",
            "wrong  source   close: pipeline front does classification, and only the objects of a "
            "detection can be cropped: name another pipeline in crop.from, or give that one "
            "another model",
        ),
        ("none", "", "wrong  source   close: pipeline front has no model that finds anything"),
    ],
)
def test_check_says_whether_there_is_anything_to_look_at(
    checked: Callable[[str, str], tuple[int, list[str]]], first: str, crop: str, line: str
) -> None:
    status, lines = checked(first, f'{CLOSE}crop = {{from = "front"{crop}}}')
    assert line in lines
    assert status == (0 if first == "finder" else 1)
