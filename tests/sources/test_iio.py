"""The source as a whole, on trees of real sensors; a FIFO is the character device."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from iio_trees import CharacterDevice, Tree

from edged.errors import SourceError
from edged.samples import Channel
from edged.sources import NotYet
from edged.sources.iio import IioSource
from edged.sources.iio_device import Timing

SECOND = 1_000_000_000
MPU9250 = (
    bytes.fromhex(  # six channels of 16 bits, high byte first: see tests/sources/iio/README.md
        "02c803553bb50072ffc4ffdb02d504103bba007cffc3ffda0299036a3bc30079"
        "ffc2ffd902e103d03bc00079ffc2ffd902b7038e3bd3007bffc3ffda02b903fc"
        "3bc6007bffc2ffda"
    )
)


class Time:
    """A clock that stands still but for what is slept; ``before_wake`` is called meanwhile."""

    def __init__(self) -> None:
        self.now = 100 * SECOND
        self.before_wake: Callable[[], None] = lambda: None

    def now_ns(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)
        self.before_wake()


@pytest.fixture
def time() -> Time:
    return Time()


def source_of(
    tree: Tree,
    time: Time,
    device: str,
    channels: tuple[str, ...] | None = None,
    rate_hz: float | None = None,
    wait_s: float = 1,
) -> IioSource:
    return IioSource(
        device,
        channels=channels,
        rate_hz=rate_hz,
        sysfs_root=tree.sysfs,
        dev=tree.dev,
        timing=Timing(time.now_ns, time.sleep, wait_s),
    )


class TestBuffered:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Tree:
        return Tree(tmp_path, "nexus5.txt")

    @pytest.fixture
    def file(self, tree: Tree) -> Iterator[CharacterDevice]:
        file = CharacterDevice(tree, "iio:device1")
        yield file
        file.close()

    @staticmethod
    def scan(number: int, at_ns: int) -> bytes:
        """One of the MPU-9250, as the kernel puts a time stamp to it."""
        return MPU9250[12 * number : 12 * number + 12] + struct.pack("<4xq", at_ns)

    def test_scans_come_in_the_units_of_their_channels_with_the_drivers_times(
        self, tree: Tree, file: CharacterDevice, time: Time
    ) -> None:
        source = source_of(tree, time, "mpu6515")
        source.open()
        file.write(b"".join(self.scan(at, time.now - (5 - at) * SECOND // 50) for at in range(4)))

        block = source.read()

        assert [str(channel) for channel in block.channels] == [
            "accel_x (m/s^2)",
            "accel_y (m/s^2)",
            "accel_z (m/s^2)",
            "anglvel_x (rad/s)",
            "anglvel_y (rad/s)",
            "anglvel_z (rad/s)",
        ]
        raw = np.frombuffer(MPU9250, ">i2", 24).reshape(4, 6)
        assert raw[0].tolist() == [712, 853, 15285, 114, -60, -37]
        scales = [0.000598] * 3 + [0.001064724] * 3
        assert block.values == pytest.approx((raw * scales).astype(np.float32))
        assert block.values.dtype == np.float32
        assert (block.first, block.rate_hz) == (0, 50)
        assert (block.captured_ns, block.arrived_ns) == (time.now - 2 * SECOND // 50, time.now)
        source.close()

    def test_the_device_is_set_up_and_put_back_as_it_was(
        self, tree: Tree, file: CharacterDevice, time: Time
    ) -> None:
        tree.put("iio:device1", "scan_elements/in_accel_x_en", "1")
        before = tree.everything()
        source = source_of(tree, time, "mpu6515", ("anglvel_z", "accel_z"), 100)

        source.open()

        enabled = [
            name
            for name in ("accel_x", "accel_y", "accel_z", "anglvel_z", "timestamp")
            if tree.get("iio:device1", f"scan_elements/in_{name}_en") == "1"
        ]
        assert enabled == ["accel_z", "anglvel_z", "timestamp"]
        assert tree.get("iio:device1", "current_timestamp_clock") == "monotonic"
        assert tree.get("iio:device1", "sampling_frequency") == "100"
        assert tree.get("iio:device1", "buffer/length") == "200"  # two seconds
        assert tree.get("iio:device1", "buffer/watermark") == "5"
        assert tree.get("iio:device1", "buffer/enable") == "1"
        file.write(struct.pack(">hh4x", 1000, -2000) + struct.pack("<q", time.now))
        block = source.read()
        assert [channel.name for channel in block.channels] == ["anglvel_z", "accel_z"]
        assert block.values.tolist() == [pytest.approx([-2000 * 0.001064724, 1000 * 0.000598])]
        assert block.rate_hz == 100
        source.close()
        assert tree.everything() == before
        source.close()

    def test_a_gap_divides_what_was_read_and_is_counted(
        self, tree: Tree, file: CharacterDevice, time: Time
    ) -> None:
        source = source_of(tree, time, "mpu6515")
        source.open()
        began = time.now - SECOND
        for at in (0, 1, 2, 5):
            file.write(self.scan(0, began + at * SECOND // 50))

        blocks = [source.read(), source.read()]
        file.write(self.scan(0, began + 10 * SECOND // 50))
        blocks.append(source.read())

        assert [(block.first, len(block.values)) for block in blocks] == [(0, 3), (5, 1), (10, 1)]
        assert [block.captured_ns for block in blocks] == [
            began + at * SECOND // 50 for at in (2, 5, 10)
        ]
        source.close()

    def test_half_a_scan_waits_for_the_rest(
        self, tree: Tree, file: CharacterDevice, time: Time
    ) -> None:
        source = source_of(tree, time, "mpu6515")
        source.open()
        data = self.scan(0, time.now) + self.scan(1, time.now + SECOND // 50)

        file.write(data[:29])
        assert len(source.read().values) == 1
        file.write(data[29:])
        block = source.read()

        assert (block.first, len(block.values)) == (1, 1)
        assert block.values[0, 0] == pytest.approx(0x2D5 * 0.000598)
        source.close()

    def test_other_clocks_and_drivers_without_one_date_by_arrival(
        self, tree: Tree, file: CharacterDevice, time: Time
    ) -> None:
        tree.path("iio:device1", "current_timestamp_clock").unlink()
        source = source_of(tree, time, "mpu6515")
        source.open()
        file.write(self.scan(0, 1_700_000_000 * SECOND))

        assert source.read().captured_ns == time.now
        source.close()

    def test_without_time_stamps_a_full_buffer_is_a_gap(
        self, tree: Tree, file: CharacterDevice, time: Time
    ) -> None:
        for name in ("en", "index", "type"):
            tree.path("iio:device1", f"scan_elements/in_timestamp_{name}").unlink()
        source = source_of(tree, time, "mpu6515")
        source.open()

        file.write(MPU9250[:12] * 100)  # two seconds at 50 Hz
        full = source.read()
        file.write(MPU9250[:12] * 2)
        after = source.read()

        assert (full.first, len(full.values)) == (0, 100)
        assert (after.first, after.captured_ns) == (101, time.now)
        source.close()

    def test_the_newer_layout_has_all_in_one_place(self, tmp_path: Path, time: Time) -> None:
        tree = Tree(tmp_path / "6.12", "debian13.txt")
        tree.put("iio:device0", "trigger/current_trigger", "edged")
        file = CharacterDevice(tree, "iio:device0")
        source = source_of(tree, time, "lis3dh", rate_hz=200)

        source.open()
        file.write(struct.pack("<3hxxq", 16 << 4, -32 << 4, 1024 << 4, time.now))
        block = source.read()

        assert block.values.tolist() == [
            pytest.approx([16 * 0.009806, -32 * 0.009806, 1024 * 0.009806])
        ]
        assert tree.get("iio:device0", "buffer0/enable") == "1"
        assert tree.get("trigger0", "sampling_frequency") == "200"
        source.close()
        file.close()
        assert tree.get("iio:device0", "buffer0/enable") == "0"

    def test_a_buffer_that_a_killed_program_has_left_on_is_taken(
        self, tree: Tree, file: CharacterDevice, time: Time
    ) -> None:
        tree.put("iio:device1", "buffer/enable", "1")
        source = source_of(tree, time, "mpu6515")

        source.open()
        assert tree.get("iio:device1", "buffer/enable") == "1"
        source.close()

        assert tree.get("iio:device1", "buffer/enable") == "0"

    def test_silence_is_a_failure_after_a_while(
        self, tree: Tree, file: CharacterDevice, time: Time
    ) -> None:
        source = source_of(tree, time, "mpu6515", wait_s=0)
        source.open()

        with pytest.raises(NotYet):
            source.read()
        time.now += 5 * SECOND
        with pytest.raises(SourceError, match=r"\(mpu6515\) gave no sample for 5 s"):
            source.read()
        source.close()

    def test_a_device_that_is_torn_out_is_a_failure(
        self, tree: Tree, file: CharacterDevice, time: Time
    ) -> None:
        source = source_of(tree, time, "mpu6515")
        source.open()
        file.close()

        with pytest.raises(SourceError, match=r"\(mpu6515\) is gone"):
            source.read()
        source.close()

    def test_nothing_stays_changed_where_it_cannot_be_opened(
        self, tree: Tree, file: CharacterDevice, time: Time
    ) -> None:
        tree.put("iio:device1", "scan_elements/in_accel_z_type", "le:f32/32>>0")
        before = tree.everything()
        source = source_of(tree, time, "mpu6515")

        with pytest.raises(SourceError, match="accel_z is stored in a way edged does not know"):
            source.open()
        source.close()

        assert tree.everything() == before

    def test_the_character_device_must_be_there(self, tree: Tree, time: Time) -> None:
        with pytest.raises(SourceError, match=r"has a buffer, but there is no .*/dev/iio:device1"):
            source_of(tree, time, "mpu6515").open()

    def test_the_rate_must_be_told_by_somebody(
        self, tree: Tree, file: CharacterDevice, time: Time
    ) -> None:
        tree.path("iio:device1", "sampling_frequency").unlink()

        with pytest.raises(SourceError, match="does not tell how often it samples: say in rate_hz"):
            source_of(tree, time, "mpu6515").open()
        source = source_of(tree, time, "mpu6515", rate_hz=200)
        source.open()
        file.write(self.scan(0, time.now))
        assert source.read().rate_hz == 200
        source.close()


class TestPolled:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Tree:
        return Tree(tmp_path, "stm32mp-bme280.txt")

    def test_a_sensor_of_the_weather_is_read_once_a_second(
        self, tree: Tree, time: Time, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        source = source_of(tree, time, "bme280")
        source.open()

        first = source.read()
        tree.put("iio:device0", "in_temp_input", "24390")
        second = source.read()

        assert caplog.messages == [
            "iio:device0 (bme280): humidityrelative (%), pressure (kPa), temp (°C), 1 times a "
            "second, one by one (it has no buffer)"
        ]
        assert first.channels == (
            Channel("humidityrelative", "%"),
            Channel("pressure", "kPa"),
            Channel("temp", "°C"),
        )
        assert first.values.tolist() == [pytest.approx([39.396, 102.12903125, 24.38])]
        assert second.values.tolist() == [pytest.approx([39.396, 102.12903125, 24.39])]
        assert (first.first, second.first, second.rate_hz) == (0, 1, 1)
        assert second.captured_ns - first.captured_ns == SECOND
        source.close()

    def test_several_samples_come_together_where_they_are_many(
        self, tree: Tree, time: Time
    ) -> None:
        source = source_of(tree, time, "bme280", ("temp",), 100)
        source.open()
        began = time.now

        blocks = [source.read() for _ in range(3)]

        assert [(block.first, len(block.values)) for block in blocks] == [(0, 5), (5, 5), (10, 5)]
        assert blocks[2].captured_ns == began + 14 * SECOND // 100
        source.close()

    def test_a_long_wait_is_taken_in_short_ones(self, tree: Tree, time: Time) -> None:
        source = source_of(tree, time, "bme280", ("temp",), 0.4)
        source.open()
        began = time.now
        source.read()

        for waited in (1, 2):
            with pytest.raises(NotYet):
                source.read()
            assert time.now - began == waited * SECOND
        assert source.read().first == 1
        assert time.now - began == 2.5 * SECOND
        source.close()

    def test_readings_that_come_too_late_are_a_gap(
        self, tree: Tree, time: Time, caplog: pytest.LogCaptureFixture
    ) -> None:
        source = source_of(tree, time, "bme280", ("temp",), 100)
        source.open()
        slow = iter([0, 0, 35_000_000, 0, 0])

        def hold_up() -> None:
            time.now += next(slow, 0)

        time.before_wake = hold_up
        blocks = [source.read(), source.read()]

        # Sample 3 was due at 30 ms and read at 65 ms; what comes then is number 6.
        assert [(block.first, len(block.values)) for block in blocks] == [(0, 4), (6, 5)]
        assert caplog.messages == [
            "iio:device0 (bme280) cannot be read 100 times a second: samples are missing. Ask for "
            "less in rate_hz, or for fewer channels."
        ]
        source.close()

    def test_a_reading_that_fails_is_a_gap(
        self, tree: Tree, time: Time, caplog: pytest.LogCaptureFixture
    ) -> None:
        source = source_of(tree, time, "bme280", ("temp",))
        source.open()
        path = tree.path("iio:device0", "in_temp_input")
        good = path.with_name("good")
        path.rename(good)
        broken = iter([True, True, False, True, False])

        def change() -> None:
            path.unlink(missing_ok=True)
            path.symlink_to("/proc/self/mem" if next(broken) else good)  # EIO

        change()
        time.before_wake = change
        blocks = [source.read(), source.read()]
        source.close()

        assert [(block.first, len(block.values)) for block in blocks] == [(2, 1), (4, 1)]
        assert caplog.messages == [
            "iio:device0 (bme280): the channel temp cannot be read: Input/output error. "
            "Samples are missing.",
            "iio:device0 (bme280): samples were missing 2 more times",
        ]

    def test_a_sensor_that_does_not_answer_any_more_has_failed(
        self, tree: Tree, time: Time
    ) -> None:
        path = tree.path("iio:device0", "in_temp_input")
        path.unlink()
        path.symlink_to("/proc/self/mem")
        source = source_of(tree, time, "bme280", ("temp",))
        source.open()
        began = time.now

        with pytest.raises(SourceError, match="the channel temp cannot be read: Input/output"):
            source.read()

        assert 5 * SECOND < time.now - began < 7 * SECOND
        source.close()

    def test_a_sensor_that_is_unplugged_has_failed_at_once(self, tree: Tree, time: Time) -> None:
        source = source_of(tree, time, "bme280")
        source.open()
        tree.path("iio:device0", "in_temp_input").unlink()

        with pytest.raises(SourceError, match=r"\(bme280\) is gone: unplugged"):
            source.read()
        with pytest.raises(SourceError, match=r"has no channel \"temp\""):
            source_of(tree, time, "bme280", ("temp",)).open()
        source.close()

    def test_what_is_no_number_is_told(self, tree: Tree, time: Time) -> None:
        tree.put("iio:device0", "in_rot_quaternion_raw", "0 0 0 1")
        source = source_of(tree, time, "bme280")
        source.open()

        with pytest.raises(SourceError, match='rot_quaternion gives "0 0 0 1", which is not one'):
            source.read()
        source.close()

    @pytest.mark.parametrize(
        ("device", "channels", "why"),
        [
            ("bme280", None, "its buffer has no trigger"),
            ("lis3dh", ("accel_x",), "its buffer has no trigger"),
            ("mpu6050", None, "it has no buffer"),
        ],
    )
    def test_a_buffer_that_nothing_fills_is_left_alone(
        self,
        tmp_path: Path,
        time: Time,
        caplog: pytest.LogCaptureFixture,
        device: str,
        channels: tuple[str, ...] | None,
        why: str,
    ) -> None:
        caplog.set_level("INFO")
        tree = Tree(tmp_path / "6.12", "debian13.txt")
        before = tree.everything()
        source = source_of(tree, time, device, channels)

        source.open()
        source.read()

        assert caplog.messages[0].endswith(f"one by one ({why})")
        assert tree.everything() == before
        source.close()

    def test_a_channel_that_is_not_in_the_buffer_has_all_read_one_by_one(
        self, tmp_path: Path, time: Time, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        tree = Tree(tmp_path / "nexus5", "nexus5.txt")
        source = source_of(tree, time, "mpu6515", ("accel_z", "temp"), 10)

        source.open()

        assert source.read().values.tolist() == [pytest.approx([-15791 * 0.000598, 33.26445])]
        assert "one by one (its buffer holds only accel_x, accel_y" in caplog.messages[0]
        source.close()

    def test_a_buffer_that_its_driver_does_not_start_is_left_as_it_was(
        self, tmp_path: Path, time: Time, caplog: pytest.LogCaptureFixture
    ) -> None:
        refuses = Path("/proc/self/timens_offsets")  # EINVAL for all that is no offset
        if not refuses.exists():
            pytest.skip("this kernel has no time namespaces, whose file stands for the driver's")
        caplog.set_level("INFO")
        tree = Tree(tmp_path / "nexus5", "nexus5.txt")
        enable = tree.path("iio:device1", "buffer/enable")
        enable.unlink()
        enable.symlink_to(refuses)
        before = tree.everything()
        file = CharacterDevice(tree, "iio:device1")
        source = source_of(tree, time, "mpu6515", ("accel_x",), 50)

        source.open()

        assert caplog.messages[0].endswith("one by one (its driver does not start the buffer so)")
        assert source.read().values[0] == pytest.approx(-858 * 0.000598)
        assert tree.everything() == before
        source.close()
        file.close()
