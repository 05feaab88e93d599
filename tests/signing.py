"""Signs as ``minisign -S`` does, with keys that have no password."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNED = Path(__file__).resolve().parent / "store" / "signed"


class Signer:
    """A secret key: ``Signer()`` is ``trusted.key``, ``Signer("other")`` is ``other.key``.

    ``key_id`` may be told, to pretend to be another key.
    """

    def __init__(self, name: str = "trusted", key_id: bytes | None = None) -> None:
        secret = b64decode((SIGNED / f"{name}.key").read_bytes().splitlines()[1])
        self.key_id = key_id or secret[54:62]
        self.public_file = SIGNED / f"{name}.pub"
        self._key = Ed25519PrivateKey.from_private_bytes(secret[62:94])

    def sign(
        self, data: bytes, comment: str | bytes = "version: 12", algorithm: bytes = b"ED"
    ) -> bytes:
        """A signature file; ``algorithm`` "ED" hashes the data first."""
        comment = comment.encode() if isinstance(comment, str) else comment
        message = hashlib.blake2b(data).digest() if algorithm == b"ED" else data
        signature = self._key.sign(message)
        lines = (
            b"untrusted comment: signature from minisign secret key",
            b64encode(algorithm + self.key_id + signature),
            b"trusted comment: " + comment,
            b64encode(self._key.sign(signature + comment)),
        )
        return b"\n".join(lines) + b"\n"
