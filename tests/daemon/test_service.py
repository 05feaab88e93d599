"""The daemon under a service manager: what it tells it, and when it stops telling."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from household import RED, House, at_least, content, five_seconds, images, published
from service_manager import Manager

Make = Callable[..., Any]
EYE = 'name = "eye"\nmodel = "classifier_uint8"\n'
SYNTHETIC = '[pipelines.source]\nkind = "synthetic"\nfps = 20'


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify"))
    yield made
    made.close()


def watched(manager: Manager, seconds: float = 3600) -> dict[str, str]:
    return {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": str(round(seconds * 1e6))}


def test_it_is_ready_reloads_and_stops_in_the_manager_s_words(
    house: House, mosquitto: Make, manager: Manager
) -> None:
    port = mosquitto().port
    house.model("classifier_uint8")
    house.configure(port, EYE + SYNTHETIC)
    daemon = house.run(environ=watched(manager))
    assert "WATCHDOG=1" in manager.wait_for("READY=1")
    manager.wait_for("STATUS=1 of 1 pipeline runs; ")

    house.configure(port, EYE + "threshold = 0.9\n" + SYNTHETIC)
    daemon.signal(signal.SIGHUP)
    heard = manager.wait_for("READY=1")
    assert "RELOADING=1" in heard
    assert any(said.startswith("MONOTONIC_USEC=") for said in heard)

    (house.directory / "edged.toml").write_text("nonsense = 1")
    daemon.signal(signal.SIGHUP)
    assert "RELOADING=1" in manager.wait_for("READY=1")
    assert daemon.stop() == 0
    manager.wait_for("STOPPING=1")


def test_a_camera_and_a_model_that_are_not_there_are_said_and_do_not_hold_up_the_start(
    house: House, manager: Manager
) -> None:
    house.model("classifier_uint8")
    camera = '[pipelines.source]\nkind = "v4l2"\ndevice = "/nowhere/video0"'
    house.configure(1, EYE + camera, 'name = "ear"\nmodel = "absent"\n' + SYNTHETIC)
    house.run(environ=watched(manager, seconds=1))
    manager.wait_for("READY=1")
    heard = manager.wait_for("STATUS=0 of 2 pipelines run; eye: There is no camera /nowhere/video0")
    assert any("ear: no model: " in said for said in heard)
    # Nothing here that a restart would mend.
    for _ in range(4):
        manager.wait_for("WATCHDOG=1")


def test_a_hung_inference_ends_the_feeding_and_the_next_daemon_does_not_try_that_model_again(
    house: House, mosquitto: Make, subscriber: Make, manager: Manager
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("eye", house_model("hang_after_20"))
    house.configure(broker.port, 'name = "eye"\nmodel = "eye"\n' + SYNTHETIC)
    daemon = house.run(environ=watched(manager, seconds=2))
    daemon.wait_for_line("eye: an inference took over 1 s so far; the watchdog is not fed any more")
    manager.wait_for("STATUS=stuck (eye: an inference took over 1 s so far)")
    assert "WATCHDOG=1" not in manager.heard_in(2)
    # As systemd would now: the traces of all threads, and then the end.
    daemon.signal(signal.SIGABRT)
    assert daemon.wait() == -signal.SIGABRT
    assert any("Thread 0x" in line for line in daemon.lines), daemon.lines

    # No other is good, and the power might have been at fault: it has a second try, and no third.
    again = house.run(environ=watched(manager, seconds=2))
    again.wait_for_line("the watchdog is not fed any more")
    again.kill()
    manager.heard_in(0.1)
    house.run(environ=watched(manager, seconds=2))
    manager.wait_for("READY=1")
    manager.wait_for("WATCHDOG=1")
    refused = "no model: edged died during its trial"
    heard.wait_for(
        lambda got: any(
            message.topic.endswith("eye/health") and content(message)["reason"] == refused
            for message in got
        )
    )


def test_while_one_inference_hangs_the_other_pipelines_go_on_and_it_is_told(
    house: House, mosquitto: Make, subscriber: Make, manager: Manager
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("eye", house_model("hang_after_20"))
    house.model("classifier_uint8")
    house.model("detector_tf1")
    house.configure(
        broker.port,
        'name = "eye"\nmodel = "eye"\n' + SYNTHETIC,
        'name = "second"\nmodel = "classifier_uint8"\n' + SYNTHETIC,
        'name = "third"\nmodel = "detector_tf1"\n' + SYNTHETIC,
    )
    daemon = house.run(environ=watched(manager, seconds=20))
    daemon.wait_for_line(
        "eye: an inference took over 10 s so far; the watchdog is not fed any more"
    )
    heard.wait_for(
        lambda got: any(
            message.topic.endswith("eye/health")
            and content(message)["reason"] == "an inference took over 30 s so far"
            for message in got
        )
    )
    for name in ("second", "third"):
        results = published(list(heard.messages), f"{name}/result")
        messages = heard.wait_for(at_least(len(results) + 20, f"{name}/result"))
        numbers = [result["sequence"] for result in published(messages, f"{name}/result")]
        assert numbers == list(range(len(numbers)))
        states = [health["state"] for health in published(messages, f"{name}/health")]
        assert states == ["running"]
    assert len(published(heard.messages, "eye/result")) == 20
    daemon.signal(signal.SIGTERM)
    assert daemon.wait(five_seconds()) == 0
    daemon.wait_for_line("pipeline eye is stuck and was left behind")


def test_a_daemon_that_is_killed_in_its_first_seconds_comes_back_with_its_model(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port, "edged/pi/eye/result")
    house.model("classifier_uint8")
    house.configure(broker.port, EYE + SYNTHETIC)
    first = house.run()
    heard.wait_for(at_least(3, "eye/result"))  # far fewer than a trial takes
    first.kill()
    runs = {content(message)["run"] for message in heard.messages}
    house.run()
    heard.wait_for(lambda got: content(got[-1])["run"] not in runs)


def test_a_core_dump_cannot_hold_a_frame(house: House, manager: Manager) -> None:
    house.model("classifier_uint8")
    house.configure(1, EYE + images(house.pictures(RED), "loop = true", "fps = 5"))
    daemon = house.run(environ=watched(manager))
    manager.wait_for("READY=1")
    limits = Path(f"/proc/{daemon.process.pid}/limits").read_text()
    [line] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4] == "0"


def house_model(name: str) -> Path:
    return Path(__file__).resolve().parent.parent / "models" / f"{name}.tflite"
