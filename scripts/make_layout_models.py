"""Makes tests/models/layouts/*.tflite: a small detector of each layout, with known boxes.

    python scripts/make_layout_models.py [DIRECTORY]

Each looks at a picture's mean colour and knows three boxes, one a colour (``BOXES``). What is red
has the first, with a score of ``SCORE`` times its red; each box comes again, a little to the side
and less sure, so that suppression is seen. All other candidates are zero.

Tables of constants are multiplied with a vector that holds the colour where scores are and 1
elsewhere. Faces are told from so many anchors that theirs are padded instead.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from tflite_builder import ModelBuilder, Quantized, Tensor
from tflite_layers import INT8_SHARE, UINT8_SHARE, connected, mean_colour, reshape
from tflite_metadata import anchors_metadata, append_file, labelled_output_metadata

HERE = Path(__file__).resolve().parent.parent / "tests" / "models" / "layouts"

NAMES = ("red", "green", "blue")
PICTURE = (1, 32, 32, 3)
PLACES = 21  # 16 + 4 + 1: a grid each of 8, 16 and 32 pixels
# x centre, y centre, width, height in shares of the picture
BOXES = np.array([[0.25, 0.3, 0.3, 0.4], [0.7, 0.3, 0.4, 0.2], [0.5, 0.75, 0.8, 0.3]])
SCORE = 0.9
LESS = 0.8
ASIDE = np.array([0.02, 0.0, 0.0, 0.0])
FACE_PX = (48.0, 32.0)
FACE_LOGITS = (-12.0, 24.0)
"""Without any brightness, and what full brightness adds."""

Reals = npt.NDArray[np.float64]

SHARES = {"float32": None, "uint8": UINT8_SHARE, "int8": INT8_SHARE}
UP_TO_2 = {"float32": None, "uint8": Quantized(2 / 255, 0), "int8": Quantized(2 / 255, -128)}
MOVES = {"float32": None, "uint8": Quantized(0.05, 128), "int8": Quantized(0.05, 0)}
PIXELS = {"float32": None, "uint8": Quantized(1.0, 128), "int8": Quantized(1.0, 0)}
LOGITS = {"float32": None, "uint8": Quantized(0.1, 128), "int8": Quantized(0.1, 0)}

Steps = Mapping[str, Quantized | None]


def picture_of(model: ModelBuilder, dtype: str, shape: tuple[int, ...] = PICTURE) -> Tensor:
    return model.tensor("image", shape, dtype, SHARES[dtype])


def stored(values: Reals, tensor: str, steps: Steps) -> npt.NDArray[Any]:
    quantized = steps[tensor]
    return values.astype(np.float32) if quantized is None else quantized.store(values, tensor)


def gated(
    model: ModelBuilder, picture: Tensor, name: str, table: Reals, gate: Reals, steps: Steps
) -> Tensor:
    """``table`` (1, a, b) times ``gate`` (a or b, 3) of the colour; a row of zeros there is 1."""
    dtype = picture.dtype
    ones = (gate == 0).all(axis=1).astype(np.float32)
    weighed = model.tensor(f"{name} gate", (1, len(gate)), dtype, SHARES[dtype])
    colour = mean_colour(model, picture)
    connected(model, colour, gate.astype(np.float32), ones, weighed)
    by_row = len(gate) == table.shape[1]
    shape = (1, len(gate), 1) if by_row else (1, 1, len(gate))
    factors = reshape(model, weighed, f"{name} factors", shape)
    constant = model.constant(f"{name} table", stored(table, dtype, steps), steps[dtype])
    out = model.tensor(name, table.shape, dtype, steps[dtype])
    return model.operator("MUL", [constant, factors], [out], schema.MulOptionsT())


def rows_of(count: int, boxes: Reals = BOXES) -> tuple[Reals, Reals]:
    """Boxes (count, 4) and scores (count, 3): each box twice, and zeros."""
    found, scores = np.zeros((count, 4)), np.zeros((count, 3))
    for number, box in enumerate(boxes):
        for again in range(2):
            place = 2 + 3 * number + again
            found[place] = box + again * ASIDE
            scores[place, number] = SCORE * LESS**again
    return found, scores


def yolo_v8(dtype: str, unit: float = 1.0, metadata: bytes | None = None) -> bytes:
    model = ModelBuilder("boxes by colour, as YOLO v8 gives them")
    picture = picture_of(model, dtype)
    boxes, scores = rows_of(PLACES)
    table = np.hstack([boxes * unit, scores]).T[None]
    gate = np.vstack([np.zeros((4, 3)), np.eye(3)])
    out = gated(model, picture, "output0", table, gate, SHARES)
    return model.build([picture], [out], metadata)


def yolo_v5(dtype: str) -> bytes:
    model = ModelBuilder("boxes by colour, as YOLO v5 gives them")
    picture = picture_of(model, dtype)
    boxes, scores = rows_of(3 * PLACES)
    sure = np.ones((len(boxes), 1)) * (scores.max(axis=1, keepdims=True) > 0)
    table = np.hstack([boxes, sure, scores])[None]
    gate = np.vstack([np.zeros((5, 3)), np.eye(3)])
    return model.build([picture], [gated(model, picture, "output0", table, gate, SHARES)])


def yolo_v10(dtype: str) -> bytes:
    """End to end: it has no duplicates, and all three scores are the brightness."""
    model = ModelBuilder("three boxes, as YOLO v10 gives them")
    picture = picture_of(model, dtype)
    table = np.zeros((1, 20, 6))
    half = BOXES[:, 2:] / 2
    table[0, :3, :2], table[0, :3, 2:4] = BOXES[:, :2] - half, BOXES[:, :2] + half
    table[0, :3, 4], table[0, :3, 5] = SCORE, [0, 1, 2]
    gate = np.zeros((6, 3))
    gate[4] = 1 / 3
    return model.build([picture], [gated(model, picture, "output0", table, gate, UP_TO_2)])


def anchored(dtype: str, scales: Reals) -> tuple[ModelBuilder, Tensor, list[Tensor], Reals]:
    """The anchors are as large as the boxes and lie 0.1 to the left of them, with two of none."""
    anchors = np.tile([0.5, 0.5, 0.1, 0.1], (8, 1))
    moves, scores = np.zeros((8, 4)), np.zeros((8, 3))
    for number, box in enumerate(BOXES):
        for again in range(2):
            anchors[2 * number + again] = box - [0.1, 0, 0, 0]
            moves[2 * number + again, 1] = (0.1 + again * ASIDE[0]) / box[2] * scales[0]
            scores[2 * number + again, number] = SCORE * LESS**again
    model = ModelBuilder("boxes by colour, as differences from anchors")
    picture = picture_of(model, dtype)
    boxes = gated(model, picture, "boxes", moves[None], np.zeros((4, 3)), MOVES)
    found = gated(model, picture, "scores", scores[None], np.eye(3), SHARES)
    return model, picture, [boxes, found], anchors


def ssd(dtype: str) -> bytes:
    """Its anchors are a third output, which is constant."""
    model, picture, outputs, anchors = anchored(dtype, np.array([10.0, 10, 5, 5]))
    yxhw = anchors[:, [1, 0, 3, 2]].astype(np.float32)
    return model.build([picture], [*outputs, model.constant("anchors", yxhw)])


def efficientdet(dtype: str) -> bytes:
    """Its scores are logits, and its anchors stand in MediaPipe's metadata."""
    model, picture, (boxes, _), anchors = anchored(dtype, np.ones(4))
    logits = np.full((8, 3), -6.0)
    for number in range(3):
        logits[2 * number, number] = 3.0
    gate = np.zeros((3, 3))
    found = gated(model, picture, "logits", logits[None], gate, LOGITS)
    return model.build([picture], [boxes, found], anchors_metadata(anchors.tolist()))


def faces(dtype: str, side_px: int, count: int, place: int) -> bytes:
    """One face in the middle of anchor ``place``, as sure as the picture is bright."""
    model = ModelBuilder("a face, as BlazeFace gives it")
    shape = (1, side_px, side_px, 3)
    steps = {"float32": None, "uint8": UINT8_SHARE, "int8": INT8_SHARE}[dtype]
    picture = model.tensor("image", shape, dtype, steps)
    row = np.zeros((1, 1, 16))
    row[0, 0, 2:4] = FACE_PX
    one = gated(model, picture, "face", row, np.zeros((16, 3)), PIXELS)
    colour = mean_colour(model, picture)
    logit = model.tensor("logit", (1, 1), dtype, LOGITS[dtype])
    weights = np.full((1, 3), FACE_LOGITS[1] / 3, np.float32)
    connected(model, colour, weights, np.array(FACE_LOGITS[:1], np.float32), logit)
    sure = reshape(model, logit, "sure", (1, 1, 1))
    outputs = []
    for name, part, steps_of, other in (
        ("regressors", one, PIXELS, 0.0),
        ("classificators", sure, LOGITS, -12.0),
    ):
        around = np.array([[0, 0], [place, count - 1 - place], [0, 0]], np.int32)
        filling = stored(np.array([other]), dtype, steps_of)
        parts = [
            part,
            model.constant(f"{name} paddings", around),
            model.constant(f"{name} filling", filling, steps_of[dtype]),
        ]
        whole = model.tensor(name, (1, count, part.shape[2]), dtype, steps_of[dtype])
        outputs.append(model.operator("PADV2", parts, [whole], schema.PadV2OptionsT()))
    return model.build([picture], outputs)


def notes(task: str | None, **more: Any) -> dict[str, Any]:
    """What Ultralytics' exporters say of a model."""
    told = {"stride": 32, "names": dict(enumerate(NAMES))}
    if task is None:  # YOLOv5
        return told
    return {"version": "8.4.0", "task": task, "batch": 1, "imgsz": [32, 32], **told, **more}


def newer(model: bytes, **more: Any) -> bytes:
    return append_file(model, "metadata.json", json.dumps(notes("detect", **more), indent=2))


def older(model: bytes, task: str | None) -> bytes:
    return append_file(model, "temp_meta.txt", str(notes(task)))


LABELLED = labelled_output_metadata("temp_meta.txt")

MODELS: dict[str, Callable[[], bytes]] = {
    "yolo_v8_float32": lambda: newer(yolo_v8("float32")),
    "yolo_v8_int8": lambda: older(yolo_v8("int8", metadata=LABELLED), "detect"),
    "yolo_v8_uint8": lambda: yolo_v8("uint8"),
    "yolo_v8_pixels": lambda: yolo_v8("float32", unit=32.0),
    "yolo_v5_float32": lambda: older(yolo_v5("float32"), None),
    "yolo_v5_int8": lambda: yolo_v5("int8"),
    "yolo_v5_uint8": lambda: yolo_v5("uint8"),
    "yolo_v10_float32": lambda: newer(yolo_v10("float32"), end2end=True),
    "yolo_v10_int8": lambda: yolo_v10("int8"),
    "yolo_v10_uint8": lambda: yolo_v10("uint8"),
    **{
        f"{name}_{dtype}": lambda make=make, dtype=dtype: make(dtype)
        for name, make in {
            "ssd": ssd,
            "efficientdet": efficientdet,
            "faces_short": lambda dtype: faces(dtype, 128, 896, 2 * (8 * 16 + 8)),
            "faces_full": lambda dtype: faces(dtype, 192, 2304, 24 * 48 + 24),
        }.items()
        for dtype in ("float32", "int8", "uint8")
    },
}


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name, make in MODELS.items():
        (directory / f"{name}.tflite").write_bytes(make())


if __name__ == "__main__":
    main()
