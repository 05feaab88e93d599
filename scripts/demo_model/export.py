"""From the trained network to .tflite files that end in ``TFLite_Detection_PostProcess``.

As the TensorFlow object detection API does it (export_tflite_graph_lib_tf2.py): a function that is
marked as the operator's implementation stands where the operator shall be, and the converter puts
the operator there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from edged.records.arrays import UInt8Array
from edged.sources.scene import LABELS

from .anchors import INPUT, SCALES, anchors

MAX_DETECTIONS = 25
_OPERATOR = "TFLite_Detection_PostProcess"
_ATTRIBUTES: dict[str, int | float | bool] = {
    "max_detections": MAX_DETECTIONS,
    "max_classes_per_detection": 1,
    "use_regular_nms": False,
    "nms_score_threshold": 0.05,
    "nms_iou_threshold": 0.5,
    "y_scale": float(SCALES[0]),
    "x_scale": float(SCALES[1]),
    "h_scale": float(SCALES[2]),
    "w_scale": float(SCALES[3]),
    "num_classes": len(LABELS),
}


def _implements() -> str:
    """The operator's name and attributes, as the converter reads them: text of a NameAttrList."""
    words = [f'name: "{_OPERATOR}"']
    for key, value in _ATTRIBUTES.items():
        field = "b" if isinstance(value, bool) else "i" if isinstance(value, int) else "f"
        text = str(value).lower()
        words.append(f'attr {{ key: "{key}" value {{ {field}: {text} }} }}')
    return " ".join(words)


@tf.function(experimental_implements=_implements())  # type: ignore[untyped-decorator]
def _post_process(boxes: Any, scores: Any, centred: Any) -> Any:
    """Stands for the operator; only the shapes of what it returns matter."""
    del boxes, scores, centred
    return (
        tf.zeros((1, MAX_DETECTIONS, 4)),
        tf.zeros((1, MAX_DETECTIONS)),
        tf.zeros((1, MAX_DETECTIONS)),
        tf.zeros((1,)),
    )


def _converter(network: keras.Model) -> tf.lite.TFLiteConverter:
    centred = tf.constant(anchors())

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec((1, INPUT.height, INPUT.width, 3), tf.float32, "image")]
    )
    def detect(image: Any) -> Any:
        offsets, logits = network(image, training=False)
        return _post_process(offsets, tf.sigmoid(logits), centred)

    owner = tf.Module()
    owner.weights = [weight.value for weight in network.weights]  # else they are not made constants
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [detect.get_concrete_function()], owner
    )
    converter.allow_custom_ops = True
    return converter


def _tidied(model: bytes) -> bytes:
    """The model with its outputs in the operator's order and with the operator's name.

    The converter shuffles and renames them. Readers know boxes, classes, scores and count by this
    order and these names, which are those of every SSD that was exported with TensorFlow 1.
    """
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    graph = tree.subgraphs[0]
    operator = graph.operators[-1]
    graph.outputs = operator.outputs
    for number, index in enumerate(operator.outputs):
        graph.tensors[index].name = _OPERATOR + (f":{number}" if number else "")
    tree.signatureDefs = []
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def as_float(network: keras.Model) -> bytes:
    """The model in float32, RGB as 0..1."""
    return _tidied(_converter(network).convert())


def as_int8(network: keras.Model, examples: UInt8Array) -> bytes:
    """The model in int8 with a uint8 input that takes RGB bytes as they are.

    ``examples``, uint8 (n, H, W, 3), tell the converter what values occur; with pure black and
    white among them the input's scale is 1/255 and its zero point 0.
    """

    def representative() -> Iterator[list[np.ndarray[Any, Any]]]:
        for example in examples:
            values = example[None].astype(np.float32) / 255
            values[0, 0, :2] = [[0.0], [1.0]]
            yield [values]

    converter = _converter(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.float32
    return _tidied(converter.convert())
