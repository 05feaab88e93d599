from __future__ import annotations

import contextlib
import logging
import re
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import SourceError
from edged.records.arrays import AnyArray, FloatArray
from edged.samples import Channel, Samples
from edged.sources import Unreadable
from edged.sources.wav import WavSource

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
RATE_HZ = 16_000
RAMP = np.arange(-32768, 32768, 97, dtype=np.int16)


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def form(tag: int, width: int, channels: int = 1, rate_hz: int = RATE_HZ) -> bytes:
    step = width * channels
    return struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * step, step, 8 * width)


def extensible(tag: int, width: int, channels: int = 1) -> bytes:
    guid = struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
    return form(EXTENSIBLE, width, channels) + struct.pack("<HHI", 22, 8 * width, 0) + guid


def riff(*chunks: bytes) -> bytes:
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def written(path: Path, *chunks: bytes) -> Path:
    path.write_bytes(riff(*chunks))
    return path


def recording(path: Path, numbers: AnyArray = RAMP, rate_hz: int = RATE_HZ) -> Path:
    """By Python's own writer."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(numbers.astype("<i2").tobytes())
    return path


def blocks_of(path: Path, *, loop: bool = False, most: int = 1000) -> list[Samples]:
    source = WavSource(path, loop=loop, realtime=False)
    source.open()
    blocks = []
    for _ in range(most):
        block = source.read()
        if block is None:
            break
        blocks.append(block)
    source.close()
    return blocks


def sound_of(path: Path) -> FloatArray:
    values = np.concatenate([block.values for block in blocks_of(path)])
    assert values.dtype == np.float32
    assert values.shape[1] == 1
    return values[:, 0]


def test_every_16_bit_number_comes_back_exactly(tmp_path: Path) -> None:
    numbers = np.arange(-32768, 32768, dtype=np.int16)
    sound = sound_of(recording(tmp_path / "all.wav", numbers))
    np.testing.assert_array_equal(sound * 32768, numbers)


def test_a_block_is_of_one_channel_of_sound_at_the_rate_of_the_file(tmp_path: Path) -> None:
    first, *_ = blocks_of(recording(tmp_path / "a.wav", np.zeros(10_000, np.int16), 44_100))
    assert (first.first, len(first.values), first.rate_hz) == (0, 4410, 44_100)
    assert first.channels == (Channel("audio"),)


@pytest.mark.parametrize("header", [form, extensible], ids=["plain", "extensible"])
@pytest.mark.parametrize(
    ("tag", "width", "data"),
    [
        (PCM, 1, (RAMP.astype(np.int32) // 256 + 128).astype(np.uint8).tobytes()),
        (PCM, 2, RAMP.astype("<i2").tobytes()),
        (PCM, 3, (RAMP.astype("<i4") * 256).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()),
        (PCM, 4, (RAMP.astype("<i4") * 65536).tobytes()),
        (FLOAT, 4, (RAMP.astype("<f4") / 32768).tobytes()),
        (FLOAT, 8, (RAMP.astype("<f8") / 32768).tobytes()),
    ],
    ids=["8", "16", "24", "32", "float32", "float64"],
)
def test_numbers_of_every_width_are_the_same_sound(
    tmp_path: Path, header: object, tag: int, width: int, data: bytes
) -> None:
    assert callable(header)
    path = written(
        tmp_path / "a.wav",
        chunk(b"JUNK", b"odd"),
        chunk(b"fmt ", header(tag, width)),
        chunk(b"LIST", b"INFO by a recorder"),
        chunk(b"data", data),
        chunk(b"id3 ", b"\xff" * 999),
    )
    expected = RAMP / 32768 if width > 1 else RAMP // 256 / 128
    np.testing.assert_array_equal(sound_of(path), expected.astype(np.float32))


@pytest.mark.parametrize("tag", [PCM, FLOAT])
def test_several_channels_are_mixed_to_their_mean(tmp_path: Path, tag: int) -> None:
    left, right = RAMP, RAMP[::-1] // 2
    stereo = np.stack([left, right], axis=1)
    values = stereo.astype("<i2") if tag == PCM else (stereo / 32768).astype("<f4")
    header = form(tag, values.itemsize, channels=2)
    path = written(tmp_path / "a.wav", chunk(b"fmt ", header), chunk(b"data", values.tobytes()))
    expected = (left.astype(np.float64) + right) / 2 / 32768
    np.testing.assert_array_equal(sound_of(path), expected.astype(np.float32))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a WAV file."),
        (b"RIFF\x24\0\0\0AVI LIST", "is not a WAV file."),
        (b"OggS" * 100, "is not a WAV file."),
        (riff(), "holds no sound."),
        (riff(chunk(b"fmt ", form(PCM, 2))), "holds no sound."),
        (riff(chunk(b"fmt ", form(PCM, 2)), chunk(b"data", b"")), "holds no sound."),
        (
            riff(chunk(b"fmt ", form(PCM, 2)), chunk(b"data", b""), chunk(b"LIST", b"INFO" * 9)),
            "holds no sound.",
        ),
        (riff(chunk(b"data", b"1234"), chunk(b"fmt ", form(PCM, 2))), "holds no sound."),
        (
            riff(chunk(b"fmt ", form(PCM, 2)[:12]), chunk(b"data", b"1234")),
            "is damaged: its header is cut short.",
        ),
        (
            riff(chunk(b"fmt ", form(PCM, 2, channels=0)), chunk(b"data", b"1234")),
            "is damaged: its header tells of 0 channels at 16000 Hz in 0 bytes.",
        ),
        (
            riff(chunk(b"fmt ", form(PCM, 2, rate_hz=0)), chunk(b"data", b"1234")),
            "is damaged: its header tells of 1 channels at 0 Hz in 2 bytes.",
        ),
        (
            riff(chunk(b"fmt ", form(7, 1)), chunk(b"data", b"1234")),
            "is of a kind that edged does not play (mu-law). Convert it to plain samples: "
            "sox IN.wav -e signed -b 16 OUT.wav",
        ),
        (
            riff(chunk(b"fmt ", form(0x1234, 1)), chunk(b"data", b"1234")),
            "is of a kind that edged does not play (format 0x1234). ",
        ),
        (
            riff(chunk(b"fmt ", form(PCM, 8)), chunk(b"data", b"12345678")),
            "is of a kind that edged does not play (64 bits). ",
        ),
    ],
)
def test_what_cannot_be_played_is_told_in_a_sentence(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=f"^{re.escape('a.wav ' + reason)}"):
        blocks_of(path)


@given(
    spoilt=st.lists(st.tuples(st.integers(0, 75), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 120),
)
def test_whatever_a_file_holds_only_sentences_come_of_it(
    tmp_path_factory: pytest.TempPathFactory, spoilt: list[tuple[int, int]], cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.wav"
    header = extensible(FLOAT, 4)
    content = bytearray(riff(chunk(b"fmt ", header), chunk(b"data", bytes(range(60)))))
    for at, value in spoilt:
        content[at] = value
    path.write_bytes(content[:cut])
    source = WavSource(path, loop=False, realtime=False)
    reason, blocks = "", 0
    try:
        source.open()
        while True:
            with contextlib.suppress(Unreadable):
                block = source.read()
                if block is None:
                    break
                assert np.isfinite(block.values).all()
                blocks += 1
    except SourceError as error:
        reason = str(error)
    source.close()
    assert bool(reason) != bool(blocks)
    assert reason.isprintable()


def test_a_path_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.wav: there is no such file or directory\.$"):
        blocks_of(tmp_path / "a.wav")
    with pytest.raises(SourceError, match=r"holds no recordings; files in \.wav or \.wave are"):
        blocks_of(tmp_path)


def test_a_file_cut_short_is_played_as_far_as_it_goes_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = recording(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:-101])  # and in the midst of a sample
    np.testing.assert_array_equal(sound_of(path) * 32768, RAMP[:-51])
    assert caplog.messages == ["a.wav ended after 625 of 676 samples: it is cut short."]


@pytest.mark.parametrize(
    ("riff_size", "data_size"),
    [(0, 0), (36, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000)],
    ids=["killed", "killed-later", "ffmpeg", "sox"],
)
def test_a_recorder_that_did_not_fill_in_the_size_is_understood(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, riff_size: int, data_size: int
) -> None:
    path = recording(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    content[4:8] = struct.pack("<I", riff_size)
    content[40:44] = struct.pack("<I", data_size)
    path.write_bytes(content)
    np.testing.assert_array_equal(sound_of(path) * 32768, RAMP)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_numbers_that_are_not_finite_are_told_and_lost(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 4000, dtype="<f4")
    values[2000] = np.nan
    path = written(
        tmp_path / "a.wav", chunk(b"fmt ", form(FLOAT, 4)), chunk(b"data", values.tobytes())
    )
    source = WavSource(path, loop=False, realtime=False)
    source.open()
    first = source.read()
    with pytest.raises(Unreadable, match=r"a\.wav: samples 1600 to 3199 are skipped"):
        source.read()
    last = source.read()
    source.close()
    assert first is not None
    assert last is not None
    assert (first.first, last.first, len(last.values)) == (0, 3200, 800)


def test_files_follow_in_the_order_of_their_names_each_a_new_stream(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recording(tmp_path / "b.wav", np.full(3, 2))
    recording(tmp_path / "a.wav", np.full(2, 1))
    recording(tmp_path / "c.WAV", np.full(2, 3), rate_hz=8000)
    with caplog.at_level(logging.INFO):
        blocks = blocks_of(tmp_path)
    assert [(block.first, block.rate_hz) for block in blocks] == [
        (0, 16_000),
        (3, 16_000),
        (7, 8000),
    ]
    assert [block.values[0, 0] * 32768 for block in blocks] == [1, 2, 3]
    assert caplog.messages == [
        "a.wav: sound at 16000 Hz, 1 channel.",
        "c.WAV: sound at 8000 Hz, 1 channel.",
    ]


def test_a_loop_begins_a_new_stream_each_time(tmp_path: Path) -> None:
    blocks = blocks_of(recording(tmp_path / "a.wav", np.zeros(3)), loop=True, most=3)
    assert [block.first for block in blocks] == [0, 4, 8]
