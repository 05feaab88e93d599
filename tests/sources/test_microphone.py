"""The microphone, on a scripted device, and on one of libasound's own that needs no sound card."""

from __future__ import annotations

import errno
import inspect
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from alsa_devices import alsa_devices

from edged.errors import SourceError
from edged.samples import Channel
from edged.sources.alsa import LIBRARY, CapturePcm, WrongFormat
from edged.sources.microphone import (
    ATTEMPTS,
    BUFFER_US,
    PERIOD_US,
    MicrophoneSource,
    capture_devices,
)

S = 1_000_000_000
MS = 1_000_000

SILENT, SPURIOUS = "no samples in time", "woken for nothing"
Step = npt.NDArray[np.int16] | OSError | str


def overrun() -> OSError:
    return OSError(errno.EPIPE, "Broken pipe")


def unplugged() -> OSError:
    return OSError(errno.ENODEV, "No such device")


def recorded(*samples: int) -> npt.NDArray[np.int16]:
    return np.array(samples, np.int16)


class ScriptedPcm:
    """Gives what its script says: samples, errors. ``behind``: what ``delay`` tells."""

    def __init__(self, script: list[Step], rate_hz: int = 16_000, behind: int = 0) -> None:
        self.script = script
        self.rate_hz = rate_hz
        self.behind = behind
        self.error_on_recover: OSError | None = None
        self.calls: list[str] = []

    def wait(self, timeout_ms: int) -> bool:
        assert 0 < timeout_ms <= 1000  # capture is given 2 s to stop
        return self.script[0] is not SILENT

    def read(self, samples: npt.NDArray[np.int16]) -> int:
        step = self.script.pop(0)
        if isinstance(step, OSError):
            raise step
        if isinstance(step, str):
            return 0
        samples[: step.size] = step
        return step.size

    def delay(self) -> int:
        return self.behind

    def recover(self, error: OSError) -> bool:
        self.calls.append("recover")
        if self.error_on_recover is not None:
            raise self.error_on_recover
        return error.errno == errno.EPIPE

    def close(self) -> None:
        self.calls.append("close")


class Clock:
    now_ns = 50 * S

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def listening(clock: Clock, tmp_path: Path) -> Callable[[ScriptedPcm], MicrophoneSource]:
    """An open source on a scripted device."""

    def listening(pcm: ScriptedPcm) -> MicrophoneSource:
        def open_pcm(*asked: object) -> CapturePcm:
            assert asked == ("mic", 16_000, PERIOD_US, BUFFER_US)
            return pcm  # type: ignore[return-value]

        source = MicrophoneSource("mic", open_pcm=open_pcm, root=tmp_path, now_ns=clock)
        source.open()
        return source

    return listening


Listening = Callable[[ScriptedPcm], MicrophoneSource]


def refused(error: OSError, root: Path, device: str = "hw:1") -> str:
    """What is said when the device cannot be opened for that reason."""

    def open_pcm(*asked: object) -> CapturePcm:
        raise error

    with pytest.raises(SourceError) as caught:
        MicrophoneSource(device, open_pcm=open_pcm, root=root).open()
    assert caught.value.__cause__ is error
    return str(caught.value)


def test_the_scripted_device_is_of_the_real_ones_shape() -> None:
    for name in ("wait", "read", "delay", "recover", "close"):
        real, fake = (inspect.signature(getattr(of, name)) for of in (CapturePcm, ScriptedPcm))
        assert list(real.parameters) == list(fake.parameters), name


# ---- samples -------------------------------------------------------------------------------------


def test_a_block_is_one_channel_of_shares_of_the_full_scale(listening: Listening) -> None:
    block = listening(ScriptedPcm([recorded(-32768, -1, 0, 1, 32767)], rate_hz=48_000)).read()

    assert block.values.dtype == np.float32
    assert block.values.tolist() == [[-1.0], [-1 / 32768], [0.0], [1 / 32768], [32767 / 32768]]
    assert (block.rate_hz, block.channels) == (48_000, (Channel("audio"),))


def test_samples_are_counted_from_the_opening(listening: Listening) -> None:
    pcm = ScriptedPcm([recorded(1, 2, 3), recorded(4), recorded(5)])
    source = listening(pcm)

    assert [source.read().first, source.read().first] == [0, 3]
    source.open()
    assert source.read().first == 0


def test_a_block_does_not_change_when_the_next_one_comes(listening: Listening) -> None:
    source = listening(ScriptedPcm([recorded(1, 2), recorded(3, 4)]))

    first = source.read()
    source.read()

    assert (first.values[:, 0] * 32768).tolist() == [1, 2]


def test_what_lies_in_the_buffer_was_taken_later(listening: Listening, clock: Clock) -> None:
    block = listening(ScriptedPcm([recorded(*range(320))], behind=160)).read()

    assert block.arrived_ns == clock.now_ns
    assert block.captured_ns == clock.now_ns - 10 * MS


def test_an_overrun_is_a_gap_as_long_as_the_clock_says(listening: Listening, clock: Clock) -> None:
    pcm = ScriptedPcm([recorded(*range(320)), overrun(), recorded(*range(160)), recorded(7)])
    source = listening(pcm)
    source.read()

    clock.now_ns += 2 * S
    after = source.read()
    again = source.read()

    # 2 s are 32,000 samples, the last 160 of which are there.
    assert after.first == 320 + 32_000 - 160
    assert again.first == after.first + 160
    assert pcm.calls == ["recover"]


def test_an_overrun_loses_one_sample_at_least(listening: Listening) -> None:
    source = listening(ScriptedPcm([recorded(1, 2), overrun(), recorded(3)]))
    source.read()

    assert source.read().first == 3


def test_before_the_first_sample_nothing_can_be_lost(listening: Listening, clock: Clock) -> None:
    source = listening(ScriptedPcm([overrun(), recorded(1)]))
    clock.now_ns += S

    assert source.read().first == 0


def test_to_be_woken_for_nothing_is_no_gap(listening: Listening, clock: Clock) -> None:
    source = listening(ScriptedPcm([recorded(1), SPURIOUS, recorded(2)]))
    source.read()
    clock.now_ns += S

    assert source.read().first == 1


# ---- failures ------------------------------------------------------------------------------------


def test_a_device_that_stays_silent_is_an_error(listening: Listening) -> None:
    with pytest.raises(SourceError, match=r"The microphone mic gave no samples for 1 s\."):
        listening(ScriptedPcm([SILENT])).read()


def test_overruns_without_end_are_an_error(listening: Listening) -> None:
    with pytest.raises(SourceError, match="loses samples time and again"):
        listening(ScriptedPcm([overrun() for _ in range(ATTEMPTS)])).read()


def test_a_device_that_is_pulled_out_is_an_error(listening: Listening) -> None:
    with pytest.raises(SourceError, match="The microphone mic is not there") as caught:
        listening(ScriptedPcm([unplugged()])).read()

    assert isinstance(caught.value.__cause__, OSError)


def test_a_device_that_is_pulled_out_during_an_overrun_is_an_error(listening: Listening) -> None:
    pcm = ScriptedPcm([overrun()])
    pcm.error_on_recover = unplugged()

    with pytest.raises(SourceError, match="The microphone mic is not there"):
        listening(pcm).read()


def test_it_can_be_closed_twice_and_without_having_been_opened(listening: Listening) -> None:
    MicrophoneSource("mic").close()
    pcm = ScriptedPcm([])
    source = listening(pcm)

    source.close()
    source.close()

    assert pcm.calls == ["close"]


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """/proc/asound of a Pi 4 with a USB microphone, and one of a card with two devices."""
    pcm = """00-00: bcm2835 HDMI 1 : bcm2835 HDMI 1 : playback 8
01-00: USB Audio : USB Audio : playback 1 : capture 1
02-01: Loopback PCM : Loopback PCM : playback 8 : capture 8
"""
    for number, name in enumerate(("vc4hdmi0", "Device", "Loopback")):
        (tmp_path / f"proc/asound/card{number}").mkdir(parents=True)
        (tmp_path / f"proc/asound/card{number}/id").write_text(f"{name}\n")
    (tmp_path / "proc/asound/pcm").write_text(pcm)
    (tmp_path / "dev/snd").mkdir(parents=True)
    for number in range(3):
        (tmp_path / f"dev/snd/controlC{number}").touch()
    return tmp_path


def test_the_devices_that_record_are_found(cards: Path) -> None:
    assert capture_devices(cards) == [
        "sysdefault:CARD=Device (USB Audio)",
        "plughw:CARD=Loopback,DEV=1 (Loopback PCM)",
    ]


def test_where_the_kernel_has_no_sound_there_are_none(tmp_path: Path) -> None:
    assert capture_devices(tmp_path) == []


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "No such file or directory"), unplugged()], ids=str
)
def test_a_device_that_is_not_there_is_told_with_those_that_are(
    cards: Path, error: OSError
) -> None:
    assert refused(error, cards) == (
        "The microphone hw:1 is not there. There is sysdefault:CARD=Device (USB Audio), "
        "plughw:CARD=Loopback,DEV=1 (Loopback PCM): name it in source.device."
    )


def test_where_nothing_can_record_that_is_told(tmp_path: Path) -> None:
    assert refused(unplugged(), tmp_path) == (
        "The microphone hw:1 is not there, and no other that can record: plug one in (arecord -l)."
    )


def test_a_user_who_may_not_listen_is_told_of_the_group(tmp_path: Path) -> None:
    (tmp_path / "dev/snd").mkdir(parents=True)
    # Not even root may open it.
    (tmp_path / "dev/snd/controlC0").symlink_to("nowhere")

    said = refused(OSError(errno.ENOENT, "No such file or directory"), tmp_path)

    assert said == (
        "The microphone hw:1 may not be opened: add the user to the group `audio` "
        "(sudo usermod -aG audio USER)."
    )


@pytest.mark.parametrize(
    ("device", "error", "said"),
    [
        ("hw:1", OSError(errno.EBUSY, "Device or resource busy"), "is in use by another program"),
        ("hw:1", WrongFormat(errno.EINVAL, "Invalid argument"), "take plughw:1, which converts"),
        ("mine", WrongFormat(errno.EINVAL, "Invalid argument"), 'take plug:"mine", which'),
        ("plug:ear", OSError(errno.EACCES, "Permission denied"), "by another user's program"),
        ("default", OSError(errno.EHOSTDOWN, "Host is down"), "a sound server that does not run"),
        ("hw:1", OSError(errno.EIO, "Input/output error"), "has failed: Input/output error. See: "),
        ("hw:1", OSError(f"{LIBRARY}: cannot open"), "sudo apt install alsa-utils"),
    ],
)
def test_why_it_cannot_be_opened_is_told(
    cards: Path, device: str, error: OSError, said: str
) -> None:
    assert said in refused(error, cards, device)


# ---- libasound itself, with a device that plays a file and needs no card ------------------------


@pytest.fixture
def noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> npt.NDArray[np.int16]:
    """What the device ``recorder`` gives."""
    noise = np.random.default_rng(6).integers(-32768, 32768, 16_000).astype(np.int16)
    alsa_devices(tmp_path, monkeypatch, noise)
    caplog.set_level(logging.INFO)  # at DEBUG libasound may write to standard error
    return noise


def test_alsa_gives_what_was_recorded(noise: npt.NDArray[np.int16]) -> None:
    source = MicrophoneSource("recorder")
    source.open()
    blocks = [source.read() for _ in range(3)]
    source.close()

    heard = np.concatenate([block.values[:, 0] for block in blocks])
    np.testing.assert_array_equal(heard, noise[: heard.size] / np.float32(32768))
    assert heard.size > 0
    assert {block.rate_hz for block in blocks} == {16_000}
    assert [block.first for block in blocks] == [0, 1600, 3200]


def test_alsa_starts_anew_after_an_overrun_only(noise: npt.NDArray[np.int16]) -> None:
    pcm = CapturePcm("recorder", 16_000, PERIOD_US, BUFFER_US)

    assert pcm.recover(overrun())
    assert not pcm.recover(unplugged())
    assert pcm.read(np.empty(100, np.int16)) == 100
    pcm.close()
    pcm.close()


@pytest.mark.usefixtures("noise")
def test_alsa_refuses_a_device_that_nobody_knows(capfd: pytest.CaptureFixture[str]) -> None:
    source = MicrophoneSource("nobody")

    with pytest.raises(SourceError, match="The microphone nobody"):
        source.open()
    source.close()

    assert capfd.readouterr().err == ""
