#!/usr/bin/env python3
"""What a second look costs: the first pipeline with and without one, by turns, and one object
alone against several at once.

    scripts/bench_crops.py [--seconds N] [--fps N] [--boxes N] [--slots N] [--json]

A camera of 1280x720 whose frames lie in memory, COCO SSD, and MobileNet v2 on its best boxes.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from bench_told import TESTDATA, parser, tell
from msgspec.structs import replace

from edged.cadence import Cadence, Publish
from edged.crop_pipeline import CropCadence
from edged.crops import CropFeed, CropRule, Followed, Sighting, weight
from edged.engine.geometry import Fit
from edged.filter import Filter
from edged.handoff import LatestSlot
from edged.loading import LoadOptions, build_model
from edged.minimise import Minimiser
from edged.model import Model
from edged.plan import Plan
from edged.records.frames import Frame, PixelOrder
from edged.records.health import HealthState
from edged.records.published import Record
from edged.records.results import Result
from edged.runner import Runner
from edged.samples import Captured, Crops, Given, Want
from edged.service.machine import cores
from edged.slots import Slots
from edged.store.baselines import Baselines
from edged.store.models import read_model_files

MODELS, PHOTO = TESTDATA / "models", TESTDATA / "images" / "grace_hopper.bmp"
COCO, MOBILENET = "coco_ssd_mobilenet_v1_quant", "mobilenet_v2_1.0_224_quant"
OPTIONS = LoadOptions(threads=1, delegate=None, fit=Fit.STRETCH)
THRESHOLD = 0.3  # over which the photo has ten boxes
SIZE = (1280, 720)


@dataclass(frozen=True, slots=True)
class Turn:
    """Of one pipeline in one turn; milliseconds."""

    rate_hz: float
    total_p50_ms: float
    total_p95_ms: float
    dropped: int


@dataclass(frozen=True, slots=True)
class Costs:
    """Medians, in milliseconds; ``hand_over`` and ``preprocess`` of a frame and of an object."""

    hand_over: float
    preprocess: float
    invoke: float


class Played:
    """A live source of one picture."""

    live = True

    def __init__(self, pixels: Frame, fps: float) -> None:
        self._frame, self._interval_s, self._due_s = pixels, 1 / fps, 0.0

    def open(self, want: Want) -> None:
        self._due_s = time.monotonic()

    def read(self) -> Given:
        self._due_s = max(self._due_s + self._interval_s, time.monotonic() - 1)
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        now_ns = time.monotonic_ns()
        return replace(self._frame, captured_ns=now_ns, arrived_ns=now_ns)

    def close(self) -> None:
        """There is nothing to close."""


def loaded(name: str) -> Model:
    path = MODELS / f"{name}.tflite"
    return build_model(name, read_model_files(path), path, OPTIONS, None)


def photo() -> Frame:
    pixels = cv2.imread(str(PHOTO))
    assert pixels is not None
    resized = cv2.resize(pixels, SIZE).astype(np.uint8, copy=False)
    return Frame(0, 0, 0, resized, PixelOrder.BGR)


def rule(boxes: int) -> CropRule:
    telling = Minimiser(None, 1)
    return CropRule("front", None, 0.1, boxes, False, telling, waits=False, empty=False)


def pipeline(
    name: str, fps: float, slots: Slots, crop: CropRule | None, publish: Callable[[Record], None]
) -> Runner:
    plan = Plan(
        name=name,
        model=name,
        source_kind="played",
        frame_size=None,
        fps=None,
        realtime=True,
        threshold=THRESHOLD,
        labels=None,
        max_results=25,
        options=OPTIONS,
        crop=crop,
    )
    return Runner(
        plan,
        None if crop else Played(photo(), fps),
        CropCadence(Publish.EVERY, 10, tracked=False) if crop else Cadence(Publish.EVERY, 10),
        itertools.count(),
        track_ids=itertools.count(1),
        baselines=Baselines(Path(tempfile.gettempdir()) / "none.json"),
        publish=publish,
        send=lambda: None,
        on_trial=lambda *_: None,
        on_model=lambda: None,
        on_end=lambda: None,
        slots=slots,
    )


def turn(seconds: float, fps: float, boxes: int, count: int) -> dict[str, Turn]:
    """``boxes`` 0: the first pipeline alone."""
    results: list[Result] = []

    def publish(record: Record) -> None:
        if isinstance(record, Result):
            results.append(record)

    slots = Slots(count)
    runners = [pipeline("front", fps, slots, None, publish)]
    if boxes:
        runners.append(pipeline("close", fps, slots, rule(boxes), publish))
        feed = runners[1].feed
        assert feed is not None
        runners[0].show_to((feed,))
        feed.follow(Followed(HealthState.RUNNING, None))
    for runner, name in zip(runners, (COCO, MOBILENET), strict=False):
        runner.start()
        runner.swap(name, loaded(name), None)
    time.sleep(0.5)
    results.clear()
    dropped = [runner.metrics(1).dropped for runner in runners]
    time.sleep(seconds)
    taken = list(results)
    told = {
        runner.plan.name: spent(
            [each for each in taken if each.pipeline == runner.plan.name],
            seconds,
            runner.metrics(2).dropped - before,
        )
        for runner, before in zip(runners, dropped, strict=True)
    }
    for runner in runners:
        runner.ask_to_stop()
    for runner in runners:
        runner.stop("over", 5.0)
    return told


def spent(results: Sequence[Result], seconds: float, dropped: int) -> Turn:
    totals = sorted(result.latency_ms.total for result in results) or [0.0]
    p50, p95 = (totals[int(share * (len(totals) - 1))] for share in (0.5, 0.95))
    return Turn(len(results) / seconds, p50, p95, dropped)


def costs(boxes: int, rounds: int = 100) -> Costs:
    """Of the hand-over in the first pipeline's thread, and of one object in the second's."""
    frame, front, close = photo(), loaded(COCO), loaded(MOBILENET)
    inference = front.infer(frame)
    filter_ = Filter(str, threshold=THRESHOLD, allowed=None, max_results=25)
    sighting = Sighting(frame, filter_.apply(inference.decoded, inference.placement), 0)
    slot: LatestSlot[Captured] = LatestSlot(weight)
    feed = CropFeed(rule(boxes), slot, lambda *state: None)
    handed, filled, invoked = [], [], []
    for _ in range(rounds):
        began_ns = time.perf_counter_ns()
        feed.look(sighting)
        handed.append(time.perf_counter_ns() - began_ns)
        crops = slot.take(0)
        assert isinstance(crops, Crops)
        for picture in crops.pictures():
            one = close.infer(picture)
            filled.append(one.preprocess_ns)
            invoked.append(one.invoke_ns)
    return Costs(*(statistics.median(each) / 1e6 for each in (handed, filled, invoked)))


def main() -> None:
    arguments = parser(__doc__, None, plots=False)
    arguments.add_argument("--seconds", type=float, default=5.0, help="of a turn (5)")
    arguments.add_argument("--turns", type=int, default=3)
    arguments.add_argument("--fps", type=float, default=15.0)
    arguments.add_argument("--boxes", type=int, default=8)
    arguments.add_argument("--slots", type=int, default=cores())
    given = arguments.parse_args()
    cv2.setNumThreads(1)
    told: dict[str, list[dict[str, Turn]]] = {"alone": [], "with crops": []}
    for _ in range(given.turns):
        told["alone"].append(turn(given.seconds, given.fps, 0, given.slots))
        told["with crops"].append(turn(given.seconds, given.fps, given.boxes, given.slots))
    found = costs(given.boxes)
    lines = []
    for how, all_of in told.items():
        for name in all_of[0]:
            each = [one[name] for one in all_of]
            lines.append(
                f"{how:10}  {name:5}  {statistics.median(x.rate_hz for x in each):6.1f}/s  total "
                f"p50 {statistics.median(x.total_p50_ms for x in each):6.1f} ms, "
                f"p95 {statistics.median(x.total_p95_ms for x in each):6.1f} ms, "
                f"dropped {statistics.median(x.dropped for x in each):.0f}"
            )
    lines.append(
        f"hand-over {found.hand_over * 1e3:.0f} us a frame of {given.boxes} objects; of an object: "
        f"preprocess {found.preprocess:.2f} ms, invoke {found.invoke:.2f} ms"
    )
    tell({"turns": told, "costs_ms": found}, lines, given.json)


if __name__ == "__main__":
    main()
