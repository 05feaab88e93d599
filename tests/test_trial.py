"""What a model on trial is watched for."""

from __future__ import annotations

from edged.trial import FEWEST_RESULTS, LEAST_RESULTS, SLOW_IN_A_ROW, Expected, Trial

S = 1_000_000_000


def fed(trial: Trial, *invocations_ms: float) -> list[str]:
    failures = [trial.failure(invoke_ms) for invoke_ms in invocations_ms]
    return [failure for failure in failures if failure is not None]


def test_it_passes_after_enough_results_and_enough_time() -> None:
    trial = Trial(Expected(10, None), now_ns=0)
    assert fed(trial, *[10.0] * (LEAST_RESULTS - 1)) == []
    assert not trial.passed(5 * S)
    assert fed(trial, 10.0) == []
    assert not trial.passed(4 * S)
    assert trial.passed(5 * S)


def test_a_slow_camera_passes_after_a_minute() -> None:
    trial = Trial(Expected(10, None), now_ns=0)
    fed(trial, *[10.0] * (FEWEST_RESULTS - 1))
    assert not trial.passed(60 * S)
    fed(trial, 10.0)
    assert trial.passed(60 * S)


def test_a_model_that_becomes_fourfold_slower_fails() -> None:
    trial = Trial(Expected(10, None), now_ns=0)
    assert fed(trial, *[10.0] * 20) == []
    [failure] = fed(trial, *[40.0] * SLOW_IN_A_ROW)
    assert failure == (
        "it became too slow after 20 results: 40.0 ms for one inference, it used to take 10.0 ms"
    )


def test_a_burst_of_slow_inferences_is_the_machines_fault() -> None:
    trial = Trial(Expected(10, None), now_ns=0)
    assert fed(trial, *[10.0] * 5, *[*[90.0] * (SLOW_IN_A_ROW - 1), 10.0] * 20) == []


def test_it_does_not_pass_while_it_is_slow() -> None:
    trial = Trial(Expected(10, None), now_ns=0)
    fed(trial, *[10.0] * LEAST_RESULTS, 90.0)
    assert not trial.passed(5 * S)
    fed(trial, 10.0)
    assert trial.passed(5 * S)


def test_a_machine_that_is_busy_all_the_time_fails_nobody() -> None:
    trial = Trial(Expected(10, None), now_ns=0)
    assert fed(trial, *[45.0] * 60) == []


def test_a_budget_is_the_measure_where_there_is_one() -> None:
    trial = Trial(Expected(10, 12), now_ns=0)
    assert fed(trial, *[23.0] * 30) == []
    [failure] = fed(trial, *[25.0] * SLOW_IN_A_ROW)
    assert failure.endswith("25.0 ms for one inference, its budget is 12 ms")


def test_the_jitter_of_a_busy_machine_is_no_fault_of_a_tiny_model() -> None:
    trial = Trial(Expected(0.03, None), now_ns=0)
    assert fed(trial, *[0.03] * 20, *[0.9] * 30) == []
    assert len(fed(trial, *[1.2] * SLOW_IN_A_ROW)) == 1
