#!/usr/bin/env python3
"""Trains the detector that ``edged demo`` runs: edged/models/shapes.tflite.

    pip install 'edged[train]' && scripts/train_demo_model.py

It learns from synthetic scenes whose seeds are kept apart from those of the demo, the tests and
the measure, and takes about a quarter of an hour on two idle cores. It ends with an int8 file, and
tells how well that and the float model find the shapes of 500 frames they have never seen.
``--workshop DIRECTORY`` gets the float model, and pictures to quantise it with and compare it by.

Reproducible means: from the same seed the same pictures in the same order and the same first
weights, and a training step compiled by XLA, whose CPU code adds up in a fixed order (unlike
TensorFlow's own operators, which would need their slower deterministic variants). With the same
TensorFlow, OpenCV and kind of CPU the file comes out the same; elsewhere sums are rounded in
another way, and the measure differs by some thousandths.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from demo_model import export, network, pictures, workshop
from demo_model.measure import measure

from edged.sources.scene import LABELS

MODELS = Path(__file__).resolve().parent.parent / "edged" / "models"
LEAST_MAP = 0.90
MOST_BYTES = 400 * 1024
BATCH = 16
CALIBRATION_PICTURES = 300
PEAK_RATE = 2e-3


def train(lesson: pictures.Lesson, epochs: int) -> keras.Model:
    """The network after ``epochs`` passes over the lesson."""
    model = network.build()
    learner = network.for_training(model)
    steps = epochs * len(lesson.inputs) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(
        PEAK_RATE / 30, steps, warmup_target=PEAK_RATE, warmup_steps=steps // 20
    )
    learner.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4), network.loss, jit_compile=True)
    pairs = tf.data.Dataset.range(len(lesson.inputs)).shuffle(len(lesson.inputs)).batch(BATCH, True)

    def take(indices: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[object]:
        return [lesson.inputs[indices].astype(np.float32) / 255, lesson.targets[indices]]

    def shaped(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        inputs, targets = tf.numpy_function(take, [indices], [tf.float32, tf.float16])
        inputs.set_shape((BATCH, *lesson.inputs.shape[1:]))
        targets.set_shape((BATCH, *lesson.targets.shape[1:]))
        return inputs, targets

    learner.fit(pairs.map(shaped).prefetch(2), epochs=epochs, shuffle=False, verbose=2)
    return model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="of pictures and first weights")
    parser.add_argument("--scenes", type=int, default=280, help="to learn from, 48 pictures each")
    parser.add_argument("--epochs", type=int, default=6, help="passes over the pictures")
    parser.add_argument("--into", type=Path, default=MODELS, help="directory to write to")
    parser.add_argument(
        "--workshop", type=Path, help="directory for the float32 model and data to quantise it with"
    )
    given = parser.parse_args()

    keras.utils.set_random_seed(given.seed)
    begin = time.monotonic()
    lesson = pictures.lessons(given.seed, given.scenes, workers=2)
    print(f"{len(lesson.inputs)} pictures after {time.monotonic() - begin:.0f} s", flush=True)
    model = train(lesson, given.epochs)
    print(f"trained after {time.monotonic() - begin:.0f} s", flush=True)

    floating = export.as_float(model)
    if given.workshop is not None:
        workshop.write(given.workshop, floating)
    quantised = export.as_int8(model, lesson.inputs[:: len(lesson.inputs) // CALIBRATION_PICTURES])
    print("float", measure(floating))
    reached = measure(quantised)
    print("int8", reached)
    if reached.mean_average_precision < LEAST_MAP or len(quantised) > MOST_BYTES:
        print(f"Not good enough; nothing is written ({len(quantised)} bytes).", file=sys.stderr)
        return 1
    (given.into / "shapes.tflite").write_bytes(quantised)
    (given.into / "shapes.labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    print(f"{given.into / 'shapes.tflite'}: {len(quantised)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
