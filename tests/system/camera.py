#!/usr/bin/env python3
"""In a virtual machine with the module vivid: a camera for 60 s, pulled out, plugged in again."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, "/src/tests/system")

from machine import Heard, configure, drop_in, restart, run, service, wait_until  # noqa: E402

CAMERA = """
name = "camera"
model = "shapes"
threshold = 0
[pipelines.source]
kind = "v4l2"
device = "/dev/video0"
size = [640, 360]
fps = 2
"""
SECONDS = 60
# Python is 15 times slower here than on the machine around it.
PATIENCE_S = 240.0


def main() -> None:
    wait_until(Path("/dev/video0").exists, "the camera")
    print(run("ls", "-l", "/dev/video0"), run("id", "edged"))
    # bookworm's NumPy crashes in this emulated processor where it uses AVX.
    drop_in('Environment="NPY_DISABLE_CPU_FEATURES=AVX2 FMA3 AVX512F AVX512CD AVX512_SKX"')
    configure(CAMERA)
    restart()
    heard = Heard()
    first = heard.wait("/camera/result", timeout_s=PATIENCE_S)
    began = time.monotonic()
    heard.wait(
        "/camera/result", lambda _: time.monotonic() - began > SECONDS, heard.mark(), PATIENCE_S
    )
    results = [told for topic, told in heard.messages if topic.endswith("/camera/result")]
    sequences = [told["sequence"] for told in results]
    assert sequences == list(range(sequences[0], sequences[0] + len(results))), (
        "results are missing"
    )
    print(f"{len(results)} results in {time.monotonic() - began:.0f} s, none missing")

    mark = heard.mark()
    Path("/sys/bus/platform/drivers/vivid/unbind").write_text("vivid.0")
    lost = heard.wait("/camera/health", lambda t: t["state"] == "source-lost", mark, PATIENCE_S)
    print("pulled out:", lost["reason"])
    wait_until(lambda: "in use" not in run("modprobe", "--remove", "vivid", check=False), "unload")

    mark = heard.mark()
    run("modprobe", "vivid")
    heard.wait("/camera/health", lambda t: t["state"] == "running", mark, PATIENCE_S)
    again = heard.wait("/camera/result", after=mark, timeout_s=PATIENCE_S)
    print("plugged in again: results go on")
    assert again["run"] == first["run"]
    assert service("NRestarts") == "0"
    heard.close()


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        print(run("journalctl", "-u", "edged", "-n", "60", "--no-pager", check=False))
        raise
