"""The real daemon as its user runs it: a process, a config file, a broker, a few models."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import pytest
from patience import PATIENCE_S

from edged.engine.geometry import Fit
from edged.loading import LoadOptions, build_model, examine
from edged.model import Model
from edged.store.models import read_model_files
from edged.store.watched import path_in

SMALL_MODELS = Path(__file__).resolve().parent / "models"
SCRIPTS = SMALL_MODELS.parent.parent / "scripts"
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
OPTIONS = LoadOptions(threads=1, delegate=None, fit=Fit.STRETCH)


class Message(Protocol):
    topic: str
    payload: bytes


class Daemon:
    """``edged run`` in a process of its own. ``lines`` is what it has logged so far."""

    def __init__(
        self,
        config: Path,
        environ: Mapping[str, str],
        *arguments: str,
        prefix: Sequence[str] = (),
    ) -> None:
        """``prefix``: a command that becomes the one which follows it, as nsenter(1) does."""
        self.config = config
        own = {key: value for key, value in os.environ.items() if key not in ("EDGED_CONFIG",)}
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "edged", "run", "-c", str(config), *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env={**own, **environ},
        )
        self.lines: list[str] = []
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for_line(self, text: str) -> str:
        """Wait until it has logged a line with ``text``; that line."""

        def found() -> str | None:
            return next((line for line in self.lines if text in line), None)

        with self._said:
            if not self._said.wait_for(found, PATIENCE_S):
                pytest.fail(f"edged did not say {text!r} but:\n" + "\n".join(self.lines))
            line = found()
        assert line is not None
        return line

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Its exit status."""
        status = self.process.wait(timeout_s)
        self._reader.join(PATIENCE_S)
        return status

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.wait()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                with self._said:
                    self.lines.append(line.rstrip())
                    self._said.notify_all()


class House:
    """A directory with a config, models and pictures; ``run`` starts the daemon on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.models = directory / "models"
        self.models.mkdir()
        self._daemons: list[Daemon] = []

    def model(self, name: str, source: Path | None = None) -> None:
        """Put a model there: a small one of the tests', or a file with what lies beside it."""
        source = source or SMALL_MODELS / f"{name}.tflite"
        for file in source.parent.glob(f"{source.name.removesuffix('.tflite')}.*"):
            shutil.copy(file, self.models / (name + file.name[len(source.stem) :]))

    def labels(self, name: str, *labels: str) -> None:
        (self.models / f"{name}.labels.txt").write_text("\n".join(labels))

    def pictures(self, *colours: tuple[int, int, int], name: str = "pictures") -> Path:
        """A directory of plain pictures of these colours (R, G, B), in this order."""
        path = self.directory / name
        path.mkdir()
        for number, colour in enumerate(colours):
            picture = np.full((48, 64, 3), colour[::-1], np.uint8)
            assert cv2.imwrite(str(path / f"{number:03}.png"), picture)
        return path

    def configure(
        self,
        port: int,
        *pipelines: str,
        device: str = "pi",
        host: str = "127.0.0.1",
        **tables: str,
    ) -> Path:
        """Write the config; each pipeline is TOML below its own ``[[pipelines]]``, ``tables`` are
        more lines below those of their names.
        """
        lines = {
            "device": f'id = "{device}"\nstate_dir = "state"',
            "mqtt": f'host = "{host}"\nport = {port}',
            "models": 'dir = "models"',
        }
        text = ""
        for name in lines | tables:
            text += f"[{name}]\n{lines.get(name, '')}\n{tables.get(name, '')}\n"
        text += "".join(f"[[pipelines]]\n{pipeline}\n" for pipeline in pipelines)
        path = self.directory / "edged.toml"
        path.write_text(text)
        return path

    def run(
        self,
        config: Path | None = None,
        environ: Mapping[str, str] | None = None,
        *arguments: str,
        prefix: Sequence[str] = (),
    ) -> Daemon:
        """Start the daemon, with these variables beside our own, and these arguments."""
        path = config or self.directory / "edged.toml"
        self._daemons.append(Daemon(path, environ or {}, *arguments, prefix=prefix))
        return self._daemons[-1]

    def stop_all(self) -> list[int]:
        """In good order; their exit statuses."""
        return [daemon.stop() for daemon in self._daemons]

    def end(self) -> None:
        for daemon in self._daemons:
            daemon.kill()


def load(models_dir: Path, name: str, options: LoadOptions = OPTIONS) -> Model:
    """A model as the daemon makes it, but of the very file that lies there. Raises EdgedError."""
    path = path_in(models_dir, name)
    files = read_model_files(path)
    reading = examine(files, path, options).reading
    return build_model(name, files, path, options, reading)


def five_seconds() -> float:
    """On a machine that has a processor for all who want one, and else so much longer."""
    return 5 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def resident_kb(pid: int) -> int:
    """Of a process's memory (``VmRSS``)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)


def run_script(script: str, *arguments: str) -> dict[str, Any]:
    """What one of the long runs tells; its exit status is 0 where every promise was kept."""
    command = [sys.executable, str(SCRIPTS / script), *arguments, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def images(path: Path, *more: str) -> str:
    """The TOML of an ``images`` source."""
    lines = "\n".join(more)
    return f'[pipelines.source]\nkind = "images"\npath = "{path}"\n{lines}'


def content(message: Message) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(message.payload)
    return decoded


def published(messages: list[Message], ending: str) -> list[dict[str, Any]]:
    """The contents of the messages whose topic ends so."""
    return [content(message) for message in messages if message.topic.endswith(ending)]


def at_least(number: int, ending: str) -> Callable[[list[Message]], bool]:
    """Whether so many messages of that topic have come."""
    return lambda messages: sum(message.topic.endswith(ending) for message in messages) >= number
