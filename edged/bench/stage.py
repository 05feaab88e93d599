"""Where the contestants meet: a broker, and a directory for each."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..demo.broker import Broker, local_broker
from ..errors import EdgedError
from ..loading import LoadOptions, examine
from ..reading import Reading
from ..records.models import TensorSpec
from ..store.models import ModelFiles, read_model_files_named
from .contestant import Contestant
from .items import Kept
from .settings import engine_arguments, toml_lines

BARE = "bare interpreter"
_MODEL = "model"  # its name in the daemon's directory

_CONFIG = """
[device]
id = "{device}"
state_dir = "{house}/state"
[mqtt]
host = "127.0.0.1"
port = {port}
[models]
dir = "{house}/models"
[[pipelines]]
name = "bench"
model = "{model}"
{engine}
[pipelines.source]
kind = "{kind}"
path = "{house}"
realtime = false
"""


class Tried(msgspec.Struct, frozen=True):
    """A model that can be measured. ``tensor`` is the input that gets the frame."""

    path: Path
    files: ModelFiles
    reading: Reading
    tensor: TensorSpec
    options: LoadOptions


def try_model(path: Path, options: LoadOptions) -> Tried:
    """In a process of its own, as the daemon does. Raises EdgedError."""
    files = read_model_files_named(path)
    examined = examine(files, path, options)
    reading = examined.reading
    if reading.task.name == "keyword":
        raise EdgedError(
            f"{path.name} hears keywords, and gives a result only for a word that it hears; "
            "the bench measures models that give one for each frame or window"
        )
    tensor = examined.probed.inputs[reading.input.position]
    return Tried(path, files, reading, tensor, options)


def bare(name: str, tried: Tried, kept: Kept, house: Path, *how: str) -> Contestant:
    """The bare interpreter; ``how``: more that its command line is told."""
    command = ["-m", "edged.bench.bare", str(tried.path), *kept.arguments(house / "items.npy")]
    return Contestant(name, [*command, *engine_arguments(tried.options), *how], house / "log")


class Stage:
    """``directory`` is there as long as the broker."""

    def __init__(self, broker: Broker, directory: Path) -> None:
        self.broker = broker
        self.directory = directory
        self._houses = 0

    def served(self, name: str, tried: Tried, kept: Kept) -> Contestant:
        """The daemon with its configuration, its model and its state."""
        house = self.house()
        stem = house / "models" / _MODEL
        stem.parent.mkdir()
        stem.with_name(f"{_MODEL}.tflite").write_bytes(tried.files.data)
        for ending, data in tried.files.beside.items():
            stem.with_name(_MODEL + ending).write_bytes(data)
        config = house / "edged.toml"
        config.write_text(
            _CONFIG.format(
                device=house.name,
                house=house,
                port=self.broker.port,
                model=_MODEL,
                engine="\n".join(toml_lines(tried.options)),
                kind="images" if kept.order else "csv",
            )
        )
        command = ["-m", "edged.bench.served", str(config), *kept.arguments(house / "items.npy")]
        if not self.broker.speaks_5:
            command.append("--mqtt-3")
        return Contestant(name, command, house / "log", f"edged/{house.name}/bench/result")

    def bare(self, tried: Tried, kept: Kept) -> Contestant:
        return bare(BARE, tried, kept, self.house())

    def house(self) -> Path:
        """Another directory."""
        self._houses += 1
        house = self.directory / f"bench-{self._houses}"
        house.mkdir()
        return house


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Raises EdgedError where there is no broker."""
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as directory:
        place = Path(directory)
        with local_broker(place, light=True) as broker:
            yield Stage(broker, place)
