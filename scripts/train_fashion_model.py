"""Trains a MobileNet v2 on Fashion-MNIST, to be converted and quantised by the workshop.

    apt-get install dataset-fashion-mnist && pip install 'edged[train]'
    scripts/train_fashion_model.py DIRECTORY [--epochs N]

DIRECTORY gets ``fashion.keras`` (its own preprocessing inside), ``fashion.labels.txt``,
``calibrate/`` (200 pictures that it learnt from) and ``test/CLASS/`` (2,000 that it did not). The
network: Sandler et al., 2018, three quarters as wide, of 32 x 32 grey pixels.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import cv2
import keras
import numpy as np
from keras import layers

DATA = Path("/usr/share/datasets/fashion-mnist")
LABELS = (
    "t-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "boot",
)
SIDE = 32
WIDTH = 0.75
CALIBRATED_WITH, TESTED_WITH = 200, 2000


def read(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 (n, 32, 32) and classes uint8 (n,). The files: IDX, by LeCun."""
    pixels = gzip.decompress((DATA / f"{name}-images-idx3-ubyte.gz").read_bytes())
    classes = gzip.decompress((DATA / f"{name}-labels-idx1-ubyte.gz").read_bytes())
    pictures = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28)
    enlarged = [cv2.resize(picture, (SIDE, SIDE)) for picture in pictures]
    return np.stack(enlarged), np.frombuffer(classes, np.uint8, offset=8)


def network() -> keras.Model:
    picture = keras.Input((SIDE, SIDE, 1))
    x = layers.Rescaling(1 / 127.5, -1)(picture)
    body = keras.applications.MobileNetV2((SIDE, SIDE, 1), WIDTH, weights=None, include_top=False)
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.95  # there are few steps
    x = layers.GlobalAveragePooling2D()(body(x))
    return keras.Model(picture, layers.Dense(len(LABELS), activation="softmax")(x))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=60_000, help="to learn from")
    options = parser.parse_args()
    keras.utils.set_random_seed(1)
    pictures, classes = read("train")
    model = network()
    steps = options.epochs * -(-options.pictures // 64)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    learnt = pictures[: options.pictures, ..., None], classes[: options.pictures]
    model.fit(*learnt, batch_size=64, epochs=options.epochs, verbose=2)
    options.directory.mkdir(parents=True, exist_ok=True)
    model.save(options.directory / "fashion.keras")
    (options.directory / "fashion.labels.txt").write_text("\n".join(LABELS) + "\n")
    calibrate = options.directory / "calibrate"
    calibrate.mkdir(exist_ok=True)
    for number, picture in enumerate(pictures[:CALIBRATED_WITH]):
        cv2.imwrite(str(calibrate / f"{number:03}.png"), picture)
    unseen = zip(*(part[:TESTED_WITH] for part in read("t10k")), strict=True)
    for number, (picture, place) in enumerate(unseen):
        folder = options.directory / "test" / LABELS[place]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number:04}.png"), picture)


if __name__ == "__main__":
    main()
