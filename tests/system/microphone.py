#!/usr/bin/env python3
"""In a virtual machine with the module snd-aloop, a sound card that records what it plays: a wake
word for two pipelines on one microphone, lost samples, pulled out, plugged in again."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, "/src/tests/system")

from machine import Heard, configure, drop_in, restart, run, service  # noqa: E402

# Two pipelines share what the README tells to write for cards that ALSA does not share by itself.
SHARED, ALONE = "plug:ear", "plughw:CARD=Loopback,DEV=0,SUBDEV=0"
ASOUND = """pcm.ear {
    type dsnoop
    ipc_key 5678
    ipc_gid audio
    ipc_perm 0660
    slave {
        pcm "hw:CARD=Loopback,DEV=0,SUBDEV=0"
        rate 16000
        period_time 20000
        buffer_time 1000000
    }
}
"""
WORD = Path("/tmp/okay-nabu.wav")
# Python is 15 times slower here than on the machine around it.
PATIENCE_S = 240.0
TRIES = 5
SLOWLY = "NPY_DISABLE_CPU_FEATURES=AVX2 FMA3 AVX512F AVX512CD AVX512_SKX"


def pipeline(model: str, device: str) -> str:
    source = f'[pipelines.source]\nkind = "microphone"\ndevice = "{device}"\n'
    return f'name = "{model}"\nmodel = "{model}"\n{source}'


def main() -> None:
    print(run("ls", "-l", "/dev/snd"), run("id", "edged"))
    # bookworm's NumPy crashes in this emulated processor where it uses AVX.
    drop_in(f'Environment="{SLOWLY}"')
    Path("/etc/asound.conf").write_text(ASOUND)
    run("espeak-ng", "-v", "en-us", "-s", "160", "-w", WORD, "okay nabu")
    run("systemctl", "stop", "edged")
    checks_that_nothing_plays()
    heard = Heard()
    two_share_it(heard)

    # One by itself: this machine cannot keep up with two.
    configure(pipeline("okay-nabu", ALONE))
    mark = heard.mark()
    restart()
    heard.wait("/okay-nabu/health", is_running, mark, PATIENCE_S)
    first = is_heard(heard)
    assert [each["label"] for each in first["classes"]] == ["Okay Nabu"]
    samples_are_lost(heard)
    is_pulled_out(heard)
    assert is_heard(heard)["run"] == first["run"]
    assert service("NRestarts") == "0"
    assert not [topic for topic, _ in heard.messages if topic.endswith("/alexa/result")]
    heard.close()


def is_running(told: Any) -> bool:
    return bool(told["state"] == "running")


def is_heard(heard: Heard) -> Any:
    """The result; after some tries, for this machine loses samples at times."""
    mark = heard.mark()
    for attempt in range(1, TRIES + 1):
        run("aplay", "-q", "-D", "plughw:CARD=Loopback,DEV=1,SUBDEV=0", WORD)
        with contextlib.suppress(AssertionError):
            told = heard.wait("/okay-nabu/result", after=mark, timeout_s=20)
            print(f"heard at attempt {attempt}: {told['classes']}, {told['latency_ms']}")
            return told
    raise AssertionError(f"not heard in {TRIES} attempts")


def checks_that_nothing_plays() -> None:
    configure(pipeline("okay-nabu", ALONE))
    told = run("env", SLOWLY, "edged", "check", check=False)
    print(told)
    assert "devices that record: sysdefault:CARD=Loopback (Loopback PCM)" in told
    assert "microphone gives samples of audio at 16000 Hz" in told
    assert "gives only silence" in told
    assert "\nwrong" not in told


def two_share_it(heard: Heard) -> None:
    configure(pipeline("okay-nabu", SHARED), pipeline("alexa", SHARED))
    mark = heard.mark()
    restart()
    for name in ("okay-nabu", "alexa"):
        heard.wait(f"/{name}/health", is_running, mark, PATIENCE_S)
    print("two share the microphone")


def samples_are_lost(heard: Heard) -> None:
    """The daemon is held for longer than ALSA's buffer lasts."""

    def gaps(told: Any) -> int:
        return int(told["pipelines"]["okay-nabu"]["gaps"])

    before = gaps(heard.wait("/metrics", after=heard.mark(), timeout_s=PATIENCE_S))
    pid = service("MainPID")
    run("kill", "-STOP", pid)
    run("sleep", "5")
    run("kill", "-CONT", pid)
    told = heard.wait("/metrics", lambda told: gaps(told) > before, heard.mark(), PATIENCE_S)
    print(f"held for 5 s: {gaps(told)} gaps instead of {before}")


def is_pulled_out(heard: Heard) -> None:
    mark = heard.mark()
    # It waits until nobody has the device open any more.
    unbind = "echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/unbind"
    pulled = subprocess.Popen(["sh", "-c", unbind])
    lost = heard.wait(
        "/okay-nabu/health", lambda told: told["state"] == "source-lost", mark, PATIENCE_S
    )
    print("pulled out:", lost["reason"])
    assert pulled.wait() == 0
    run("modprobe", "--remove", "snd-aloop")

    mark = heard.mark()
    run("modprobe", "snd-aloop")
    heard.wait("/okay-nabu/health", is_running, mark, PATIENCE_S)
    print("plugged in again: it listens")


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        print(run("journalctl", "-u", "edged", "-n", "60", "--no-pager", check=False))
        raise
