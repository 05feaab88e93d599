from __future__ import annotations

import math

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.errors import SourceError
from edged.records.arrays import FloatArray
from edged.sources.resampling import Resampler, same_rate

RATES = [(48_000, 16_000), (44_100, 16_000), (8_000, 16_000), (1000, 100), (25, 10), (100, 104.2)]


def tone(hz: float, rate_hz: float, count: int) -> FloatArray:
    """A sine, and as a second channel the cosine."""
    angle = 2 * np.pi * hz * np.arange(count) / rate_hz
    return np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


def resampled(values: FloatArray, from_hz: float, to_hz: float) -> FloatArray:
    resampler = Resampler(from_hz, to_hz)
    return np.concatenate([resampler.feed(values), resampler.flush()])


def inner(values: FloatArray) -> FloatArray:
    return values[80:-80]  # away from the edges, where nothing is known of what lies beyond


def loudness_db(values: FloatArray) -> float:
    return 20 * math.log10(float(np.abs(values).max()))


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.65])
def test_a_tone_stays_the_same_tone_in_step(from_hz: float, to_hz: float, share: float) -> None:
    hz = share * min(from_hz, to_hz) / 2
    given = resampled(tone(hz, from_hz, 12_000), from_hz, to_hz)
    expected = tone(hz, to_hz, len(given))
    # 104.2 of 100 is taken as 521/500, which it is.
    assert loudness_db(inner(given) - inner(expected)) < -70


@pytest.mark.parametrize(("from_hz", "to_hz"), [pair for pair in RATES if pair[0] > pair[1]])
@pytest.mark.parametrize("share", [1.01, 1.4, 1.9])
def test_what_the_slower_rate_cannot_hold_is_gone(
    from_hz: float, to_hz: float, share: float
) -> None:
    given = resampled(tone(share * to_hz / 2, from_hz, 12_000), from_hz, to_hz)
    assert loudness_db(inner(given)) < -78


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_gravity_stays_as_it_is_from_the_first_sample_to_the_last(
    from_hz: float, to_hz: float
) -> None:
    given = resampled(np.full((1000, 3), 9.80665, np.float32), from_hz, to_hz)
    np.testing.assert_allclose(given, 9.80665, rtol=1e-6)


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES[:3])
def test_it_agrees_with_a_library_made_for_sound(from_hz: float, to_hz: float) -> None:
    """soxr at its best, with what both let through as it is."""
    spectrum = np.fft.rfftfreq(12_000, 1 / from_hz) < 0.7 * min(from_hz, to_hz) / 2
    noise = np.random.default_rng(5).normal(size=(12_000, 2)).astype(np.float32)
    shaped = np.fft.irfft(np.fft.rfft(noise, axis=0) * spectrum[:, None], axis=0)
    values = (shaped / np.abs(shaped).max()).astype(np.float32)
    reference = soxr.resample(values, from_hz, to_hz, quality="VHQ")
    given = resampled(values, from_hz, to_hz)
    assert abs(len(given) - len(reference)) <= 1
    count = min(len(given), len(reference))
    assert loudness_db((given[:count] - reference[:count])[500:-500]) < -70


@settings(max_examples=40)
@given(
    rates=st.sampled_from(RATES),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=8),
)
def test_how_a_stream_is_cut_into_blocks_changes_nothing(
    rates: tuple[float, float], sizes: list[int]
) -> None:
    values = np.random.default_rng(1).normal(size=(sum(sizes), 2)).astype(np.float32)
    resampler = Resampler(*rates)
    parts = [resampler.feed(part) for part in np.split(values, np.cumsum(sizes)[:-1])]
    given = np.concatenate([*parts, resampler.flush()])
    np.testing.assert_allclose(given, resampled(values, *rates), atol=1e-5)
    # From the moment of the first sample to that of the last, and not beyond.
    assert len(given) == math.floor((len(values) - 1) * resampler.ratio) + 1


def test_a_slow_sensor_is_not_kept_waiting_for_more_than_a_few_samples() -> None:
    resampler = Resampler(25, 10)
    assert resampler.reach == 40
    came = [len(resampler.feed(np.zeros((1, 1), np.float32))) for _ in range(100)]
    assert came.index(1) == resampler.reach
    assert sum(came) == 24


@pytest.mark.parametrize(
    ("one_hz", "other_hz", "same"),
    [(16_000, 16_000, True), (100.09, 100, True), (99.91, 100, True), (100.2, 100, False)],
)
def test_rates_are_the_same_within_a_thousandth(one_hz: float, other_hz: float, same: bool) -> None:
    assert same_rate(one_hz, other_hz) is same


@pytest.mark.parametrize(("from_hz", "to_hz"), [(1e6, 10), (10, 1e6)])
def test_rates_that_are_too_far_apart_are_refused(from_hz: float, to_hz: float) -> None:
    with pytest.raises(SourceError, match="too far apart"):
        Resampler(from_hz, to_hz)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(33.337, 1), (49.983, 7.1), (7.1, 49.983)])
def test_any_two_rates_are_met_to_a_thousandth(from_hz: float, to_hz: float) -> None:
    assert same_rate(from_hz * float(Resampler(from_hz, to_hz).ratio), to_hz)
