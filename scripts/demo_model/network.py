"""The detector: a small convolutional backbone with two SSD heads, and its loss.

The finer head also sees the coarser features, enlarged (a feature pyramid of one step; Lin et al.,
2017). Classes are told by one sigmoid each, learnt with the focal loss (Lin et al., 2017: alpha
0.25, gamma 2); offsets by the Huber loss of matched anchors.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from edged.sources.scene import LABELS

from .anchors import HEIGHTS, IGNORED, INPUT

_ALPHA, _GAMMA = 0.25, 2.0
_RARE = -4.6  # the bias with which a class starts at a probability of 0.01


def build() -> keras.Model:
    """RGB (b, H, W, 3) as 0..1 to offsets (b, anchors, 4) and logits (b, anchors, classes)."""
    picture = keras.Input((INPUT.height, INPUT.width, 3))
    x = _convolved(picture, 16, stride=2)
    x = _convolved(x, 24, stride=2)
    x = _convolved(x, 24)
    x = _convolved(x, 48, stride=2)
    fine = _convolved(x, 64)
    x = _convolved(fine, 80, stride=2)
    coarse = _convolved(_convolved(x, 80), 80)
    enlarged = layers.UpSampling2D(2, interpolation="bilinear")(_convolved(coarse, 64, kernel=1))
    fine = _convolved(layers.Add()([fine, enlarged]), 64)
    levels = list(zip((fine, coarse), map(len, HEIGHTS), strict=True))
    offsets = [_head(x, anchors, 4, bias=0.0) for x, anchors in levels]
    logits = [_head(x, anchors, len(LABELS), bias=_RARE) for x, anchors in levels]
    return keras.Model(picture, [layers.Concatenate(axis=1)(level) for level in (offsets, logits)])


def for_training(network: keras.Model) -> keras.Model:
    """The same network with one output, as ``loss`` takes it: (b, anchors, 4 + classes)."""
    return keras.Model(network.input, layers.Concatenate(axis=2)(network.outputs))


def _convolved(x: Any, filters: int, kernel: int = 3, stride: int = 1) -> Any:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False)(x)
    return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.95)(x))


def _head(x: Any, anchors: int, values: int, bias: float) -> Any:
    """``values`` numbers for each anchor of each cell: (b, cells * anchors, values)."""
    start = keras.initializers.Constant(bias)
    x = layers.Conv2D(anchors * values, 3, padding="same", bias_initializer=start)(x)
    return layers.Reshape((-1, values))(x)


def loss(told: Any, said: Any) -> Any:
    """Of a batch: ``told`` (b, anchors, 5) as ``anchors.targets`` gives it, ``said`` in answer."""
    told = tf.cast(told, tf.float32)
    classes = told[..., 4]
    matched = tf.cast(classes >= 0, tf.float32)
    learnt = tf.cast(tf.not_equal(classes, IGNORED), tf.float32)
    shapes = tf.reduce_sum(matched) + 1.0

    wanted = tf.one_hot(tf.cast(classes, tf.int32), len(LABELS))
    logits = said[..., 4:]
    right = tf.sigmoid(tf.where(wanted > 0, logits, -logits))
    weight = tf.where(wanted > 0, _ALPHA, 1 - _ALPHA) * tf.pow(1 - right, _GAMMA)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits)
    by_class = tf.reduce_sum(weight * entropy, axis=-1) * learnt

    apart = tf.abs(told[..., :4] - said[..., :4])
    huber = tf.where(apart < 1.0, 0.5 * apart * apart, apart - 0.5)
    by_offset = tf.reduce_sum(huber, axis=-1) * matched
    return (tf.reduce_sum(by_class) + 0.5 * tf.reduce_sum(by_offset)) / shapes
