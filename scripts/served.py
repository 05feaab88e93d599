"""The daemon with its house and broker, for the scripts that swap its models."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from conftest import Mosquitto, Subscriber
from household import Daemon, House, resident_kb
from paho.mqtt.enums import MQTTProtocolVersion
from swapping import Stream, pipeline


@dataclass(frozen=True, slots=True)
class Served:
    """A pipeline, and the file of the model of the same name that it serves."""

    daemon: Daemon
    file: Path
    stream: Stream

    def resident_kb(self) -> int:
        return resident_kb(self.daemon.process.pid)

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.daemon.process.pid}/fd").iterdir()))


@contextlib.contextmanager
def served(models: dict[str, Path], fps: int) -> Iterator[dict[str, Served]]:
    """Pipelines of these names, whose models are known good when this begins."""
    with tempfile.TemporaryDirectory(prefix="edged-swaps-") as place:
        house, broker = House(Path(place)), Mosquitto(Path(place)).start()
        heard = Subscriber(broker.port, "#", MQTTProtocolVersion.MQTTv5)
        for name, model in models.items():
            house.model(name, model)
        house.configure(broker.port, *(pipeline(name, model=name, fps=fps) for name in models))
        daemon = house.run()
        try:
            found = {
                name: Served(daemon, house.models / f"{name}.tflite", Stream(heard, name))
                for name in models
            }
            for each in found.values():
                each.stream.wait_for_verdict("accepted")
            yield found
        except BaseException:
            print("edged said at last:", *daemon.lines[-20:], sep="\n", file=sys.stderr)
            raise
        finally:
            house.end()
            heard.close()
            broker.kill()
