"""The network of chaos runs does what its weather says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SCRIPT = """
import random, socket, subprocess, sys
from tunnel import CUT, FINE, NEAR, Tunnel, Weather, enter_namespace

reason = enter_namespace()
if reason:
    sys.exit(f"not here: {reason}")
tunnel = Tunnel(random.Random(1)).open()
server = socket.create_server((NEAR, 15000))
client = f"import socket; socket.create_connection(({NEAR!r}, 15000), timeout=%s)"

def reaches(timeout_s):
    command = [*tunnel.prefix, sys.executable, "-c", client % timeout_s]
    return subprocess.run(command, capture_output=True).returncode == 0

print("fine", reaches(20))
print("nothing lost", tunnel.lost == 0)
for name, weather in ("cut", CUT), ("mute", Weather(loss_to_far=1.0)):
    tunnel.weather = weather
    print(name, reaches(0.5))
print("lost", tunnel.lost > 0)
tunnel.weather = Weather(loss_to_near=0.2, delay_s=0.1, jitter_s=0.05, rate_bytes_s=5000)
print("slow", reaches(20))
tunnel.weather = FINE
print("fine again", reaches(20))
tunnel.close()
"""


def test_packets_get_lost_and_wait_as_the_weather_says(tmp_path: Path) -> None:
    script = tmp_path / "weather.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(TESTS)!r})\n{SCRIPT}")
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    if ended.stderr.startswith("not here: "):
        pytest.skip(ended.stderr.strip())
    assert ended.returncode == 0, ended.stderr
    told = dict(line.rsplit(" ", 1) for line in ended.stdout.splitlines())
    refused = {"cut", "mute"}
    assert {name for name, what in told.items() if what == "False"} == refused
    assert len(told) == 7
