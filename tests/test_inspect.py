"""What ``edged model inspect`` finds out about a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from household import SMALL_MODELS, House

from edged.errors import ModelError
from edged.inspect import as_json, as_text, inspect

LABELLED = "classifier_uint8_background"


def text_of(path: Path) -> dict[str, list[str]]:
    """The lines for a person, by their first word."""
    lines: dict[str, list[str]] = {}
    for line in as_text(inspect(path)):
        word, _, rest = line.partition(" ")
        lines.setdefault(word, []).append(rest.strip())
    return lines


def test_a_person_reads_what_the_model_is_and_why() -> None:
    path = SMALL_MODELS / f"{LABELLED}.tflite"
    lines = text_of(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    speed = lines.pop("speed")
    assert lines == {
        "file": [str(path)],
        "size": ["1,727 bytes"],
        "sha256": [sha256],
        "version": [sha256[:12]],
        "made": ["by    colour classifier with a background class"],
        "input": ["image  uint8 1x32x32x3  scale 0.00392157, zero point 0"],
        "output": ["scores  uint8 1x4  scale 0.00390625, zero point 0"],
        "operators": ["FULLY_CONNECTED, MEAN, SOFTMAX"],
        "metadata": ["colours"],
        "signature": ["none"],
        "task": [
            "classification: one output of 4 classes; probabilities (the model ends in a softmax)"
        ],
        "pixels": [
            "(byte - 0) / 255, from its metadata, then scale 0.00392157, zero point 0",
        ],
        "labels": ["embedded colours.txt: background, red, green, blue"],
    }
    assert speed[0].endswith(" ms for one invocation, just tried")


def test_a_program_reads_all_of_it() -> None:
    path = SMALL_MODELS / f"{LABELLED}.tflite"
    report: dict[str, Any] = json.loads(json.dumps(as_json(inspect(path)), allow_nan=False))
    assert report["usable"] is True
    assert report["problem"] is None
    assert report["name"] == LABELLED
    assert report["size_bytes"] == path.stat().st_size
    assert report["version"] == report["sha256"][:12]
    assert (report["task"], report["task_reason"][:24]) == (
        "classification",
        "one output of 4 classes;",
    )
    assert report["inputs"] == [
        {
            "name": "image",
            "shape": [1, 32, 32, 3],
            "shape_signature": [1, 32, 32, 3],
            "dtype": "uint8",
            "quantization": {"scale": pytest.approx(1 / 255), "zero_point": 0},
        }
    ]
    assert report["labels"] == {
        "origin": "embedded colours.txt",
        "offset": 0,
        "count": 4,
        "names": ["background", "red", "green", "blue"],
    }
    assert report["metadata"]["inputs"][0]["normalization"] == {"mean": [0.0], "std": [255.0]}
    assert report["signature"] == {"state": "none"}
    assert report["invoke_ms"] > 0


def test_a_model_that_would_be_refused_is_shown_with_the_reason() -> None:
    inspected = inspect(SMALL_MODELS / "pose.tflite")
    reason = (
        "its outputs fit no task of this version (classification, detection): "
        '"keypoints" 1x1x17x3 float32'
    )
    assert as_text(inspected)[-1] == f"refused    {reason}"
    report = as_json(inspected)
    assert (report["usable"], report["problem"]) == (False, reason)
    assert report["outputs"][0]["shape"] == [1, 1, 17, 3]
    assert (report["task"], report["pixels"], report["labels"]) == (None, None, None)


def test_what_lies_beside_the_file_counts(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.model("detector_tf1")
    house.labels("detector_tf1", "???", *(f"kind {n}" for n in range(12)))
    path = house.models / "detector_tf1.tflite"
    path.with_name("detector_tf1.tflite.minisig").write_text("untrusted comment: x")
    lines = text_of(path)
    assert lines["labels"][0].startswith("labels file detector_tf1.labels.txt: ???, kind 0, ")
    assert lines["labels"][0].endswith("kind 8 and 3 more")
    assert lines["signature"] == ["present, not verified by this version"]
    # Shapes that the file does not tell come from the try.
    assert lines["output"][0] == "TFLite_Detection_PostProcess  float32 1x10x4"


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (
            b"M001",
            b"X001",
            "its metadata is not used: it does not begin like TFLite metadata",
        ),
        (
            b"PK\x01\x02",
            b"PK\xff\xff",
            'its label file "colours.txt" is missing from it, or damaged',
        ),
    ],
)
def test_metadata_that_cannot_be_used_is_told(
    tmp_path: Path, before: bytes, after: bytes, problem: str
) -> None:
    data = (SMALL_MODELS / f"{LABELLED}.tflite").read_bytes()
    assert before in data
    path = tmp_path / "x.tflite"
    path.write_bytes(data.replace(before, after))
    assert text_of(path)["metadata"][-1] == problem
    assert as_json(inspect(path))["metadata_problem"] == problem


def test_names_in_the_file_cannot_play_with_the_terminal(tmp_path: Path) -> None:
    data = (SMALL_MODELS / "classifier_uint8.tflite").read_bytes()
    path = tmp_path / "x.tflite"
    path.write_bytes(data.replace(b"colour classifier", b"\x1b[31mred\nversion"[:17].ljust(17)))
    lines = as_text(inspect(path))
    assert all(line.isprintable() for line in lines)
    assert sum(line.startswith("version") for line in lines) == 1


def test_a_file_that_is_no_model_is_an_error() -> None:
    with pytest.raises(ModelError, match="no TFLite model: it is a text file"):
        inspect(SMALL_MODELS / "README.md")
