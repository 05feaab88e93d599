"""The format of the ``minisign`` program: its public keys, its signatures, and whether they hold.

Described at https://jedisct1.github.io/minisign/. What cannot be read is a ``ValueError`` whose
words go on after "is"; what they mean for the user is said in ``signature``.
"""

from __future__ import annotations

import binascii
import hashlib

import msgspec

MAX_BYTES = 8192
"""Of a signature or a key; real ones have some hundred."""

_ED25519, _PREHASHED = b"Ed", b"ED"  # with the latter, BLAKE2b-512 of the file is what is signed
_SECRET_CHECKSUM = b"B2"
_KEY_BYTES = 42  # algorithm 2, key id 8, key 32
_SIGNATURE_BYTES = 74  # algorithm 2, key id 8, signature 64
_COMMENT_SIGNATURE_BYTES = 64
_UNTRUSTED, _TRUSTED = b"untrusted comment:", b"trusted comment: "


class PublicKey(msgspec.Struct, frozen=True):
    """``key_id`` is what signatures name it by, as minisign shows it; ``raw`` has 32 bytes."""

    key_id: str
    raw: bytes


class Signature(msgspec.Struct, frozen=True):
    """A signature of a file, and another of that signature together with the trusted comment."""

    key_id: str
    prehashed: bool
    signature: bytes
    trusted_comment: bytes
    comment_signature: bytes

    def fits(self, data: bytes, key: PublicKey) -> bool:
        """Whether the file's bytes are what was signed."""
        message = hashlib.blake2b(data).digest() if self.prehashed else data
        return _holds(key, self.signature, message)

    def fits_comment(self, key: PublicKey) -> bool:
        """Whether the trusted comment is what was signed."""
        return _holds(key, self.comment_signature, self.signature + self.trusted_comment)


def parse_public_key(data: bytes) -> PublicKey:
    """A file with a public key, or with the key's base64 alone. Raises ValueError."""
    key = _key_bytes(data)
    if len(key) != _KEY_BYTES or key[:2] != _ED25519:
        raise ValueError("not a minisign public key")
    return PublicKey(_key_id(key), key[10:])


def is_secret_key(data: bytes) -> bool:
    """Whether it is a file with a secret key, encrypted or not. Never raises."""
    key = _key_bytes(data)
    return len(key) > _KEY_BYTES and key[:2] == _ED25519 and key[4:6] == _SECRET_CHECKSUM


def parse_signature(data: bytes) -> Signature:
    """The four lines of a signature file. Raises ValueError."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"over {MAX_BYTES:,} bytes, too many for one")
    lines = [line.rstrip(b"\r") for line in data.split(b"\n")]
    if len(lines) < 4:
        raise ValueError("damaged: it has fewer than 4 lines")
    for line, start in ((lines[0], _UNTRUSTED), (lines[2], _TRUSTED)):
        if not line.startswith(start):
            raise ValueError(f'damaged: there is no "{start.decode().strip()}" line')
    try:
        signature, of_comment = _base64(lines[1]), _base64(lines[3])
    except ValueError as error:
        raise ValueError("damaged: a line is not base64") from error
    algorithm = signature[:2]
    if algorithm not in (_ED25519, _PREHASHED):
        raise ValueError(f"of an unknown algorithm, {algorithm!r}")
    if len(signature) != _SIGNATURE_BYTES or len(of_comment) != _COMMENT_SIGNATURE_BYTES:
        raise ValueError("damaged: a line is too short or too long")
    return Signature(
        key_id=_key_id(signature),
        prehashed=algorithm == _PREHASHED,
        signature=signature[10:],
        trusted_comment=lines[2].removeprefix(_TRUSTED),
        comment_signature=of_comment,
    )


def _key_bytes(data: bytes) -> bytes:
    """What a key file's one line of base64 holds; nothing where it has none."""
    lines = [line.strip() for line in data.splitlines() if line.strip()]
    if lines and lines[0].startswith(_UNTRUSTED):
        lines = lines[1:]
    try:
        return _base64(lines[0]) if len(lines) == 1 else b""
    except ValueError:
        return b""


def _key_id(key_or_signature: bytes) -> str:
    return f"{int.from_bytes(key_or_signature[2:10], 'little'):X}"


def _base64(line: bytes) -> bytes:
    return binascii.a2b_base64(line, strict_mode=True)


def _holds(key: PublicKey, signature: bytes, message: bytes) -> bool:
    # Imported where it is used: it takes 7 MB, which a device without signatures need not spend.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
    except InvalidSignature:
        return False
    return True
