"""Single files out of zip archives, wheels and source archives, without unpacking the rest."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from typing import IO

from ..errors import EdgedError

_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # an encrypted member
    OSError,
)


def read_member(archive: IO[bytes], member: str, limit_bytes: int, name: str) -> bytes:
    """One file's bytes out of an archive called ``name`` (in messages). Raises EdgedError, also
    for a member over ``limit_bytes``: archives can promise little and unpack to very much.
    """
    try:
        archive.seek(0)
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped, zipped.open(member) as file:
                data = file.read(limit_bytes + 1)
        else:
            archive.seek(0)
            with tarfile.open(fileobj=archive) as tar:
                extracted = tar.extractfile(member)
                if extracted is None:
                    raise KeyError(member)
                with extracted:
                    data = extracted.read(limit_bytes + 1)
    except KeyError as error:
        raise EdgedError(f"{name} holds no file {member}; it is not the expected one") from error
    except _DAMAGED as error:
        raise EdgedError(f"{name} cannot be unpacked ({error}); it is not the expected one") from (
            error
        )
    if len(data) > limit_bytes:
        raise EdgedError(f"{member} in {name} is larger than the expected {limit_bytes:,} bytes")
    return data
