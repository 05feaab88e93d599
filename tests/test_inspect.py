"""What ``edged model inspect`` finds out about a file."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from household import SMALL_MODELS, House
from signing import SIGNED, Signer

from edged.engine.runtime import runtime
from edged.errors import ConfigError, ModelError
from edged.inspect import as_json, as_text, inspect, trusted_keys
from edged.store.signature import load_keys

LABELLED = "classifier_uint8_background"
TRUSTED = load_keys([SIGNED / "trusted.pub"])
TRUSTED_ID = TRUSTED[0].key_id
CONFIG = """
[models]
trusted_keys = ["keys/release.pub"]
[[pipelines]]
model = "coco"
source.kind = "synthetic"
"""


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
    speed, delegated, layers = lines.pop("speed"), lines.pop("delegated"), lines.pop("layers")
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
        "graph": ["3 operators, 18 parameters in 0.036 kB, 12 multiply-accumulates"],
        "memory": ["at least 3.08 kB for activations at once"],
        "": ["1           12 100.0%       16  FULLY_CONNECTED 1x4 logits"],
        "readings": [
            "classification (one output of 4 classes): taken, by the operators of its graph"
        ],
        "task": [
            "classification: one output of 4 classes; probabilities (the model ends in a softmax)"
        ],
        "pixels": [
            "(byte - 0) / 255, from its metadata, then scale 0.00392157, zero point 0",
        ],
        "labels": ["embedded colours.txt: background, red, green, blue"],
    }
    assert speed[0].endswith(" ms for one invocation, just tried")
    # tflite-runtime's XNNPACK takes nothing of quantised models by default.
    assert delegated[0].startswith(("XNNPACK of ai-edge-litert ", "nothing: tflite-runtime "))
    assert layers == ["MACs  share   params  output, name"]


def test_the_size_of_the_graph_is_told_layer_by_layer(testdata: Path) -> None:
    inspected = inspect(testdata / "models" / "mobilenet_v2_1.0_224_quant.tflite")
    lines = as_text(inspected)
    assert (
        "graph      66 operators, 3.49 M parameters in 3.54 MB, 301 M multiply-accumulates" in lines
    )
    first = next(number for number, line in enumerate(lines) if line.startswith("layers"))
    assert lines[first + 1].startswith("    61       20.1 M   6.7%    411 k  CONV_2D 1x7x7x1280 …")
    assert lines[first + 11] == "              171 M  56.7% in 43 more"
    told = as_json(inspected)["graph"]
    assert told["multiply_accumulates"] == 300_775_552
    assert sum(layer["multiply_accumulates"] for layer in told["layers"]) == 300_775_552
    taken = [layer["operator"] for layer in told["layers"] if layer["delegated"]]
    assert len(taken) == told["delegated"]["operators"]
    assert ("CONV_2D" in taken) == (runtime().name == "ai-edge-litert")


def test_of_what_cannot_be_run_the_size_is_told_all_the_same(testdata: Path) -> None:
    inspected = inspect(testdata / "bad-models" / "custom_op_posenet_decoder.tflite")
    lines = as_text(inspected)
    assert "           not counted: what PosenetDecoderOp multiplies" in lines
    assert not any(line.startswith("delegated") for line in lines)
    assert as_json(inspected)["graph"]["delegated"] is None


def test_what_a_model_takes_of_a_camera_and_of_a_sensor_is_told(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.model("window_int8")
    path = house.models / "window_int8.tflite"
    both, text = as_json(inspect(path)), as_text(inspect(path))
    assert both["pixels"] == "assumed: bytes minus 128 (nothing says how to normalise)"
    assert both["samples"] == (
        "8 x 3 channels; scale 0.0625, zero point 10; "
        "assumed: at the source's own rate, values as they are (nothing says otherwise)"
    )
    assert f"samples    {both['samples']}" in text
    (house.models / "window_int8.toml").write_text("[input]\nrate_hz = 50\nmean = 0\nstd = 1")
    told = as_json(inspect(path))
    assert (told["pixels"], told["samples"]) == (
        None,
        "8 x 3 channels at 50 Hz; (value - 0) / 1, from window_int8.toml, "
        "then scale 0.0625, zero point 10",
    )


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
    assert report["signature"] == {"state": "none", "beside": {}}
    assert report["invoke_ms"] > 0


def test_a_model_that_would_be_refused_is_shown_with_the_reason() -> None:
    inspected = inspect(SMALL_MODELS / "segmentation_scores_uint8.tflite")
    reason = (
        "its outputs could be read in 2 ways: segmentation (3 scores for each pixel); anomaly (its "
        "output has the shape of its input). Add the line of the right one to its .toml file: "
        'task = "segmentation", or task = "anomaly"'
    )
    assert as_text(inspected)[-1] == f"refused    {reason}"
    report = as_json(inspected)
    assert (report["usable"], report["problem"]) == (False, reason)
    assert report["outputs"][0]["shape"] == [1, 16, 16, 3]
    assert (report["task"], report["pixels"], report["labels"]) == (None, None, None)


def test_each_reading_that_was_weighed_is_told_with_what_became_of_it() -> None:
    inspected = inspect(SMALL_MODELS / "segmentation_scores_uint8.tflite")
    text = as_text(inspected)
    place = next(at for at, line in enumerate(text) if line.startswith("readings"))
    assert text[place : place + 3] == [
        "readings   segmentation (3 scores for each pixel): as likely as another, by the shapes "
        'alone; task = "segmentation" would choose it',
        "           anomaly (its output has the shape of its input): as likely as another, by the "
        'shapes alone; task = "anomaly" would choose it',
        f"refused    {inspected.problem}",
    ]
    readings = json.loads(json.dumps(as_json(inspected)))["readings"]
    assert [one["task"] for one in readings[:2]] == ["segmentation", "anomaly"]
    assert readings[2] == {
        "task": "classification",
        "layout": None,
        "what": None,
        "taken": False,
        "reason": "does not fit: classification needs one output with a number a class, it has "
        '"scores" 1x16x16x3 uint8',
    }


def test_a_reading_that_lacks_something_is_refused_with_the_reason_once() -> None:
    inspected = inspect(SMALL_MODELS / "layouts" / "yolo_v8_pixels.tflite")
    assert as_text(inspected)[-2:] == [
        "readings   detection, yolo-v8 (a head of YOLO v8: 21 candidates of 4 numbers and 3 "
        "classes): refused",
        f"refused    {inspected.problem}",
    ]
    assert as_json(inspected)["readings"][0]["reason"] == f"refused: {inspected.problem}"


def test_where_nothing_points_to_a_task_each_is_told_with_what_it_lacks(tmp_path: Path) -> None:
    shutil.copy(SMALL_MODELS / "classifier_uint8.tflite", tmp_path / "x.tflite")
    (tmp_path / "x.toml").write_text('task = "pose"')
    inspected = inspect(tmp_path / "x.tflite")
    lines = as_text(inspected)
    assert lines[-2:] == [
        "readings   classification (one output of 3 classes): passed over: what its files tell is "
        "another",
        f"refused    {inspected.problem}",
    ]


def test_a_model_that_does_not_run_has_no_readings() -> None:
    inspected = inspect(SMALL_MODELS / "classifier_float32_dynamic_batch.tflite")
    assert as_json(inspected)["readings"] == []
    assert not any(line.startswith("readings") for line in as_text(inspected))


def test_what_lies_beside_the_file_counts(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.model("detector_tf1")
    house.labels("detector_tf1", "???", *(f"kind {n}" for n in range(12)))
    path = house.models / "detector_tf1.tflite"
    lines = text_of(path)
    assert lines["labels"][0].startswith("labels file detector_tf1.labels.txt: ???, kind 0, ")
    assert lines["labels"][0].endswith("kind 8 and 3 more")
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


# ---- signatures ----------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> Path:
    shutil.copy(SMALL_MODELS / "classifier_uint8.tflite", tmp_path / "coco.tflite")
    (tmp_path / "coco.labels.txt").write_text("red\ngreen\nblue\n")
    return tmp_path / "coco.tflite"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration that trusts a key, which lies beside it."""
    (tmp_path / "keys").mkdir()
    shutil.copy(SIGNED / "trusted.pub", tmp_path / "keys" / "release.pub")
    path = tmp_path / "edged.toml"
    path.write_text(CONFIG)
    return path


def sign(path: Path) -> None:
    path.with_name(f"{path.name}.minisig").write_bytes(Signer().sign(path.read_bytes()))


def test_an_unsigned_model_is_inspected_and_has_no_signature(model: Path) -> None:
    inspected = inspect(model, TRUSTED)
    assert inspected.problem is None
    assert [line for line in as_text(inspected) if "signature" in line] == ["signature  none"]
    assert not any("coco.labels.txt: none" in line for line in as_text(inspected))
    assert as_json(inspected)["signature"]["state"] == "none"


def test_the_signatures_of_a_model_and_of_what_lies_beside_it_are_told(model: Path) -> None:
    sign(model)
    inspected = inspect(model, TRUSTED)
    valid = f"valid: key {TRUSTED_ID}, version 12"
    lines = as_text(inspected)
    place = lines.index(f"signature  {valid}")
    assert lines[place + 1] == "           coco.labels.txt: none"
    told = {"state": valid, "beside": {"coco.labels.txt": "none"}}
    assert json.loads(json.dumps(as_json(inspected)))["signature"] == told


def test_a_signature_cannot_be_judged_without_trusted_keys(model: Path) -> None:
    sign(model)
    assert inspect(model).signature == "present; no trusted keys given"


def test_a_model_that_is_refused_tells_its_signature_all_the_same(model: Path) -> None:
    shutil.copy(SMALL_MODELS / "two_inputs.tflite", model)
    sign(model)
    inspected = inspect(model, TRUSTED)
    assert inspected.problem is not None
    assert f"signature  valid: key {TRUSTED_ID}, version 12" in as_text(inspected)


def test_the_keys_are_those_of_the_configuration(config: Path) -> None:
    assert trusted_keys(config, {}) == TRUSTED
    assert trusted_keys(None, {"EDGED_CONFIG": str(config)}) == TRUSTED


def test_without_a_configuration_there_are_no_keys(tmp_path: Path) -> None:
    assert trusted_keys(None, {"EDGED_CONFIG": str(tmp_path / "gone.toml")}) == ()


def test_a_configuration_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        trusted_keys(tmp_path / "gone.toml", {"EDGED_CONFIG": "any"})


def test_a_key_that_is_missing_is_an_error_only_where_the_configuration_was_named(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (config.parent / "keys" / "release.pub").unlink()
    assert trusted_keys(None, {"EDGED_CONFIG": str(config)}) == ()
    assert "no trusted keys" in caplog.text
    assert "release.pub: there is no such file" in caplog.text
    with pytest.raises(ConfigError, match=r"release\.pub"):
        trusted_keys(config, {})
