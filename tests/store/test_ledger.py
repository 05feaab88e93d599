"""The vault's memory as a value: what each event makes of it."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.store.ledger import Ledger, Standing, Version, decode, encode

MORNING = datetime(2026, 11, 22, 6, 24, tzinfo=UTC)


def bundle(number: int) -> str:
    return f"{number:064x}-{number:08x}"


A, B, C, D, E = map(bundle, range(10, 15))


def came(name: str, signed_version: int | None = None, at: datetime = MORNING) -> Version:
    return Version(name, 1000, 0, at, signed_version)


def ledger(*bundles: str, model: str = "cats") -> Ledger:
    """One to which these came, in this order."""
    made = Ledger()
    for each in bundles:
        made = made.with_version(model, came(each), stays=False)
    return made


def listed(made: Ledger, model: str = "cats") -> list[str]:
    return [version.bundle for version in made.versions(model)]


# ---- versions --------------------------------------------------------------------------------


def test_the_newest_is_the_first_whatever_the_clock_says() -> None:
    made = ledger(A).with_version("cats", came(B, at=MORNING - timedelta(days=900)), stays=False)
    assert listed(made) == [B, A]
    assert [version.number for version in made.versions("cats")] == [1, 0]


def test_a_version_tells_the_models_hash_and_its_published_version() -> None:
    (version,) = ledger(A).versions("cats")
    assert version.sha256 == A[:64]
    assert version.version == A[:12]


def test_the_newest_coming_again_changes_nothing() -> None:
    made = ledger(A, B)
    assert made.with_version("cats", came(B, at=MORNING + timedelta(1)), stays=False) == made


def test_an_older_one_that_comes_again_is_the_newest() -> None:
    made = ledger(A, B, C, A)
    assert listed(made) == [A, C, B]
    assert made.arrivals == 4


def test_an_older_one_that_the_user_goes_back_to_stays_where_it_was() -> None:
    made = ledger(A, B, C)
    assert made.with_version("cats", came(A), stays=True) == made


def test_a_signed_version_that_was_not_asked_for_before_is_remembered() -> None:
    made = ledger(A, B)
    for name, stays in ((B, False), (A, True)):
        changed = made.with_version("cats", came(name, signed_version=7), stays=stays)
        assert listed(changed) == [B, A]
        signed = {version.bundle: version.signed_version for version in changed.versions("cats")}
        assert signed == {A: None, B: None} | {name: 7}


# ---- trials ----------------------------------------------------------------------------------


def test_what_passes_its_trial_is_good() -> None:
    made = ledger(A, B).on_trial("front", "cats", B)
    assert made.standing("front", "cats") == Standing(trial=B)
    assert made.passed("front", "cats", B).standing("front", "cats") == Standing(good=B)


def test_what_fails_leaves_what_was_good_and_a_reason() -> None:
    made = ledger(A, B).on_trial("front", "cats", A).passed("front", "cats", A)
    made = made.on_trial("front", "cats", B).failed("front", "cats", B, "rolled back: too slow")
    assert made.standing("front", "cats") == Standing(A, None, {B: "rolled back: too slow"})


def test_a_trial_without_a_verdict_leaves_nothing() -> None:
    made = ledger(A, B).on_trial("front", "cats", A).passed("front", "cats", A)
    assert made.on_trial("front", "cats", B).abandoned("front", "cats", B) == made


def test_a_failure_is_of_its_pipeline_and_forgotten_when_it_is_tried_again() -> None:
    made = ledger(A).on_trial("front", "cats", A).failed("front", "cats", A, "not finite")
    made = made.on_trial("back", "cats", A).passed("back", "cats", A)
    assert made.failure(A) == "not finite"
    assert made.failure(A, "front") == "not finite"
    assert made.failure(A, "back") is None
    assert made.failure(B) is None
    assert made.on_trial("front", "cats", A).failure(A) is None


def test_an_empty_reason_is_a_reason() -> None:
    assert ledger(A).failed("front", "cats", A, "").failure(A) == ""


def test_a_verdict_on_what_is_not_on_trial_any_more_does_not_end_the_newer_trial() -> None:
    made = ledger(A, B).on_trial("front", "cats", A).on_trial("front", "cats", B)
    assert made.passed("front", "cats", A) == made
    assert made.abandoned("front", "cats", A) == made
    failed = made.failed("front", "cats", A, "too late")
    assert failed.standing("front", "cats") == Standing(None, B, {A: "too late"})


def test_what_is_good_needs_no_trial() -> None:
    made = ledger(A, B).on_trial("front", "cats", A).passed("front", "cats", A)
    assert made.on_trial("front", "cats", A) == made
    assert made.on_trial("front", "cats", B).on_trial("front", "cats", A) == made


def test_two_pipelines_and_two_models_stand_each_by_itself() -> None:
    made = ledger(A).with_version("dogs", came(B), stays=False)
    made = made.on_trial("front", "cats", A).on_trial("back", "cats", A).on_trial("back", "dogs", B)
    made = made.passed("back", "cats", A)
    assert made.standing("front", "cats") == Standing(trial=A)
    assert made.standing("back", "cats") == Standing(good=A)
    assert made.standing("back", "dogs") == Standing(trial=B)
    assert made.in_use() == {A, B}


# ---- what is kept ----------------------------------------------------------------------------


def test_the_newest_of_each_name_are_kept() -> None:
    made = ledger(A, B, C).with_version("dogs", came(D), stays=False).pruned(2)
    assert listed(made) == [C, B]
    assert listed(made, "dogs") == [D]


def test_what_is_good_or_on_trial_is_kept_however_old_it_is() -> None:
    made = ledger(A, B, C, D, E)
    made = made.on_trial("front", "cats", A).passed("front", "cats", A).on_trial("back", "cats", B)
    assert listed(made.pruned(1)) == [E, B, A]


def test_what_is_kept_under_one_name_is_there_for_the_other_too() -> None:
    made = ledger(A, B).with_version("dogs", came(A), stays=False).pruned(1)
    assert made.bundles() == {A, B}


def test_the_failures_of_what_is_gone_are_forgotten() -> None:
    made = ledger(A, B).failed("front", "cats", A, "slow").failed("front", "cats", B, "slow")
    assert made.pruned(1).standing("front", "cats").failures == {B: "slow"}


def test_nothing_is_said_of_what_is_not_there() -> None:
    made = ledger(A, B).on_trial("front", "cats", A).passed("front", "cats", A)
    made = made.on_trial("front", "cats", B).keeping(set())
    assert made.versions("cats") == ()
    assert made.standing("front", "cats") == Standing()
    assert made.arrivals == 2


# ---- as a file -------------------------------------------------------------------------------


def test_it_comes_back_from_its_file_as_it_was() -> None:
    made = ledger(A, B).with_version("dogs", came(C, signed_version=12), stays=False)
    made = made.on_trial("front", "cats", A).passed("front", "cats", A)
    made = made.on_trial("front", "cats", B).failed("back", "dogs", C, "ein „Grund“\n")
    assert decode(encode(made)) == made


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"schema": "edged.ledger/2"}',
        b'{"models": {"cats": [{"bundle": "x"}]}}',
        b'{"pipelines": {"front": {"cats": {"good": "../../etc"}}}}',
        f'{{"pipelines": {{"front": {{"cats": {{"good": "{A}\\n"}}}}}}}}'.encode(),
    ],
)
def test_what_is_no_ledger_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)


WHOLE = encode(ledger(A, B).on_trial("front", "cats", A))


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_damaged_byte_gives_a_ledger_or_a_value_error(place: int, byte: int) -> None:
    damaged = WHOLE[:place] + bytes([byte]) + WHOLE[place + 1 :]
    with contextlib.suppress(ValueError):
        assert isinstance(decode(damaged), Ledger)
