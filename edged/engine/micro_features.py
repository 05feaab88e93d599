"""The TFLite Micro audio front end: from sound to the features that wake word models hear.

Every 10 ms it gives 40 numbers, filterbank energies of the last 30 ms, less the noise that it has
learnt to expect and with their gain controlled: so it has a state of its own. The computation is
that of the C library of TFLite Micro itself, in the package ``pymicro-features``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import MissingExtra
from ..records.arrays import FloatArray

RATE_HZ = 16_000
STEP = 160  # samples from one feature to the next one
FEATURES = 40
_FULL_SCALE = np.float32(32768)
_BYTES_A_SAMPLE = 2


class MicroFeatures:
    """Of one stream of sound; one thread uses it."""

    def __init__(self) -> None:
        """Raises MissingExtra."""
        self._front_end = _new_front_end()
        self._rest = b""

    def reset(self) -> None:
        """Begin a new stream."""
        self._front_end.reset()
        self._rest = b""

    def process(self, samples: FloatArray) -> FloatArray:
        """The features that go on with ``samples`` (float32, any number of them, -1 to 1 at 16
        kHz): float32, n x 40. What is left over waits for the next samples.

        A sample of 16 bits comes out of float32 exactly as it went in.
        """
        steps = np.rint(samples * _FULL_SCALE).clip(-32768, 32767).astype("<i2")
        sound = self._rest + steps.tobytes()
        size = STEP * _BYTES_A_SAMPLE
        whole = len(sound) - len(sound) % size
        self._rest = sound[whole:]
        outputs = [
            self._front_end.process_samples(sound[at : at + size]) for at in range(0, whole, size)
        ]
        # None comes before the first 30 ms are full.
        features = [output.features for output in outputs if output.features]
        return np.array(features, np.float32).reshape(-1, FEATURES)


def refuse_missing() -> None:
    """Raises MissingExtra where the front end is not installed."""
    _new_front_end()


def _new_front_end() -> Any:
    try:
        from pymicro_features import MicroFrontend
    except ImportError as error:
        what = "What prepares sound for wake word models (pymicro-features)"
        raise MissingExtra(what, "audio") from error
    return MicroFrontend()
