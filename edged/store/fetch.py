"""Downloads over https: what breaks off is resumed, and nothing comes over a way that is not safe.

The bytes go into a file that the caller gives; a caller who gives one without a name leaves nothing
behind however the process ends.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import re
import ssl
import time
from collections.abc import Callable, Sequence
from email.message import Message
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from .. import __version__
from ..errors import EdgedError
from ..toml_text import printable

MAX_BYTES = 512 * 1024 * 1024
PAUSES_S = (1.0, 3.0, 10.0)
TIMEOUT_S = 30.0

_CHUNK_BYTES = 64 * 1024
_TOO_FAST, _REQUEST_TIMEOUT, _BAD_RANGE = 429, 408, 416

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and, where it is known, how many there will be."""


class _Broken(Exception):
    """Something that another attempt may get over; the message says what."""


def refuse_unsafe(url: str) -> None:
    """Raises EdgedError for an address that nothing is to be downloaded from."""
    shown = printable(url)
    if not url.isascii() or not url.isprintable() or " " in url:
        raise EdgedError(f"{shown} is no address: write spaces and special characters as %20, …")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise EdgedError(f"{shown} is no address ({error}). Correct it") from error
    if not host or parts.scheme not in ("http", "https"):
        raise EdgedError(f"{shown} is no https address; models are fetched over https only")
    if parts.scheme == "http" and not _is_loopback(host):
        raise EdgedError(
            f"{shown} is not encrypted: anybody on its way could put another model in. "
            "Use an https address, or download the file yourself and add that"
        )


def fetch(
    url: str,
    into: IO[bytes],
    limit_bytes: int = MAX_BYTES,
    *,
    progress: Progress = lambda _have, _total: None,
    context: ssl.SSLContext | None = None,
    pauses_s: Sequence[float] = PAUSES_S,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Download ``url`` into an empty, unbuffered file, at most ``limit_bytes``.

    There is one more attempt after each pause. ``context`` None: the system's certificates, or
    those in $SSL_CERT_FILE. Raises EdgedError.
    """
    refuse_unsafe(url)
    https = HTTPSHandler(context=context or ssl.create_default_context())
    opener = build_opener(https, _HttpsOnly())
    download = _Download(url, into, limit_bytes, opener, timeout_s, progress)
    for pause_s in (*pauses_s, None):
        try:
            download.attempt()
            return
        except _Broken as broken:
            if pause_s is None:
                raise EdgedError(
                    f"cannot download {url}: {broken}. Check the network, or try again later"
                ) from broken
            time.sleep(pause_s)


class _Download:
    """What has come so far, and how to go on from there."""

    def __init__(
        self,
        url: str,
        into: IO[bytes],
        limit_bytes: int,
        opener: OpenerDirector,
        timeout_s: float,
        progress: Progress,
    ) -> None:
        self._url = url
        self._into = into
        self._limit_bytes = limit_bytes
        self._opener = opener
        self._timeout_s = timeout_s
        self._progress = progress
        self._have = 0
        self._etag: str | None = None  # names what has come so far; None: it cannot be resumed

    def attempt(self) -> None:
        """Until the end. Raises _Broken, and EdgedError where another attempt would not help."""
        headers = {"User-Agent": f"edged/{__version__}"}
        if self._have and self._etag:
            headers |= {"Range": f"bytes={self._have}-", "If-Range": self._etag}
        try:
            request = Request(self._url, headers=headers)
            with self._opener.open(request, timeout=self._timeout_s) as response:
                self._receive(response)
        except HTTPError as error:
            error.close()
            raise self._answered(error) from error
        except URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise self._not_trusted(error.reason) from error
            raise _Broken(_said(error.reason)) from error
        except (OSError, http.client.HTTPException) as error:
            raise _Broken(_said(error)) from error

    def _receive(self, response: http.client.HTTPResponse) -> None:
        total = self._begin(response)
        if (total or 0) > self._limit_bytes:
            raise self._too_large()
        while chunk := response.read(_CHUNK_BYTES):
            if self._have + len(chunk) > self._limit_bytes:
                raise self._too_large()
            self._write(chunk)
            self._progress(self._have, total)
        if total is not None and self._have < total:
            raise _Broken(f"it ended after {self._have:,} of {total:,} bytes")

    def _begin(self, response: http.client.HTTPResponse) -> int | None:
        """Go on where the answer does; how many bytes there will be, where it tells."""
        length = response.headers.get("Content-Length", "")
        if response.status == http.client.PARTIAL_CONTENT:
            told = response.headers.get("Content-Range", "")
            match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", told)
            if match is None or int(match[1]) != self._have:
                self._etag = None
                raise _Broken(f"it was resumed at another place ({printable(told)})")
            return int(match[2]) if match[2].isdecimal() else None
        self._have = 0
        self._into.seek(0)
        self._into.truncate()
        etag = response.headers.get("ETag")
        self._etag = None if etag is None or etag.startswith("W/") else etag
        return int(length) if length.isdecimal() else None

    def _write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[self._into.write(rest) :]
        except OSError as error:
            raise EdgedError(
                f"cannot keep what is downloaded: {os.strerror(error.errno or 0)}. "
                "Make room there; nothing was installed"
            ) from error
        self._have += len(chunk)

    def _answered(self, error: HTTPError) -> Exception:
        told = f"{error.code} {printable(error.reason)}"
        if error.code == _BAD_RANGE:
            self._etag = None
        if error.code >= 500 or error.code in (_TOO_FAST, _REQUEST_TIMEOUT, _BAD_RANGE):
            return _Broken(told)
        return EdgedError(f"cannot download {self._url}: {told}. Check the address")

    def _not_trusted(self, error: ssl.SSLCertVerificationError) -> EdgedError:
        return EdgedError(
            f"cannot download {self._url}: its certificate is not to be trusted "
            f"({error.verify_message}). Check this machine's clock; a certificate authority of "
            "your own can be named in $SSL_CERT_FILE"
        )

    def _too_large(self) -> EdgedError:
        return EdgedError(
            f"{self._url} is larger than the {self._limit_bytes:,} bytes that are expected. "
            "Nothing was installed; check the address"
        )


class _HttpsOnly(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme != "https":
            fp.close()
            raise EdgedError(
                f"{req.full_url} redirects to {printable(newurl)}, which is not encrypted. "
                "Nothing was downloaded from there; use an https address"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _said(error: object) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return printable(str(error)) or type(error).__name__
