"""What edged calls of ALSA's own library, libasound, to record from one device.

Called directly, without a package between: the functions below have been the same for twenty years
(``libasound.so.2``), they tell an overrun from an unplugged device by number, and no compiler is
needed. A function of libasound gives a negative errno where it fails; it becomes an OSError here.
Parameters and constants: alsa/pcm.h.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import logging
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p

import numpy as np
import numpy.typing as npt

log = logging.getLogger(__name__)

LIBRARY = "libasound.so.2"
_STREAM_CAPTURE = 1
_NONBLOCK = 1
_ACCESS_RW_INTERLEAVED = 3
_FORMAT_S16_LE = 2
SAMPLE = np.dtype("<i2")
_BEYOND_ERRNO = 500_000  # errors of libasound's own are numbered from here on

_NUMBER = POINTER(c_uint)
_SIGNATURES: dict[str, tuple[type | None, list[type]]] = {
    "snd_asoundlib_version": (c_char_p, []),
    "snd_lib_error_set_handler": (c_int, [c_void_p]),
    "snd_strerror": (c_char_p, [c_int]),
    "snd_pcm_open": (c_int, [POINTER(c_void_p), c_char_p, c_int, c_int]),
    "snd_pcm_close": (c_int, [c_void_p]),
    "snd_pcm_start": (c_int, [c_void_p]),
    "snd_pcm_wait": (c_int, [c_void_p, c_int]),
    "snd_pcm_readi": (c_long, [c_void_p, c_void_p, c_ulong]),
    "snd_pcm_delay": (c_int, [c_void_p, POINTER(c_long)]),
    "snd_pcm_recover": (c_int, [c_void_p, c_int, c_int]),
    "snd_pcm_hw_params": (c_int, [c_void_p, c_void_p]),
    "snd_pcm_hw_params_malloc": (c_int, [POINTER(c_void_p)]),
    "snd_pcm_hw_params_free": (None, [c_void_p]),
    "snd_pcm_hw_params_any": (c_int, [c_void_p, c_void_p]),
    "snd_pcm_hw_params_set_access": (c_int, [c_void_p, c_void_p, c_int]),
    "snd_pcm_hw_params_set_format": (c_int, [c_void_p, c_void_p, c_int]),
    "snd_pcm_hw_params_set_channels": (c_int, [c_void_p, c_void_p, c_uint]),
    "snd_pcm_hw_params_set_rate_resample": (c_int, [c_void_p, c_void_p, c_uint]),
    "snd_pcm_hw_params_set_rate_near": (c_int, [c_void_p, c_void_p, _NUMBER, POINTER(c_int)]),
    "snd_pcm_hw_params_set_period_time_near": (
        c_int,
        [c_void_p, c_void_p, _NUMBER, POINTER(c_int)],
    ),
    "snd_pcm_hw_params_set_buffer_time_near": (
        c_int,
        [c_void_p, c_void_p, _NUMBER, POINTER(c_int)],
    ),
}


class WrongFormat(OSError):
    """The device does not give one channel of 16-bit samples, and nothing converts for it."""


class CapturePcm:
    """One open device, which records 16-bit samples of one channel. For one thread.

    ``rate_hz``: what the device itself has nearest to what is asked. ALSA would convert to any
    other, by linear interpolation, which lets through what a filter should have taken out.
    """

    def __init__(self, device: str, rate_hz: int, period_us: int, buffer_us: int) -> None:
        """Opens and starts it. Raises OSError; WrongFormat; one without errno: no libasound."""
        self._lib = _library()
        self._pcm = c_void_p()
        self._do("snd_pcm_open", byref(self._pcm), device.encode(), _STREAM_CAPTURE, _NONBLOCK)
        try:
            self.rate_hz = self._configure(rate_hz, period_us, buffer_us)
            self._do("snd_pcm_start", self._pcm)
        except OSError:
            self.close()
            raise

    def _configure(self, rate_hz: int, period_us: int, buffer_us: int) -> int:
        params, rate, own = c_void_p(), c_uint(rate_hz), "snd_pcm_hw_params"
        self._do(f"{own}_malloc", byref(params))
        try:
            self._do(f"{own}_any", self._pcm, params)
            self._do(f"{own}_set_rate_resample", self._pcm, params, 0)
            try:
                self._do(f"{own}_set_access", self._pcm, params, _ACCESS_RW_INTERLEAVED)
                self._do(f"{own}_set_format", self._pcm, params, _FORMAT_S16_LE)
                self._do(f"{own}_set_channels", self._pcm, params, 1)
            except OSError as error:
                raise WrongFormat(*error.args) from error
            self._do(f"{own}_set_rate_near", self._pcm, params, byref(rate), None)
            for what, asked_us in (("period", period_us), ("buffer", buffer_us)):
                call = f"{own}_set_{what}_time_near"
                self._do(call, self._pcm, params, byref(c_uint(asked_us)), None)
            self._do(own, self._pcm, params)
        finally:
            self._lib.snd_pcm_hw_params_free(params)
        return rate.value

    def wait(self, timeout_ms: int) -> bool:
        """Whether a period's samples are there, within that time. Raises OSError."""
        return self._do("snd_pcm_wait", self._pcm, timeout_ms) > 0

    def read(self, samples: npt.NDArray[np.int16]) -> int:
        """Fill in what is there, as much as fits; how many samples that was. Raises OSError, and
        EPIPE among them when samples were lost since the last call.
        """
        try:
            return self._do("snd_pcm_readi", self._pcm, samples.ctypes.data, samples.size)
        except BlockingIOError:
            return 0

    def delay(self) -> int:
        """How many samples the device has recorded beyond those that were read; 0 if untold."""
        behind = c_long()
        told = self._lib.snd_pcm_delay(self._pcm, byref(behind)) == 0
        return max(0, behind.value) if told else 0

    def recover(self, error: OSError) -> bool:
        """Start anew after an overrun or the machine's sleep; False where it was neither.

        Raises OSError where that fails.
        """
        if error.errno not in (errno.EPIPE, errno.ESTRPIPE):
            return False
        self._do("snd_pcm_recover", self._pcm, -error.errno, 1)
        self._do("snd_pcm_start", self._pcm)
        return True

    def close(self) -> None:
        if self._pcm:
            self._lib.snd_pcm_close(self._pcm)
            self._pcm = c_void_p()

    def _do(self, name: str, *arguments: object) -> int:
        result: int = getattr(self._lib, name)(*arguments)
        if result < 0:
            words = self._lib.snd_strerror(result).decode(errors="replace")
            raise OSError(-result if -result < _BEYOND_ERRNO else errno.EIO, words)
        return result


@functools.cache
def _library() -> ctypes.CDLL:
    """Raises OSError, without an errno, where it is not installed."""
    lib = ctypes.CDLL(LIBRARY)
    for name, (result, parameters) in _SIGNATURES.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, parameters
    if not log.isEnabledFor(logging.DEBUG):
        # It writes several lines about each failure to standard error, with every retry. Its
        # handler must be a C function that does nothing: this one only returns a constant.
        lib.snd_lib_error_set_handler(ctypes.cast(lib.snd_asoundlib_version, c_void_p))
    return lib
