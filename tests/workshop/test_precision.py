"""Mean average precision, held against COCO's own."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest

from edged.records.frames import Box
from edged.records.results import Detection
from edged.workshop.comparing.precision import Object, precision

CAT: Box = (0.1, 0.1, 0.5, 0.5)


def test_what_is_found_just_so_is_all_of_it() -> None:
    found = precision([[Object("cat", CAT)]], [[Detection("cat", 0.9, CAT)]])
    assert found is not None
    assert (found.mean, found.at_half, found.by_label) == (1.0, 1.0, {"cat": 1.0})


def test_a_box_that_is_half_off_counts_for_the_lower_overlaps_only() -> None:
    found = precision([[Object("cat", CAT)]], [[Detection("cat", 0.9, (0.1, 0.1, 0.5, 0.37))]])
    assert found is not None
    assert found.at_half == 1.0
    assert found.mean == pytest.approx(0.4)  # an overlap of 0.675: 0.50, 0.55, 0.60 and 0.65


def test_nothing_found_is_nothing_and_nothing_there_is_not_known() -> None:
    none = precision([[Object("cat", CAT)]], [[]])
    assert none is not None
    assert none.mean == 0.0
    assert precision([[]], [[Detection("cat", 0.9, CAT)]]) is None


@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_pycocotools_tells(seed: int) -> None:
    pytest.importorskip("pycocotools")
    truths, found = _scenes(np.random.default_rng(seed))
    own = precision(truths, found)
    assert own is not None
    assert (own.mean, own.at_half) == pytest.approx(_of_pycocotools(truths, found), abs=1e-9)


def _scenes(source: Any) -> tuple[list[list[Object]], list[list[Detection]]]:
    truths, found = [], []
    for _ in range(12):
        objects, detections = [], []
        for _ in range(source.integers(0, 8)):
            label = str(source.choice(["cat", "dog", "bird"]))
            corner, size = source.uniform(0, 0.6, 2), source.uniform(0.05, 0.4, 2)
            box = np.array([*corner, *(corner + size)])
            objects.append(Object(label, tuple(box.tolist()), crowd=source.random() < 0.15))
            for _ in range(source.integers(0, 3)):
                moved = (box + source.normal(0, 0.02, 4)).clip(0, 1)
                if moved[0] < moved[2] and moved[1] < moved[3]:
                    score = round(float(source.random()), 2)  # some have the same
                    detections.append(Detection(label, score, tuple(moved.tolist())))
        detections.append(Detection("dog", float(source.random()), CAT))
        truths.append(objects)
        found.append(detections)
    return truths, found


def _of_pycocotools(
    truths: list[list[Object]], found: list[list[Detection]]
) -> tuple[float, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    numbers = {"cat": 1, "dog": 2, "bird": 3}

    def placed(box: Box) -> list[float]:
        return [1000 * n for n in (box[0], box[1], box[2] - box[0], box[3] - box[1])]

    annotations, results = [], []
    for image, (objects, detections) in enumerate(zip(truths, found, strict=True), 1):
        for each in objects:
            box = placed(each.box)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": numbers[each.label],
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": int(each.crowd),
                }
            )
        for one in detections:
            results.append(
                {
                    "image_id": image,
                    "category_id": numbers[one.label],
                    "bbox": placed(one.box),
                    "score": one.score,
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": n + 1} for n in range(len(truths))],
            "categories": [{"id": n, "name": name} for name, n in numbers.items()],
            "annotations": annotations,
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])
