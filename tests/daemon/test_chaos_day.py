"""The short form of a day without a broker."""

from __future__ import annotations

from household import run_script


def test_hours_without_a_broker_are_bounded_counted_and_then_delivered_in_order() -> None:
    # Two hours are more than so small a spool holds.
    told = run_script("chaos_day.py", "--hours", "2", "--max-bytes", "3000000")
    assert told["made"] >= 2 * 3600
    assert told["dropped"] > 0
    assert told["arrived"] == told["made"] - told["dropped"]
    assert told["out_of_order"] == 0
    assert told["spool_bytes_most"] <= 3_000_000
