"""What leaves the device of pictures that are masked and of results that are made coarse."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from household import BLUE, GREEN, RED, House, images, published

Make = Callable[..., Any]
WHITE = (255, 255, 255)
RIGHT_HALF = "masks = [{polygon = [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}]\n"


def red_beside(house: House, *colours: tuple[int, int, int]) -> Path:
    """Pictures that are red on the left, and on the right of these colours."""
    path = house.pictures(*colours)
    for file in path.iterdir():
        picture = cv2.imread(str(file))
        assert picture is not None
        picture[:, : picture.shape[1] // 2] = RED[::-1]
        assert cv2.imwrite(str(file), picture)
    return path


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop"])
def test_what_is_behind_a_mask_makes_no_difference_to_anything(
    house: House, mosquitto: Make, subscriber: Make, fit: str
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_float32")
    pictures = red_beside(house, GREEN, BLUE, WHITE, RED)
    eye = f'name = "eye"\nmodel = "classifier_float32"\nfit = "{fit}"\nthreshold = 0\n'
    house.configure(broker.port, eye + RIGHT_HALF + images(pictures))
    assert house.run().wait() == 0
    results = published(heard.messages, "eye/result")
    assert len(results) == 4
    assert all(result["classes"] == results[0]["classes"] for result in results)


def test_boxes_are_coarse_and_small_counts_untold_on_the_wire_and_in_the_spool(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    broker.kill()
    house.model("detector_tf1")
    house.labels("detector_tf1", "person", "person", "person")
    less = "coarse = 0.25\nmin_count = 2\n"
    pictures = images(house.pictures(RED, WHITE))
    house.configure(broker.port, f'name = "eye"\nmodel = "detector_tf1"\n{less}{pictures}')
    first = house.run()
    first.wait_for_line("2 results wait for the broker")
    assert first.stop() == 0
    with closing(sqlite3.connect(house.directory / "state" / "spool.db")) as spool:
        kept = [payload for (payload,) in spool.execute("SELECT payload FROM results ORDER BY id")]

    broker.start()
    heard = subscriber(broker.port)
    assert house.run().wait() == 0
    results = published(heard.messages, "eye/result")
    assert len(results) == 4
    for result in [*map(msgspec.json.decode, kept), *results]:
        one, all_three = result["sequence"] == 0, result["sequence"] == 1
        assert one != all_three
        boxes = [found["box"] for found in result["detections"]]
        assert len(boxes) == (0 if one else 3)
        assert not np.any(np.array(boxes) % 0.25)
