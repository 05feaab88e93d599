"""A model by name, tried apart, understood, loaded, and what it then finds in plain pictures.

The numbers are those of ``tests/models/README.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from household import BLUE, GREEN, OPTIONS, RED, House
from household import load as load_from
from msgspec.structs import replace

from edged.engine.geometry import Fit
from edged.engine.interpreter import Engine
from edged.engine.runtime import Delegate
from edged.errors import ConfigError, ModelError
from edged.filter import Filter
from edged.model import Model
from edged.records.decoded import ScoredBoxes, ScoredClasses
from edged.records.frames import Frame, PixelOrder
from edged.records.results import ClassScore, Detection, Findings, Value

Colour = tuple[int, int, int]
Load = Callable[..., Model]
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def load(house: House) -> Load:
    """``load("classifier_uint8", sidecar="", fit=Fit.STRETCH)``."""

    def loaded(
        name: str,
        sidecar: str = "",
        fit: Fit = Fit.STRETCH,
        delegate: Delegate | None = None,
    ) -> Model:
        if not (house.models / f"{name}.tflite").exists():
            house.model(name)
        (house.models / f"{name}.toml").write_text(sidecar)
        return load_from(house.models, name, replace(OPTIONS, delegate=delegate, fit=fit))

    return loaded


def plain(colour: Colour, height: int = 48, width: int = 64) -> Frame:
    """A frame of one colour (red, green, blue), as most sources give it: BGR."""
    pixels = np.full((height, width, 3), colour[::-1], np.uint8)
    return Frame(0, 0, 0, pixels, PixelOrder.BGR)


def scores(model: Model, colour: Colour) -> list[float]:
    decoded = model.infer(plain(colour)).decoded
    assert isinstance(decoded, ScoredClasses)
    return [round(score, 3) for score in decoded.scores.tolist()]


def findings(model: Model, frame: Frame, threshold: float = 0.5) -> Findings:
    inference = model.infer(frame)
    name_of = model.reading.labels.name
    keep = Filter(name_of, threshold=threshold, allowed=None, max_results=25)
    return keep.apply(inference.decoded, inference.placement)


def best(model: Model, colour: Colour) -> str:
    found = findings(model, plain(colour), threshold=0)[0]
    assert isinstance(found, ClassScore)
    return found.label


# ---- classifiers ---------------------------------------------------------------------------------

CLASSIFIERS = {
    "classifier_uint8": (RED, [0.91, 0.04, 0.04]),
    "classifier_int8": (BLUE, [0.04, 0.04, 0.91]),
    "classifier_float32": (GREEN, [0.0024, 0.995, 0.0024]),
    "classifier_float32_logits": (RED, [0.995, 0.0024, 0.0024]),
    "classifier_float32_sigmoid": (RED, [0.88, 0.12, 0.12]),
    "classifier_uint8_background": (GREEN, [0.25, 0.04, 0.68, 0.04]),
    "classifier_uint8_grey": (WHITE, [0.12, 0.88]),
    "classifier_int8_odd_scale": (BLUE, [0.045, 0.045, 0.91]),
    "classifier_float32_metadata": (RED, [0.97, 0.015, 0.014]),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_gives_the_scores_that_its_formula_says(load: Load, name: str) -> None:
    colour, expected = CLASSIFIERS[name]
    assert scores(load(name), colour) == pytest.approx(expected, abs=0.011)


def test_embedded_labels_name_the_classes_and_the_background_stands_before_them(
    load: Load,
) -> None:
    model = load("classifier_uint8_background")
    assert [best(model, colour) for colour in (RED, GREEN, WHITE)] == ["red", "green", "background"]
    assert model.spec.labels == ("background", "red", "green", "blue")


def test_the_spec_tells_name_version_and_task(load: Load, house: House) -> None:
    spec = load("classifier_uint8").spec
    assert (spec.name, spec.task) == ("classifier_uint8", "classification")
    assert spec.size_bytes == (house.models / "classifier_uint8.tflite").stat().st_size
    assert len(spec.sha256) == 64
    assert spec.version == spec.sha256[:12]


def test_a_stateful_model_remembers_between_frames_and_begins_anew_when_loaded(
    load: Load,
) -> None:
    for _ in range(2):
        model = load("stateful")
        reds = [scores(model, RED)[0] for _ in range(3)]
        assert reds == pytest.approx([0.69, 0.82, 0.87], abs=0.011)


def test_numbers_that_are_not_finite_are_a_fault_of_that_frame_alone(load: Load) -> None:
    model = load("classifier_float32_nan_when_bright")
    with pytest.raises(ModelError, match="its scores are not finite numbers"):
        model.infer(plain(WHITE))
    assert scores(model, BLACK) == pytest.approx([1 / 3] * 3, abs=0.01)


# ---- detectors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["detector_tf1", "detector_tf2"])
def test_a_detector_gives_one_box_a_colour_in_whatever_order_its_outputs_come(
    load: Load, name: str
) -> None:
    model = load(name)
    (found,) = findings(model, plain(RED))
    assert isinstance(found, Detection)
    assert (found.label, round(found.score, 2)) == ("0", 0.98)
    assert found.box == pytest.approx((0.1, 0.1, 0.4, 0.5), abs=1e-5)
    assert sorted(one.label for one in findings(model, plain(WHITE))) == ["0", "1", "2"]
    assert findings(model, plain(BLACK)) == ()


def test_what_lies_behind_the_count_is_never_seen(load: Load) -> None:
    model = load("detector_tf1")
    assert len(findings(model, plain(WHITE), threshold=0)) == 3
    decoded = model.infer(plain(BLACK)).decoded
    assert isinstance(decoded, ScoredBoxes)
    assert decoded.boxes == []


@pytest.mark.parametrize(
    ("fit", "height", "width", "box"),
    [
        # Input y 0.1 to 0.5, x 0.1 to 0.4 of 32 x 32. Wide frame: rows 8 to 23 hold it.
        (Fit.LETTERBOX, 64, 128, (0.1, 0.0, 0.4, 0.5)),
        # Tall frame: columns 8 to 23 hold it, x 0.1 to 0.4 is -0.3 to 0.3 of the frame.
        (Fit.LETTERBOX, 128, 64, (0.0, 0.1, 0.3, 0.5)),
        # The middle half of a wide frame is seen, from x 0.25 on.
        (Fit.CROP, 64, 128, (0.3, 0.1, 0.45, 0.5)),
        (Fit.CROP, 128, 64, (0.1, 0.3, 0.4, 0.5)),
        (Fit.STRETCH, 64, 128, (0.1, 0.1, 0.4, 0.5)),
    ],
)
def test_boxes_come_back_to_the_frame_whatever_the_fit(
    load: Load, fit: Fit, height: int, width: int, box: tuple[float, ...]
) -> None:
    (found,) = findings(load("detector_tf1", fit=fit), plain(RED, height, width), threshold=0.4)
    assert isinstance(found, Detection)
    assert found.box == pytest.approx(box, abs=0.01)


def test_a_model_serves_frames_whose_size_changes(load: Load) -> None:
    model = load("classifier_uint8_background", fit=Fit.LETTERBOX)
    first = findings(model, plain(RED, 64, 64))
    findings(model, plain(WHITE, 32, 512))
    assert findings(model, plain(RED, 64, 64)) == first


# ---- sidecars ------------------------------------------------------------------------------------


def test_a_sidecar_overrules_what_would_be_assumed(load: Load) -> None:
    model = load(
        "classifier_float32",
        'labels = ["r", "g", "b"]\n[input]\nmean = 0\nstd = 255\ncolour = "bgr"',
    )
    # The mean is 0..1 now, and the model's first channel is blue: softmax(2 C @ (0, 0, 1)).
    assert best(model, RED) == "b"
    assert scores(model, RED) == pytest.approx([0.045, 0.045, 0.91], abs=0.01)


def test_a_sidecar_tells_the_activation(load: Load) -> None:
    model = load("classifier_float32_logits", '[outputs]\nactivation = "sigmoid"')
    assert scores(model, RED) == pytest.approx([0.982, 0.119, 0.119], abs=0.01)


@pytest.mark.parametrize("roles", ["1 3 0 2", '"b" "d" "a" "c"'])
def test_outputs_that_nothing_names_are_served_when_the_sidecar_tells_their_roles(
    load: Load, roles: str
) -> None:
    boxes, classes, scores_, count = roles.split()
    model = load(
        "four_nameless_outputs",
        f"[outputs]\nboxes = {boxes}\nclasses = {classes}\nscores = {scores_}\ncount = {count}",
    )
    assert model.spec.task == "detection"
    # The count is the sum of the colours: white is 3, black -3.
    assert len(findings(model, plain(WHITE), threshold=0)) <= 3
    decoded = model.infer(plain(WHITE)).decoded
    assert isinstance(decoded, ScoredBoxes)
    assert decoded.scores == pytest.approx([0.3] * 3, abs=1e-3)
    assert findings(model, plain(BLACK), threshold=0) == ()


def test_a_sidecar_with_a_mistake_is_told_with_its_place(load: Load, house: House) -> None:
    with pytest.raises(ConfigError) as told:
        load("classifier_uint8", "label_ofset = 1")
    path = house.models / "classifier_uint8.toml"
    assert told.value.problems == (
        f'{path}: label_ofset: unknown key; did you mean "label_offset"?',
    )


def test_a_mean_for_three_channels_does_not_do_for_one(load: Load) -> None:
    sidecar = "[input]\nmean = [1, 2, 3]\nstd = [255, 255, 255]"
    with pytest.raises(ModelError, match="normalisation is for 3 channels, its input has 1"):
        load("classifier_uint8_grey", sidecar)


# ---- numbers -------------------------------------------------------------------------------------


def test_a_regression_gives_its_number_by_its_name(load: Load) -> None:
    model = load("regression_float32", 'task = "regression"\nlabels = ["brightness"]')
    assert model.spec.task == "regression"
    (found,) = findings(model, plain(RED))
    assert found == Value("brightness", pytest.approx(-1 / 3, abs=1e-5))


def test_a_number_without_a_name_goes_by_its_place(load: Load) -> None:
    (found,) = findings(load("regression_float32"), plain(WHITE))
    assert found == Value("0", pytest.approx(1, abs=1e-5))


def test_several_numbers_are_a_regression_where_the_sidecar_says_so(load: Load) -> None:
    sidecar = 'task = "regression"\nlabels = ["r", "g"]'
    found = findings(load("classifier_float32_logits", sidecar), plain(RED))
    assert [one.label for one in found if isinstance(one, Value)] == ["r", "g", "2"]
    assert [one.value for one in found if isinstance(one, Value)] == pytest.approx([4, -2, -2])


def test_two_numbers_of_one_name_are_refused(load: Load) -> None:
    sidecar = 'task = "regression"\nlabels = ["x", "y", "x"]'
    with pytest.raises(ModelError) as told:
        load("classifier_float32_logits", sidecar)
    assert str(told.value) == (
        'two of its 3 numbers have the same name, "x" (sidecar). Each needs a label of its own'
    )


def test_the_numbers_of_several_outputs_go_by_the_outputs_names(load: Load) -> None:
    names = load("four_nameless_outputs", 'task = "regression"').reading.labels.names
    assert (len(names), names[0], names[49], names[50]) == (61, "a 0", "b 39", "c")


# ---- what is refused -----------------------------------------------------------------------------

REFUSED = {
    "two_inputs": 'it has 2 inputs ("image" 1x32x32x3 float32, "other" 1x7 float32). A pipeline '
    "feeds one; other inputs must each be alike to just one output, which is then fed back",
    "classifier_float32_dynamic_batch": 'its input "image" has a dynamic batch (?x32x32x3). '
    "Export it with a fixed shape and a batch of 1",
    "segmentation_scores_float32": "its outputs could be read in 2 ways: segmentation (3 scores "
    "for each pixel); anomaly (its output has the shape of its input). Add the line of the right "
    'one to its .toml file: task = "segmentation", or task = "anomaly"',
    "pose_heatmaps": "its outputs are the heatmaps and offsets of a PoseNet, which are not put "
    'together to people here ("heatmaps" 1x2x2x17 float32, "offsets" 1x2x2x34 float32, "forward" '
    '1x2x2x32 float32, "backward" 1x2x2x32 float32). Take a MoveNet, which gives the keypoints '
    "themselves",
    "four_nameless_outputs": "its outputs fit no task of this version without being told which is "
    'which ("a" 1x10 float32, "b" 1x10x4 float32, "c" 1 float32, "d" 1x10 float32). If it is a '
    "detector, add to its .toml file: [outputs] with boxes, classes, scores and count, each the "
    "output's number",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_of_a_kind_that_cannot_serve_is_refused_with_the_reason(
    load: Load, name: str
) -> None:
    with pytest.raises(ModelError) as told:
        load(name)
    assert str(told.value) == REFUSED[name]


def test_a_model_that_is_not_there_is_told_with_the_nearest_name(load: Load, house: House) -> None:
    house.model("classifier_uint8")
    with pytest.raises(ModelError) as told:
        load_from(house.models, "classifier_unit8")
    path = house.models / "classifier_unit8.tflite"
    assert str(told.value) == f'there is no file {path}; did you mean "classifier_uint8"?'


def test_a_delegate_that_cannot_be_loaded_refuses_the_model_and_is_named(load: Load) -> None:
    with pytest.raises(ModelError, match=r'The delegate "/nowhere/libx\.so" cannot be loaded'):
        load("classifier_uint8", delegate=Delegate("/nowhere/libx.so"))


# ---- labels of an allow-list ---------------------------------------------------------------------


def test_an_invocation_is_judged_by_the_clock_that_the_model_was_given(load: Load) -> None:
    model = load("classifier_uint8")
    model.clock_ns = iter([100, 107]).__next__
    inference = model.infer(plain(WHITE))
    assert inference.worked_ns == 7
    assert inference.invoke_ns > 7


def test_the_warming_up_does_not_depend_on_what_the_memory_happens_to_hold(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Engine.__init__

    def begin_with_rubbish(engine: Engine, *arguments: Any, **options: Any) -> None:
        begin(engine, *arguments, **options)
        for position in range(len(engine.inputs)):
            engine.input_view(position)[...] = 100

    monkeypatch.setattr(Engine, "__init__", begin_with_rubbish)
    load("error_after_20")  # its counter is an input
