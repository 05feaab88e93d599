"""What the data are known to show."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.errors import EdgedError
from edged.store.labels import Labels
from edged.workshop.comparing.precision import Object
from edged.workshop.comparing.truth import find_truth
from edged.workshop.data import find_data

LABELS = Labels("sidecar", ("cat", "hot dog"), 0)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))


def coco(directory: Path, **other: object) -> Path:
    told = {
        "images": [{"id": 7, "file_name": "a.png", "width": 200, "height": 100}],
        "categories": [{"id": 3, "name": "Cat"}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "bbox": [20, 10, 100, 50]},
            {"image_id": 7, "category_id": 3, "bbox": [0, 0, 200, 100], "iscrowd": 1},
        ],
    }
    path = directory / "annotations.json"
    path.write_text(json.dumps(told | other))
    return path


def test_a_directory_for_each_class(tmp_path: Path) -> None:
    picture(tmp_path / "Cat" / "a.png")
    picture(tmp_path / "hot dog" / "b.png")
    picture(tmp_path / "7" / "c.png")
    truth = find_truth(find_data(tmp_path), "classification", LABELS)
    assert {str(k): v for k, v in truth.classes.items()} == {
        "Cat/a.png": "cat",
        "hot dog/b.png": "hot dog",
        "7/c.png": "7",
    }


def test_a_file_as_coco_has_it(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "other.png")
    coco(tmp_path)
    truth = find_truth(find_data(tmp_path), "detection", LABELS)
    assert truth.objects == {
        Path("a.png"): [
            Object("cat", (0.1, 0.1, 0.6, 0.6)),
            Object("cat", (0.0, 0.0, 1.0, 1.0), crowd=True),
        ]
    }


def test_what_is_not_labelled_is_told(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    data = find_data(tmp_path)
    notes = {
        task: find_truth(data, task, LABELS).note
        for task in ("classification", "detection", "pose")
    }
    assert notes == {
        "classification": f"accuracy is not known: {tmp_path} is not labelled (a directory for "
        "each class holds its files)",
        "detection": f"precision is not known: {tmp_path} has no annotations (a .json file as "
        "COCO has it)",
        "pose": "accuracy is not known: there is no rule for what pose should find",
    }


def test_a_class_that_the_models_do_not_have_is_told(tmp_path: Path) -> None:
    picture(tmp_path / "caat" / "a.png")
    with pytest.raises(
        EdgedError, match=r'a directory "caat", and the models have no such label; did'
    ):
        find_truth(find_data(tmp_path), "classification", LABELS)


def test_annotations_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    data = find_data(tmp_path)
    for wrong, told in (
        ({"images": [{"id": 7, "file_name": "a.png"}]}, "is no annotations as COCO has them: "),
        ({"categories": []}, "is not whole: an annotation is of an category that it has not"),
        ({"categories": [{"id": 3, "name": "cow"}]}, 'names "cow", and the models have no such'),
        (
            {"images": [{"id": 7, "file_name": "b.png", "width": 1, "height": 1}]},
            f"tells of none of the pictures in {tmp_path}",
        ),
    ):
        file = coco(tmp_path, **wrong)
        with pytest.raises(EdgedError) as failed:
            find_truth(data, "detection", LABELS)
        assert str(failed.value).startswith(f"{file} {told}")
