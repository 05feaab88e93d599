"""Every file that the daemon and its probes open for writing, make, rename or remove, traced."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

import pytest
from household import BLUE, GREEN, RED, SMALL_MODELS, Daemon, House, at_least, images
from patience import PATIENCE_S
from sounds import bursts, traces, write_wav
from traced import Call, calls, strace

Make = Callable[..., Any]
PACKAGE = Path(__file__).resolve().parent.parent.parent / "edged"
# Not files of the disk: what a child is given as its standard input where it shall read nothing.
NO_FILES = {"/dev/null"}


SOUND = bursts(0.5, seconds=3)


def audited(config: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """What the command says."""
    command = [sys.executable, "-m", "edged", "audit", "--json", "-c", str(config)]
    told: dict[str, Any] = json.loads(
        subprocess.check_output(command, timeout=PATIENCE_S, env={**os.environ, **environ})
    )
    return told


def never_run(directory: Path) -> dict[str, str]:
    """What makes Python take edged from a copy that was never compiled."""
    copy = directory / "fresh" / "edged"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return {"PYTHONPATH": str(copy.parent), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": ""}


def furnish(house: House, port: int) -> Path:
    house.model("eye", SMALL_MODELS / "classifier_uint8.tflite")
    house.labels("eye", "red", "green", "blue")
    source = images(house.pictures(RED, GREEN, BLUE), "loop = true", "fps = 20")
    house.model("keyword")
    write_wav(house.directory / "sound.wav", SOUND)
    ear = '[pipelines.source]\nkind = "wav"\npath = "sound.wav"\nloop = true'
    return house.configure(
        port,
        'name = "eye"\nmodel = "eye"\nthreshold = 0\n' + source,
        f'name = "ear"\nmodel = "keyword"\n{ear}',
    )


def holds_any(data: bytes, traces_: list[bytes]) -> bool:
    return any(trace in data for trace in traces_)


def named(call: Call, path: str, places: list[str]) -> bool:
    """Whether the audit names the path of a call."""
    path = re.sub(r"^/proc/(self|\d+)/", "/proc/self/", path)
    return path in NO_FILES or any(PurePath(path).match(place) for place in places)


def live_through_much(house: House, broker: Any, heard: Any, run: Callable[[], Daemon]) -> Daemon:
    """Results, a broker that goes away and comes back, a model that is refused, one that is
    swapped in, a reload, the end.
    """
    daemon = run()
    heard.wait_for(at_least(5, "eye/result"), PATIENCE_S)
    heard.wait_for(at_least(1, "ear/result"), PATIENCE_S)
    broker.kill()
    daemon.wait_for_line("No connection to")
    broken = house.directory / "broken.tflite"
    broken.write_bytes((SMALL_MODELS / "classifier_int8.tflite").read_bytes()[:1000])
    shutil.copy(broken, house.models / "eye.tflite")
    daemon.wait_for_line("refused")
    shutil.copy(SMALL_MODELS / "classifier_int8.tflite", house.models / "eye.tflite")
    daemon.wait_for_line("pixels: assumed: bytes minus 128")
    broker.start()
    daemon.wait_for_line("accepted")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_line("reloaded")
    assert daemon.stop() == 0
    return daemon


@pytest.mark.parametrize("after", [[], ["--debug"]], ids=["quiet", "debug"])
def test_it_writes_what_the_audit_names_and_nothing_else(
    house: House, mosquitto: Make, subscriber: Make, after: list[str]
) -> None:
    broker = mosquitto()
    config = furnish(house, broker.port)
    trace = house.directory / "trace"
    environ, before = never_run(house.directory), strace(trace)
    daemon = live_through_much(
        house,
        broker,
        subscriber(broker.port),
        lambda: house.run(None, environ, *after, prefix=before),
    )

    audit = audited(config, environ)
    places = [place["where"] for place in audit["writes"]]
    found = list(calls(trace, Path.cwd()))
    written = [(path, call) for call in found if call.writes for path in call.paths]
    others = {call.line for path, call in written if not named(call, path, places)}
    assert not others, "\n".join(sorted(others))

    # The trace has seen all of it: the copy of a model, the probe's own process.
    seen = {path for path, _ in written}
    state = house.directory / "state"
    assert f"{state}/store/.new-ledger.json" in seen
    assert any(re.search(r"/\.part-[^/]*/model\.tflite$", path) for path in seen)
    assert any(path.startswith("/proc/") for path in seen)
    assert f"{state}/spool.db" in seen
    assert list((house.directory / "fresh").rglob("*.pyc")), "edged was the fresh copy"

    # Nor can anybody reach it, or it anybody but the broker.
    assert not [call.line for call in found if call.name == "listen"]
    bound = {call.line for call in found if call.name == "bind"}
    assert all("sin_port=htons(0)" in line for line in bound), "any port, as clients have it"
    reached = {call.line for call in found if call.name == "connect"}
    assert all(f"htons({broker.port})" in line for line in reached), reached

    # What is there afterwards is named too, and holds no sound, nor does what it has said.
    told = [*traces(SOUND)]
    for path in state.rglob("*"):
        assert any(path.match(place) for place in places), path
        assert path.is_dir() or not holds_any(path.read_bytes(), told), path
    assert not holds_any("\n".join(daemon.lines).encode(), told)
    assert holds_any((house.directory / "sound.wav").read_bytes(), told), "it would be found"
    assert {"store"} <= {path.name for path in state.iterdir()}


def test_it_listens_on_nothing_while_it_runs(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    furnish(house, broker.port)
    heard = subscriber(broker.port)
    daemon = house.run()
    heard.wait_for(at_least(5, "eye/result"), PATIENCE_S)
    sockets = own_sockets(daemon.process.pid)
    proc = Path(f"/proc/{daemon.process.pid}/net")
    found = {}
    for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix"):
        if (proc / kind).exists():
            found[kind] = [line for line in lines_of(proc / kind) if inode(kind, line) in sockets]
    broker_port = f":{broker.port:04X}"
    assert [line.split()[2][-5:] for line in found["tcp"]] == [broker_port], found
    assert [line.split()[3] for line in found["tcp"]] == ["01"], "it is established, not listening"
    assert not any(lines for kind, lines in found.items() if kind != "tcp"), found
    assert daemon.stop() == 0


def own_sockets(pid: int) -> set[str]:
    """The inodes of a process's sockets."""
    links = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(descriptor.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()[1:]


def inode(kind: str, line: str) -> str:
    return line.split()[6 if kind == "unix" else 9]
