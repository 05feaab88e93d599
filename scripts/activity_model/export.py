"""From the trained network to .tflite files that give a probability for each activity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edged.records.arrays import FloatArray


def _converter(network: keras.Model) -> Any:
    length, channels = network.input_shape[1:]

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec((1, length, channels), tf.float32, "window")]
    )
    def activity(window: Any) -> Any:
        return {"activity": tf.nn.softmax(network(window, training=False))}

    owner = tf.Module()
    owner.weights = [weight.value for weight in network.weights]  # else they are not made constants
    return tf.lite.TFLiteConverter.from_concrete_functions(
        [activity.get_concrete_function()], owner
    )


def as_float(network: keras.Model) -> bytes:
    """The model in float32: scaled windows (1 x length x channels) to probabilities."""
    return bytes(_converter(network).convert())


def as_int8(network: keras.Model, examples: FloatArray) -> bytes:
    """The model in int8, input and output too. ``examples``, scaled windows (n x length x
    channels), tell the converter what values occur.
    """

    def representative() -> Iterator[list[np.ndarray[Any, Any]]]:
        for example in examples:
            yield [example[None]]

    converter = _converter(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return bytes(converter.convert())
