"""TLS to the broker: whom to trust, and with which certificate to answer."""

from __future__ import annotations

import ssl
from pathlib import Path

import msgspec

from ..errors import ConfigError


class TlsFiles(msgspec.Struct, frozen=True):
    """PEM files; None: the system's CAs, and no client certificate."""

    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None


class TlsSocket(ssl.SSLSocket):
    """Mends two things for paho-mqtt: it forgets to close a socket whose handshake failed, and it
    does not hand on why one fails. With TLS 1.3 a broker looks at our certificate only after it.
    """

    failure: ssl.SSLError | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.failure = error
            raise

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """A context that verifies the broker's certificate and its name. Raises ConfigError."""
    try:
        context = ssl.create_default_context(cafile=files.ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise _unusable("ca_file", files.ca_file, error) from error
    context.sslsocket_class = TlsSocket
    # Python 3.13 turned this on; it refuses the certificates that most home-made CAs give.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if files.cert_file is not None:
        try:
            # Without a password OpenSSL would ask on the terminal for that of an encrypted key.
            context.load_cert_chain(files.cert_file, files.key_file, password="")
        except OSError as error:
            raise _unusable("cert_file", files.cert_file, error) from error
    return context


def _unusable(key: str, path: Path | None, error: OSError) -> ConfigError:
    why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return ConfigError([f"mqtt.tls.{key}: {path} cannot be used: {why}."])
