"""The network: three convolutions over time, their mean, and one layer that names the activity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from .lessons import Scaling, pieces
from .recordings import CHANNELS, CLASSES, Recordings

_BATCH = 32
_EPOCHS = 10
_PEAK_RATE = 4e-3


@dataclass(frozen=True, slots=True)
class Design:
    """What was chosen by cross-validation (``choice.py``): windows of ``length`` samples.

    ``centred``: the network takes away the window's mean of each channel first, and with that what
    does not change: most of gravity, and a gyroscope's bias. ``gravity``: half of what it learns
    from is under gravity; ``mounting``: all of it is from sensors whose axes lie anyhow.
    """

    length: int = 30
    centred: bool = True
    gravity: bool = True
    mounting: bool = True


def build(design: Design, seed: int) -> keras.Model:
    """Scaled windows (b, length, channels) to logits (b, classes)."""
    keras.utils.set_random_seed(seed)
    window = keras.Input((design.length, len(CHANNELS)))
    x = window - keras.ops.mean(window, axis=1, keepdims=True) if design.centred else window
    x = layers.Reshape((design.length, 1, len(CHANNELS)))(x)
    x = _convolved(x, 16, over=5, stride=1)
    x = _convolved(x, 24, over=3, stride=2)
    x = _convolved(x, 32, over=3, stride=2)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(window, layers.Dense(len(CLASSES))(x))


def _convolved(x: Any, filters: int, over: int, stride: int) -> Any:
    x = layers.Conv2D(filters, (over, 1), (stride, 1), padding="same", use_bias=False)(x)
    return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(x))


def trained(recordings: Recordings, scaling: Scaling, design: Design, seed: int) -> keras.Model:
    """The network after its lesson; first weights, windows and their order come from ``seed``."""
    network = build(design, seed)
    lesson = pieces(
        recordings, design.length, np.random.default_rng(seed), design.gravity, design.mounting
    )
    steps = len(lesson) // _BATCH * _EPOCHS
    rate = keras.optimizers.schedules.CosineDecay(
        _PEAK_RATE / 30, steps, warmup_target=_PEAK_RATE, warmup_steps=steps // 10
    )
    network.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    whole = steps // _EPOCHS * _BATCH  # XLA compiles for one size of batch
    inputs = scaling.apply(lesson.series[:whole])
    network.fit(inputs, lesson.classes[:whole], batch_size=_BATCH, epochs=_EPOCHS, verbose=0)
    return network
