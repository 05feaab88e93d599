from __future__ import annotations

from pathlib import Path

import pytest
from iio_trees import Tree

from edged.errors import SourceError
from edged.sources.iio_channels import IioChannel, find_channels
from edged.sources.iio_device import find_device


def reading(tree: Tree, device: str, channel: IioChannel) -> float:
    return channel.value(float(tree.get(device, channel.attribute)))


@pytest.mark.parametrize(
    ("listing", "device", "expected"),
    [
        pytest.param(
            "nexus5.txt",
            "iio:device1",  # a scale a type; the temperature has an offset
            {
                "accel_x (m/s^2)": -858 * 0.000598,
                "accel_y (m/s^2)": 452 * 0.000598,
                "accel_z (m/s^2)": -15791 * 0.000598,
                "anglvel_x (rad/s)": 45 * 0.001064724,
                "anglvel_y (rad/s)": -24 * 0.001064724,
                "anglvel_z (rad/s)": -13 * 0.001064724,
                "temp (°C)": (4095 + 7011) * 2.995178 / 1000,
            },
            id="mpu6515",
        ),
        pytest.param(
            "nexus5.txt",
            "iio:device4",  # without a scale, and computed by the driver
            {
                "temp8 (°C)": 33.551,
                "voltage6": 39277,
                "voltage9 (mV)": 624611,
                "voltage10 (mV)": 1249902,
                "voltage14 (mV)": 0,
                "voltage15 (mV)": 1782317,
                "voltage48": 32148,
            },
            id="pm8941",
        ),
        pytest.param(
            "debian13.txt",
            "iio:device0",  # a scale an axis
            {
                "accel_x (m/s^2)": 16 * 0.009806,
                "accel_y (m/s^2)": -32 * 0.009806,
                "accel_z (m/s^2)": 1024 * 0.009806,
            },
            id="lis3dh",
        ),
        pytest.param(
            "debian13.txt",
            "iio:device3",  # raw and computed: 100653 Pa and 25.08 °C in the data sheet
            {"pressure (kPa)": 100.653253906, "temp (°C)": 25.08},
            id="bmp280",
        ),
        pytest.param(
            "stm32mp-bme280.txt",
            "iio:device0",
            {"humidityrelative (%)": 39.396, "pressure (kPa)": 102.12903125, "temp (°C)": 24.38},
            id="bme280",
        ),
        pytest.param(
            "pac6070.txt",
            "iio:device0",  # differential: an offset each, and one scale
            {
                "voltage0-voltage1 (mV)": (8387952 - 24038) * 0.002865602,
                "voltage2-voltage3 (mV)": (8387864 - 24038) * 0.002865602,
            },
            id="ad4111",
        ),
    ],
)
def test_readings_have_the_units_of_the_kernels_documentation(
    tmp_path: Path, listing: str, device: str, expected: dict[str, float]
) -> None:
    tree = Tree(tmp_path, listing)

    channels = find_channels(find_device(tree.sysfs, device), None)

    found = {str(channel.channel): reading(tree, device, channel) for channel in channels}
    assert list(found) == list(expected)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("shared", "scale"),
    [
        ("scale", 7),
        ("in_scale", 6),
        ("in_voltage_scale", 5),
        ("in_voltage_i_scale", 4),
        ("in_voltage3_i_scale", 3),
    ],
)
def test_the_nearest_scale_counts(tmp_path: Path, shared: str, scale: int) -> None:
    order = ["scale", "in_scale", "in_voltage_scale", "in_voltage_i_scale", "in_voltage3_i_scale"]
    tree = Tree(tmp_path, "pac6070.txt")
    tree.put("iio:device0", "in_voltage3_i_raw", "100")
    tree.path("iio:device0", "in_voltage-voltage_scale").unlink()
    for number, name in enumerate(order[: order.index(shared) + 1]):
        tree.put("iio:device0", name, str(7 - number))

    [channel] = find_channels(find_device(tree.sysfs, "ad4111"), ["voltage3_i"])

    assert channel.value(100) == 100 * scale


def test_a_raw_reading_is_what_the_computed_one_is(tmp_path: Path) -> None:
    """In the buffer lies the raw one, in sysfs there is the other too."""
    tree = Tree(tmp_path, "debian13.txt")
    for channel in find_channels(find_device(tree.sysfs, "bme280"), None):
        assert channel.processed
        raw = float(tree.get("iio:device4", f"in_{channel.name}_raw"))
        computed = reading(tree, "iio:device4", channel)
        assert (raw + channel.offset) * channel.scale == pytest.approx(computed, rel=1e-4)


def test_channels_come_in_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    device = find_device(Tree(tmp_path, "nexus5.txt").sysfs, "mpu6515")

    channels = find_channels(device, ["temp", "anglvel_z", "accel_x"])

    assert [channel.name for channel in channels] == ["temp", "anglvel_z", "accel_x"]


def test_highest_values_are_no_readings_but_can_be_named(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "debian13.txt")
    tree.put("iio:device0", "in_accel_x_peak_raw", "2000")
    tree.put("iio:device0", "in_timestamp_input", "1")
    device = find_device(tree.sysfs, "lis3dh")

    assert [one.name for one in find_channels(device, None)] == ["accel_x", "accel_y", "accel_z"]
    assert find_channels(device, ["accel_x_peak"])[0].type == "accel"


def test_a_channel_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    device = find_device(Tree(tmp_path, "debian13.txt").sysfs, "bme280")

    with pytest.raises(SourceError) as caught:
        find_channels(device, ["temp", "humidity"])

    assert str(caught.value) == (
        'iio:device4 (bme280) has no channel "humidity"; it has humidityrelative, pressure, temp.'
    )


def test_a_device_without_channels_is_no_sensor(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "nexus5.txt")
    tree.put("iio:device9", "name", "ad5446")

    with pytest.raises(SourceError, match=r"\(ad5446\) has no channel that can be read"):
        find_channels(find_device(tree.sysfs, "ad5446"), None)
