"""What pictures are made of, and who is in them: real models through the real daemon."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from household import House, content, images, published
from jsonschema import Draft202012Validator

from edged.engine.interpreter import Engine
from edged.publish.wire.kinds import schema

Make = Callable[..., Any]
DEEPLAB = "deeplabv3_mnv2_dm05_pascal_quant"
MOVENET = "movenet_single_pose_lightning_ptq"


def of_photo(name: str, model: str, photo: Path) -> str:
    return f'name = "{name}"\nmodel = "{model}"\n{images(photo)}'


def bare_bird(model: Path, photo: Path) -> float:
    """The bird's share by the interpreter alone."""
    engine = Engine(model, threads=1)
    picture = cv2.cvtColor(cv2.imread(str(photo)), cv2.COLOR_BGR2RGB)
    engine.input_view()[0] = cv2.resize(picture, (513, 513), interpolation=cv2.INTER_LINEAR)
    engine.invoke()
    return float((engine.output(0) == 3).mean())


def test_a_bird_and_a_squatting_person_are_told(
    house: House, mosquitto: Make, subscriber: Make, testdata: Path
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    models, photos = testdata / "models", testdata / "images"
    for model in (DEEPLAB, MOVENET):
        house.model(model, models / f"{model}.tflite")
    house.configure(
        broker.port,
        of_photo("bird", DEEPLAB, photos / "bird_segmentation.bmp"),
        of_photo("squat", MOVENET, photos / "squat.bmp"),
    )
    assert house.run().wait() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    for message in messages:
        if message.topic.endswith("/result"):
            Draft202012Validator(schema("result")).validate(content(message))

    (segmented,) = published(messages, "pi/bird/result")
    shares = {region["label"]: region["fraction"] for region in segmented["regions"]}
    photo = photos / "bird_segmentation.bmp"
    assert shares["bird"] == pytest.approx(bare_bird(models / f"{DEEPLAB}.tflite", photo), abs=0.02)
    mask = cv2.imread(str(photos / "bird_segmentation_mask.bmp"), cv2.IMREAD_UNCHANGED)
    assert shares["bird"] == pytest.approx(float(np.mean(mask == 3)), abs=0.03)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert sum(shares.values()) == pytest.approx(1, abs=0.02)

    (posed,) = published(messages, "pi/squat/result")
    (person,) = posed["people"]
    with (testdata / "reference" / f"{MOVENET}_reference.csv").open() as file:
        for point, known in zip(person["keypoints"], csv.DictReader(file), strict=True):
            assert point["x"] == pytest.approx(float(known["keypoint_x"]), abs=0.03), point
            assert point["y"] == pytest.approx(float(known["keypoint_y"]), abs=0.03), point


def test_small_models_of_pixels_and_people_are_run(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    """Of each type, on a picture that is red on its left quarter and lies between bars."""
    broker = mosquitto()
    heard = subscriber(broker.port)
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:] = (200, 0, 0)  # blue, green and red, as OpenCV has it
    picture[:, :32] = (0, 0, 200)
    path = house.directory / "picture.png"
    cv2.imwrite(str(path), picture)
    scores = [f"segmentation_scores_{dtype}" for dtype in ("uint8", "int8", "float32")]
    for model in (*scores, "segmentation", "pose_people"):
        house.model(model)
        house.labels(model, "red", "green", "blue")
    for model in scores:
        (house.models / f"{model}.toml").write_text('task = "segmentation"')
    (house.models / "pose_people.labels.txt").unlink()
    fits = [
        f'fit = "letterbox"\n{of_photo(model, model, path)}' for model in (*scores, "segmentation")
    ]
    poses = ("pose", "pose_uint8", "pose_int8")
    for model in poses:
        house.model(model)
    people = [of_photo(model, model, path) for model in poses]
    house.configure(broker.port, *fits, *people, of_photo("people", "pose_people", path))
    assert house.run().wait() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    for model in (*scores, "segmentation"):
        (result,) = published(messages, f"pi/{model}/result")
        assert result["regions"] == [
            {"label": "blue", "fraction": 0.75},
            {"label": "red", "fraction": 0.25},
        ]
    for model in poses:
        (result,) = published(messages, f"pi/{model}/result")
        (person,) = result["people"]
        assert len(person["keypoints"]) == 17
        for point in person["keypoints"]:
            assert (point["y"], point["x"]) == (pytest.approx(50 / 255, abs=0.01), 0)
            assert point["score"] == pytest.approx(150 / 255, abs=0.01)
    # A person's score is how blue the picture is, 150 of 255.
    (result,) = published(messages, "pi/people/result")
    assert [person["score"] for person in result["people"]] == pytest.approx([0.588] * 5, abs=0.01)
    nose = result["people"][0]["keypoints"][0]
    assert (nose["y"], nose["x"]) == (pytest.approx(50 / 255, abs=0.01), 0)
