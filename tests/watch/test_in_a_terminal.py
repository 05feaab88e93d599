"""`edged watch` in a real terminal (tmux, 80x24), as somebody at the keys would meet it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from household import BLUE, RED, SMALL_MODELS, House, images
from patience import PATIENCE_S
from swapping import pipeline, version_of
from watching import a_result

Make = Callable[..., Any]
A, B = SMALL_MODELS / "classifier_uint8.tflite", SMALL_MODELS / "classifier_int8.tflite"


class Terminal:
    """A shell in a tmux server of its own."""

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "tmux"

    def start(self) -> None:
        environ = {**os.environ, "LC_ALL": "C.UTF-8"}
        environ.pop("TMUX", None)
        new = ("new-session", "-d", "-x", "80", "-y", "24", "bash --norc --noprofile")
        self._tmux("-f", "/dev/null", *new, environ=environ)
        self.wait_for(lambda lines: lines[0].rstrip().endswith(("#", "$")))

    def type(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def enter(self, line: str) -> None:
        self._tmux("send-keys", "-l", line)
        self.type("Enter")

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> list[str]:
        return self._tmux("capture-pane", "-p").splitlines()

    def text(self) -> str:
        """The screen without its line ends, wherever a long line was folded."""
        return "".join(self._tmux("capture-pane", "-p", "-J").splitlines())

    def state(self) -> str:
        """Whether the cursor shows, the second screen is on, and lines are wrapped."""
        flags = "#{cursor_flag} #{alternate_on} #{wrap_flag}"
        return self._tmux("display-message", "-p", flags).strip()

    def wait_for(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the screen is such; its lines."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not holds(screen := self.screen()):
            if time.monotonic() > deadline_s:
                pytest.fail("on the screen is:\n" + "\n".join(screen))
            time.sleep(0.05)
        return screen

    def end(self) -> None:
        self._tmux("kill-server")

    def _tmux(self, *arguments: str, environ: dict[str, str] | None = None) -> str:
        command = ["tmux", "-u", "-S", str(self._socket), *arguments]
        ran = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
        return ran.stdout


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed: run scripts/test")
    made = Terminal(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.end()


def command(*arguments: object) -> str:
    return shlex.join([sys.executable, "-m", "edged", "watch", *map(str, arguments)])


def on_a_line(*texts: str) -> Callable[[list[str]], bool]:
    return lambda lines: any(all(text in line for text in texts) for line in lines)


def test_results_health_and_a_swap_are_seen_and_ctrl_c_gives_the_prompt_back(
    house: House, mosquitto: Make, terminal: Terminal
) -> None:
    house.model("eye", A)
    house.labels("eye", "red", "green", "blue")
    pictures = house.pictures(RED, BLUE)
    door = 'name = "door"\nmodel = "eye"\n' + images(pictures, "loop = true", "fps = 20")
    config = house.configure(mosquitto().port, pipeline(fps=20), door, device="garden-pi")
    house.run()
    terminal.enter(command("-c", config))
    terminal.wait_for(on_a_line("garden-pi", "online", "edged "))
    terminal.wait_for(on_a_line("eye", "running", "/s", "0/0", version_of(A)))
    terminal.wait_for(lambda lines: on_a_line("red ")(lines) or on_a_line("blue ")(lines))
    assert terminal.state() == "0 1 0"

    pictures.rename(house.directory / "elsewhere")
    screen = terminal.wait_for(on_a_line("door", "source-lost", "0/0"))
    assert on_a_line("door: source-lost since")(screen) or on_a_line("changes")(screen)
    (house.directory / "elsewhere").rename(pictures)
    terminal.wait_for(on_a_line(" door ", "running"))

    shutil.copy(B, house.models / "eye.tflite")
    terminal.wait_for(on_a_line("eye", version_of(B), "serves instead of", version_of(A)))
    screen = terminal.wait_for(on_a_line(" eye ", "running", f"eye {version_of(B)}"))
    assert on_a_line("missing 0  twice 0")(screen)

    terminal.resize(60, 15)
    terminal.wait_for(lambda lines: any(line.endswith("q ends ──") for line in lines))
    terminal.wait_for(lambda lines: len(lines) == 15 and max(map(len, lines)) == 60)

    terminal.type("C-c")
    # The cursor is where the command was typed, however long that was: the line may be folded.
    terminal.wait_for(lambda _: "0 missing, 0 twice" in terminal.text())
    assert " results in " in terminal.text()
    terminal.enter("echo status $?; stty -a")
    screen = terminal.wait_for(on_a_line("status 0"))
    terminal.wait_for(lambda lines: " echo " in " ".join(lines))
    assert terminal.state() == "1 0 1"


def test_ctrl_z_lends_the_terminal_out_and_sigterm_gives_it_back(
    mosquitto: Make, publish: Make, terminal: Terminal
) -> None:
    broker = mosquitto()
    terminal.enter(command("--host", "127.0.0.1", "--port", broker.port))
    terminal.wait_for(on_a_line("nothing has come yet"))
    publish(broker, "edged/pi/front/result", a_result(1, detections=[{"label": "\x1b[2Jcat"}]))
    terminal.wait_for(on_a_line(r"\x1b[2Jcat"))

    terminal.type("C-z")
    terminal.wait_for(on_a_line("Stopped"))
    assert terminal.state() == "1 0 1"
    terminal.enter("fg")
    terminal.wait_for(on_a_line(r"\x1b[2Jcat"))

    broker.kill()
    terminal.wait_for(on_a_line("no connection: "))
    [watching] = children(named="edged", of=int(terminal._tmux("display", "-p", "#{pane_pid}")))
    os.kill(watching, signal.SIGTERM)
    terminal.wait_for(on_a_line("1 results in"))
    terminal.enter("echo status $?")
    terminal.wait_for(on_a_line("status 0"))
    assert terminal.state() == "1 0 1"


def test_q_ends_it(mosquitto: Make, terminal: Terminal) -> None:
    terminal.enter(command("--host", "127.0.0.1", "--port", mosquitto().port))
    terminal.wait_for(on_a_line("nothing has come yet"))
    terminal.type("q")
    terminal.wait_for(on_a_line("0 results in"))


def children(named: str, of: int) -> list[int]:
    told = subprocess.run(["pgrep", "-P", str(of), "-f", named], capture_output=True, text=True)
    return [int(pid) for pid in told.stdout.split()]
