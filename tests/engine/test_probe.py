"""The probe on real models: good ones, ones that are none, and ones that misbehave at once."""

from __future__ import annotations

import os
import shutil
import struct
import threading
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from edged.decoders.detection import DetectionDecoder, DetectionRoles
from edged.engine.geometry import Fit
from edged.engine.interpreter import Engine
from edged.engine.probe import Probed, StoredArray, _try_batch, probe
from edged.errors import ModelError, ProbeCancelled
from edged.loading import LoadOptions, examine
from edged.reading import read_model
from edged.records.decoded import ScoredBoxes
from edged.records.models import Quantization, TensorSpec
from edged.store.models import read_model_files

MODELS = Path(__file__).resolve().parent.parent / "models"


def tried(path: Path) -> Probed:
    return probe(path, threads=1, delegate=None)


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        tried(path)
    return str(caught.value)


@pytest.fixture
def never_finite(tmp_path: Path) -> Path:
    """The model that fails after 20 frames, with its first frame past that."""
    data = (MODELS / "nan_after_20.tflite").read_bytes()
    assert data.count(struct.pack("<f", 19.5)) == 1
    path = tmp_path / "never.tflite"
    path.write_bytes(data.replace(struct.pack("<f", 19.5), struct.pack("<f", -100)))
    return path


def test_a_good_model_gives_its_tensors_its_time_and_its_memory() -> None:
    found = tried(MODELS / "classifier_uint8.tflite")
    assert [(t.shape, t.dtype) for t in found.inputs] == [((1, 32, 32, 3), "uint8")]
    assert found.inputs[0].quantization is not None
    assert found.inputs[0].quantization.scale == pytest.approx(1 / 255)
    assert [(t.shape, t.dtype) for t in found.outputs] == [((1, 3), "uint8")]
    assert 0 < found.invoke_ms <= found.invoke_p90_ms < 1000
    assert 10 << 20 < found.peak_memory_bytes < 1 << 30
    assert found.not_finite == ()


@pytest.mark.parametrize(
    "path",
    sorted(path for path in MODELS.glob("*.tflite") if path.stem != "greedy"),
    ids=lambda path: path.stem,
)
def test_every_small_model_runs_whatever_its_tensors_are(path: Path) -> None:
    found = tried(path)
    if not path.stem.startswith("detector"):
        assert found.not_finite == ()
        return
    # Behind those that count its outputs are whatever lies in memory.
    reading = read_model(read_model_files(path), found.inputs, found.outputs)
    for outputs in found.doubtful_outputs():
        reading.task.decoder.decode(outputs)


def test_shapes_that_only_an_invocation_tells_are_told() -> None:
    found = tried(MODELS / "detector_tf1.tflite")
    assert [t.shape for t in found.outputs] == [(1, 10, 4), (1, 10), (1, 10), (1,)]


def test_outputs_that_are_not_finite_are_for_the_decoder_to_refuse(never_finite: Path) -> None:
    found = tried(never_finite)
    assert len(found.not_finite) == 5  # zeros, the largest bytes, noise of three seeds
    reading = read_model(read_model_files(never_finite), found.inputs, found.outputs)
    for outputs in found.doubtful_outputs():
        with pytest.raises(ModelError, match="its scores are not finite numbers"):
            reading.task.decoder.decode(outputs)


def test_rows_behind_an_ssds_count_may_hold_anything() -> None:
    boxes = np.full((1, 2, 4), np.nan, np.float32)
    boxes[0, 0] = (0.1, 0.2, 0.3, 0.4)
    scores = np.array([[0.9, np.inf]], np.float32)
    stored = (boxes, np.zeros((1, 2), np.float32), scores, np.ones(1, np.float32))
    tensors = tuple(
        TensorSpec(number, "", array.shape, array.shape, "float32", None)
        for number, array in enumerate(stored)
    )
    found = Probed(1.0, 1.0, 0, (), tensors, (tuple(map(StoredArray.of, stored)),))
    (outputs,) = found.doubtful_outputs()
    decoded = DetectionDecoder(DetectionRoles(0, 1, 2, 3)).decode(outputs)
    assert isinstance(decoded, ScoredBoxes)
    assert decoded.scores == pytest.approx([0.9])


def test_doubtful_outputs_come_dequantised_or_as_they_are_stored() -> None:
    stored = np.array([[10, 130]], np.uint8)
    tensor = TensorSpec(0, "", (1, 2), (1, 2), "uint8", Quantization(0.5, 10))
    found = Probed(1.0, 1.0, 0, (), (tensor,), ((StoredArray.of(stored),),))
    ((output,),) = found.doubtful_outputs()
    np.testing.assert_array_equal(output, np.array([[0, 60]], np.float32))
    ((output,),) = found.doubtful_outputs(as_stored=True)
    np.testing.assert_array_equal(output, stored)


def test_a_model_over_its_budget_is_refused_and_one_within_it_is_not() -> None:
    path = MODELS / "slow_after_20.tflite"
    with pytest.raises(ModelError, match=r"^it takes \d+\.\d ms, over its budget of 0\.001 ms$"):
        probe(path, threads=1, delegate=None, budget_ms=0.001)
    assert probe(path, threads=1, delegate=None, budget_ms=10_000).invoke_ms < 10_000


def test_a_probe_can_be_given_up() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(ProbeCancelled):
        probe(MODELS / "pose.tflite", threads=1, delegate=None, cancelled=cancelled)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.tflite").startswith("the runtime cannot load it: ")


def test_a_model_that_ends_its_process_is_refused_and_leaves_no_core(
    testdata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a core would be dropped
    told = refusal(testdata / "bad-models" / "aborts_on_invoke.tflite")
    assert told.startswith("the runtime crashes (SIGABRT) when it is ")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_needs_more_than_the_limit_of_memory_is_told_so() -> None:
    assert "memory" in refusal(MODELS / "greedy.tflite")


def test_a_model_that_does_not_finish_is_told_so(tmp_path: Path) -> None:
    endless = tmp_path / "endless.tflite"
    os.mkfifo(endless)  # nobody writes to it: whoever opens it waits for ever
    with pytest.raises(ModelError, match=r"it did not finish being loaded within 1\.5 s"):
        probe(endless, threads=1, delegate=None, wall_limit_s=1.5)


def test_a_path_is_taken_as_it_is_whatever_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a b'\"{}\\ü.tflite"
    shutil.copy(MODELS / "classifier_int8.tflite", path)
    assert tried(path).inputs[0].dtype == "int8"


def test_a_large_real_model_is_tried(testdata: Path) -> None:
    files = read_model_files(testdata / "models" / "coco_ssd_mobilenet_v1_quant.tflite")
    path = testdata / "models" / "coco_ssd_mobilenet_v1_quant.tflite"
    assert examine(files, path, LoadOptions(1, None, Fit.STRETCH)).probed.invoke_ms > 1


@pytest.mark.parametrize(("shape", "fits"), [((3, 7), True), ((1, 7), False), ((), False)])
def test_what_a_model_gives_for_several_must_be_that_of_each(
    shape: tuple[int, ...], fits: bool
) -> None:
    class Several:
        """An engine that has been set to so many."""

        count = 1

        def set_batch(self, count: int) -> None:
            self.count = count

        def invoke(self) -> None:
            assert self.count == 3

        def shaped_outputs(self) -> tuple[TensorSpec, ...]:
            return (TensorSpec(0, "scores", shape, shape, "float32", None),)

    engine = cast("Engine", Several())
    if fits:
        _try_batch(engine, 3)
        return
    with pytest.raises(ModelError) as refused:
        _try_batch(engine, 3)
    shown = "x".join(map(str, shape)) or "a single number"
    assert str(refused.value) == (
        f'its output "scores" is {shown} for a batch of 3. Export it with a fixed shape and a '
        "batch of 1"
    )


def test_a_model_for_any_number_is_tried_on_as_many_as_there_may_be() -> None:
    path = MODELS / "classifier_float32_dynamic_batch.tflite"
    found = probe(path, threads=1, delegate=None, batch=8)
    assert [t.shape for t in (*found.inputs, *found.outputs)] == [(1, 32, 32, 3), (1, 3)]
