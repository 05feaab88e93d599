"""Signatures: whether a model comes from someone who is trusted.

With ``models.require_signature`` a model serves only where ``NAME.tflite.minisig`` beside it was
made with a key of ``models.trusted_keys``, and so must each file beside it that changes what its
results mean: ``NAME.toml.minisig`` for ``NAME.toml``, and the like. A ``version:`` in the trusted
comment keeps what is older from coming back; files beside the model carry the same one. One command
does it all::

    minisign -S -t 'version: 12' -m coco.tflite coco.toml coco.labels.txt

A signature does not hold the file's name: one signed model may be put in another's place.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from ..errors import ConfigError, ModelError
from ..toml_text import MAX_SHOWN, printable, read_file
from .minisign import (
    MAX_BYTES,
    PublicKey,
    Signature,
    is_secret_key,
    parse_public_key,
    parse_signature,
)

SUFFIX = ".minisig"

_VERSION = re.compile(r"(?<!\S)version:[ ]*(\S*)", re.IGNORECASE)
_VERSION_NUMBER = re.compile(r"[0-9]{1,18}")


class Bundle(Protocol):
    """A model called ``name`` and, by what their names end with, the files beside it."""

    @property
    def name(self) -> str: ...

    @property
    def data(self) -> bytes: ...

    @property
    def beside(self) -> Mapping[str, bytes]: ...


class Verified(msgspec.Struct, frozen=True):
    """A signature that holds. ``version`` is None where the trusted comment tells none."""

    key_id: str
    trusted_comment: str
    version: int | None


class _NotVerified(ModelError):
    """``state`` is its short form."""

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state = state


def load_keys(paths: Sequence[Path]) -> tuple[PublicKey, ...]:
    """The public keys in files. Raises ConfigError with all that is wrong."""
    keys: list[PublicKey] = []
    problems: list[str] = []
    for path in paths:
        try:
            keys.append(_load_key(path))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return tuple(keys)


def read_signature(path: Path) -> bytes | None:
    """The signature beside the file at ``path``; None where there is none. Raises ModelError."""
    name = printable(f"{path.name}{SUFFIX}")
    try:
        # Not to wait for a writer, should somebody have put a pipe in its place.
        file = os.open(path.with_name(f"{path.name}{SUFFIX}"), os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(file, "rb") as opened:
            if stat.S_ISREG(os.fstat(file).st_mode):
                return opened.read(MAX_BYTES + 1)  # one more than `verify` takes
        raise _NotVerified("not a file", f"{name} is not a file; put the signature there")
    except FileNotFoundError:
        return None
    except OSError as error:
        state = f"cannot be read: {error.strerror}"
        raise _NotVerified(state, f"{name} {state}; give edged the right to read it") from error


def verify(data: bytes, signature: bytes | None, keys: Sequence[PublicKey], name: str) -> Verified:
    """Hold the bytes of the file called ``name`` against its signature. Raises ModelError."""
    if signature is None:
        raise _NotVerified(
            "none",
            f"not signed: require_signature is set; put {printable(name)}{SUFFIX} beside it, made "
            "with minisign -S",
        )
    try:
        parsed = parse_signature(signature)
    except ValueError as error:
        reason = f"its signature is {error}; sign it again with minisign -S"
        raise _NotVerified(str(error), reason) from error
    _check(data, parsed, keys)
    comment = parsed.trusted_comment.decode(errors="replace")
    return Verified(parsed.key_id, printable(comment, MAX_BYTES), _version(comment))


def verify_all(bundle: Bundle, keys: Sequence[PublicKey]) -> Verified:
    """Verify a model and those files beside it that are there. Raises ModelError.

    A sidecar or a labels file turns what a model says into something else, so they need signatures
    too. They must tell the version that the model's tells, or the labels of an older model could be
    put beside a newer one.
    """
    beside = bundle.beside
    name = f"{bundle.name}.tflite"
    verified = verify(bundle.data, beside.get(f".tflite{SUFFIX}"), keys, name)
    for ending, data in beside.items():
        if ending.endswith(SUFFIX):
            continue
        name = bundle.name + ending
        try:
            version = verify(data, beside.get(ending + SUFFIX), keys, name).version
        except ModelError as error:
            raise ModelError(f"{printable(name)}: {error}") from error
        if version != verified.version:
            raise ModelError(
                f"{printable(name)} is signed {_told(version)}, but the model "
                f"{_told(verified.version)}; sign them together, in one call of minisign -S"
            )
    return verified


def refuse_older(verified: Verified, serving_version: int | None) -> None:
    """Raises ModelError where the signed version is, or may be, older than the one that serves."""
    if serving_version is None:
        return
    if verified.version is None:
        raise ModelError(
            f"its signature tells no version, so it may be older than {serving_version}, which "
            "serves; sign it with minisign -S -t 'version: NUMBER'"
        )
    if verified.version < serving_version:
        raise ModelError(
            f"signed version {verified.version} is older than {serving_version}, which serves; "
            "to go back to that model, sign it again with a higher version"
        )


def state_of(path: Path, keys: Sequence[PublicKey]) -> str:
    """In a few words, the signature beside the file at ``path``.

    Raises ModelError where the file itself cannot be read.
    """
    try:
        signature = read_signature(path)
        if signature is None:
            return "none"
        if not keys:
            return "present; no trusted keys given"
        verified = verify(path.read_bytes(), signature, keys, path.name)
    except _NotVerified as error:
        return error.state
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    version = "" if verified.version is None else f", version {verified.version}"
    return f"valid: key {verified.key_id}{version}"


def _load_key(path: Path) -> PublicKey:
    name = printable(str(path))
    try:
        data = read_file(path)
    except FileNotFoundError as error:
        reason = "there is no such file; put the public key there, or correct models.trusted_keys"
        raise ConfigError([f"{name}: {reason}"]) from error
    if is_secret_key(data):
        reason = "is a secret key, which has no place on this device; name the public key instead"
        raise ConfigError([f"{name}: {reason} (minisign -R makes it from the secret one)"])
    try:
        return parse_public_key(data)
    except ValueError as error:
        reason = f"is {error}; name the .pub file that minisign -G wrote in models.trusted_keys"
        raise ConfigError([f"{name}: {reason}"]) from error


def _check(data: bytes, signature: Signature, keys: Sequence[PublicKey]) -> None:
    """Both signatures must hold, by one trusted key. Raises ModelError."""
    named = [key for key in keys if key.key_id == signature.key_id]
    if not named:
        state = f"signed by a key that is not trusted ({signature.key_id})"
        raise _NotVerified(state, f"{state}; add its public key to models.trusted_keys")
    fitting = [key for key in named if signature.fits(data, key)]
    if not fitting:
        raise _NotVerified(
            "does not fit the file",
            "its signature does not fit the file: one of them was changed after signing, or is "
            "another's; sign it again with minisign -S",
        )
    if not any(signature.fits_comment(key) for key in fitting):
        raise _NotVerified(
            "its trusted comment was changed",
            "the trusted comment of its signature was changed after signing; sign it again with "
            "minisign -S",
        )


def _version(trusted_comment: str) -> int | None:
    """The number after ``version:`` among the words of a trusted comment. Raises ModelError."""
    told = set(_VERSION.findall(trusted_comment))
    if not told:
        return None
    text = told.pop()
    if told:
        state = "its trusted comment tells more than one version"
    elif _VERSION_NUMBER.fullmatch(text):
        return int(text)
    else:
        shown = printable(text, MAX_SHOWN)
        state = f'its trusted comment tells the version "{shown}", not a number of 1 to 18 digits'
    raise _NotVerified(state, f"{state}; sign it with one, like minisign -S -t 'version: 12'")


def _told(version: int | None) -> str:
    return "without a version" if version is None else f"as version {version}"
