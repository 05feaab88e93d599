"""What the tests do to the system they run in, and how they hear of it. Python's own parts only."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONFIG = Path("/etc/edged/edged.toml")
MODELS = Path("/var/lib/edged/models")
SMALL_MODELS = Path("/src/tests/models")
DROP_IN = Path("/run/systemd/system/edged.service.d/test.conf")
PATIENCE_S = 60.0


def run(*command: str | Path, check: bool = True) -> str:
    """What it says, on both streams. Raises AssertionError where it fails."""
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def wait_until(holds: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> Any:
    """What ``holds`` gives once that is true. Raises AssertionError with edged's last words."""
    deadline = time.monotonic() + timeout_s
    while not (found := holds()):
        if time.monotonic() > deadline:
            said = run("journalctl", "-u", "edged", "-n", "40", "--no-pager", check=False)
            raise AssertionError(f"{what}: not within {timeout_s:g} s.\n{said}")
        time.sleep(0.05)
    return found


def service(name: str) -> str:
    """A property of edged's unit (systemctl show)."""
    return run("systemctl", "show", "edged", "--property", name, "--value").strip()


def configure(*pipelines: str, top: str = "") -> None:
    CONFIG.write_text(top + "".join(f"[[pipelines]]\n{table}" for table in pipelines))


def synthetic(name: str, model: str, *more: str) -> str:
    lines = "\n".join((f'name = "{name}"', f'model = "{model}"', "threshold = 0", *more))
    return f'{lines}\n[pipelines.source]\nkind = "synthetic"\nsize = [160, 120]\nfps = 20\n'


def restart() -> None:
    run("systemctl", "reset-failed", "edged", check=False)
    run("systemctl", "restart", "edged")


def drop_in(text: str) -> None:
    """Settings on top of the unit's; gone after the next boot."""
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(f"[Service]\n{text}\n")
    run("systemctl", "daemon-reload")


def put_model(name: str, as_name: str = "eye", user: str = "alice") -> None:
    """As people do: copied over what is there."""
    target = MODELS / f"{as_name}.tflite"
    run("runuser", "-u", user, "--", "cp", SMALL_MODELS / f"{name}.tflite", target)


class Heard:
    """All that is published, as mosquitto_sub hears it: (topic, content), in order."""

    def __init__(self, *options: str) -> None:
        command = ["mosquitto_sub", "-F", "%r %t %p", "-t", "edged/#", "-q", "1", *options]
        self.messages: list[tuple[str, Any]] = []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            _, topic, payload = line.rstrip("\n").split(" ", 2)
            self.messages.append((topic, json.loads(payload) if payload[:1] == "{" else payload))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def mark(self) -> int:
        return len(self.messages)

    def wait(
        self,
        ending: str,
        fits: Callable[[Any], bool] = lambda _: True,
        after: int = 0,
        timeout_s: float = PATIENCE_S,
    ) -> Any:
        """The first content on a topic of that ending that fits, of those after a mark."""

        def found() -> list[Any]:
            return [
                content
                for topic, content in self.messages[after:]
                if topic.endswith(ending) and content != "" and fits(content)
            ][:1]

        return wait_until(found, f"a message on .../{ending} that fits", timeout_s)[0]
