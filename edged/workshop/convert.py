"""``edged model convert``: a Keras, ONNX or PyTorch model becomes a .tflite one, with what its
source knows of how it is run.
"""

from __future__ import annotations

import io
import json
import platform
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from ..engine.file_kind import kind_of
from ..engine.metadata import TFLITE_METADATA
from ..engine.ultralytics import NAME as ULTRALYTICS
from ..errors import EdgedError, MissingExtra, ModelError
from ..loading import Examined
from ..store.models import SUFFIX
from .metadata import with_labels, written
from .output import refuse_target, write_model
from .scratch import scratch, scratch_directory
from .subject import take
from .tables import add_metadata, fix_batch, read_tables, write_tables

_NEEDS = {
    "keras": ("tensorflow", "TensorFlow, which converts Keras models,"),
    "onnx": ("onnx2tf", "onnx2tf, which converts ONNX models,"),
    "torch": ("litert_torch", "litert-torch, which converts PyTorch's exported programs,"),
}
"""Of each kind of source, which is the name of an extra too, its module and what that does."""

_KINDS = {
    ".keras": "keras",
    ".h5": "keras",
    ".hdf5": "keras",
    ".onnx": "onnx",
    ".pt2": "torch",
    ".tflite": "tflite",
}
_LINE = 300

Tell = Callable[[str], None]


class Facts(msgspec.Struct, frozen=True):
    """What a source knows of how it is run. ``ultralytics``: what its exporter says of a model."""

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    colour: str | None = None
    labels: tuple[str, ...] | None = None
    ultralytics: dict[str, Any] | None = None


class Order(msgspec.Struct, frozen=True):
    """``layout``: "nchw", "nhwc" or "auto", of pictures in the source."""

    source: Path
    target: Path
    layout: str = "auto"
    force: bool = False


def convert(order: Order, tell: Tell) -> Examined | None:
    """What was made, None where it cannot serve yet (``tell`` has heard why).

    Raises EdgedError, with the target's directory as it was.
    """
    refuse_target(order.target, order.source, order.force)
    kind = source_kind(order.source)
    if kind == "tflite":
        data, facts = _read(order.source), Facts()
    else:
        module, what = _NEEDS[kind]
        if find_spec(module) is None:
            machine = platform.machine()
            if kind == "torch" and machine != "x86_64":
                raise EdgedError(
                    f"{what} can be installed on x86_64 alone, and this is {machine}. Convert the "
                    "model there, and bring the .tflite file here"
                )
            raise MissingExtra(what, kind)
        tell(f"converting {order.source}; this may take minutes")
        data, facts = _converted(kind, order)
    data = assembled(data, facts)
    beside = beside_of(facts)
    examined = _examined(order, data, beside, tell)
    write_model(order.target, data, beside, {})
    return examined


def source_kind(path: Path) -> str:
    """Raises EdgedError for what cannot be converted."""
    if not path.exists():
        raise EdgedError(f"there is no {path}")
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "keras"
        raise EdgedError(f"{path} is a directory, and no SavedModel: it has no saved_model.pb")
    kind = _KINDS.get(path.suffix.lower())
    if kind is not None:
        return kind
    looks = kind_of(_read(path))
    advice = (
        "Export it with torch.export.save to a .pt2 file"
        if looks is not None and "PyTorch" in looks
        else f"Models in {', '.join(_KINDS)} and SavedModels are converted"
    )
    raise EdgedError(f"{path} cannot be converted{f': it is {looks}' if looks else ''}. {advice}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EdgedError(f"cannot read {path}: {error.strerror}") from error


def _converted(kind: str, order: Order) -> tuple[bytes, Facts]:
    """By the converter, in a process and a directory of its own. Raises EdgedError."""
    program = Path(__file__).with_name("converters.py")
    with scratch_directory() as place:
        command = [sys.executable, str(program), kind, str(order.source.resolve()), str(place)]
        done = subprocess.run(
            [*command, order.layout],
            check=False,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        problem = place / "problem.txt"
        if problem.is_file():
            raise ModelError(f"{order.source}: {problem.read_text()}")
        made, facts = place / "model.tflite", place / "facts.json"
        if done.returncode or not made.is_file() or not facts.is_file():
            raise ModelError(f"{order.source} cannot be converted: {reason_of(done)}")
        return made.read_bytes(), msgspec.json.decode(facts.read_bytes(), type=Facts)


def reason_of(done: subprocess.CompletedProcess[bytes]) -> str:
    """The last line of what a converter said, or that it crashed."""
    if done.returncode < 0:
        return f"its converter ended by signal {-done.returncode}; most likely memory ran out"
    lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:_LINE] if lines else f"its converter ended with {done.returncode}"


def assembled(data: bytes, facts: Facts) -> bytes:
    """What a converter made, of a batch of 1, with what its source knows inside."""
    model = read_tables(data)
    fix_batch(model)
    said = written(model.subgraphs[0], facts.mean, facts.std, facts.colour, facts.labels)
    if said is not None:
        add_metadata(model, TFLITE_METADATA, said)
    return with_labels(with_ultralytics(write_tables(model), facts), facts.labels)


def with_ultralytics(model: bytes, facts: Facts) -> bytes:
    """With what Ultralytics' exporter knows in an archive at the end, as its own exporter to TFLite
    writes it.
    """
    if facts.ultralytics is None:
        return model
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(ULTRALYTICS, json.dumps(facts.ultralytics))
    return file.getvalue()


def beside_of(facts: Facts) -> Mapping[str, bytes]:
    """The files beside the model, by ending."""
    beside = {}
    if facts.labels:
        beside[".labels.txt"] = "\n".join([*facts.labels, ""]).encode()
    lines = [
        f"{key} = {json.dumps(list(value) if isinstance(value, tuple) else value)}"
        for key, value in (("mean", facts.mean), ("std", facts.std), ("colour", facts.colour))
        if value is not None
    ]
    if lines:
        beside[".toml"] = "\n".join(["[input]", *lines, ""]).encode()
    return beside


def _examined(
    order: Order, data: bytes, beside: Mapping[str, bytes], tell: Tell
) -> Examined | None:
    with scratch(order.target.name.removesuffix(SUFFIX), data, beside) as path:
        try:
            return take(path, None).examined
        except ModelError as error:
            why = str(error).replace(str(path), order.target.name)
            tell(f"note: {why}")
            return None
