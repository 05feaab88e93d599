from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import SourceError
from edged.samples import Channel, Samples
from edged.sources import Unreadable
from edged.sources.csv_header import read_header
from edged.sources.csv_table import CsvSource

MS = 1_000_000


@dataclass
class Read:
    """All that a source gave until its end."""

    blocks: list[Samples] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def rows(self) -> dict[int, list[float]]:
        """By their numbers."""
        return {
            block.first + index: values.tolist()
            for block in self.blocks
            for index, values in enumerate(block.values)
        }

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """From which sample to which one nothing came, the second one not included."""
        due = 0
        found = []
        for block in self.blocks:
            if block.first != due:
                found.append((due, block.first))
            due = block.first + len(block.values)
        return found


def source_of(
    path: Path,
    *,
    loop: bool = False,
    realtime: bool = True,
    rate_hz: float | None = None,
    now_ns: Callable[[], int] = time.monotonic_ns,
) -> CsvSource:
    return CsvSource(path, loop=loop, realtime=realtime, rate_hz=rate_hz, now_ns=now_ns)


def read_all(source: CsvSource, most: int = 10_000) -> Read:
    source.open()
    read = Read()
    for _ in range(most):
        try:
            block = source.read()
        except Unreadable as error:
            read.faults.append(str(error))
        else:
            if block is None:
                break
            read.blocks.append(block)
    source.close()
    return read


def table(tmp_path: Path, text: str | bytes, name: str = "imu.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def of(tmp_path: Path, text: str | bytes, *, rate_hz: float | None = None) -> Read:
    return read_all(source_of(table(tmp_path, text), realtime=False, rate_hz=rate_hz))


def rows_at(rate_hz: float, count: int, begin_s: float = 0) -> str:
    return "".join(f"{begin_s + n / rate_hz:.6f},{n},{-n}\n" for n in range(count))


# ---- headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "channels"),
    [
        ("accel_x (m/s^2)", ["accel_x (m/s^2)"]),
        ("accel_x [m/s^2],gyro_z[rad/s]", ["accel_x (m/s^2)", "gyro_z (rad/s)"]),
        ("accel_x;accel_y", ["accel_x", "accel_y"]),
        ("ax\tay\r\n", ["ax", "ay"]),
        ('"Acceleration, x (m/s²)","Absolute acceleration (m/s²)"', None),
        (" temperature ( °C ) , humidity (%)\n", ["temperature (°C)", "humidity (%)"]),
    ],
)
def test_names_and_units_are_read_as_people_write_them(
    header: str, channels: list[str] | None
) -> None:
    expected = channels or ["Acceleration, x (m/s²)", "Absolute acceleration (m/s²)"]
    assert [str(channel) for channel in read_header(header, "imu.csv").channels] == expected


@pytest.mark.parametrize(
    ("column", "unit_s"),
    [
        ("time", None),
        ("Timestamp", None),
        ("t", None),
        ("t (s)", 1),
        ("Time [ms]", 1e-3),
        ("time_s (s)", 1),
        ("time_ms", 1e-3),
        ("timestamp_us", 1e-6),
        ("time (µs)", 1e-6),
        ("Time Stamp (ns)", 1e-9),
        ("seconds_elapsed", 1),
        ("unix_time (s)", 1),
        ("timestamp (UTC)", None),
    ],
)
def test_a_column_of_times_is_known_by_its_name(column: str, unit_s: float | None) -> None:
    header = read_header(f"ax,{column},ay", "imu.csv")
    assert header.time is not None
    assert (header.time.index, header.time.unit_s) == (1, unit_s)
    assert (header.columns, header.width) == ((0, 2), 3)
    assert [channel.name for channel in header.channels] == ["ax", "ay"]


@pytest.mark.parametrize("column", ["t (°C)", "t_x", "timer", "temperature", "time_of_flight (mm)"])
def test_a_column_that_only_sounds_like_a_time_is_a_channel(column: str) -> None:
    assert read_header(f"{column},x", "imu.csv").time is None


def test_a_second_column_of_times_is_no_channel_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As of a phone: nanoseconds of the Unix clock, and seconds since the beginning."""
    with caplog.at_level(logging.INFO):
        read = of(tmp_path, "time,seconds_elapsed,z\n17e17,0.0,1\n1700000000100000000,0.1,2\n")
    assert read.rows == {0: [1], 1: [2]}
    told = "imu.csv: z at 10 Hz, by its column time (nanoseconds), without seconds_elapsed."
    assert caplog.messages == [told]


def test_beside_a_time_a_t_is_a_channel() -> None:
    header = read_header("t,time,h", "weather.csv")
    assert header.time is not None
    assert header.time.name == "time"
    assert header.channels == (Channel("t"), Channel("h"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "imu.csv is empty."),
        ("\n\r\n \n", "imu.csv is empty."),
        ("time,x\n", "imu.csv has a header and no rows."),
        ("time,x\n\n\n", "imu.csv has a header and no rows."),
        (
            "0,1,2\n1,1,2\n",
            "imu.csv begins with numbers; its first line must be a header with the channels' "
            "names.",
        ),
        ("time,x,\n0,1,\n", "imu.csv: column 3 has no name in the header."),
        ("time,x,x\n0,1,2\n", 'imu.csv: the header names several columns "x".'),
        ("time\n0\n", "imu.csv has no column besides the time."),
        (
            "x,y\n1,2\n",
            "imu.csv has no column of times (time, timestamp or t), and so no rate: give it in "
            "source.rate_hz.",
        ),
        (
            "time,x\n0,1\n",
            "The times in column time of imu.csv tell no rate: less than half of them go forward. "
            "Give it in source.rate_hz, and they are left out of account.",
        ),
        ("time,x\n7,1\n7,1\n7,1\n8,1\n", "The times in column time of imu.csv tell no rate: "),
        ("time,x\nnoon,1\nlater,1\n", "The times in column time of imu.csv tell no rate: "),
        (
            "time,x\n0,1\n".encode("utf-16"),
            "imu.csv is not text in UTF-8, and so no table that can be read.",
        ),
    ],
)
def test_what_is_no_table_is_told_in_a_sentence(
    tmp_path: Path, text: str | bytes, reason: str
) -> None:
    with pytest.raises(SourceError, match=f"^{re.escape(reason)}"):
        of(tmp_path, text)


def test_a_path_that_cannot_be_followed_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot be read: File name too long\.$"):
        read_all(source_of(tmp_path / ("x" * 300)))


def test_a_path_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"imu\.csv: there is no such file or directory\.$"):
        read_all(source_of(tmp_path / "imu.csv"))
    with pytest.raises(SourceError, match=r"holds no recordings; files in \.csv or \.tsv are"):
        read_all(source_of(tmp_path))


# ---- rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "time,ax (g),ay\n0.00,1,-0.5\n0.01,2,1e-3\n",
        "\ufefftime,ax (g),ay\r\n0.00,1,-0.5\r\n0.01,2,1e-3\r\n",
        "time;ax [g];ay\n0,00;1;-0,5\n0,01;2;0,001",
        "time\tax (g)\tay\n0.00\t1\t-0.5\n0.01\t2\t0.001\n",
        '"time","ax (g)","ay"\n"0.00","1"," -0.5"\n"0.01","2","0.001"\n',
        "\n\ntime,ax (g),ay\n\n0.00,1,-0.5\n\n0.01,2,0.001\n\n",
    ],
    ids=["plain", "windows", "excel", "tabs", "quoted", "blank-lines"],
)
def test_a_table_is_read_whatever_program_wrote_it(tmp_path: Path, text: str) -> None:
    read = of(tmp_path, text)
    assert read.faults == []
    assert read.rows == {0: [1, -0.5], 1: [2, pytest.approx(0.001)]}
    assert read.blocks[0].values.dtype == np.float32
    assert read.blocks[0].rate_hz == pytest.approx(100)
    assert [channel.name for channel in read.blocks[0].channels] == ["ax", "ay"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("0.03,1", "it has 2 fields and the header 3"),
        ("0.03,1,2,3", "it has 4 fields and the header 3"),
        ("0.03,,2", "ax is empty"),
        ("0.03,1,walking", 'ay is "walking", which is no number'),
        ("0.03,nan,2", 'ax is "nan"'),
        ("0.03,1,-inf", 'ay is "-inf"'),
        ("0.03,1e39,2", 'ax is "1e39"'),
        ("later,1,2", 'its time "later" is none in seconds'),
        ("nan,1,2", 'its time is "nan"'),
        ("0.02,1,2", 'its time "0.02" is not after that of the row before'),
        ("0.03," + "7" * 99 + "x,2", f'ax is "{"7" * 37}...", which is no number'),
        ("0.03,1,\x1b[2J\x00", 'ay is " [2J ", which is no number'),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_lost(tmp_path: Path, row: str, reason: str) -> None:
    rows = "0.00,0,0\n0.01,1,1\n0.02,2,2\n" + row + "\n0.04,4,4\n0.05,5,5\n"
    read = of(tmp_path, "time,ax,ay\n" + rows)
    assert read.faults == [f"imu.csv, line 5 is skipped: {reason}."]
    assert read.rows == {n: [n, n] for n in (0, 1, 2, 4, 5)}
    assert read.gaps == [(3, 4)]


def test_a_number_that_a_float32_holds_is_none_too_large(tmp_path: Path) -> None:
    read = of(tmp_path, "x,y\n3e38,3e38\n", rate_hz=10)
    assert read.faults == []


def test_bad_rows_without_times_are_lost_one_by_one(tmp_path: Path) -> None:
    read = of(tmp_path, "x\n0\n?\n?\n3\n", rate_hz=100)
    assert len(read.faults) == 2
    assert read.rows == {0: [0], 3: [3]}


def test_a_quote_without_end_costs_its_row_and_no_memory(tmp_path: Path) -> None:
    text = 'x,y\n1,2\n"3,4\n' + "5,6\n" * 40_000
    read = of(tmp_path, text, rate_hz=100)
    assert read.rows[0] == [1, 2]
    assert read.faults[0].startswith("imu.csv, line ")
    assert read.rows[max(read.rows)] == [5, 6]


def test_a_table_of_bad_rows_alone_is_a_fault_of_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"imu\.csv holds no samples that can be read\."):
        read_all(source_of(table(tmp_path, "x\na\nb\n"), rate_hz=10, loop=True))


@given(good=st.lists(st.booleans(), max_size=60), rate_hz=st.integers(1, 200))
def test_every_row_is_given_or_told(
    tmp_path_factory: pytest.TempPathFactory, good: list[bool], rate_hz: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "good-and-bad.csv"
    good = [True, *good]
    path.write_text("x,y\n" + "".join(f"{n},{n if ok else '?'}\n" for n, ok in enumerate(good)))
    read = read_all(source_of(path, realtime=False, rate_hz=rate_hz))
    assert read.rows == {n: [n, n] for n, ok in enumerate(good) if ok}
    lines = [f"line {n + 2} " for n, ok in enumerate(good) if not ok]
    assert all(line in fault for line, fault in zip(lines, read.faults, strict=True))


_FIELDS = st.sampled_from(
    [*'0123456789.,;\t"\r\n -+exX(\0', "nan", "time", "2026-11-22", "9" * 400, "µ", "\ufeff"]
)


@given(text=st.lists(_FIELDS, max_size=60).map("".join), rate_hz=st.none() | st.just(10.0))
def test_whatever_a_file_holds_only_sentences_come_of_it(
    tmp_path_factory: pytest.TempPathFactory, text: str, rate_hz: float | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.csv"
    for content in (text, "time,x\n0,1\n" + text, "x\ty (g)\n0\t1\n" + text):
        path.write_text(content, newline="")
        reason, read = "", Read()
        try:
            read = read_all(source_of(path, rate_hz=rate_hz))
        except SourceError as error:
            reason = str(error)
        assert bool(reason) != bool(read.rows)
        assert all(told.isprintable() for told in (reason, *read.faults))
        assert all(np.isfinite(block.values).all() for block in read.blocks)
        assert all(block.rate_hz > 0 for block in read.blocks)


# ---- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "times", "kind"),
    [
        ("time", ["10.00", "10.02", "10.04"], "seconds"),
        ("time (ms)", ["0", "20", "40"], "milliseconds"),
        ("timestamp", ["1700000000.00", "1700000000.02", "1700000000.04"], "seconds"),
        ("timestamp", ["1700000000000", "1700000000020", "1700000000040"], "milliseconds"),
        ("time", ["1700000000000000", "1700000000020000", "1700000000040000"], "microseconds"),
        (
            "time",
            ["1700000000000000000", "1700000000020000000", "1700000000040000000"],
            "nanoseconds",
        ),
        (
            "timestamp",
            ["2026-11-22T06:24:00Z", "2026-11-22T06:24:00.020Z", "2026-11-22T06:24:00.040Z"],
            "ISO 8601",
        ),
        (
            "date_time",
            ["2026-10-25 02:59:59.980", "2026-10-25 03:00:00", "2026-10-25 03:00:00.02"],
            "ISO 8601",
        ),
    ],
)
def test_times_tell_the_rate_in_whatever_unit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, header: str, times: list[str], kind: str
) -> None:
    with caplog.at_level(logging.INFO):
        read = of(tmp_path, f"{header},x (g)\n" + "".join(f"{time},1\n" for time in times))
    assert read.faults == []
    assert len(read.rows) == 3
    assert read.blocks[0].rate_hz == pytest.approx(50, rel=1e-4)
    name = header.removesuffix(" (ms)")
    assert caplog.messages == [f"imu.csv: x (g) at 50 Hz, by its column {name} ({kind})."]


def test_times_in_whole_milliseconds_tell_the_rate_exactly(tmp_path: Path) -> None:
    rows = "".join(f"{n * 1000 // 60},{n}\n" for n in range(600))
    read = of(tmp_path, "time (ms),x\n" + rows)
    assert read.gaps == []
    assert read.blocks[0].rate_hz == pytest.approx(60, rel=1e-3)


def test_times_that_jitter_by_less_than_half_a_period_move_nothing(tmp_path: Path) -> None:
    jitter = np.random.default_rng(3).uniform(-0.0024, 0.0024, 500)
    rows = "".join(f"{n / 100 + late:.6f},{n}\n" for n, late in enumerate(jitter))
    read = of(tmp_path, "t,x\n" + rows)
    assert read.gaps == []
    assert read.rows == {n: [n] for n in range(500)}


def test_a_step_of_more_than_one_and_a_half_periods_is_a_gap(tmp_path: Path) -> None:
    rows = rows_at(100, 20) + rows_at(100, 5, begin_s=0.205) + rows_at(100, 5, begin_s=0.305)
    read = of(tmp_path, "time,x,y\n" + rows)
    assert read.faults == []
    assert read.gaps == [(25, 30)]


def test_a_bad_row_within_a_gap_is_not_counted_twice(tmp_path: Path) -> None:
    read = of(tmp_path, "time,x\n0,0\n1,1\n2,2\n3,?\n6,6\n7,7\n")
    assert read.gaps == [(3, 6)]
    assert read.rows[6] == [6]


def test_a_clock_that_is_set_back_costs_one_row(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n}\n" for n in range(50, 60)) + "".join(f"{n},{n}\n" for n in range(9))
    read = of(tmp_path, "time,x\n" + rows)
    assert read.faults == [
        'imu.csv, line 12 is skipped: its time "0" is not after that of the row before.'
    ]
    assert read.gaps == [(10, 11)]
    assert len(read.rows) == 18


def test_a_rate_that_is_given_stands_above_the_times(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        read = of(tmp_path, "time,x\n7,0\n7,1\nsoon,2\n", rate_hz=25)
    assert read.rows == {0: [0], 1: [1], 2: [2]}
    assert read.blocks[0].rate_hz == 25
    assert caplog.messages == ["imu.csv: x at 25 Hz, by source.rate_hz."]


# ---- several files, again and again, in real time -----------------------------------------------


def test_files_follow_in_the_order_of_their_names_each_a_new_stream(tmp_path: Path) -> None:
    for name, value in (("b.csv", 2), ("a.csv", 1), ("c.TSV", 3)):
        table(tmp_path, f"x\n{value}\n{value}\n", name)
    table(tmp_path, "x\n9\n", "notes.txt")
    read = read_all(source_of(tmp_path, realtime=False, rate_hz=10))
    assert read.rows == {0: [1], 1: [1], 3: [2], 4: [2], 6: [3], 7: [3]}


def test_a_file_whose_times_go_on_is_of_the_same_stream(tmp_path: Path) -> None:
    began = datetime(2026, 11, 22, tzinfo=UTC)
    for part, begin in enumerate((0, 100, 205)):
        rows = "".join(
            f"{(began + timedelta(milliseconds=10.001 * n)).isoformat()},{n}\n"
            for n in range(begin, begin + 100)
        )
        table(tmp_path, "timestamp,x\n" + rows, f"{part}.csv")
    read = read_all(source_of(tmp_path, realtime=False))
    assert read.gaps == [(200, 205)]
    assert read.rows[304] == [304]
    assert len({block.rate_hz for block in read.blocks}) == 1


def test_other_channels_or_another_rate_do_not_go_on(tmp_path: Path) -> None:
    table(tmp_path, "time,x\n0,0\n1,1\n2,2\n", "a.csv")
    table(tmp_path, "time,y\n3,3\n4,4\n", "b.csv")
    table(tmp_path, "time,y\n5,5\n5.5,6\n", "c.csv")
    read = read_all(source_of(tmp_path, realtime=False))
    assert read.gaps == [(3, 4), (6, 7)]
    assert [block.rate_hz for block in read.blocks[-2:]] == [2, 2]


def test_a_file_of_a_directory_that_is_no_table_is_passed_over_once(tmp_path: Path) -> None:
    table(tmp_path, "", "a.csv")
    table(tmp_path, "x\n1\n", "b.csv")
    (tmp_path / "c.csv").mkdir()
    read = read_all(source_of(tmp_path, loop=True, rate_hz=10), most=6)
    assert read.faults == [
        "a.csv is empty. The file is passed over.",
        f"{tmp_path / 'c.csv'} is not a file. The file is passed over.",
    ]
    assert read.rows == {0: [1], 2: [1], 4: [1], 6: [1]}


def test_a_directory_without_a_single_table_is_a_fault(tmp_path: Path) -> None:
    table(tmp_path, "", "a.csv")
    with pytest.raises(SourceError, match="holds no samples that can be read"):
        read_all(source_of(tmp_path, loop=True))


def test_a_loop_begins_a_new_stream_each_time(tmp_path: Path) -> None:
    path = table(tmp_path, "time,x,y\n" + rows_at(10, 3))
    read = read_all(source_of(path, loop=True), most=9)
    assert read.gaps == [(3, 4), (7, 8)]


def test_in_real_time_a_block_is_dated_with_the_moment_at_which_it_is_due(tmp_path: Path) -> None:
    path = table(tmp_path, "time,x,y\n" + rows_at(100, 25) + rows_at(100, 5, begin_s=1.0))
    read = read_all(source_of(path, now_ns=lambda: 5_000 * MS))
    due_ms = [(block.captured_ns / MS - 5000, len(block.values)) for block in read.blocks]
    assert due_ms == [(100, 10), (200, 10), (250, 5), (1050, 5)]
    assert {block.arrived_ns for block in read.blocks} == {5_000 * MS}


def test_not_in_real_time_a_block_is_of_now(tmp_path: Path) -> None:
    path = table(tmp_path, "time,x,y\n" + rows_at(100, 25))
    source = source_of(path, realtime=False, now_ns=lambda: 5_000 * MS)
    assert not source.live
    assert {block.captured_ns for block in read_all(source).blocks} == {5_000 * MS}


def test_a_gap_of_a_year_is_not_waited_for(tmp_path: Path) -> None:
    rows = rows_at(100, 10) + rows_at(100, 10, begin_s=365 * 86400)
    read = read_all(source_of(table(tmp_path, "time,x,y\n" + rows), now_ns=lambda: 0))
    first, second = read.blocks
    assert second.first == pytest.approx(365 * 86400 * 100)
    assert second.captured_ns - first.captured_ns == 10_100 * MS


def test_a_machine_too_slow_for_a_recording_falls_behind_by_a_second_at_most(
    tmp_path: Path,
) -> None:
    times = iter(range(0, 10**12, 3_000 * MS))
    path = table(tmp_path, "time,x,y\n" + rows_at(100, 100))
    source = source_of(path, now_ns=lambda: next(times))
    read = read_all(source)
    late_ms = [(block.arrived_ns - block.captured_ns) / MS for block in read.blocks]
    assert late_ms == [1000] * 10


def test_a_block_is_at_least_one_sample_and_at_most_a_tenth_of_a_second(tmp_path: Path) -> None:
    slow = table(tmp_path, "time,x,y\n" + rows_at(0.5, 4), "slow.csv")
    fast = table(tmp_path, "time,x,y\n" + rows_at(1000, 250), "fast.csv")
    sizes = [[len(block.values) for block in read_all(source_of(p)).blocks] for p in (slow, fast)]
    assert sizes == [[1, 1, 1, 1], [100, 100, 50]]


def test_it_is_opened_again_from_its_beginning_and_closed_as_often_as_one_likes(
    tmp_path: Path,
) -> None:
    source = source_of(table(tmp_path, "time,x,y\n" + rows_at(10, 3)))
    source.close()
    first = read_all(source).rows
    source.close()
    assert read_all(source).rows == first
