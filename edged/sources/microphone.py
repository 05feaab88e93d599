"""A microphone, through ALSA.

It gives one channel of what ALSA has, -1 to 1, at the rate of the device that is nearest to 16 kHz:
whoever wants another one resamples (``resampling``).
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..samples import Channel, Samples
from .alsa import LIBRARY, SAMPLE, CapturePcm, WrongFormat

RATE_HZ = 16_000
PERIOD_US = 20_000
BUFFER_US = 2_000_000  # edged may be kept from reading for so long before samples are lost
MOST_IN_A_BLOCK_S = 0.1
TIMEOUT_MS = 1000
ATTEMPTS = 4  # to read after an overrun, before the device is opened anew

_CHANNELS = (Channel("audio"),)
_FULL_SCALE = np.float32(32768)
_ABSENT = (errno.ENOENT, errno.ENODEV, errno.EACCES, errno.EPERM, errno.ENXIO)
_SOUND_SERVERS = (errno.EHOSTDOWN, errno.ECONNREFUSED)


class MicrophoneSource:
    """The ALSA device called ``device``; ``root`` is where /proc and /dev are."""

    live = True

    def __init__(
        self,
        device: str,
        *,
        open_pcm: Callable[[str, int, int, int], CapturePcm] = CapturePcm,
        root: Path = Path("/"),
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._device = device
        self._open_pcm = open_pcm
        self._root = root
        self._now_ns = now_ns
        self._pcm: CapturePcm | None = None
        self._buffer = np.zeros(0, SAMPLE)
        self._next = 0
        self._last_ns: int | None = None  # when the sample before that one was taken

    def open(self) -> None:
        self.close()
        try:
            self._pcm = self._open_pcm(self._device, RATE_HZ, PERIOD_US, BUFFER_US)
        except OSError as error:
            raise SourceError(_reason(self._device, error, self._root)) from error
        # Zeros, for ALSA's device `null` fills nothing in.
        self._buffer = np.zeros(round(self._pcm.rate_hz * MOST_IN_A_BLOCK_S), SAMPLE)
        self._next, self._last_ns = 0, None

    def read(self) -> Samples:
        assert self._pcm is not None
        count, lost = self._fill(self._pcm)
        arrived_ns = self._now_ns()
        ns_per_sample = 1e9 / self._pcm.rate_hz
        captured_ns = arrived_ns - round(self._pcm.delay() * ns_per_sample)
        if lost and self._last_ns is not None:
            # By the clock: ALSA tells that samples were lost, not how many.
            elapsed_ns = captured_ns - self._last_ns
            self._next += max(1, round(elapsed_ns / ns_per_sample) - count)
        first, self._next = self._next, self._next + count
        self._last_ns = captured_ns
        values = np.divide(self._buffer[:count, np.newaxis], _FULL_SCALE, dtype=np.float32)
        return Samples(first, values, self._pcm.rate_hz, _CHANNELS, captured_ns, arrived_ns)

    def _fill(self, pcm: CapturePcm) -> tuple[int, bool]:
        """How many samples came into the buffer, and whether some were lost before them."""
        what, lost = f"The microphone {self._device}", False
        for _ in range(ATTEMPTS):
            try:
                if not pcm.wait(TIMEOUT_MS):
                    raise SourceError(f"{what} gave no samples for {TIMEOUT_MS / 1000:g} s.")
                if count := pcm.read(self._buffer):
                    return count, lost
            except OSError as error:
                self._recover(pcm, error)
                lost = True
        raise SourceError(f"{what} loses samples time and again: this machine is too busy.")

    def _recover(self, pcm: CapturePcm, error: OSError) -> None:
        """Raises SourceError where it was no overrun."""
        try:
            if pcm.recover(error):
                return
        except OSError as another:
            error = another
        raise SourceError(_reason(self._device, error, self._root)) from error

    def close(self) -> None:
        pcm, self._pcm = self._pcm, None
        if pcm is not None:
            pcm.close()


def capture_devices(root: Path = Path("/")) -> list[str]:
    """The devices that can record, as they are named in the configuration, with what they are.

    ``sysdefault`` of a card converts, and where the card allows it lets several record at once.
    """
    return [f"{name} ({what})" if what else name for name, what in _found(root)]


def _found(root: Path) -> Iterator[tuple[str, str]]:
    asound = root / "proc/asound"
    try:
        lines = (asound / "pcm").read_text().splitlines()
    except OSError:
        return  # no sound at all in this kernel
    for line in lines:  # "01-00: USB Audio : USB Audio : playback 1 : capture 1"
        place, _, rest = line.partition(": ")
        card, _, device = place.partition("-")
        if ": capture" not in rest:
            continue
        try:
            name = (asound / f"card{int(card)}/id").read_text().strip()
        except (OSError, ValueError):
            continue
        what = rest.partition(" : ")[0].strip()
        if int(device) == 0:
            yield f"sysdefault:CARD={name}", what
        else:
            yield f"plughw:CARD={name},DEV={int(device)}", what


def _reason(device: str, error: OSError, root: Path) -> str:
    """What is wrong with the device, and what to do, in one or two sentences."""
    what = f"The microphone {device}"
    if error.errno is None:
        return (
            f"ALSA's library {LIBRARY} cannot be loaded ({error}): sudo apt install alsa-utils, "
            "which brings it."
        )
    if isinstance(error, WrongFormat):
        converting = f"plug{device}" if device.startswith("hw:") else f'plug:"{device}"'
        return (
            f"{what} does not give one channel of 16-bit samples by itself; "
            f"take {converting}, which converts."
        )
    if error.errno == errno.EBUSY:
        return (
            f"{what} is in use by another program (sudo fuser -v /dev/snd/* tells which). "
            "sysdefault:CARD=... can be shared where the card allows it."
        )
    if error.errno in _ABSENT or error.errno in _SOUND_SERVERS:
        return _not_there(what, error, root)
    return f"{what} has failed: {error.strerror}. See: arecord -D '{device}' -d 1 /dev/null"


def _not_there(what: str, error: OSError, root: Path) -> str:
    # libasound finds no card that it may not open: the same error as for one that is not there.
    controls = list(root.glob("dev/snd/controlC*"))
    if controls and not any(os.access(control, os.R_OK) for control in controls):
        return (
            f"{what} may not be opened: add the user to the group `audio` "
            "(sudo usermod -aG audio USER)."
        )
    if error.errno == errno.EACCES and controls:
        return (
            f"{what} is shared by another user's program, which does not let this one in: "
            "end it, and start it again behind edged."
        )
    found = capture_devices(root)
    if not found:
        return f"{what} is not there, and no other that can record: plug one in (arecord -l)."
    there = f"There is {', '.join(found)}: name it in source.device."
    if error.errno in _SOUND_SERVERS:
        return f"{what} leads to a sound server that does not run for this user. {there}"
    return f"{what} is not there. {there}"
