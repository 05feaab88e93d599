"""Sound to the features that wake word models hear."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from edged.engine.micro_features import FEATURES, MicroFeatures, refuse_missing
from edged.errors import MissingExtra
from edged.records.arrays import FloatArray

pytest.importorskip("pymicro_features", reason="pymicro-features is not installed")


def sound(seconds: float = 1.0) -> FloatArray:
    """Noise with a tone, in steps of 16 bits, as a microphone gives it."""
    at = np.arange(round(seconds * 16_000))
    steps = 8000 * np.sin(at * 0.3) + np.random.default_rng(1).normal(0, 1000, len(at))
    return (steps.round() / 32768).astype(np.float32)


def as_their_own_front_end_has_it(samples: FloatArray) -> FloatArray:
    """10 ms at a time, from 16 bits."""
    from pymicro_features import MicroFrontend

    front_end = MicroFrontend()
    steps = (samples.astype(np.float64) * 32768).astype(np.int16)
    outputs = [
        front_end.process_samples(steps[at : at + 160].tobytes())
        for at in range(0, len(steps) - 159, 160)
    ]
    return np.array([output.features for output in outputs if output.features], np.float32)


def test_there_is_a_feature_every_10_ms_from_the_first_30_ms_on() -> None:
    features = MicroFeatures()
    assert features.process(sound(0.02)).shape == (0, FEATURES)
    assert features.process(sound(0.01)).shape == (1, FEATURES)
    assert features.process(sound(0.03)).shape == (3, FEATURES)


@pytest.mark.parametrize("size", [1, 100, 160, 480, 777, 16_000])
def test_features_do_not_depend_on_how_the_sound_comes(size: int) -> None:
    samples, features = sound(), MicroFeatures()
    pieces = [features.process(samples[at : at + size]) for at in range(0, len(samples), size)]
    np.testing.assert_array_equal(np.concatenate(pieces), as_their_own_front_end_has_it(samples))


def test_the_bits_of_a_sample_come_back_whole() -> None:
    """Through float32 and back, all 65,536 of them."""
    samples = (np.arange(-32768, 32768) / 32768).astype(np.float32)
    np.testing.assert_array_equal(
        MicroFeatures().process(samples), as_their_own_front_end_has_it(samples)
    )


def test_what_is_louder_than_16_bits_is_cut_off() -> None:
    loud = sound() * 8
    cut = loud.clip(-1, 32767 / 32768)
    np.testing.assert_array_equal(MicroFeatures().process(loud), MicroFeatures().process(cut))


def test_a_new_stream_begins_as_the_first_one_did() -> None:
    samples, features = sound(), MicroFeatures()
    first = features.process(samples[:9999])  # with a rest that is no whole step
    features.reset()
    np.testing.assert_array_equal(features.process(samples[:9999]), first)


def test_a_front_end_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymicro_features", None)
    for needs in (refuse_missing, MicroFeatures):
        with pytest.raises(MissingExtra) as told:
            needs()
        assert str(told.value) == (
            "What prepares sound for wake word models (pymicro-features) is not installed. "
            "Install it with: pip install 'edged[audio]'"
        )
