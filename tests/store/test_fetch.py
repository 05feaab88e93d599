from __future__ import annotations

import io
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from secure_server import Page, Server, make_authority

from edged.errors import EdgedError
from edged.store.fetch import fetch, refuse_unsafe

DATA = bytes(range(256)) * 2000  # several of the chunks that are read at once
NO_PAUSES = (0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def server(authority: tuple[Path, Path]) -> Iterator[Server]:
    server = Server(authority[1])
    yield server
    server.close()


@pytest.fixture
def plain() -> Iterator[Server]:
    server = Server(None)
    yield server
    server.close()


@pytest.fixture
def get(authority: tuple[Path, Path]) -> Callable[..., bytes]:
    """What ``fetch`` brings, with our authority trusted."""
    context = ssl.create_default_context(cafile=str(authority[0]))

    def got(url: str, limit_bytes: int = 10**6, timeout_s: float = 10.0) -> bytes:
        file = io.BytesIO()
        fetch(url, file, limit_bytes, context=context, pauses_s=NO_PAUSES, timeout_s=timeout_s)
        return file.getvalue()

    return got


def test_a_file_comes_whole_and_its_progress_is_told(
    server: Server, authority: tuple[Path, Path]
) -> None:
    url = server.put("/m.tflite", Page(DATA))
    file, told = io.BytesIO(), list[tuple[int, int | None]]()
    context = ssl.create_default_context(cafile=str(authority[0]))
    fetch(url, file, context=context, progress=lambda have, total: told.append((have, total)))
    assert file.getvalue() == DATA
    assert told == sorted(told)
    assert told[-1] == (len(DATA), len(DATA))
    assert len(told) > 2


def test_a_broken_connection_is_resumed_where_it_broke(
    server: Server, get: Callable[..., bytes]
) -> None:
    url = server.put("/m.tflite", Page(DATA, breaks=[100_000, 50_000]))
    assert get(url) == DATA
    assert [asked.range for asked in server.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert {asked.if_range for asked in server.asked[1:]} == {'"1"'}


def test_a_file_that_changed_meanwhile_is_fetched_anew(
    server: Server, get: Callable[..., bytes]
) -> None:
    page = Page(DATA, breaks=[100_000], changing=True)
    assert get(server.put("/m.tflite", page)) == DATA
    assert len(server.asked) == 2


def test_a_file_that_became_shorter_meanwhile_has_no_old_bytes_at_its_end(
    server: Server, authority: tuple[Path, Path]
) -> None:
    page = Page(DATA, breaks=[100_000], changing=True)

    def replace(_have: int, _total: int | None) -> None:
        page.data = DATA[:50_000]

    file = io.BytesIO()
    context = ssl.create_default_context(cafile=str(authority[0]))
    url = server.put("/m.tflite", page)
    fetch(url, file, context=context, pauses_s=NO_PAUSES, progress=replace)
    assert file.getvalue() == DATA[:50_000]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_what_nothing_names_byte_for_byte_is_fetched_anew(
    server: Server, get: Callable[..., bytes], etag: str | None
) -> None:
    assert get(server.put("/m.tflite", Page(DATA, etag=etag, breaks=[100_000]))) == DATA
    assert [asked.range for asked in server.asked] == [None, None]


def test_a_range_from_another_place_is_not_believed(
    server: Server, get: Callable[..., bytes]
) -> None:
    assert get(server.put("/m.tflite", Page(DATA, breaks=[100_000], shifted=True))) == DATA
    assert [asked.range for asked in server.asked] == [None, "bytes=100000-", None]


def test_a_server_that_says_nothing_more_is_asked_again(
    server: Server, get: Callable[..., bytes]
) -> None:
    url = server.put("/m.tflite", Page(DATA, breaks=[1000, 1000, 1000, 1000], silent=True))
    with pytest.raises(EdgedError, match=r"^cannot download .*: .*timed out\. Check the network"):
        get(url, timeout_s=0.2)
    assert len(server.asked) == 4


def test_what_breaks_off_again_and_again_is_given_up(
    server: Server, get: Callable[..., bytes]
) -> None:
    url = server.put("/m.tflite", Page(DATA, breaks=[0] * 9))
    with pytest.raises(EdgedError, match=r"it ended after 0 of 512,000 bytes. Check the network"):
        get(url)
    assert len(server.asked) == 1 + len(NO_PAUSES)


def test_a_server_in_trouble_is_asked_again_and_one_that_has_no_such_file_is_not(
    server: Server, get: Callable[..., bytes]
) -> None:
    assert get(server.put("/m.tflite", Page(DATA, statuses=[503, 429]))) == DATA
    server.asked.clear()
    with pytest.raises(EdgedError, match=r"404 Not Found. Check the address"):
        get(server.address + "/other")
    assert len(server.asked) == 1


def test_a_redirect_to_https_is_followed_and_what_breaks_there_is_resumed(
    server: Server, get: Callable[..., bytes]
) -> None:
    there = server.put("/there", Page(DATA, breaks=[100_000]))
    assert get(server.put("/here", Page(redirect=there))) == DATA
    assert server.asked[-1].range == "bytes=100000-"


def test_a_redirect_to_http_is_not_followed(
    server: Server, plain: Server, get: Callable[..., bytes]
) -> None:
    there = plain.put("/there", Page(DATA))
    with pytest.raises(EdgedError, match=r"redirects to http://.* which is not encrypted"):
        get(server.put("/here", Page(redirect=there)))
    assert plain.asked == []
    assert len(server.asked) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(server: Server) -> None:
    url = server.put("/m.tflite", Page(DATA))
    with pytest.raises(EdgedError, match=r"certificate is not to be trusted .*clock"):
        fetch(url, io.BytesIO(), pauses_s=NO_PAUSES)
    assert server.asked == []


@pytest.mark.parametrize("measured", [True, False])
def test_more_than_is_expected_is_not_taken(
    server: Server, get: Callable[..., bytes], measured: bool
) -> None:
    url = server.put("/m.tflite", Page(DATA, measured=measured))
    assert get(url, len(DATA)) == DATA
    with pytest.raises(EdgedError, match="larger than the 511,999 bytes"):
        get(url, len(DATA) - 1)


def test_plain_http_is_taken_from_this_machine_alone(
    plain: Server, get: Callable[..., bytes]
) -> None:
    url = plain.put("/m.tflite", Page(DATA))
    assert get(url) == DATA
    assert get(f"http://localhost:{urlsplit(url).port}/m.tflite") == DATA
    with pytest.raises(EdgedError, match="not encrypted: anybody on its way could put another"):
        refuse_unsafe("http://example.com/m.tflite")
    with pytest.raises(EdgedError, match="not encrypted"):
        refuse_unsafe("http://127.0.0.1.example.com/m.tflite")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/m.tflite",
        "https:///m.tflite",
        "https://exa mple.com/m",
        "https://example.com/m\r\nHost: other",
        "https://[::1/m.tflite",
        "https://example.com:port/m",
        "https://example.com/möwe.tflite",
    ],
)
def test_what_is_no_https_address_is_refused(url: str) -> None:
    with pytest.raises(EdgedError, match=r"is no (https )?address"):
        refuse_unsafe(url)


def test_a_full_disk_is_told_and_not_tried_again(
    server: Server, authority: tuple[Path, Path]
) -> None:
    url = server.put("/m.tflite", Page(DATA))
    context = ssl.create_default_context(cafile=str(authority[0]))
    with (
        open("/dev/full", "wb", buffering=0) as full,  # noqa: PTH123
        pytest.raises(EdgedError, match=r"No space left on device. Make room there"),
    ):
        fetch(url, _Seekable(full), context=context, pauses_s=NO_PAUSES)
    assert len(server.asked) == 1


class _Seekable(io.BytesIO):
    """A device that takes every position, as a file does, and no byte."""

    def __init__(self, device: io.FileIO) -> None:
        super().__init__()
        self._device = device

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._device.write(data)
