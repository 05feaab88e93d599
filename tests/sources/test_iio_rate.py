from __future__ import annotations

from pathlib import Path

import pytest
from iio_trees import Tree

from edged.sources.iio_device import IioDevice, Settings, find_device
from edged.sources.iio_rate import own_rate_hz, raise_rate, set_rate


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path, "debian13.txt")


@pytest.fixture
def device(tree: Tree) -> IioDevice:
    return find_device(tree.sysfs, "lsm6dsox_accel")  # 12.5, 26, 52 ... 833


@pytest.mark.parametrize(
    ("wanted_hz", "written", "rate_hz"),
    [
        (104, "104.000", 104),
        (105, "104.000", 104),  # within one per cent
        (60, "104.000", 104),  # what is too much can be resampled
        (12.5, "12.500000", 12.5),  # as it was
        (1000, "833.000", 833),  # as much as it can
        (None, "12.500000", 12.5),
    ],
)
def test_the_rate_is_set_to_one_that_there_is(
    tree: Tree, device: IioDevice, wanted_hz: float | None, written: str, rate_hz: float
) -> None:
    assert set_rate(device, ["accel"], wanted_hz, Settings()) == rate_hz
    assert tree.get("iio:device2", "sampling_frequency") == written


@pytest.mark.parametrize(
    ("available", "wanted_hz", "written"),
    [
        ("[1 0.5 100]", 33.6, "33.5"),
        ("[1 0.5 100]", 0.2, "1"),
        ("[1 0.5 100]", 200, "100"),
        ("[10 0 10]", 50, "10"),
        ("", 33.25, "33.25"),
        ("fast slow", 33.25, "33.25"),
    ],
)
def test_a_range_or_nothing_may_be_said_of_the_rates(
    tree: Tree, device: IioDevice, available: str, wanted_hz: float, written: str
) -> None:
    tree.put("iio:device2", "sampling_frequency_available", available)

    set_rate(device, ["accel"], wanted_hz, Settings())

    assert tree.get("iio:device2", "sampling_frequency") == written


def test_a_trigger_that_ticks_by_itself_sets_the_pace(tree: Tree, device: IioDevice) -> None:
    tree.put("iio:device2", "trigger/current_trigger", "edged")  # trigger0, at 100 Hz
    settings = Settings()

    assert set_rate(device, ["accel"], None, settings) == 100
    assert tree.get("iio:device2", "sampling_frequency") == "104.000"  # or values would repeat

    assert set_rate(device, ["accel"], 50, settings) == 50
    assert tree.get("trigger0", "sampling_frequency") == "50"
    assert tree.get("iio:device2", "sampling_frequency") == "104.000"

    settings.restore()
    assert tree.get("trigger0", "sampling_frequency") == "100.000000"
    assert tree.get("iio:device2", "sampling_frequency") == "12.500000"


def test_each_type_may_have_its_rate(tree: Tree, device: IioDevice) -> None:
    tree.path("iio:device2", "sampling_frequency").unlink()
    for type_, rate in (("accel", "50"), ("anglvel", "100"), ("magn", "10")):
        tree.put("iio:device2", f"in_{type_}_sampling_frequency", rate)
    types = ["accel", "accel", "anglvel"]

    assert own_rate_hz(device, types) == 100
    assert set_rate(device, types, 200, Settings()) == 200
    assert tree.get("iio:device2", "in_accel_sampling_frequency") == "200"
    assert tree.get("iio:device2", "in_anglvel_sampling_frequency") == "200"
    assert tree.get("iio:device2", "in_magn_sampling_frequency") == "10"


def test_a_rate_is_raised_but_not_lowered(tree: Tree, device: IioDevice) -> None:
    raise_rate(device, ["accel"], 20, Settings())
    assert tree.get("iio:device2", "sampling_frequency") == "26.000"

    raise_rate(device, ["accel"], 1, Settings())
    assert tree.get("iio:device2", "sampling_frequency") == "26.000"


def test_a_device_may_tell_no_rate(tree: Tree) -> None:
    device = find_device(tree.sysfs, "bme280")

    assert set_rate(device, ["temp"], 10, Settings()) is None
    assert own_rate_hz(device, ["temp"]) is None
