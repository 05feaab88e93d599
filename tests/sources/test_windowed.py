from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import BEGAN_NS, Given, Played, block, counted, play

from edged.errors import SourceError
from edged.records.frames import Size
from edged.samples import Channel, Samples, WindowShape
from edged.sources import NotYet, Unreadable
from edged.sources.csv_table import CsvSource
from edged.sources.windowed import WindowedSource

MS = 1_000_000


def windows_of(
    *blocks: Samples | Exception,
    length: int = 4,
    hop: int | None = None,
    rate_hz: float | None = None,
    hop_s: float | None = None,
    overlap: float = 0,
) -> Played:
    source = WindowedSource(Given(blocks), hop_s=hop_s, overlap=overlap)
    source.open(WindowShape(rate_hz, length, hop))
    return play(source)


def numbers(played: Played) -> list[list[float]]:
    """The samples of each window, by the numbers that they tell."""
    return [window.samples[:, 0].tolist() for window in played.windows]


def parts(counts: list[int]) -> Iterator[Samples]:
    """Blocks of so many samples, one after the other; a negative count is of samples lost."""
    first = 0
    for count in counts:
        if count > 0:
            yield block(first, counted(first, count))
        first += abs(count)


@given(
    counts=st.lists(st.integers(-9, 40).filter(bool), max_size=12),
    length=st.integers(1, 25),
    hop=st.integers(1, 40),
)
def test_windows_are_slices_of_what_came_and_never_span_a_gap(
    counts: list[int], length: int, hop: int
) -> None:
    blocks = list(parts(counts))
    runs: list[list[float]] = []
    for one in blocks:
        values = one.values[:, 0].tolist()
        if runs and runs[-1][-1] + 1 == values[0]:
            runs[-1] += values
        else:
            runs.append(values)

    played = windows_of(*blocks, length=length, hop=hop)

    assert numbers(played) == [
        run[begin : begin + length]
        for run in runs
        for begin in range(0, len(run) - length + 1, hop)
    ]
    assert len(played.gaps) == max(0, len(runs) - 1)
    for number, window in enumerate(played.windows):
        assert window.number == number
        assert window.first == window.samples[0, 0]
        assert window.captured_ns == BEGAN_NS + 10 * MS * (window.first + length - 1)
        assert window.samples.dtype == np.float32
        assert window.samples.shape == (length, 2)
        assert window.samples.flags.c_contiguous
        np.testing.assert_array_equal(window.samples[:, 1], -window.samples[:, 0])


def test_a_window_once_given_stays_as_it_is() -> None:
    played = windows_of(block(0, counted(0, 50)), length=10, hop=1)
    one, other = played.windows[:2]
    assert not np.shares_memory(one.samples, other.samples)
    assert numbers(played)[0] == list(range(10))


def test_a_window_has_the_rate_and_the_channels_of_its_source() -> None:
    (window,) = windows_of(block(0, counted(0, 4))).windows
    assert window.rate_hz == 100
    assert window.channels == (Channel("x", "g"), Channel("y", "g"))
    assert window.arrived_ns == window.captured_ns + MS


@pytest.mark.parametrize(
    ("hop", "hop_s", "overlap", "begins"),
    [
        (None, None, 0, [0, 4, 8]),
        (None, 0.02, 0, [0, 2, 4, 6, 8]),
        (None, 0.06, 0, [0, 6]),
        (None, 0.0001, 0, list(range(9))),
        (None, None, 0.75, list(range(9))),
        (None, None, 0.5, [0, 2, 4, 6, 8]),
        (None, None, 0.99, list(range(9))),
        (4, 0.02, 0.5, [0, 4, 8]),
    ],
)
def test_the_model_or_else_the_pipeline_says_how_windows_follow_each_other(
    hop: int | None, hop_s: float | None, overlap: float, begins: list[int]
) -> None:
    played = windows_of(block(0, counted(0, 12)), hop=hop, hop_s=hop_s, overlap=overlap)
    assert [window.first for window in played.windows] == begins


def test_a_gap_is_told_with_what_was_lost() -> None:
    played = windows_of(*parts([5, -3, 6, -1, 2]))
    assert played.gaps == [
        "3 samples lost before number 8: windows begin anew.",
        "1 sample lost before number 15: windows begin anew.",
    ]


def test_another_rate_or_other_channels_are_a_gap_too() -> None:
    other = (Channel("x", "g"), Channel("z", "g"), Channel("q"))
    played = windows_of(
        block(0, counted(0, 6)),
        block(6, counted(6, 6), rate_hz=50),
        block(12, counted(12, 6, 3), rate_hz=50, channels=other),
    )
    assert played.gaps == [
        "The rate has changed from 100 to 50 Hz: windows begin anew.",
        "The channels have changed to x (g), z (g), q: windows begin anew.",
    ]
    assert [window.rate_hz for window in played.windows] == [100, 50, 50]
    assert [window.samples.shape for window in played.windows] == [(4, 2), (4, 2), (4, 3)]
    # Each shows by its number that it does not go on where the one before ended.
    assert all(one.first + 4 < other.first for one, other in pairwise(played.windows))


def test_what_cannot_be_read_is_passed_on_and_costs_nothing_else() -> None:
    source = WindowedSource(Given([block(0, counted(0, 3)), Unreadable("a row"), *parts([-3, 3])]))
    source.open(WindowShape(None, 6, None))
    with pytest.raises(Unreadable, match="a row"):
        source.read()
    window = source.read()
    assert window is not None
    assert window.samples[:, 0].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("want", [None, Size(96, 96)])
def test_a_model_for_pictures_is_refused(want: Size | None) -> None:
    samples = Given([])
    with pytest.raises(SourceError, match="a model for samples"):
        WindowedSource(samples).open(want)
    assert not samples.opened


def test_another_shape_of_window_does_not_open_the_sensor_again() -> None:
    samples = Given(parts([8, 8, 8]))
    source = WindowedSource(samples)
    source.open(WindowShape(None, 4, None))
    source.read()
    source.open(WindowShape(None, 6, None))
    window = source.read()
    assert samples.opened == 1
    assert window is not None
    assert window.number == 1
    assert window.samples[:, 0].tolist() == [8, 9, 10, 11, 12, 13]

    source.close()
    source.close()
    source.open(WindowShape(None, 6, None))
    assert samples.opened == 2
    window = source.read()
    assert window is not None
    assert (window.number, window.first) == (2, 0)


def test_a_window_that_takes_long_lets_its_reader_look_up_in_between() -> None:
    times = iter(range(0, 10**12, 400 * MS))
    samples = Given(parts([1] * 12))
    source = WindowedSource(samples, now_ns=lambda: next(times))
    source.open(WindowShape(None, 12, None))
    with pytest.raises(NotYet):
        source.read()
    played = play(source)
    assert played.pauses > 1
    assert numbers(played) == [list(range(12))]


def test_samples_lost_before_the_first_one_are_no_gap() -> None:
    played = windows_of(*parts([-5, 4]))
    assert played.gaps == []
    assert [window.first for window in played.windows] == [5]


def test_a_window_of_a_source_that_waits_is_of_the_moment_at_which_it_was_taken() -> None:
    source = WindowedSource(Given([block(0, counted(0, 400))], live=False))
    source.open(WindowShape(10, 10, None))
    assert not source.live
    for window in play(source).windows:
        assert window.captured_ns == window.arrived_ns


@pytest.mark.parametrize("realtime", [True, False])
def test_windows_of_a_table_are_slices_of_its_rows(tmp_path: Path, realtime: bool) -> None:
    rows = "".join(f"{n / 50},{n},{-n}\n" for n in range(203))
    (tmp_path / "imu.csv").write_text("time,x (g),y (g)\n" + rows)
    path = tmp_path / "imu.csv"
    table = CsvSource(path, loop=False, realtime=realtime, rate_hz=None, now_ns=lambda: 0)
    source = WindowedSource(table, overlap=0.75)
    source.open(WindowShape(None, 40, None))
    played = play(source)
    source.close()
    assert source.live is realtime
    assert numbers(played) == [list(range(begin, begin + 40)) for begin in range(0, 164, 10)]
    if realtime:  # each is due when its last sample is
        stamps = [window.captured_ns for window in played.windows]
        steps = {round(later - earlier, -3) for earlier, later in pairwise(stamps)}
        assert steps == {200 * MS}


# ---- resampled ----------------------------------------------------------------------------------


def ramp(first: int, count: int, rate_hz: float) -> Samples:
    """Both channels tell the time of each sample, in seconds since the beginning."""
    moments = np.arange(first, first + count, dtype=np.float32) / np.float32(rate_hz)
    return block(first, np.stack([moments, moments], axis=1), rate_hz)


@settings(max_examples=40)
@given(
    rates=st.sampled_from([(100.0, 40.0), (50.0, 100.0), (44.1, 16.0), (25.0, 24.0), (9.7, 3.3)]),
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=6),
    lost=st.integers(1, 100),
)
def test_a_resampled_window_is_dated_and_counted_to_a_sample(
    rates: tuple[float, float], sizes: list[int], lost: int
) -> None:
    from_hz, to_hz = rates
    blocks, first = [], 0
    for part in range(2):
        for size in sizes:
            blocks.append(ramp(first, size, from_hz))
            first += size
        first += lost * (part == 0)

    played = windows_of(*blocks, rate_hz=to_hz, length=8, hop=3)

    assert len(played.gaps) == 1
    margin_s = 33 / min(rates)  # at its edges a ramp is bent
    total = sum(sizes)
    for window in played.windows:
        assert window.rate_hz == to_hz
        told_s = (window.captured_ns - BEGAN_NS) / 1e9
        begins_s = told_s - 7 / to_hz
        # Its number, its date and what its samples tell are of one time. (A gap that is shorter
        # than a sample moves the numbers on by one, or it would not show.)
        assert begins_s == pytest.approx(window.first / to_hz, abs=2 / to_hz)
        for begin, end in ((0, total), (total + lost, first)):
            if begin / from_hz + margin_s < begins_s and told_s < (end - 1) / from_hz - margin_s:
                assert window.samples[-1, 0] == pytest.approx(told_s, abs=0.01 / from_hz)
                assert window.samples[0, 0] == pytest.approx(begins_s, abs=0.01 / from_hz)
    firsts = [window.first for window in played.windows]
    assert all(later - earlier >= 3 for earlier, later in pairwise(firsts))


def test_a_short_gap_shows_at_a_slower_rate_too() -> None:
    """One sample of 1 kHz is a tenth of one of 100 Hz."""
    counts = [200, -1, 200, -1, 200]
    blocks = [block(one.first, one.values, 1000) for one in parts(counts)]
    played = windows_of(*blocks, rate_hz=100, length=20)
    assert [window.first for window in played.windows] == [0, 21, 42]


def test_what_is_held_back_for_resampling_is_given_before_a_gap_and_at_the_end() -> None:
    played = windows_of(ramp(0, 100, 100), ramp(105, 100, 100), rate_hz=50, length=50)
    assert len(played.windows) == 2
    assert len(played.gaps) == 1


def test_rates_that_are_the_same_but_for_a_little_are_left_as_they_are() -> None:
    played = windows_of(block(0, counted(0, 8), rate_hz=100.05), rate_hz=100)
    assert numbers(played) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_rates_too_far_apart_are_refused() -> None:
    with pytest.raises(SourceError, match=r"come at 100 Hz and the model takes 0.001 Hz"):
        windows_of(block(0, counted(0, 8)), rate_hz=0.001)
