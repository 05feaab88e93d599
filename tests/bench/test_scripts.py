"""The scripts that measure, as they are run, as briefly as they can be."""

from __future__ import annotations

from pathlib import Path

import pytest
from household import run_script

pytest.importorskip("ai_edge_litert", reason="the minimal script is written for ai-edge-litert")


@pytest.mark.parametrize(
    ("script", "arguments", "told"),
    [
        ("bench_frame.py", ["--frames", "5"], "contestants"),
        ("bench_start.py", ["--starts", "1"], "seconds"),
        ("bench_memory.py", [], "memory"),
        ("bench_sensor.py", ["--seconds", "0.3", "--turns", "1"], "shares_of_a_core"),
    ],
)
def test_it_tells_what_it_has_measured(
    script: str, arguments: list[str], told: str, testdata: Path
) -> None:
    found = run_script(script, *arguments)
    assert set(found) >= {"machine", told}
    assert found[told]


def test_what_a_second_look_costs_is_measured_of_pictures_that_come(testdata: Path) -> None:
    found = run_script("bench_crops.py", "--seconds", "2", "--turns", "1")
    [alone], [together] = found["turns"]["alone"], found["turns"]["with crops"]
    assert alone["front"]["rate_hz"] > 0
    assert together["close"]["rate_hz"] > 0
