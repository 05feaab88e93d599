"""The converters themselves, each in a process that is given up when it is done: they are large and
loud, and may crash. Run as a program: ``converters.py KIND SOURCE DIRECTORY LAYOUT``.

``DIRECTORY`` gets ``model.tflite`` and ``facts.json`` (what the source knows of itself: see
``Facts`` in ``convert``), or ``problem.txt`` with a sentence. Nothing else of edged is imported.
"""

from __future__ import annotations

import ast
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_PICTURES = "calibration_image_sample_data_20x128x128x3_float32.npy"


class Problem(Exception):
    """A sentence for the user."""


def _keras(source: Path, directory: Path, layout: str) -> dict[str, Any]:
    """A ``.keras`` or ``.h5`` file, or a SavedModel's directory, through TensorFlow."""
    tf = importlib.import_module("tensorflow")
    if source.is_dir():
        converter = tf.lite.TFLiteConverter.from_saved_model(str(source))
        facts: dict[str, Any] = {}
    else:
        model = tf.keras.models.load_model(source, compile=False)
        for given in model.inputs:
            _refuse_open(tuple(given.shape))
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        facts = _of_layers(model)
    (directory / "model.tflite").write_bytes(converter.convert())
    return facts


def _refuse_open(shape: Sequence[int | None]) -> None:
    """Raises Problem for an input that is open but for its batch."""
    if None in shape[1:]:
        shown = "x".join("?" if n is None else str(n) for n in shape)
        raise Problem(
            f"its input is {shown}, of no fixed size. Save it with one, such as keras.Input((224, "
            "224, 3))"
        )


def _of_layers(model: Any) -> dict[str, Any]:
    """A model that begins with its own preprocessing takes bytes as they are."""
    layers = [each for each in model.layers if type(each).__name__ != "InputLayer"]
    first = type(layers[0]).__name__ if layers else ""
    return {"mean": [0.0], "std": [1.0]} if first in ("Rescaling", "Normalization") else {}


def _onnx(source: Path, directory: Path, layout: str) -> dict[str, Any]:
    """An ONNX model through onnx2tf, which turns its pictures to height x width x channels."""
    onnx, onnx2tf = importlib.import_module("onnx"), importlib.import_module("onnx2tf")
    model = onnx.load(str(source))
    constants = {each.name for each in model.graph.initializer}
    kept = []
    for given in model.graph.input:
        if given.name not in constants:
            shape = [int(d.dim_value) for d in given.type.tensor_type.shape.dim]
            refuse_unknown(given.name, shape, layout)
            if channels_last(shape, layout):
                kept.append(given.name)
    # It would fetch pictures to try its model on from the internet.
    numpy = importlib.import_module("numpy")
    noise = numpy.random.default_rng(0).random((20, 128, 128, 3), numpy.float32)
    numpy.save(_PICTURES, noise)
    onnx2tf.convert(
        input_onnx_file_path=str(source),
        output_folder_path=str(directory / "onnx2tf"),
        copy_onnx_input_output_names_to_tflite=True,
        keep_shape_absolutely_input_names=kept or None,
        batch_size=1,
        non_verbose=True,
    )
    made = sorted((directory / "onnx2tf").glob("*_float32.tflite"))
    if not made:
        raise Problem("onnx2tf made no model of it")
    made[0].rename(directory / "model.tflite")
    return of_properties({each.key: each.value for each in model.metadata_props})


def refuse_unknown(name: str, shape: Sequence[int], layout: str) -> None:
    """Raises Problem where nothing tells the channels of a picture from its width."""
    if len(shape) != 4 or layout != "auto":
        return
    first, last = shape[1] in (1, 3), shape[3] in (1, 3)
    if first == last:
        raise Problem(
            f'its input "{name}" is {"x".join(str(n or "?") for n in shape)}, and nothing says '
            "which of it are the channels. Add --layout nchw or --layout nhwc"
        )


def channels_last(shape: Sequence[int], layout: str) -> bool:
    if len(shape) != 4:
        return False
    return layout == "nhwc" or (layout == "auto" and shape[3] in (1, 3))


_PIXEL_RANGES = {
    "NominalRange_0_255": ([0.0], [1.0]),
    "Normalized_0_1": ([0.0], [255.0]),
    "Normalized_1_1": ([127.5], [127.5]),
}
"""The range that ONNX's metadata for images names (onnx/docs/MetadataProps.md), as
``(byte - mean) / std``.
"""


def of_properties(told: dict[str, str]) -> dict[str, Any]:
    """What ``metadata_props`` say: those of Ultralytics' exporter, ONNX's own of images, labels."""
    facts: dict[str, Any] = {}
    if "names" in told and ("stride" in told or "task" in told):
        names = ast.literal_eval(told["names"])
        facts["ultralytics"] = {"task": told.get("task", "detect"), "names": names}
        facts["ultralytics"] |= {key: told[key] for key in ("version", "stride") if key in told}
        return facts
    if told.get("Image.NominalPixelRange") in _PIXEL_RANGES:
        facts["mean"], facts["std"] = _PIXEL_RANGES[told["Image.NominalPixelRange"]]
    if told.get("Image.BitmapPixelFormat") == "Bgr8":
        facts["colour"] = "bgr"
    for key in ("labels", "classes", "names"):
        if key in told:
            facts["labels"] = read_labels(told[key])
            break
    return facts


def read_labels(text: str) -> list[str]:
    """A JSON list, a Python literal, or one a line or between commas."""
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(text)
        except (ValueError, SyntaxError):
            continue
        if isinstance(found, dict):
            found = [found[key] for key in sorted(found, key=int)]
        if isinstance(found, list):
            return [str(each) for each in found]
    return [each.strip() for each in text.split("\n" if "\n" in text else ",")]


def _torch(source: Path, directory: Path, layout: str) -> dict[str, Any]:
    """An exported program through litert-torch; its pictures are turned."""
    torch = importlib.import_module("torch")
    litert_torch = importlib.import_module("litert_torch")
    extra = {"labels.txt": ""}
    program = torch.export.load(str(source), extra_files=extra)
    (samples, _) = program.example_inputs
    module = program.module()
    turned = []
    given = list(samples)
    for place, sample in enumerate(given):
        shape = [int(n) for n in sample.shape]
        refuse_unknown(f"{place}", shape, layout)
        if len(shape) == 4 and not channels_last(shape, layout):
            turned.append(place)
            given[place] = sample[:1].permute(0, 2, 3, 1).contiguous()
    if turned:
        module = litert_torch.to_channel_last_io(module, args=turned)
    litert_torch.convert(module, tuple(given)).export(str(directory / "model.tflite"))
    labels = extra["labels.txt"]
    text = labels.decode() if isinstance(labels, bytes) else labels
    return {"labels": text.split("\n")} if text else {}


CONVERTERS: dict[str, Callable[[Path, Path, str], dict[str, Any]]] = {
    "keras": _keras,
    "onnx": _onnx,
    "torch": _torch,
}


def main() -> int:
    kind, source, directory, layout = sys.argv[1:]
    place = Path(directory)
    try:
        facts = CONVERTERS[kind](Path(source), place, layout)
    except Problem as problem:
        (place / "problem.txt").write_text(str(problem))
        return 1
    (place / "facts.json").write_text(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
