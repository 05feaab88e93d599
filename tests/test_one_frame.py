"""The tour: one picture's way through edged, a station at a time, to what is published.

First every station by hand, with a classifier; then the same way as the daemon goes it, with a
detector and a letterbox. ``tests/models/README.md`` describes the two small models.
"""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from household import SMALL_MODELS

from edged.cadence import Cadence, Publish
from edged.engine.engines import Engines
from edged.engine.geometry import Fit
from edged.engine.interpreter import Engine
from edged.engine.preprocess import Preprocessor
from edged.filter import Filter
from edged.handoff import LatestSlot
from edged.model import Model
from edged.pipeline import Pipeline, Serving
from edged.publish import Context
from edged.publish.messages import encode
from edged.reading import read_model
from edged.records.frames import Frame, PixelOrder
from edged.records.models import ModelSpec
from edged.records.results import Latency, Result
from edged.service.metrics import PipelineStats
from edged.slots import Slots
from edged.sources.images import ImagesSource
from edged.store.models import read_model_files


class Clock:
    """A wall clock that showed 2026-11-22 06:24 UTC when the monotonic one stood at 0."""

    def monotonic_ns(self) -> int:
        return 0

    def utc_of(self, monotonic_ns: int) -> datetime:
        return datetime(2026, 11, 22, 6, 24, tzinfo=UTC) + timedelta(seconds=monotonic_ns / 1e9)

    def synced(self) -> bool:
        return True


CONTEXT = Context(
    prefix="edged", device="garden-pi", run="c0ffee12", qos=1, clock=Clock(), version="0.1.0"
)


def red_picture(directory: Path) -> Path:
    """64 x 48 pixels, plain red (OpenCV counts blue, green, red)."""
    path = directory / "red.png"
    assert cv2.imwrite(str(path), np.full((48, 64, 3), (0, 0, 255), np.uint8))
    return path


def test_a_picture_becomes_a_published_class(tmp_path: Path) -> None:
    # A model file is read without running anything: tensors, metadata, labels, sidecar.
    path = SMALL_MODELS / "classifier_uint8_background.tflite"
    files = read_model_files(path)
    assert [label_file.name for label_file in files.facts.label_files] == ["colours.txt"]

    # The engine holds the interpreter. (The daemon tries a model in a process of its own first.)
    engine = Engine(path, threads=1)
    assert engine.inputs[0].shape == (1, 32, 32, 3)

    # A reading says how the model is run, and why.
    reading = read_model(files, engine.inputs, engine.outputs)
    assert reading.task.name == "classification"
    assert reading.labels.names == ("background", "red", "green", "blue")

    # A source gives frames: whole pictures, in the order of channels that costs least.
    source = ImagesSource(red_picture(tmp_path), loop=False, now_ns=lambda: 123_000_000)
    source.open(None)
    frame = source.read()
    assert frame is not None
    assert frame.pixels.shape == (48, 64, 3)
    assert frame.order is PixelOrder.BGR

    # Preprocessing scales it into the interpreter's own memory, in the model's order: RGB.
    preprocessor = Preprocessor(
        engine.inputs[0], reading.input.pixels, reading.input.order, Fit.STRETCH
    )
    placement = preprocessor.fill(frame, engine.input_view())
    assert engine.input_view()[0, 0, 0].tolist() == [255, 0, 0]

    # The engine runs; its outputs come out dequantised.
    engine.invoke()
    outputs = [engine.output(0)]
    assert outputs[0].shape == (1, 4)

    # The decoder makes scores of them, and the filter findings: labels, threshold, best first.
    decoded = reading.task.decoder.decode(outputs)
    filter_ = Filter(reading.labels.name, threshold=0.2, allowed=None, max_results=25)
    findings = filter_.apply(decoded, placement)
    assert [finding.label for finding in findings] == ["red", "background"]

    # The result is a closed record, and its message JSON that holds to the schema.
    result = Result(
        pipeline="front",
        sequence=0,
        captured_ns=frame.captured_ns,
        model=ModelSpec(files.name, files.facts.sha256, files.facts.size_bytes, "", ()).ref,
        latency_ms=Latency(wait=0.3, preprocess=0.21, inference=12.9, decode=0.06, total=13.5),
        task=reading.task.name,
        findings=findings,
    )
    message = encode(result, CONTEXT)
    assert (message.topic, message.qos, message.retain) == (
        "edged/garden-pi/front/result",
        1,
        False,
    )
    assert json.loads(message.payload) == {
        "schema": "edged.result/1",
        "device": "garden-pi",
        "pipeline": "front",
        "run": "c0ffee12",
        "sequence": 0,
        "captured_at": "2026-11-22T06:24:00.123Z",
        "clock_synced": True,
        "model": {"name": "classifier_uint8_background", "version": files.facts.sha256[:12]},
        "latency_ms": {
            "wait": 0.3,
            "preprocess": 0.21,
            "inference": 12.9,
            "decode": 0.06,
            "total": 13.5,
        },
        "task": "classification",
        "classes": [
            {"label": "red", "score": pytest.approx(0.68, abs=0.01)},
            {"label": "background", "score": pytest.approx(0.25, abs=0.01)},
        ],
    }


def test_a_picture_becomes_a_published_box(tmp_path: Path) -> None:
    # Model holds preprocessing, engine and decoder together: the unit that is swapped.
    path = SMALL_MODELS / "detector_tf1.tflite"
    files = read_model_files(path)
    engine = Engine(path, threads=1)
    reading = read_model(files, engine.inputs, engine.outputs)
    spec = ModelSpec(
        "shapes", files.facts.sha256, files.facts.size_bytes, reading.task.name, ("rose",)
    )
    model = Model(spec, Engines(engine), reading, Fit.LETTERBOX)

    # Pipeline takes frames out of a slot, each when it may use a core, and hands results on; step
    # is one frame's journey.
    slot: LatestSlot[Frame] = LatestSlot()
    published: list[Result] = []
    pipeline = Pipeline(
        "front",
        slot,
        Cadence(Publish.EVERY, interval_s=10),
        PipelineStats(0),
        itertools.count(),
        publish=published.append,
        send=lambda: None,
        on_fault=lambda reason: pytest.fail(f"a fault: {reason}"),
        on_trial=lambda *_: pytest.fail("nothing is on trial"),
        turn=Slots(1).turn(threads=1),
    )
    filter_ = Filter(lambda number: "rose", threshold=0.5, allowed=("rose",), max_results=25)

    # A recording gives its frames and ends, and the slot is closed.
    source = ImagesSource(red_picture(tmp_path), loop=False)
    source.open(None)
    while (frame := source.read()) is not None:
        slot.put(frame)
    slot.close()
    pipeline.swap(Serving(files.bundle, model, filter_, expected=None))
    pipeline.run()

    # The letterbox put the frame on rows 4 to 27 of the model's 32, with bars above and below: the
    # box, y 0.1 to 0.5 of the input, is y -0.033 to 0.5 of the frame and is clipped to it. The bars
    # took a quarter of the red: sigmoid(8 * 0.75 - 4) is 0.88.
    (result,) = published
    told = json.loads(encode(result, CONTEXT).payload)
    assert told["sequence"] == 0
    assert told["task"] == "detection"
    assert told["detections"] == [
        {
            "label": "rose",
            "score": pytest.approx(0.88, abs=0.01),
            "box": pytest.approx([0.1, 0.0, 0.4, 0.5], abs=0.01),
        }
    ]
    latency = told["latency_ms"]
    assert latency["total"] >= latency["preprocess"] + latency["inference"] + latency["decode"] > 0
