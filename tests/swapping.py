"""The ways in which a model's file comes, and what a stream of results tells of a swap."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from household import Message, content
from patience import PATIENCE_S


def pipeline(name: str = "eye", *more: str, model: str = "eye", fps: int = 50) -> str:
    """The TOML of a pipeline with a synthetic camera; ``more`` are lines of its own table.

    The pictures are small: drawing them leaves the processor to the models.
    """
    lines = "\n".join((f'name = "{name}"', f'model = "{model}"', "threshold = 0", *more))
    source = f'[pipelines.source]\nkind = "synthetic"\nsize = [160, 120]\nfps = {fps}'
    return f"{lines}\n{source}\n"


def version_of(model: Path) -> str:
    """As it is published."""
    return hashlib.sha256(model.read_bytes()).hexdigest()[:12]


# ---- the ways -----------------------------------------------------------------------------------

Pause = Callable[[], None]
Way = Callable[[Path, Path, Pause], None]


def cp(source: Path, target: Path, _pause: Pause) -> None:
    """Cut to nothing, then written: the inode stays."""
    subprocess.run(["cp", source, target], check=True)


def scp(source: Path, target: Path, _pause: Pause) -> None:
    """Written over what is there, then cut to its length: the inode stays."""
    with target.open("r+b") as file:
        file.write(source.read_bytes())
        file.truncate()


def upload(source: Path, target: Path, pause: Pause) -> None:
    """In pieces with pauses between, by a writer that keeps the file open."""
    data = source.read_bytes()
    piece = len(data) // 4 + 1
    with target.open("wb", buffering=0) as file:
        for start in range(0, len(data), piece):
            file.write(data[start : start + piece])
            pause()


def rsync(source: Path, target: Path, _pause: Pause) -> None:
    """Under a hidden name in the same directory, which is then renamed."""
    part = target.with_name(f".{target.name}.Xy12Zw")
    shutil.copy(source, part)
    part.rename(target)


def mv(source: Path, target: Path, _pause: Pause) -> None:
    """From elsewhere on the same file system."""
    aside = target.parent.parent / "aside.tflite"
    shutil.copy(source, aside)
    subprocess.run(["mv", "-f", aside, target], check=True)


def ln(source: Path, target: Path, _pause: Pause) -> None:
    """A symbolic link turned round to a file elsewhere."""
    elsewhere = target.parent.parent / f"elsewhere-{version_of(source)}.tflite"
    # A new file each time: what was linked to before may have been written through its link.
    elsewhere.unlink(missing_ok=True)
    shutil.copy(source, elsewhere)
    subprocess.run(["ln", "-sfn", elsewhere, target], check=True)


WAYS: dict[str, Way] = {
    "cp": cp,
    "scp": scp,
    "upload": upload,
    "rsync": rsync,
    "ln": ln,
    "mv": mv,
}
"""In an order in which a link is replaced by a file before anything writes through it."""


# ---- the stream ---------------------------------------------------------------------------------


class Heard(Protocol):
    """A subscriber that records all messages in order."""

    def wait_for(
        self, predicate: Callable[[Sequence[Message]], bool], timeout_s: float
    ) -> object: ...


class Stream:
    """What one pipeline publishes, followed as it comes.

    ``gaps_ms`` is the time between one result and the next of the same run, from hand-over to
    hand-over by the daemon's own clock; ``swap_gaps_ms`` those between two models. ``versions``
    are the models that gave results, in turn, the last of them since ``since_s`` (Unix time).
    Each run of the daemon begins anew, with a sequence of its own and no gap to the one before.
    """

    def __init__(self, heard: Heard, pipeline: str = "eye") -> None:
        self.results = 0
        self.holes: list[str] = []
        self.gaps_ms: list[float] = []
        self.swap_gaps_ms: list[float] = []
        self.versions: list[str] = []
        self.since_s = 0.0
        self.reports: list[dict[str, Any]] = []
        self.last: dict[str, Any] = {}
        self._heard = heard
        self._ending = f"/{pipeline}/"
        self._seen = 0
        self._last_s = 0.0

    def wait_until(self, holds: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """``holds`` is asked whenever something has come."""

        def came(messages: Sequence[Message]) -> bool:
            for message in messages[self._seen :]:
                self._take(message)
            self._seen = len(messages)
            return holds()

        self._heard.wait_for(came, timeout_s)

    def wait_for_results(self, number: int) -> None:
        """So many more than came so far."""
        until = self.results + number
        self.wait_until(lambda: self.results >= until)

    def wait_for_version(self, version: str) -> None:
        """Until a result has come from it."""
        self.wait_until(lambda: self.versions[-1:] == [version])

    def wait_for_verdict(
        self, *verdicts: str, after: int = 0, timeout_s: float = PATIENCE_S
    ) -> dict[str, Any]:
        """The first report with one of these verdicts, but for the first ``after`` reports."""

        def found() -> dict[str, Any] | None:
            told = (r for r in self.reports[after:] if r["candidate"]["verdict"] in verdicts)
            return next(told, None)

        self.wait_until(lambda: found() is not None, timeout_s)
        report = found()
        assert report is not None
        return report

    def _take(self, message: Message) -> None:
        if message.topic.endswith(f"{self._ending}model") and message.payload:
            self.reports.append(content(message))
        elif message.topic.endswith(f"{self._ending}result"):
            self._take_result(content(message))

    def _take_result(self, result: dict[str, Any]) -> None:
        captured_s = datetime.fromisoformat(result["captured_at"]).timestamp()
        ready_s = captured_s + result["latency_ms"]["total"] / 1e3
        first = result["run"] != self.last.get("run")
        expected = 0 if first else self.last["sequence"] + 1
        if result["sequence"] != expected:
            self.holes.append(f"{result['sequence']} came where {expected} was to come")
        version = result["model"]["version"]
        swapped = not first and self.versions[-1] != version
        if not first:
            self.gaps_ms.append((ready_s - self._last_s) * 1e3)
        if swapped:
            self.swap_gaps_ms.append(self.gaps_ms[-1])
        if first or swapped:
            self.versions.append(version)
            self.since_s = ready_s
        self.results += 1
        self.last, self._last_s = result, ready_s
