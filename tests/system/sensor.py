#!/usr/bin/env python3
"""In a virtual machine: sensors with the kernel's own drivers, on chips that i2c-stub plays.

An accelerometer (LIS3DH) whose buffer a timer fills, and a sensor of the weather (BMP280) that is
read one by one; the accelerometer is shaken, unplugged and plugged in again.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import itertools
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, "/src/tests/system")

from machine import (  # noqa: E402
    MODELS,
    SMALL_MODELS,
    Heard,
    configure,
    drop_in,
    restart,
    run,
    service,
    wait_until,
)

# Python is 15 times slower here than on the machine around it.
PATIENCE_S = 240.0
SENSORS = """
name = "{name}"
model = "{name}"
[pipelines.source]
kind = "iio"
device = "{device}"
channels = {channels}
rate_hz = {rate_hz}
"""
MOTION = SENSORS.format(
    name="motion", device="lis3dh", channels='["accel_x", "accel_y"]', rate_hz=50
)
WEATHER = SENSORS.format(
    name="weather", device="bmp280", channels='["pressure", "temp"]', rate_hz=5
)
LIS3DH, BMP280 = 0x18, 0x76
DEVICES = Path("/sys/bus/iio/devices")
TRIGGER = Path("/sys/kernel/config/iio/triggers/hrtimer/edged")
# linux/i2c-dev.h, linux/i2c.h
_I2C_SLAVE_FORCE, _I2C_SMBUS, _WRITE, _BYTE_DATA = 0x0706, 0x0720, 0, 2


class _Call(ctypes.Structure):
    _fields_ = (
        ("read_write", ctypes.c_uint8),
        ("command", ctypes.c_uint8),
        ("size", ctypes.c_uint32),
        ("data", ctypes.POINTER(ctypes.c_uint8)),
    )


class Chip:
    """The registers of one of i2c-stub's chips."""

    def __init__(self, bus: str, address: int) -> None:
        self._bus, self._address = bus, address
        self._fd = os.open(f"/dev/{bus}", os.O_RDWR)
        fcntl.ioctl(self._fd, _I2C_SLAVE_FORCE, address)

    def put(self, register: int, *values: int) -> None:
        for at, value in enumerate(values):
            data = (ctypes.c_uint8 * 34)(value)
            pointer = ctypes.cast(data, ctypes.POINTER(ctypes.c_uint8))
            fcntl.ioctl(self._fd, _I2C_SMBUS, _Call(_WRITE, register + at, _BYTE_DATA, pointer))

    def plug(self, name: str) -> None:
        _write(f"/sys/bus/i2c/devices/{self._bus}/new_device", f"{name} {self._address:#x}")

    def unplug(self) -> None:
        _write(f"/sys/bus/i2c/devices/{self._bus}/delete_device", f"{self._address:#x}")


def _write(path: str | Path, value: str) -> None:
    Path(path).write_text(value)


def words(*values: int) -> bytes:
    return b"".join((value & 0xFFFF).to_bytes(2, "little") for value in values)


def make_chips() -> tuple[Chip, Chip]:
    for module in ("i2c-dev", "st_accel_i2c", "bmp280-i2c", "iio-trig-hrtimer"):
        run("modprobe", module)
    run("modprobe", "i2c-stub", f"chip_addr={LIS3DH:#x},{BMP280:#x}")
    names = Path("/sys/class/i2c-dev").glob("i2c-*/name")
    bus = next(path.parent.name for path in names if "stub" in path.read_text())
    accelerometer, barometer = Chip(bus, LIS3DH), Chip(bus, BMP280)
    accelerometer.put(0x8F, 0x33)  # who it is, as the driver asks: with the bit for several bytes
    # The example of the data sheet: 25.08 degrees, 100653 Pa.
    barometer.put(0xD0, 0x58)
    calibration = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
    barometer.put(0x88, *words(*calibration))
    barometer.put(0xF7, 0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00)
    return accelerometer, barometer


def plug_accelerometer(chip: Chip) -> Path:
    chip.plug("lis3dh")
    found: Path = wait_until(lambda: [*_named("lis3dh")], "the accelerometer")[0]
    _write(found / "trigger/current_trigger", "edged")
    return found


def _named(name: str) -> Iterator[Path]:
    for path in DEVICES.glob("iio:device*"):
        with contextlib.suppress(OSError):
            if (path / "name").read_text().strip() == name:
                yield path


@contextlib.contextmanager
def shaken(chip: Chip) -> Iterator[None]:
    """It is pushed 1 g to and fro (x is a register of 16 bits, its last 4 of no value)."""
    over = threading.Event()

    def shake() -> None:
        for milli_g in itertools.cycle((1000, -1000)):
            chip.put(0xA8, *words(milli_g << 4))
            if over.wait(0.05):
                chip.put(0xA8, 0, 0)
                return

    thread = threading.Thread(target=shake)
    thread.start()
    yield
    over.set()
    thread.join()


def main() -> None:
    accelerometer, barometer = make_chips()
    TRIGGER.mkdir()
    barometer.plug("bmp280")
    imu = plug_accelerometer(accelerometer)
    run("udevadm", "settle")
    before = settings(imu)
    print(run("ls", "-l", f"/dev/{imu.name}"), run("id", "edged"))
    for name in ("motion", "weather"):
        shutil.copy(SMALL_MODELS / "autoencoder_float32.tflite", MODELS / f"{name}.tflite")
        _write(MODELS / f"{name}.toml", "[anomaly]\nthreshold = 1.0\n")
    # bookworm's NumPy crashes in this emulated processor where it uses AVX.
    drop_in('Environment="NPY_DISABLE_CPU_FEATURES=AVX2 FMA3 AVX512F AVX512CD AVX512_SKX"')
    configure(MOTION, WEATHER)
    restart()
    heard = Heard()

    weather = heard.wait("/weather/result", timeout_s=PATIENCE_S)
    assert weather["values"]["error"] < 1e-6, weather  # nothing but what float32 leaves
    quiet = heard.wait("/motion/result", timeout_s=PATIENCE_S)
    assert quiet["values"]["error"] < 1e-6, quiet
    assert (imu / "buffer0/enable").read_text() == "1\n"
    assert (imu / "current_timestamp_clock").read_text() == "monotonic\n"
    mark = heard.mark()
    with shaken(accelerometer):
        told = heard.wait("/motion/result", lambda t: t["values"]["score"] > 1, mark, PATIENCE_S)
    # Half of the time at +g, half at -g, in one of two channels: a variance of at most g^2 / 2.
    assert told["values"]["error"] < 9.81**2 / 2, told
    print(f"shaken: {told['values']}")

    mark = heard.mark()
    accelerometer.unplug()
    lost = heard.wait("/motion/health", lambda t: t["state"] == "source-lost", mark, PATIENCE_S)
    print("unplugged:", lost["reason"])
    mark = heard.mark()
    imu = plug_accelerometer(accelerometer)
    heard.wait("/motion/health", lambda t: t["state"] == "running", mark, PATIENCE_S)
    again = heard.wait("/motion/result", after=mark, timeout_s=PATIENCE_S)
    print("plugged in again: results go on")
    assert again["run"] == quiet["run"]
    assert service("NRestarts") == "0"
    heard.close()

    run("systemctl", "stop", "edged")
    assert settings(imu) == before
    print("stopped: the sensor is as it was")


def settings(imu: Path) -> dict[str, str]:
    """What edged sets of a device and of its trigger."""
    names = ["current_timestamp_clock", "buffer0/enable", "buffer0/length", "buffer0/watermark"]
    names += [f"buffer0/in_{name}_en" for name in ("accel_x", "accel_y", "accel_z", "timestamp")]
    told = {name: (imu / name).read_text() for name in ["sampling_frequency", *names]}
    [trigger] = DEVICES.glob("trigger*")
    return {**told, "trigger": (trigger / "sampling_frequency").read_text()}


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        print(run("journalctl", "-u", "edged", "-n", "60", "--no-pager", check=False))
        raise
