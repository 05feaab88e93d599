"""Log-mel features of a window of sound, as models of TensorFlow are trained on them.

Frames of ``window`` samples, each ``hop`` after the one before and none beyond the end, are
multiplied by a periodic Hann window and padded with zeros to a power of two; the magnitudes of
their spectrum (to the power ``power``) are summed up by overlapping triangles, evenly spaced on
the mel scale of HTK, mel = 1127 ln(1 + f / 700 Hz), and ``log_offset`` is added before the natural
logarithm. These are the formulae of ``tf.signal.stft``, ``tf.signal.linear_to_mel_weight_matrix``
(whose triangles are straight on the mel scale) and, with their defaults, of YAMNet and VGGish
("CNN Architectures for Large-Scale Audio Classification", Hershey et al., 2017).
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from ..errors import ModelError
from ..records.arrays import FloatArray


class LogMelRule(msgspec.Struct, frozen=True):
    """``frames`` x ``bands`` is what the model takes; ``window`` and ``hop`` are in samples."""

    rate_hz: float
    frames: int
    bands: int
    window: int
    hop: int
    fmin_hz: float
    fmax_hz: float
    power: float
    log_offset: float

    @property
    def length(self) -> int:
        """How many samples it takes."""
        return self.window + (self.frames - 1) * self.hop

    @property
    def said(self) -> str:
        frame_ms, hop_ms = (1000 * samples / self.rate_hz for samples in (self.window, self.hop))
        return (
            f"log-mel features of {frame_ms:g} ms every {hop_ms:g} ms, {self.fmin_hz:g} to "
            f"{self.fmax_hz:g} Hz, of sound at {self.rate_hz:g} Hz"
        )

    def refuse_impossible(self) -> None:
        """Raises ModelError for what no features can be made by."""
        if self.window < 2 or self.hop < 1:
            raise ModelError("its log_mel.window_s or hop_s is shorter than a sample")
        if not self.fmin_hz < self.fmax_hz <= self.rate_hz / 2:
            raise ModelError(
                f"its log-mel bands from {self.fmin_hz:g} to {self.fmax_hz:g} Hz do not lie below "
                f"half of rate_hz = {self.rate_hz:g}. Correct log_mel.fmin_hz and fmax_hz"
            )


class LogMel:
    """Keeps its buffers; one thread uses it."""

    def __init__(self, rule: LogMelRule) -> None:
        self._rule = rule
        fft = 1 << (rule.window - 1).bit_length()
        self._hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(rule.window) / rule.window)).astype(
            np.float32
        )
        self._weights = mel_weights(rule, fft)
        self._padded: FloatArray = np.zeros((rule.frames, fft), np.float32)
        self._features: FloatArray = np.empty((rule.frames, rule.bands), np.float32)

    def features(self, samples: FloatArray) -> FloatArray:
        """``samples``: float32, ``rule.length`` of them. Float32, frames x bands; a buffer that the
        next call writes to.
        """
        rule = self._rule
        frames = np.lib.stride_tricks.sliding_window_view(samples, rule.window)[:: rule.hop]
        np.multiply(frames, self._hann, out=self._padded[:, : rule.window])
        spectrum = np.abs(np.fft.rfft(self._padded))
        if rule.power != 1:
            spectrum **= rule.power
        np.matmul(spectrum, self._weights, out=self._features, casting="same_kind")
        self._features += np.float32(rule.log_offset)
        return np.log(self._features, out=self._features)


def mel_weights(rule: LogMelRule, fft: int) -> npt.NDArray[np.float32]:
    """Float32, bins of the spectrum x bands. The bin of 0 Hz counts for nothing."""
    bins = _mel(np.linspace(0, rule.rate_hz / 2, fft // 2 + 1))[:, None]
    edges = np.linspace(_mel(rule.fmin_hz), _mel(rule.fmax_hz), rule.bands + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)).clip(0)
    weights[0] = 0
    return weights.astype(np.float32)


def _mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(1127 * np.log1p(np.asarray(hz, np.float64) / 700))
