"""A web server of our own: https with a certificate authority of its own, or plain http, and all
that can go wrong on the way.
"""

from __future__ import annotations

import re
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Page:
    """What there is at a path.

    ``breaks``: how many bytes each of the next answers gives before the connection breaks off.
    ``statuses``: what the next answers are instead. ``silent``: an answer that stops after its
    first bytes, and the connection stays. ``measured``: whether the length is told.
    """

    data: bytes = b""
    etag: str | None = '"1"'
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    redirect: str | None = None
    silent: bool = False
    measured: bool = True
    shifted: bool = False  # a range is answered from another place
    changing: bool = False  # each answer is another file's


@dataclass(frozen=True)
class Asked:
    path: str
    range: str | None
    if_range: str | None


class Server:
    """``asked`` holds the requests so far; ``served`` is set whenever bytes of a page went out."""

    def __init__(self, certificate: Path | None) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self.served = threading.Event()
        self.released = threading.Event()  # lets silent answers end
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = False
        # A client that will not trust us, or is killed, is no error of the server's.
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "https" if certificate else "http"
        self.address = f"{scheme}://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()

    def put(self, path: str, page: Page) -> str:
        """The page's address."""
        self.pages[path] = page
        return self.address + path

    def close(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        headers = handler.headers
        self.asked.append(Asked(handler.path, headers["Range"], headers["If-Range"]))
        page = self.pages.get(handler.path, Page(statuses=[404]))
        handler.close_connection = True
        if page.redirect is not None:
            handler.send_response(302)
            handler.send_header("Location", page.redirect)
            handler.end_headers()
        elif page.statuses:
            handler.send_error(page.statuses.pop(0))
        else:
            self._send(handler, page)

    def _send(self, handler: BaseHTTPRequestHandler, page: Page) -> None:
        start = 0
        if page.changing:
            page.etag = f'"{len(self.asked)}"'
        match = re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "")
        if match and handler.headers["If-Range"] == page.etag:
            start = int(match[1]) - page.shifted
            handler.send_response(206)
            last, size = len(page.data) - 1, len(page.data)
            handler.send_header("Content-Range", f"bytes {start}-{last}/{size}")
        else:
            handler.send_response(200)
        if page.etag:
            handler.send_header("ETag", page.etag)
        data = page.data[start:]
        if page.measured:
            handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: page.breaks.pop(0) if page.breaks else len(data)])
        handler.wfile.flush()
        self.served.set()
        if page.silent:
            self.released.wait(30)


def make_authority(directory: Path) -> tuple[Path, Path]:
    """A certificate authority's certificate, and a server's (with its key) that it has signed."""
    ca, ca_key = directory / "ca.crt", directory / "ca.key"
    server, key = directory / "server.crt", directory / "server.key"
    new = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt"]
    new += ["ec_paramgen_curve:prime256v1", "-days", "2"]
    usage = "keyUsage=critical,keyCertSign,cRLSign"
    _run(*new, "-subj", "/CN=tests", "-addext", usage, "-keyout", ca_key, "-out", ca)
    request = directory / "server.csr"
    options = new[3:-2]  # a key as above
    _run("openssl", "req", *options, "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", key,
         "-out", request)  # fmt: skip
    extensions = directory / "extensions"
    extensions.write_text(
        "subjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    _run("openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-days", "2",
         "-CAcreateserial", "-extfile", extensions, "-out", server)  # fmt: skip
    both = directory / "both.pem"
    both.write_bytes(server.read_bytes() + key.read_bytes())
    return ca, both


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
