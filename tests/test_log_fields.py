"""Faults that last: told once, then counted."""

from __future__ import annotations

import math

from edged.log_fields import Event, Lasting, about


def test_a_fault_that_lasts_is_told_once_and_counted() -> None:
    fault = Lasting(now_s=lambda: 0)
    assert [fault.happened("NaN") for _ in range(4)] == [True, False, False, False]
    assert (fault.times, fault.untold) == (4, 3)
    assert fault.over() == 4
    assert fault.over() == 0
    assert fault.happened("NaN")


def test_a_reason_that_changes_each_time_is_told_now_and_then() -> None:
    now_s = 0.0
    fault = Lasting(again_s=60, now_s=lambda: now_s)
    told_s = []
    for number in range(200):
        if fault.happened(f"the score is {number}"):
            told_s.append(now_s)
        now_s += 1
    assert told_s == [0, 60, 120, 180]
    assert fault.untold == 19


def test_a_reason_may_be_told_once_for_good() -> None:
    fault = Lasting(again_s=math.inf)
    assert [fault.happened(f"{number}") for number in range(3)] == [True, False, False]


def test_a_record_is_about_what_is_known() -> None:
    assert about(Event.STOP) == {"event": "stop"}
    assert about(Event.MODEL, "front", "coco") == {
        "event": "model",
        "pipeline": "front",
        "model": "coco",
    }
