"""Makes tests/models/*.tflite: small models whose answers can be worked out by hand.

    python scripts/make_test_models.py [DIRECTORY]

They look at a picture's mean colour. An input of red, green and blue ``x`` gives the logits
``GAIN * COLOURS @ x``, so that a plain red picture is "red" with a score that is far from 1 and
changes with every mistake in normalisation or quantisation. Those of windows do the same with the
means of three channels, ``x``, ``y`` and ``z``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import listening_models as listening
import misbehaving_models as misbehaving
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers
from tflite_builder import ModelBuilder, Quantized
from tflite_layers import (
    INT8_SHARE,
    UINT8_SHARE,
    logits_of,
    mean_colour,
    reshape,
    softmax,
)
from tflite_metadata import append_label_file, image_metadata

HERE = Path(__file__).resolve().parent.parent / "tests" / "models"

LABELS = ("red", "green", "blue")
COLOURS = np.array([[1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]], np.float32)
GAIN = 2.0
PICTURE = (1, 32, 32, 3)

WINDOW = (1, 16, 2)
THIRTY_SECONDS = Quantized(1 / 32, 0)  # -4 to 3.97

ODD = Quantized(0.0125, 3)
COARSE = Quantized(0.0625, 10)  # a power of two, so that values can lie just between two steps

# The mean and deviation of ImageNet's colours, of bytes: what many float models are trained on.
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

# Boxes as the SSD post-processing knows them: y centre, x centre, height, width.
ANCHORS = np.array([[0.3, 0.25, 0.4, 0.3], [0.5, 0.5, 0.2, 0.6], [0.75, 0.8, 0.3, 0.2]], np.float32)


def colour_classifier(dtype: str, steps: Quantized | None) -> bytes:
    model = ModelBuilder("colour classifier")
    picture = model.tensor("image", PICTURE, dtype, steps)
    scores = softmax(model, logits_of(model, mean_colour(model, picture), GAIN * COLOURS))
    return model.build([picture], [scores])


def classifier_float32_logits() -> bytes:
    model = ModelBuilder("colour classifier that ends in logits")
    picture = model.tensor("image", PICTURE)
    return model.build([picture], [logits_of(model, mean_colour(model, picture), GAIN * COLOURS)])


def classifier_float32_sigmoid() -> bytes:
    model = ModelBuilder("colours of which several may be true")
    picture = model.tensor("image", PICTURE)
    logits = logits_of(model, mean_colour(model, picture), GAIN * np.eye(3, dtype=np.float32))
    scores = model.tensor("scores", (1, 3))
    return model.build([picture], [model.operator("LOGISTIC", [logits], [scores])])


def classifier_uint8_background() -> bytes:
    model = ModelBuilder("colour classifier with a background class")
    picture = model.tensor("image", PICTURE, "uint8", UINT8_SHARE)
    weights = np.vstack([np.zeros((1, 3), np.float32), GAIN * COLOURS])
    bias = np.array([1, 0, 0, 0], np.float32)
    scores = softmax(model, logits_of(model, mean_colour(model, picture), weights, bias))
    metadata = image_metadata("colours", [0], [255], "colours.txt")
    return append_label_file(model.build([picture], [scores], metadata), "colours.txt", LABELS)


def classifier_uint8_grey() -> bytes:
    model = ModelBuilder("dark or bright")
    picture = model.tensor("image", (1, 28, 28, 1), "uint8", UINT8_SHARE)
    weights, bias = np.array([[-GAIN], [GAIN]], np.float32), np.array([1, -1], np.float32)
    scores = softmax(model, logits_of(model, mean_colour(model, picture), weights, bias))
    return model.build([picture], [scores])


def classifier_int8_odd_scale() -> bytes:
    model = ModelBuilder("colour classifier with an odd scale at its input")
    picture = model.tensor("image", PICTURE, "int8", ODD)
    scores = softmax(model, logits_of(model, mean_colour(model, picture), COLOURS))
    metadata = image_metadata("colours", [127], [128], "colours.txt")
    return append_label_file(model.build([picture], [scores], metadata), "colours.txt", LABELS)


def classifier_float32_metadata() -> bytes:
    model = ModelBuilder("colour classifier with normalisation metadata")
    picture = model.tensor("image", PICTURE)
    colour = mean_colour(model, picture)
    scores = softmax(model, logits_of(model, colour, np.eye(3, dtype=np.float32)))
    metadata = image_metadata("colours", MEAN, STD, "colours.txt")
    return append_label_file(model.build([picture], [scores], metadata), "colours.txt", LABELS)


def classifier_float32_dynamic_batch() -> bytes:
    model = ModelBuilder("colour classifier for any number of pictures")
    picture = model.tensor("image", PICTURE, signature=(-1, *PICTURE[1:]))
    logits = logits_of(model, mean_colour(model, picture), GAIN * COLOURS)
    scores = model.tensor("scores", (1, 3), signature=(-1, 3))
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    model.operator("SOFTMAX", [logits], [scores], options)
    return model.build([picture], [scores])


def nan_when_bright() -> bytes:
    model = ModelBuilder("the root of what is negative for a bright picture")
    picture = model.tensor("image", PICTURE)
    logits = logits_of(
        model,
        mean_colour(model, picture),
        -np.eye(3, dtype=np.float32),
        np.full(3, 0.5, np.float32),
    )
    root = model.operator("SQRT", [logits], [model.tensor("root", (1, 3))])
    return model.build([picture], [softmax(model, root)])


def window_classifier(dtype: str, shape: tuple[int, ...], steps: Quantized | None) -> bytes:
    model = ModelBuilder("which of three channels is the highest on average")
    window = model.tensor("window", shape, dtype, steps)
    samples = window if len(shape) == 3 else reshape(model, window, "samples", shape[:3])
    return model.build(
        [window], [softmax(model, logits_of(model, mean_colour(model, samples), COLOURS))]
    )


def window_one_channel() -> bytes:
    model = ModelBuilder("whether one channel is low or high on average")
    window = model.tensor("window", (1, 16))
    samples = reshape(model, window, "samples", (1, 16, 1))
    weights = np.array([[-1], [1]], np.float32)
    return model.build(
        [window], [softmax(model, logits_of(model, mean_colour(model, samples), weights))]
    )


def detector(names: tuple[str, str, str, str], order: tuple[int, ...], shapes: bool) -> bytes:
    """Three boxes at ``ANCHORS``: one for each colour that the picture is bright in.

    ``names`` and ``order`` are of the post-processing's outputs: boxes, classes, scores, count.
    """
    model = ModelBuilder("boxes by colour")
    picture = model.tensor("image", PICTURE, "uint8", UINT8_SHARE)
    real = model.operator("DEQUANTIZE", [picture], [model.tensor("real", PICTURE)])
    weights, bias = np.zeros((3, 4, 3), np.float32), np.full((3, 4), -4, np.float32)
    for colour in range(3):
        weights[colour, colour + 1, colour] = 8  # column 0 is the background
    logits = logits_of(model, mean_colour(model, real), weights.reshape(12, 3), bias.reshape(12))
    scores = model.operator("LOGISTIC", [logits], [model.tensor("class scores", (1, 12))])
    inputs = [
        model.constant("offsets", np.zeros((1, 3, 4), np.float32)),
        reshape(model, scores, "scores by anchor", (1, 3, 4)),
        model.constant("anchors", ANCHORS),
    ]
    full = ((1, 10, 4), (1, 10), (1, 10), (1,)) if shapes else ((), (), (), ())
    outputs = [model.tensor(name, shape) for name, shape in zip(names, full, strict=True)]
    model.operator(
        "TFLite_Detection_PostProcess", inputs, outputs, custom_options=post_processing_options()
    )
    return model.build([picture], [outputs[place] for place in order])


def post_processing_options() -> bytes:
    """Source: tensorflow/lite/kernels/detection_postprocess.cc, ``Init``."""
    options: dict[str, Any] = {
        "max_detections": 10,
        "max_classes_per_detection": 1,
        "detections_per_class": 10,
        "use_regular_nms": False,
        "nms_score_threshold": 0.1,
        "nms_iou_threshold": 0.6,
        "num_classes": 3,
        "y_scale": 10.0,
        "x_scale": 10.0,
        "h_scale": 5.0,
        "w_scale": 5.0,
    }
    builder = flexbuffers.Builder()
    builder.MapFromElements(options)
    return bytes(builder.Finish())


def four_nameless_outputs() -> bytes:
    model = ModelBuilder("shaped like a detector, with nothing to say which output is which")
    picture = model.tensor("image", PICTURE)
    colour = mean_colour(model, picture)
    outputs = []
    for name, shape in {"a": (1, 10), "b": (1, 10, 4), "c": (1,), "d": (1, 10)}.items():
        size = int(np.prod(shape))
        weights = np.full((size, 3), 1 / size, np.float32)
        outputs.append(reshape(model, logits_of(model, colour, weights), name, shape))
    return model.build([picture], outputs)


def two_inputs() -> bytes:
    model = ModelBuilder("colour classifier that wants something else besides")
    picture, other = model.tensor("image", PICTURE), model.tensor("other", (1, 7))
    both = model.tensor("both", (1, 10))
    options = schema.ConcatenationOptionsT()
    options.axis = 1
    model.operator("CONCATENATION", [mean_colour(model, picture), other], [both], options)
    weights = np.hstack([GAIN * COLOURS, np.zeros((3, 7), np.float32)])
    return model.build([picture, other], [softmax(model, logits_of(model, both, weights))])


def stateful(description: str, shape: tuple[int, ...]) -> bytes:
    """The new state is half the old one and half the picture's mean colour."""
    model = ModelBuilder(description)
    picture = model.tensor("image", shape, "int8", INT8_SHARE)
    state = model.tensor("state", (1, 3), "int8", INT8_SHARE)
    half = Quantized(0.5 / 127, 0)
    factor = model.constant("half", half.store([[0.5]], "int8"), half)
    halves = []
    for name, whole in (("half colour", mean_colour(model, picture)), ("half state", state)):
        part = model.tensor(name, (1, 3), "int8", Quantized(0.5 / 255, -128))
        halves.append(model.operator("MUL", [whole, factor], [part], schema.MulOptionsT()))
    new = model.tensor("new state", (1, 3), "int8", INT8_SHARE)
    model.operator("ADD", halves, [new], schema.AddOptionsT())
    scores = softmax(model, logits_of(model, new, GAIN * COLOURS))
    return model.build([picture, state], [scores, new])


def faulty(description: str, fault: misbehaving.Fault) -> bytes:
    return misbehaving.faulty_classifier(description, GAIN * COLOURS, fault)


def segmentation() -> bytes:
    model = ModelBuilder("the strongest channel of each pixel")
    picture = model.tensor("image", (1, 16, 16, 3), "uint8", UINT8_SHARE)
    classes = model.tensor("classes", (1, 16, 16), "int64")
    options = schema.ArgMaxOptionsT()
    options.outputType = schema.TensorType.INT64
    axis = model.constant("axis", np.array([3], np.int32))
    return model.build([picture], [model.operator("ARG_MAX", [picture, axis], [classes], options)])


def class_scores(dtype: str, steps: Quantized | None) -> bytes:
    """What a picture's red, green and blue are there are the scores of three classes."""
    model = ModelBuilder("three scores for each pixel")
    picture = model.tensor("image", (1, 16, 16, 3), dtype, steps)
    half = np.array([0.5], np.float32)
    factor = model.constant("half", half if steps is None else steps.store(half, dtype), steps)
    scores = model.tensor("scores", (1, 16, 16, 3), dtype, steps)
    inputs = [picture, factor]
    return model.build([picture], [model.operator("MUL", inputs, [scores], schema.MulOptionsT())])


def people() -> bytes:
    """Six rows alike but for the last, whose score is a tenth of that of the others."""
    model = ModelBuilder("56 numbers a person: y, x and score are the red, green and blue")
    picture = model.tensor("image", PICTURE, "int32")
    real = model.operator("CAST", [picture], [model.tensor("real", PICTURE)], schema.CastOptionsT())
    point = np.eye(3, dtype=np.float32)
    row = np.vstack([np.tile(point, (17, 1)), np.zeros((4, 3), np.float32), point[2:]]) / 255
    weights = np.vstack([row] * 5 + [row * 0.1])
    points = logits_of(model, mean_colour(model, real), weights.astype(np.float32))
    return model.build([picture], [reshape(model, points, "people", (1, 6, 56))])


def posenet() -> bytes:
    model = ModelBuilder("the heads of a PoseNet, without what makes people of them")
    picture = model.tensor("image", PICTURE)
    colour = mean_colour(model, picture)
    outputs = []
    for name, depth in {"heatmaps": 17, "offsets": 34, "forward": 32, "backward": 32}.items():
        weights = np.full((4 * depth, 3), 0.1, np.float32)
        outputs.append(reshape(model, logits_of(model, colour, weights), name, (1, 2, 2, depth)))
    return model.build([picture], outputs)


def pose(dtype: str = "float32", steps: Quantized | None = None) -> bytes:
    model = ModelBuilder("17 keypoints: y, x and score are the picture's red, green and blue")
    picture = model.tensor("image", PICTURE, "uint8", UINT8_SHARE)
    real = model.operator("DEQUANTIZE", [picture], [model.tensor("real", PICTURE)])
    weights = np.tile(np.eye(3, dtype=np.float32), (17, 1))
    points = logits_of(model, mean_colour(model, real), weights)
    keypoints = reshape(model, points, "keypoints", (1, 1, 17, 3))
    if steps is not None:
        real, keypoints = keypoints, model.tensor("stored", (1, 1, 17, 3), dtype, steps)
        model.operator("QUANTIZE", [real], [keypoints])
    return model.build([picture], [keypoints])


def brightness() -> bytes:
    model = ModelBuilder("how bright the picture is, as a number")
    picture = model.tensor("image", PICTURE)
    weights = np.full((1, 3), 1 / 3, np.float32)
    return model.build(
        [picture], [logits_of(model, mean_colour(model, picture), weights, name="brightness")]
    )


def autoencoder(dtype: str, steps: Quantized | None) -> bytes:
    """What it makes of a window is each channel's mean, so the error is the variance."""
    model = ModelBuilder("an autoencoder that knows nothing but means")
    window = model.tensor("window", WINDOW, dtype, steps)
    options = schema.ReducerOptionsT()
    options.keepDims = True
    axes = model.constant("axes", np.array([1], np.int32))
    mean = model.tensor("mean", (1, 1, WINDOW[-1]), dtype, steps)
    model.operator("MEAN", [window, axes], [mean], options)
    zeros = np.zeros(WINDOW, np.float32) if steps is None else steps.store(np.zeros(WINDOW), dtype)
    made = model.tensor("reconstruction", WINDOW, dtype, steps)
    inputs = [mean, model.constant("zeros", zeros, steps)]
    return model.build([window], [model.operator("ADD", inputs, [made], schema.AddOptionsT())])


def greedy() -> bytes:
    model = ModelBuilder("needs 7 GB of memory to look at a small picture")
    picture = model.tensor("image", PICTURE, "uint8", UINT8_SHARE)
    times = model.constant("times", np.array([1, 1500, 1500, 1], np.int32))
    wall = model.tensor("wall", (1, 48000, 48000, 3), "uint8", UINT8_SHARE)
    colour = mean_colour(model, model.operator("TILE", [picture, times], [wall]))
    return model.build([picture], [softmax(model, logits_of(model, colour, GAIN * COLOURS))])


_TF1 = "TFLite_Detection_PostProcess"
_TF2 = "StatefulPartitionedCall"

MODELS: dict[str, Callable[[], bytes]] = {
    "classifier_uint8": lambda: colour_classifier("uint8", UINT8_SHARE),
    "classifier_int8": lambda: colour_classifier("int8", INT8_SHARE),
    "classifier_float32": lambda: colour_classifier("float32", None),
    "classifier_float32_logits": classifier_float32_logits,
    "classifier_float32_sigmoid": classifier_float32_sigmoid,
    "classifier_uint8_background": classifier_uint8_background,
    "classifier_uint8_grey": classifier_uint8_grey,
    "classifier_int8_odd_scale": classifier_int8_odd_scale,
    "classifier_float32_metadata": classifier_float32_metadata,
    "classifier_float32_dynamic_batch": classifier_float32_dynamic_batch,
    "classifier_float32_nan_when_bright": nan_when_bright,
    "window_float32": lambda: window_classifier("float32", (1, 8, 3), None),
    "window_int8": lambda: window_classifier("int8", (1, 8, 3), COARSE),
    "window_uint8": lambda: window_classifier("uint8", (1, 8, 3, 1), Quantized(COARSE.scale, 100)),
    "window_one_channel": window_one_channel,
    "detector_tf1": lambda: detector(
        (_TF1, f"{_TF1}:1", f"{_TF1}:2", f"{_TF1}:3"), (0, 1, 2, 3), shapes=False
    ),
    "detector_tf2": lambda: detector(
        (f"{_TF2}:3", f"{_TF2}:2", f"{_TF2}:1", f"{_TF2}:0"), (2, 0, 3, 1), shapes=True
    ),
    "four_nameless_outputs": four_nameless_outputs,
    "two_inputs": two_inputs,
    "stateful": lambda: stateful("classifier of the colour seen lately", PICTURE),
    "window_stateful": lambda: stateful("the highest channel of late", (1, 8, 3)),
    "nan_after_20": lambda: faulty("no numbers after 20 frames", misbehaving.nan),
    "error_after_20": lambda: faulty("an error after 20 frames", misbehaving.error),
    "slow_after_20": lambda: faulty("slow after 20 frames", misbehaving.slow),
    "crash_after_20": lambda: faulty("ends the process after 20 frames", misbehaving.crash),
    "hang_after_20": lambda: faulty("hangs after 20 frames", misbehaving.hang),
    "segmentation": segmentation,
    "segmentation_scores_uint8": lambda: class_scores("uint8", UINT8_SHARE),
    "segmentation_scores_int8": lambda: class_scores("int8", INT8_SHARE),
    "segmentation_scores_float32": lambda: class_scores("float32", None),
    "pose": pose,
    "pose_uint8": lambda: pose("uint8", UINT8_SHARE),
    "pose_int8": lambda: pose("int8", INT8_SHARE),
    "pose_people": people,
    "pose_heatmaps": posenet,
    "regression_float32": brightness,
    "autoencoder_float32": lambda: autoencoder("float32", None),
    "autoencoder_int8": lambda: autoencoder("int8", THIRTY_SECONDS),
    "greedy": greedy,
    "keyword": listening.keyword,
}


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name, make in MODELS.items():
        (directory / f"{name}.tflite").write_bytes(make())


if __name__ == "__main__":
    main()
