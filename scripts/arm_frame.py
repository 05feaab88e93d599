"""What scripts/prove_arm has emulated: an inference, and the whole way of a frame.

    arm_frame.py MODEL PICTURE [--without-xnnpack]

A call of getppid(2) marks where counting begins and ends: the bare inference lies between the first
two, a frame's way (slot, model, filter, message) between the next two.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from msgspec.structs import replace

from edged.bench.settings import DEFAULT
from edged.cadence import Cadence, Publish
from edged.engine.delegated import taken
from edged.engine.runtime import NO_DELEGATE, Delegate
from edged.filter import Filter
from edged.handoff import LatestSlot
from edged.loading import build_model
from edged.pipeline import Pipeline, Serving
from edged.publish import Context
from edged.publish.messages import encode
from edged.records.frames import Frame, PixelOrder
from edged.records.results import Result
from edged.samples import Captured
from edged.service.metrics import PipelineStats
from edged.slots import Slots
from edged.store.models import read_model_files

_FRAMES = 4  # the first ones warm caches up


class Clock:
    def monotonic_ns(self) -> int:
        return 0

    def utc_of(self, monotonic_ns: int) -> datetime:
        return datetime.fromtimestamp(monotonic_ns / 1e9, UTC)

    def synced(self) -> bool:
        return True


CONTEXT = Context(prefix="edged", device="pi", run="run", qos=1, clock=Clock(), version="0")


def whole_way(serving: Serving, picture: np.ndarray[Any, Any]) -> None:
    """Frames one after the other, each given once the one before was published."""
    slot: LatestSlot[Captured] = LatestSlot()
    number = itertools.count()

    def give() -> None:
        slot.put(Frame(next(number), 1, 1, picture, PixelOrder.BGR))

    def publish(result: Result) -> None:
        encode(result, CONTEXT)
        if result.sequence < _FRAMES - 1:
            give()
        else:
            slot.close()
        if result.sequence >= _FRAMES - 2:
            os.getppid()

    def fault(reason: object, *_: object) -> None:
        if reason is not None:
            sys.exit(f"a fault: {reason}")

    pipeline = Pipeline(
        "pi",
        slot,
        Cadence(Publish.EVERY, interval_s=10),
        PipelineStats(0),
        itertools.count(),
        publish=publish,
        send=lambda: None,
        on_fault=fault,
        on_trial=fault,
        turn=Slots(1).turn(threads=1),
    )
    pipeline.swap(serving)
    give()
    pipeline.run()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--without-xnnpack", action="store_true")
    options = parser.parse_args()
    how = DEFAULT
    if options.without_xnnpack:
        how = replace(how, delegate=Delegate(NO_DELEGATE))
    cv2.setNumThreads(1)
    files = read_model_files(options.model)
    model = build_model("model", files, options.model, how, None)
    engine: Any = model._engines.borrow()
    picture = cv2.imread(str(options.picture))
    assert picture is not None
    nodes = [node for node in engine.nodes() if node["op_name"] != "DELEGATE"]
    numbers = taken(engine.nodes())
    left = [node["op_name"] for node in nodes if node["index"] not in numbers]
    library = "libpywrap_litert_common.so"
    base = next(
        line for line in Path("/proc/self/maps").read_text().splitlines() if library in line
    )
    print(
        json.dumps({"taken": len(numbers), "of": len(nodes), "left": left, "base": base}),
        flush=True,
    )
    engine.invoke()
    os.getppid()
    engine.invoke()
    os.getppid()
    model._engines.give_back(engine)
    filter_ = Filter(lambda number: str(number), threshold=0.5, allowed=None, max_results=25)
    whole_way(Serving("model", model, filter_, expected=None), picture)


if __name__ == "__main__":
    main()
