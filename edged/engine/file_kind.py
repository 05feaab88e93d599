"""Naming what a file is that should have been a TFLite model."""

from __future__ import annotations

import io

_MAGIC = (
    (b"\x89HDF\r\n\x1a\n", "a Keras model in an HDF5 file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x7fELF", "a Linux program or library"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"GGUF", "a GGUF language model"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself (fetch it with git lfs pull)",
    ),
    (b"\x80\x02", "a Python pickle, such as PyTorch writes"),
    (b"\x80\x03", "a Python pickle, such as PyTorch writes"),
    (b"\x80\x04", "a Python pickle, such as PyTorch writes"),
    # Two protocol buffers that begin with a version: SavedModel's is 1, ONNX is at 3 and above.
    (b"\x08\x01\x12", "a TensorFlow SavedModel"),
    *((bytes([8, version]), "an ONNX model") for version in range(3, 16)),
)

_MOST_ZIP_ENTRIES = 1000
# How an archive ends: a record that may have a comment of up to 64 KB (APPNOTE.TXT, 4.3.16).
_ZIP_END, _ZIP_END_BYTES = b"PK\x05\x06", 22 + 65535


def kind_of(data: bytes) -> str | None:
    """What ``data`` looks like by its first bytes ("an HTML page"); None where they say nothing."""
    if data.startswith(b"PK\x03\x04"):
        return _kind_of_zip(data)
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[257:262] == b"ustar":
        return "a tar archive"
    return _kind_of_text(data[:1000])


def zip_names(data: bytes) -> list[str]:
    """The names in a zip archive; none where it is damaged or has more than a model would have."""
    if data.find(_ZIP_END, max(0, len(data) - _ZIP_END_BYTES)) < 0:
        return []
    import zipfile  # few models have one

    if data.count(b"PK\x01\x02") > _MOST_ZIP_ENTRIES:
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except Exception:  # zipfile lets out half a dozen kinds on damaged bytes
        return []


def _kind_of_zip(data: bytes) -> str:
    names = zip_names(data)
    models = [name for name in names if name.endswith(".tflite")]
    if models:
        return f"a zip archive that holds {models[0][:100]!r} (unpack it first)"
    if "model.weights.h5" in names:
        return "a Keras model"
    if any(name.endswith("/data.pkl") for name in names):
        return "a PyTorch model"
    return "a zip archive"


def _kind_of_text(head: bytes) -> str | None:
    try:
        text = head.decode("utf-8", "strict" if len(head) < 1000 else "ignore")
    except UnicodeDecodeError:
        return None
    if not all(character.isprintable() or character in "\t\r\n" for character in text):
        return None
    if text.lstrip().lower().startswith(("<!doctype html", "<html")):
        return "an HTML page, perhaps saved in place of the download"
    return "a text file"
