"""Log-mel features, held against their definition, written out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace

from edged.engine.log_mel import LogMel, LogMelRule, mel_weights
from edged.records.arrays import FloatArray

YAMNET = LogMelRule(
    rate_hz=16_000,
    frames=6,
    bands=64,
    window=400,
    hop=160,
    fmin_hz=125,
    fmax_hz=7500,
    power=1,
    log_offset=0.001,
)


def mel(hz: float) -> float:
    """O'Shaughnessy's formula, of the logarithm to base 10, as HTK has it."""
    return 2595 * math.log10(1 + hz / 700)


def by_definition(samples: FloatArray, rule: LogMelRule) -> npt.NDArray[np.float64]:
    """Every sum written out: no FFT, no matrix."""
    size = 2 ** math.ceil(math.log2(rule.window))
    edges = [
        mel(rule.fmin_hz) + (mel(rule.fmax_hz) - mel(rule.fmin_hz)) * i / (rule.bands + 1)
        for i in range(rule.bands + 2)
    ]
    n = np.arange(rule.window)
    hann = 0.5 - 0.5 * np.cos(2 * math.pi * n / rule.window)
    features = np.zeros((rule.frames, rule.bands))
    for frame in range(rule.frames):
        part = samples[frame * rule.hop : frame * rule.hop + rule.window].astype(np.float64) * hann
        for k in range(1, size // 2 + 1):
            strength = abs(np.sum(part * np.exp(-2j * math.pi * k * n / size))) ** rule.power
            at = mel(k * rule.rate_hz / size)
            for band in range(rule.bands):
                low, centre, high = edges[band : band + 3]
                if low < at < high:
                    rising = (at - low) / (centre - low)
                    falling = (high - at) / (high - centre)
                    features[frame, band] += strength * min(rising, falling)
    return np.log(features + rule.log_offset)


def sound(rule: LogMelRule) -> FloatArray:
    at = np.arange(rule.length) / rule.rate_hz
    noise = np.random.default_rng(3).normal(0, 0.05, rule.length)
    return (0.3 * np.sin(2 * math.pi * 440 * at) + noise).astype(np.float32)


@pytest.mark.parametrize(
    "rule",
    [
        YAMNET,
        replace(YAMNET, power=2, log_offset=1e-6),
        replace(YAMNET, rate_hz=8000, bands=20, window=256, hop=256, fmin_hz=0, fmax_hz=4000),
    ],
)
def test_features_are_those_of_the_definition(rule: LogMelRule) -> None:
    samples = sound(rule)
    found = LogMel(rule).features(samples)
    assert (found.shape, found.dtype) == ((rule.frames, rule.bands), np.float32)
    np.testing.assert_allclose(found, by_definition(samples, rule), atol=2e-4)


def test_yamnets_patch_takes_96_frames_in_975_ms() -> None:
    """As its authors count: 0.96 s, and the rest of the last frame."""
    assert replace(YAMNET, frames=96).length == 15_600


def test_silence_gives_the_logarithm_of_the_offset() -> None:
    silence = np.zeros(YAMNET.length, np.float32)
    np.testing.assert_allclose(LogMel(YAMNET).features(silence), math.log(0.001), rtol=1e-6)


def test_a_tone_is_strongest_in_the_band_that_it_lies_in() -> None:
    at = np.arange(YAMNET.length) / YAMNET.rate_hz
    tone = np.sin(2 * math.pi * 1000 * at).astype(np.float32)
    step = (mel(7500) - mel(125)) / 65
    band = round((mel(1000) - mel(125)) / step) - 1
    assert (LogMel(YAMNET).features(tone).argmax(axis=1) == band).all()


def test_the_next_sound_finds_nothing_of_the_one_before() -> None:
    log_mel, samples = LogMel(YAMNET), sound(YAMNET)
    first = log_mel.features(samples).copy()
    log_mel.features(samples[::-1].copy())
    np.testing.assert_array_equal(log_mel.features(samples), first)


def test_each_band_is_a_triangle_and_0_hz_counts_for_nothing() -> None:
    weights = mel_weights(YAMNET, 512)
    assert weights.shape == (257, 64)
    assert not weights[0].any()
    assert (weights.max(axis=0) <= 1).all()
    assert (weights.sum(axis=0) > 0).all()
