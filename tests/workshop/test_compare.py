"""``edged model compare``: two models on the same data."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from household import BLUE, GREEN, RED, SMALL_MODELS, House
from sounds import bursts, write_wav

from edged.cli import main
from edged.engine.layers import read_graph
from edged.errors import EdgedError, ModelError
from edged.runtime_advice import is_quantized, slow_here
from edged.workshop.comparing.run import compare

COLOURS = {"red": RED, "green": GREEN, "blue": BLUE}


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    for name in ("classifier_float32", "classifier_int8"):
        made.model(name)
        made.labels(name, *COLOURS)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two turns of a few inferences are enough to look at the report."""
    monkeypatch.setattr("edged.workshop.comparing.speed._ROUNDS", 2)
    monkeypatch.setattr("edged.workshop.comparing.speed._TURN_S", 0.01)


def labelled(directory: Path) -> Path:
    """Six pictures, two of each class; one of them lies in the wrong one."""
    for label, colour in COLOURS.items():
        (directory / label).mkdir(parents=True)
        for number in range(2):
            wrong = label == "red" and number == 1
            picture = np.full((40, 40, 3), (GREEN if wrong else colour)[::-1], np.uint8)
            assert cv2.imwrite(str(directory / label / f"{number}.png"), picture)
    return directory


def paths(house: House, *names: str) -> list[str]:
    return [str(house.models / f"{name}.tflite") for name in names]


@pytest.mark.usefixtures("quick")
def test_a_person_reads_what_two_models_find_and_cost(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="the extra edged[workshop] is not installed")
    monkeypatch.setenv("COLUMNS", "120")
    page = house.directory / "page.png"
    both = paths(house, "classifier_float32", "classifier_int8")
    data = labelled(house.directory / "data")

    command = ["model", "compare", *both, "--data", str(data), "--layers", "--plot", str(page)]
    assert main(command) == 0

    told = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert lines[0] == "6 examples of 6 pictures"
    for line in (
        "size 880 B 1,136 B 1.291 x",
        "arithmetic float quantised",
        "accuracy, top 1 83.3% 83.3% +0.0 points",
        "the same best 100.0%",
        "- classifier_float32.tflite is 1.3 times smaller",
        "- classifier_int8.tflite has the same accuracy",
    ):
        assert line in lines
    assert any(
        line.startswith("- classifier_int8.tflite loses most in operator ") for line in lines
    )
    drawn = cv2.imread(str(page))
    assert drawn is not None
    assert drawn.shape[0] > 900


@pytest.mark.usefixtures("quick")
def test_a_program_reads_all_of_it(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    both = paths(house, "classifier_float32", "classifier_int8")
    data = labelled(house.directory / "data")
    assert main(["model", "compare", *both, "--data", str(data), "--layers", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["examples"]) == ("edged.compare/1", 6)
    assert told["agreement"] == {"share": 1.0, "top_1": 1.0, "top_5": 1.0}
    first, second = told["models"]
    assert first["accuracy"]["by_label"] == {"blue": 1.0, "green": 1.0, "red": 0.5}
    assert (first["arithmetic"], second["arithmetic"]) == ("float", "quantised")
    assert second["delegated"]["of"] == 3
    [output] = told["outputs"]
    assert output["name"] == "scores"
    assert 0 < output["largest"] < 0.3
    assert {run["threads"] for run in told["latency"]} >= {1}
    for run in told["latency"]:
        for model in run["models"]:
            assert 0 < model["median_ms"] <= model["p99_ms"]
            assert model["memory_mb"]["resident_mb"] > 10
    assert {layer["kind"] for layer in told["layers"]} == {"MEAN", "FULLY_CONNECTED", "SOFTMAX"}


@pytest.mark.usefixtures("quick")
def test_detectors_are_held_to_annotations(house: House) -> None:
    house.model("detector_tf1")
    path = house.models / "detector_tf1.tflite"
    pictures = house.pictures(RED, BLUE)
    annotations = {
        "images": [
            {"id": n, "file_name": f"00{n}.png", "width": 100, "height": 100} for n in (0, 1)
        ],
        "categories": [{"id": 1, "name": "zero"}],
        "annotations": [{"image_id": 0, "category_id": 1, "bbox": [10, 10, 30, 40]}],
    }
    (pictures / "all.json").write_text(json.dumps(annotations))
    house.labels("detector_tf1", "zero", "one", "two")
    compared = compare(path, path, pictures, False, print)
    assert compared.precision is not None
    assert compared.precision[0].mean == pytest.approx(1.0)
    assert (compared.share, compared.outputs) == (1.0, ())


def test_models_that_hear_a_stream_are_held_against_each_other(house: House) -> None:
    house.model("keyword")
    path, data = house.models / "keyword.tflite", house.directory / "sound"
    data.mkdir()
    write_wav(data / "loud.wav", bursts(1, seconds=3))
    compared = compare(path, path, data, False, print)
    assert (compared.share, compared.top_1, compared.pairs) == (1.0, 1.0, ())
    with pytest.raises(ModelError, match="the models hear a stream, and layers are compared of"):
        compare(path, path, data, True, print)


def test_what_cannot_be_compared_is_told(house: House) -> None:
    house.model("detector_tf1")
    house.model("keyword")
    models, pictures = house.models, house.pictures(RED)
    classifier = models / "classifier_float32.tflite"
    with pytest.raises(EdgedError) as failed:
        compare(classifier, models / "detector_tf1.tflite", pictures, False, print)
    assert str(failed.value) == (
        "classifier_float32.tflite does classification and detector_tf1.tflite does detection. "
        "Compare models of one task"
    )
    house.model("classifier_uint8_grey")
    with pytest.raises(EdgedError) as failed:
        compare(classifier, models / "classifier_uint8_grey.tflite", pictures, False, print)
    assert str(failed.value) == (
        "the inputs of classifier_float32.tflite are 1x32x32x3, those of "
        "classifier_uint8_grey.tflite 1x28x28x1. Compare models with the same inputs"
    )
    with pytest.raises(ModelError, match=r"keyword\.tflite looks at windows of recordings"):
        compare(models / "keyword.tflite", classifier, pictures, False, print)
    (empty := house.directory / "empty").mkdir()
    with pytest.raises(EdgedError, match="holds no data"):
        compare(classifier, classifier, empty, False, print)
    (empty / "a.png").write_bytes(b"no picture")
    with pytest.raises(EdgedError, match=r"gives nothing that the models could look at: a\.png"):
        compare(classifier, classifier, empty, False, print)
    (models / "text.tflite").write_text("no model")
    with pytest.raises(ModelError, match="no TFLite model: it is a text file"):
        compare(classifier, models / "text.tflite", pictures, False, print)


def test_what_is_missing_is_told_before_anything_is_measured(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = paths(house, "classifier_float32", "classifier_int8")
    command = ["model", "compare", *both, "--data", str(house.directory)]
    assert main([*command, "--json", "--plot", f"{house.directory}/none/page.png"]) == 1
    assert "cannot be written: there is no such directory" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main([*command, "--plot", "page.png"]) == 1
    assert "pip install 'edged[workshop]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert main(command) == 1
    assert capsys.readouterr().err == (
        "edged: rich, which draws the tables, is not installed. Install it with: "
        "pip install 'edged[workshop]'\n"
    )


def test_a_slow_runtime_for_a_quantised_model_is_told_in_words() -> None:
    assert slow_here("ai-edge-litert", "x86_64") is None
    assert slow_here("tflite-runtime", "aarch64") is None
    told = slow_here("tflite-runtime", "x86_64")
    assert told is not None
    assert told.startswith("tflite-runtime has no quick kernels for whole numbers on x86")
    kinds = {
        name: is_quantized(read_graph((SMALL_MODELS / f"{name}.tflite").read_bytes()))
        for name in ("classifier_float32", "classifier_int8", "classifier_uint8")
    }
    assert kinds == {"classifier_float32": False, "classifier_int8": True, "classifier_uint8": True}
