"""`edged watch` as a process beside a real broker and the real daemon: lines, JSON, and its end."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from household import House
from patience import PATIENCE_S
from watching import a_result

from edged.demo.stage import MODELS_DIR

Make = Callable[..., Any]
SHAPES = 'name = "shapes"\nmodel = "shapes"\n[pipelines.source]\nkind = "synthetic"\nfps = 20\n'


class Watch:
    """`edged watch` with these arguments. ``lines`` and ``errors`` are what it has said so far."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edged", "watch", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={key: value for key, value in os.environ.items() if key != "EDGED_CONFIG"},
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._said = threading.Condition()
        streams = ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        self._readers = [threading.Thread(target=self._read, args=each) for each in streams]
        for reader in self._readers:
            reader.start()

    def wait_for(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """Wait until its lines are such; them."""
        return self._wait(self.lines, holds)

    def wait_for_error(self, text: str) -> None:
        self._wait(self.errors, lambda lines: any(text in line for line in lines))

    def wait(self) -> int:
        """Its exit status."""
        status = self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        return status

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.wait()

    def _wait(self, lines: list[str], holds: Callable[[list[str]], bool]) -> list[str]:
        with self._said:
            if not self._said.wait_for(lambda: holds(lines), PATIENCE_S):
                pytest.fail("\n".join(["it said:", *self.lines[-20:], *self.errors]))
            return list(lines)

    def _read(self, stream: Any, lines: list[str]) -> None:
        with stream:
            for line in stream:
                with self._said:
                    lines.append(line.rstrip("\n"))
                    self._said.notify_all()


@pytest.fixture
def watch() -> Iterator[Callable[..., Watch]]:
    watches: list[Watch] = []

    def started(*arguments: object) -> Watch:
        watches.append(Watch(*arguments))
        return watches[-1]

    yield started
    for each in watches:
        each.process.kill()
        each.wait()


def at(broker: Any) -> tuple[object, ...]:
    return ("--host", "127.0.0.1", "--port", broker.port)


def subscribed(broker: Any, times: int = 1) -> None:
    """Wait until so many that watch are subscribed."""
    broker.wait_for_log("Sending SUBACK to edged-watch-", times=times)


def has(*texts: str) -> Callable[[list[str]], bool]:
    return lambda lines: all(any(text in line for line in lines) for text in texts)


def running(house: House, port: int) -> Path:
    """The daemon with the bundled detector; its configuration."""
    house.model("shapes", MODELS_DIR / "shapes.tflite")
    config = house.configure(port, SHAPES, device="garden-pi")
    house.run()
    return config


def test_json_lines_of_the_real_daemon(house: House, mosquitto: Make, watch: Make) -> None:
    config = running(house, mosquitto().port)
    watching = watch("-c", config, "--json", "--count", 20)
    assert watching.wait() == 0
    came = [json.loads(line) for line in watching.lines]
    results = [one["payload"] for one in came if one["topic"] == "edged/garden-pi/shapes/result"]
    first = results[0]["sequence"]
    assert [result["sequence"] for result in results] == list(range(first, first + 20))
    assert {one["topic"] for one in came if one["retained"]} >= {
        "edged/garden-pi/status",
        "edged/garden-pi/info",
        "edged/garden-pi/shapes/model",
        "edged/garden-pi/shapes/health",
    }
    assert [one["payload"] for one in came if one["topic"].endswith("/status")] == ["online"]


def test_plain_lines_of_the_real_daemon_and_of_its_end(
    house: House, mosquitto: Make, watch: Make
) -> None:
    config = running(house, mosquitto().port)
    watching = watch("-c", config)
    watching.wait_for(has(" garden-pi online", " garden-pi/shapes running since ", " #"))
    assert house.stop_all() == [0]
    watching.wait_for(has(" garden-pi/shapes stopped", " garden-pi offline"))
    assert watching.stop(signal.SIGINT) == 0
    assert watching.errors == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_status_0_when_it_is_told_to(
    number: signal.Signals, mosquitto: Make, watch: Make
) -> None:
    broker = mosquitto()
    watching = watch(*at(broker))
    subscribed(broker)
    assert watching.stop(number) == 0
    assert watching.errors == []


def test_it_only_reads(mosquitto: Make, subscriber: Make, watch: Make) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    watching = watch(*at(broker), "--seconds", 0.5)
    assert watching.wait() == 0
    assert broker.topics() == []
    assert heard.messages == []
    [told] = [line for line in broker.log if "as edged-watch-" in line]
    assert "(p5, c1," in told  # MQTT 5, and no session from before


def test_several_may_watch_at_once_beside_the_daemon(
    house: House, mosquitto: Make, watch: Make
) -> None:
    config = running(house, mosquitto().port)
    watches = [watch("-c", config, "--json") for _ in range(3)]
    for each in watches:
        each.wait_for(lambda lines: sum("/result" in line for line in lines) >= 20)
    for each in watches:
        assert each.stop(signal.SIGTERM) == 0
        assert each.errors == []


def test_a_broker_that_is_away_is_tried_again_and_nothing_is_called_lost(
    mosquitto: Make, watch: Make, publish: Make
) -> None:
    broker = mosquitto()
    watching = watch(*at(broker))
    subscribed(broker)
    publish(broker, "edged/pi/front/result", a_result(1))
    watching.wait_for(has("#1 "))
    broker.kill()
    watching.wait_for_error("no connection: ")
    broker.start()
    watching.wait_for_error("connected again")
    subscribed(broker)
    publish(broker, "edged/pi/front/result", a_result(50))
    watching.wait_for(has("#50 "))
    publish(broker, "edged/pi/front/result", a_result(52))
    assert has("1 missing in the sequence: #51")(watching.wait_for(has("#52 ")))
    assert not any("missing in the sequence: #2" in line for line in watching.lines)


def test_one_device_or_all_are_watched(mosquitto: Make, watch: Make, publish: Make) -> None:
    broker = mosquitto()
    one = watch(*at(broker), "--prefix", "home/eyes", "a")
    both = watch(*at(broker), "--prefix", "home/eyes")
    subscribed(broker, times=2)
    for device in ("b", "a"):
        publish(broker, f"home/eyes/{device}/status", b"online")
    both.wait_for(has(" a online", " b online"))
    one.wait_for(has(" a online"))
    assert not has(" b online")(one.lines)


def test_a_login_that_is_refused_ends_it_with_a_sentence(
    tmp_path: Path, mosquitto: Make, watch: Make
) -> None:
    passwords, wrong = tmp_path / "passwords", tmp_path / "wrong"
    command = ["mosquitto_passwd", "-b", "-c", str(passwords), "edged", "right"]
    subprocess.run(command, check=True)
    wrong.write_text("wrong\n")
    broker = mosquitto("allow_anonymous false", f"password_file {passwords}")
    watching = watch(*at(broker), "--username", "edged", "--password-file", wrong)
    assert watching.wait() == 1
    [said] = watching.errors
    assert said.startswith(f"edged: no connection to the MQTT broker at 127.0.0.1:{broker.port}: ")
    assert "refused" in said
    right = tmp_path / "right"
    right.write_text("right\n")
    arguments = ("--username", "edged", "--password-file", right, "--seconds", 0.2)
    assert watch(*at(broker), *arguments).wait() == 0


def test_a_broker_that_is_never_reached_in_the_time_given_is_a_failure(
    mosquitto: Make, watch: Make
) -> None:
    broker = mosquitto()
    broker.kill()
    watching = watch(*at(broker), "--seconds", 0.5)
    assert watching.wait() == 1
    assert watching.errors[-1] == (
        f"edged: no connection to the MQTT broker at 127.0.0.1:{broker.port}: "
        "the connection was refused (does a broker listen on that port?)"
    )


def test_fewer_results_than_asked_for_in_the_time_given_are_a_failure(
    mosquitto: Make, watch: Make
) -> None:
    watching = watch(*at(mosquitto()), "--seconds", 0.5, "--count", 3)
    assert watching.wait() == 1
    assert watching.errors == ["edged: 0 results came in 0.5 s, and not 3"]


def test_a_reader_that_goes_away_ends_it(mosquitto: Make, publish: Make) -> None:
    broker = mosquitto()
    publish(broker, "edged/pi/status", b"online", retain=True)
    command = " ".join(map(str, [sys.executable, "-m edged watch --json", *at(broker)]))
    script = f"{command} | head -n 1"
    shell = subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert shell.stdout is not None
    assert json.loads(shell.stdout.readline())["payload"] == "online"
    publish(broker, "edged/pi/status", b"offline")
    _, errors = shell.communicate(timeout=PATIENCE_S)
    assert errors == b""


def test_a_configuration_that_is_missing_is_told(watch: Make, tmp_path: Path) -> None:
    watching = watch("-c", tmp_path / "edged.toml")
    assert watching.wait() == 78
    assert "there is no such file" in watching.errors[0]


WITHOUT_RICH = (
    "import sys; sys.modules['rich'] = None; from edged.cli import main; sys.exit(main())"
)


def test_without_rich_the_view_names_the_command_that_installs_it() -> None:
    outer, inner = pty.openpty()
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_RICH, "watch", "--host", "127.0.0.1"],
        stdin=inner,
        stdout=inner,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm"},
        timeout=PATIENCE_S,
        check=False,
    )
    os.close(inner)
    os.close(outer)
    assert ran.returncode == 1
    assert ran.stderr.decode() == (
        "edged: What draws the live view (rich) is not installed. "
        "Install it with: pip install 'edged[watch]'\n"
    )


@pytest.mark.parametrize("arguments", [["--json"], []])
def test_without_rich_lines_are_shown_all_the_same(
    arguments: list[str], mosquitto: Make, publish: Make
) -> None:
    broker = mosquitto()
    publish(broker, "edged/pi/status", b"online", retain=True)
    command = [sys.executable, "-c", WITHOUT_RICH, "watch", *map(str, at(broker)), *arguments]
    ran = subprocess.run(
        [*command, "--seconds", "1"], capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"online" in ran.stdout
