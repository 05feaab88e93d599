"""A .tflite file's tables as objects, to be changed and written again.

The classes are those that flatc generates of the schema, which come with ai-edge-litert
(tensorflow/lite/schema/schema.fbs); no runtime is loaded for them. What is read here has been
tried before: a damaged file would end in some exception.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from ..engine.file_kind import zip_names
from ..errors import ModelError
from ..records.arrays import AnyArray

_ALIGNMENT = 16

IDENTIFIER = b"TFL3"
SIGNATURE = b"serving_default"
"""What converters call the one that they make."""


def read_tables(data: bytes) -> Any:
    """The tables of a model, a ``schema.ModelT``, with all that lies behind them brought in: older
    runtimes know nothing of that.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    for buffer in model.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def write_tables(model: Any) -> bytes:
    """The file of ``model``, without an archive at its end."""
    builder = _Builder(1 << 20)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


class _Builder(flatbuffers.Builder):  # type: ignore[misc]  # it has no types
    """Lays weights where the schema wants them, at multiples of 16 bytes (``force_align``), which
    generated code for Python does not; and what is there twice, once: zero points of each channel
    are a fifth of a small model.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[bytes, int] = {}

    def StartVector(self, elem_size: int, count: int, alignment: int) -> int:
        aligned = _ALIGNMENT if elem_size == 1 else alignment
        return int(super().StartVector(elem_size, count, aligned))

    def CreateNumpyVector(self, array: AnyArray) -> int:
        digest = hashlib.sha256(array.dtype.str.encode() + array.tobytes()).digest()
        if digest not in self._written:
            self._written[digest] = int(super().CreateNumpyVector(array))
        return self._written[digest]


def sign(model: Any) -> str:
    """Give the main graph a signature, where it has none; its name. Its tensors are called in it
    what they are called anyway.
    """
    for signature in model.signatureDefs or ():
        if signature.subgraphIndex == 0:
            return str(signature.signatureKey.decode())
    graph = model.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs = [_entry(graph, int(number)) for number in graph.inputs]
    signature.outputs = [_entry(graph, int(number)) for number in graph.outputs]
    model.signatureDefs = [*(model.signatureDefs or ()), signature]
    return SIGNATURE.decode()


def _entry(graph: Any, number: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = graph.tensors[number].name, number
    return entry


def fix_batch(model: Any) -> bool:
    """Let a batch of any size be one of 1, which it is anyway until somebody asks for another;
    whether there was any.
    """
    fixed = False
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            signature = tensor.shapeSignature
            if signature is not None and len(signature) and signature[0] == -1:
                signature = np.array([tensor.shape[0], *signature[1:]], np.int32)
                tensor.shapeSignature = signature if -1 in signature else None
                fixed = True
    return fixed


def add_metadata(model: Any, name: str, data: bytes) -> None:
    """A buffer that the file's entry ``name`` leads to; where there is one already, that stays."""
    if any(entry.name == name.encode() for entry in model.metadata or ()):
        return
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(data, np.uint8)
    entry.name, entry.buffer = name.encode(), len(model.buffers)
    model.buffers = [*model.buffers, buffer]
    model.metadata = [*(model.metadata or ()), entry]


def name_tensors(model: Any) -> None:
    """Give each tensor a name that no other has; those that have one keep it."""
    taken: set[bytes] = set()
    for graph in model.subgraphs:
        for number, tensor in enumerate(graph.tensors):
            name = own = bytes(tensor.name or b"tensor %d" % number)
            while name in taken:
                name = b"%s_%d" % (own, len(taken))
            tensor.name = name
            taken.add(name)


def with_archive_of(model: bytes, original: bytes) -> bytes:
    """``model`` with the archive of label files that lies at the end of ``original``.

    Raises ModelError where that is damaged.
    """
    if not zip_names(original):
        return model
    file = io.BytesIO(model)
    try:
        with zipfile.ZipFile(io.BytesIO(original)) as old, zipfile.ZipFile(file, "a") as new:
            for info in old.infolist():
                new.writestr(info, old.read(info))
    except Exception as error:  # zipfile and zlib let out half a dozen kinds on damaged bytes
        raise ModelError("the archive of labels at its end is damaged") from error
    return file.getvalue()
