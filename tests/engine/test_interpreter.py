"""One model in one interpreter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from household import SMALL_MODELS

from edged.engine.interpreter import Engine, dequantize, one_line
from edged.engine.runtime import NO_DELEGATE, Delegate
from edged.errors import ModelError
from edged.records.models import Quantization


def engine(name: str) -> Engine:
    return Engine(SMALL_MODELS / f"{name}.tflite", threads=1)


def test_inputs_and_outputs_are_told_in_the_models_order() -> None:
    stateful = engine("stateful")
    assert [tensor.name for tensor in stateful.inputs] == ["image", "state"]
    assert [tensor.name for tensor in stateful.outputs] == ["scores", "new state"]
    image = stateful.inputs[0]
    assert (image.shape, image.dtype) == ((1, 32, 32, 3), "int8")
    assert image.quantization is not None
    assert image.quantization.scale == pytest.approx(1 / 255)
    assert image.quantization.zero_point == -128


def test_a_float_tensor_has_no_quantization() -> None:
    (image,) = engine("classifier_float32").inputs
    assert (image.dtype, image.quantization) == ("float32", None)


def test_a_dynamic_dimension_shows_in_the_signature_alone() -> None:
    (image,) = engine("classifier_float32_dynamic_batch").inputs
    assert (image.shape, image.shape_signature) == ((1, 32, 32, 3), (-1, 32, 32, 3))


def test_shapes_that_the_file_does_not_tell_are_known_after_a_run() -> None:
    detector = engine("detector_tf1")
    detector.invoke()
    assert detector.shaped_outputs()[0].shape == (1, 10, 4)
    assert detector.output(0).shape == (1, 10, 4)


def test_what_is_written_into_the_view_is_what_runs() -> None:
    classifier = engine("classifier_uint8")
    classifier.input_view()[...] = (255, 0, 0)
    classifier.invoke()
    stored = classifier.output_view(0).tolist()
    assert stored[0][0] == pytest.approx(0.91 * 256, abs=2)
    scores = classifier.output(0)
    assert scores.dtype == np.float32
    assert scores[0, 0] == pytest.approx(0.91, abs=0.01)


def test_an_output_is_a_copy_that_lasts() -> None:
    classifier = engine("classifier_float32")
    classifier.input_view()[...] = (1, -1, -1)
    classifier.invoke()
    first = classifier.output(0)
    kept = first.copy()
    classifier.input_view()[...] = (-1, -1, 1)
    classifier.invoke()
    np.testing.assert_array_equal(first, kept)


def test_an_output_that_is_fed_back_is_the_next_runs_input_until_it_is_reset() -> None:
    stateful = engine("stateful")
    stateful.feedback = {1: 1}
    stateful.reset_state()
    assert (stateful.input_view(1) == -128).all()  # the zero point
    reds = []
    for _ in range(3):
        stateful.input_view(0)[...] = (127, -128, -128)
        stateful.invoke()
        reds.append(float(stateful.output(0)[0, 0]))
    assert reds == pytest.approx([0.69, 0.82, 0.87], abs=0.01)
    stateful.reset_state()
    assert (stateful.input_view(1) == -128).all()


def test_what_a_model_remembers_is_set_back_to_what_it_is_at_the_start() -> None:
    """Its variable begins at 2, which the runtimes' own way of setting variables back forgets."""
    path = SMALL_MODELS / "keyword.tflite"
    with_memory = Engine(path, threads=1, remembers=True)

    def heard(engine: Engine) -> list[int]:
        scores = []
        for stored in (-128, -128, 60, 0):
            engine.input_view()[...] = stored
            engine.invoke()
            scores.append(int(engine.output_view(0).item()))
        return scores

    first = heard(Engine(path, threads=1, remembers=True))
    assert heard(with_memory) == first
    assert heard(with_memory) != first
    with_memory.reset_state()
    assert heard(with_memory) == first


def test_what_a_model_remembers_is_set_back_when_its_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "keyword.tflite"
    path.write_bytes((SMALL_MODELS / "keyword.tflite").read_bytes())
    remembering = Engine(path, threads=1, remembers=True)
    path.unlink()
    remembering.reset_state()
    remembering.invoke()


def test_a_view_that_is_alive_during_a_run_is_an_error_and_no_crash() -> None:
    classifier = engine("classifier_uint8")
    view = classifier.input_view()
    with pytest.raises(ModelError, match="the runtime cannot run it: There is at least 1 ref"):
        classifier.invoke()
    del view
    classifier.invoke()


@pytest.mark.parametrize("content", [None, b"", b"no model at all"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match="the runtime cannot load it: ") as told:
        Engine(path, threads=1)
    assert isinstance(told.value.__cause__, Exception)
    assert "\n" not in str(told.value)


# ---- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
def test_quantised_numbers_become_real_ones(dtype: str) -> None:
    stored = np.array([[0, 3, 100]], dtype)
    real = dequantize(stored, Quantization(0.5, 3))
    assert real.dtype == np.float32
    assert real.tolist() == [[-1.5, 0.0, 48.5]]


def test_the_extremes_of_a_type_do_not_wrap_around() -> None:
    stored = np.array([-128, 127], np.int8)
    assert dequantize(stored, Quantization(1.0, 127)).tolist() == [-255.0, 0.0]


@pytest.mark.parametrize(
    ("dtype", "real"), [("float16", "float32"), ("float32", "float32"), ("int64", "int64")]
)
def test_numbers_that_are_not_quantised_stay_what_they_are(dtype: str, real: str) -> None:
    stored = np.array([1, 2], dtype)
    told = dequantize(stored, None)
    assert told.dtype == real
    assert told.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Op 3 failed.\n  Node 7.\n", "Op 3 failed. Node 7"),
        ("", "most likely it needs too much memory"),
        ("x" * 200, "x" * 159 + "…"),
    ],
)
def test_a_runtimes_error_is_one_line(text: str, line: str) -> None:
    assert one_line(RuntimeError(text)) == line


def test_without_any_delegate_the_runtimes_own_kernels_run() -> None:
    def delegated(delegate: Delegate | None) -> bool:
        path = SMALL_MODELS / "classifier_float32.tflite"
        interpreter = Engine(path, threads=1, delegate=delegate)._interpreter
        return any(node["op_name"] == "DELEGATE" for node in interpreter._get_ops_details())

    assert delegated(None)  # XNNPACK
    assert not delegated(Delegate(NO_DELEGATE))


def test_a_model_for_any_number_runs_as_many_as_it_is_set_to() -> None:
    many = engine("classifier_float32_dynamic_batch")
    assert many.takes_batches
    assert not engine("classifier_float32").takes_batches
    pictures = np.zeros((5, 32, 32, 3), np.float32)
    pictures[np.arange(5), :, :, np.arange(5) % 3] = 1.0
    for count in (5, 1, 3, 3):
        many.set_batch(count)
        many.input_view()[...] = pictures[:count]
        many.invoke()
        scores = many.output(0)
        assert scores.shape == (count, 3)
        assert scores.argmax(axis=1).tolist() == [0, 1, 2, 0, 1][:count]


def test_a_model_that_cannot_be_run_on_several_says_so() -> None:
    with pytest.raises(ModelError, match="the runtime cannot run 3 at once"):
        engine("detector_tf1").set_batch(3)
