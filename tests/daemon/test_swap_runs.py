"""The short form of the runs that swap for long."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from household import SMALL_MODELS

SCRIPTS = SMALL_MODELS.parent.parent / "scripts"


def run(script: str, *arguments: str) -> dict[str, Any]:
    """What it tells; its exit status is 0 where every promise was kept."""
    command = [sys.executable, str(SCRIPTS / script), *arguments, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def test_swaps_lose_no_result_and_hold_on_to_nothing() -> None:
    told = run("swap_many.py", "--swaps", "14")
    assert told["gaps_at_swaps"]["number"] == 14
    assert told["holes"] == []


def test_damaged_models_each_get_their_verdict_and_one_process_serves_all_through() -> None:
    told = run("swap_damaged.py", "--count", "40")
    assert sum(sum(counts.values()) for counts in told["verdicts"].values()) == 40
