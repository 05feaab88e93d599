"""The short form of the runs that swap for long."""

from __future__ import annotations

from household import run_script


def test_swaps_lose_no_result_and_hold_on_to_nothing() -> None:
    told = run_script("swap_many.py", "--swaps", "14")
    assert told["gaps_at_swaps"]["number"] == 14
    assert told["holes"] == []


def test_damaged_models_each_get_their_verdict_and_one_process_serves_all_through() -> None:
    told = run_script("swap_damaged.py", "--count", "40")
    assert sum(sum(counts.values()) for counts in told["verdicts"].values()) == 40
