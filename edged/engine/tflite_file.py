"""Reading a .tflite file without a runtime, so that a damaged one can do no harm.

What is read here is what the file says; shapes that the runtime works out when it allocates (the
outputs of SSD post-processing) are empty. Source of the slots: tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable

import msgspec

from ..errors import ModelError
from .file_kind import kind_of
from .flatbuffer import (
    MAX_SIZE,
    UINT32,
    UINT64,
    Damaged,
    FlatBytes,
    FlatTable,
    OutOfFile,
)
from .metadata import (
    TFLITE_METADATA,
    LabelFile,
    ModelMetadata,
    read_label_files,
    read_metadata,
)
from .runtime import NO_DELEGATE
from .tflite_graph import (
    FileTensor,
    Operator,
    read_ends,
    read_kinds,
    read_operators,
    signature_names,
)
from .ultralytics import Ultralytics, read_ultralytics

_SCHEMA_VERSION = 3
_IDENTIFIER = b"TFL3"
_EDGETPU = "edgetpu-custom-op"

# What the runtimes register beside the built-in operators: BuiltinOpResolver's AddCustom calls in
# tensorflow/lite/core/kernels/register.cc, and one more in ai-edge-litert 2.
_CUSTOM_OPERATORS_OF_RUNTIMES = frozenset(
    {
        "TFLite_Detection_PostProcess",
        "AudioSpectrogram",
        "Mfcc",
        "NumericVerify",
        "aeq.hadamard_rotation",
    }
)

_WITH_STATE = re.compile(r"VAR_HANDLE|SVDF|RNN|LSTM|CALL|WHILE|^IF$")

_MOST_NAMES = 3
_LONGEST_NAME = 100

_NO_NUMBERS = frozenset({"string", "resource", "variant", "complex64", "complex128"})


class ModelFile(msgspec.Struct, frozen=True):
    """A model file's content but for its weights.

    ``operators`` are those of the main graph in their order, custom ones by their own name.
    ``metadata_problem`` says why there is no (or no whole) metadata although the file has some.
    """

    size_bytes: int
    sha256: str
    description: str | None
    inputs: tuple[FileTensor, ...]
    outputs: tuple[FileTensor, ...]
    operators: tuple[str, ...]
    custom_operators: tuple[str, ...]
    metadata: ModelMetadata | None
    metadata_problem: str | None
    label_files: tuple[LabelFile, ...]
    ultralytics: Ultralytics | None = None

    @property
    def remembers(self) -> bool:
        """Whether it keeps variables from one invocation to the next."""
        return "VAR_HANDLE" in self.operators

    @property
    def may_have_state(self) -> bool:
        """Whether an interpreter of it may carry anything from one invocation to the next: in
        inputs that are fed back, in variables, in those of recurrent operators, or in a graph
        beside the main one.
        """
        return len(self.inputs) > 1 or any(map(_WITH_STATE.search, self.operators))

    def embedded_labels(self, output: int) -> LabelFile | None:
        """The label file of an output: the one its metadata names, else the only one there is."""
        files = {file.name: file for file in self.label_files}
        known = self.metadata.outputs[output : output + 1] if self.metadata else ()
        named = [label for tensor in known for label in tensor.labels if label.name in files]
        if named:
            plain = [label for label in named if label.locale in (None, "", "en")]
            return files[(plain or named)[0].name]
        return self.label_files[0] if len(self.label_files) == 1 else None


def has_identifier(data: bytes) -> bool:
    """Whether it begins as a .tflite file does."""
    return data[4:8] == _IDENTIFIER


def read_model_file(data: bytes) -> ModelFile:
    """Read a .tflite file's tables. Raises ModelError with the reason, and nothing else."""
    if not data:
        raise ModelError("the file is empty")
    if not has_identifier(data):
        what = kind_of(data)
        raise ModelError("no TFLite model" + (f": it is {what}" if what else ""))
    file = FlatBytes(data)
    try:
        return _read(file)
    except OutOfFile as error:
        raise ModelError(_out_of_file(file)) from error
    except Damaged as error:
        raise ModelError(f"damaged: {error}") from error


def unusable_reason(file: ModelFile, delegate: str | None) -> str | None:
    """Why no runtime here can run the model (with ``delegate``, where one is named), or None."""
    unknown = [name for name in file.custom_operators if name not in _CUSTOM_OPERATORS_OF_RUNTIMES]
    if unknown and delegate in (None, NO_DELEGATE):
        if _EDGETPU in unknown:
            return 'made for the Coral Edge TPU: it needs delegate = "edgetpu"'
        names = " and ".join(map(_quoted, unknown[:_MOST_NAMES]))
        operators = "operator" if len(unknown) == 1 else "operators"
        return f"needs the {operators} {names}, which the TFLite runtime does not have"
    for tensor in file.inputs:
        if tensor.dtype in _NO_NUMBERS:
            return f"its input {_quoted(tensor.name)} takes {tensor.dtype} values, not numbers"
    return None


def _quoted(name: str) -> str:
    """A name out of the file: it is published with the reason, so it is cut and made printable."""
    return '"' + "".join(c if c.isprintable() else " " for c in name[:_LONGEST_NAME]) + '"'


def _out_of_file(file: FlatBytes) -> str:
    size = len(file.data)
    if file.reach > MAX_SIZE:
        return f"damaged: one of its tables points far outside the file, which has {size:,} bytes"
    return f"truncated: {size:,} bytes, but its tables reach to byte {file.reach:,}"


def _read(file: FlatBytes) -> ModelFile:
    root = file.root()
    if (version := root.number(4, UINT32)) != _SCHEMA_VERSION:
        raise ModelError(f"made for version {version} of the TFLite format; edged knows version 3")
    buffers = _whole(file, root)
    graphs = root.tables(8)
    if not graphs:
        raise ModelError("it has no graph, so there is nothing to run")
    kinds = read_kinds(root)
    operators = [read_operators(graph, kinds) for graph in graphs]
    inputs, outputs = read_ends(graphs[0], operators[0], signature_names(root))
    metadata, problem = _metadata(root, buffers)
    ultralytics, useless = read_ultralytics(file.data)
    labels = read_label_files(file.data, metadata)
    missing = _missing_labels(metadata, labels)
    if ultralytics:
        labels = (ultralytics.label_file,)
    return ModelFile(
        size_bytes=len(file.data),
        sha256=hashlib.sha256(file.data).hexdigest(),
        description=root.text(10),
        inputs=inputs,
        outputs=outputs,
        operators=tuple(operator.kind.name for operator in operators[0]),
        custom_operators=tuple(sorted(_custom_operators(operators))),
        metadata=metadata,
        metadata_problem=problem or useless or missing,
        label_files=labels,
        ultralytics=ultralytics,
    )


def _custom_operators(graphs: list[list[Operator]]) -> set[str]:
    return {operator.kind.name for graph in graphs for operator in graph if operator.kind.custom}


def _whole(file: FlatBytes, root: FlatTable) -> list[FlatTable]:
    """The buffers, once everything that the root refers to is known to lie inside the file.

    All references are followed before the first that leads outside is reported, so that the
    report names the furthest.
    """
    buffers: list[FlatTable] = []
    for slot in (6, 8, 16, 18, 12):
        with contextlib.suppress(OutOfFile):
            buffers = root.tables(slot)
    for buffer in buffers:
        with contextlib.suppress(OutOfFile):
            buffer.blob(4)
            # Files over 2 GB keep weights behind the tables; 0 and 1 stand for "not so".
            if (offset := buffer.number(6, UINT64)) > 1:
                file.check(offset, buffer.number(8, UINT64))
    if file.reach > len(file.data):
        raise OutOfFile
    return buffers


def _metadata(root: FlatTable, buffers: list[FlatTable]) -> tuple[ModelMetadata | None, str | None]:
    """The metadata, or why it cannot be read."""
    for entry in root.tables(16):
        if entry.text(4) != TFLITE_METADATA:
            continue
        number = entry.number(6, UINT32)
        try:
            if number >= len(buffers):
                raise Damaged("the file does not hold it")
            return read_metadata(bytes(buffers[number].blob(4))), None
        except Damaged as error:
            return None, f"its metadata is not used: {error}"
    return None, None


def _missing_labels(metadata: ModelMetadata | None, files: Iterable[LabelFile]) -> str | None:
    there = {file.name for file in files}
    for tensor in metadata.outputs if metadata else ():
        for label in tensor.labels:
            if label.name not in there:
                return f"its label file {_quoted(label.name)} is missing from it, or damaged"
    return None
