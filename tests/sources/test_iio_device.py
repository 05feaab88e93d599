from __future__ import annotations

import errno
from pathlib import Path

import pytest
from iio_trees import Tree

from edged.errors import SourceError
from edged.sources.iio_device import IioDevice, Settings, find_device


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path, "debian13.txt")


@pytest.mark.parametrize("wanted", ["iio:device0", "lis3dh", "accel-base"])
def test_a_device_is_found_by_its_number_its_name_or_its_label(tree: Tree, wanted: str) -> None:
    tree.put("iio:device0", "label", "accel-base")

    assert find_device(tree.sysfs, wanted).id == "iio:device0"


def test_what_there_is_is_told_where_a_device_is_not_there(tree: Tree) -> None:
    tree.put("iio:device0", "label", "accel-base")
    tree.put("iio:device10", "name", "opt3001")

    with pytest.raises(SourceError) as caught:
        find_device(tree.sysfs, "mpu9250")

    assert str(caught.value) == (
        'There is no IIO device "mpu9250"; there are iio:device0 (lis3dh, label accel-base), '
        "iio:device1 (lsm6dsox_gyro), iio:device2 (lsm6dsox_accel), iio:device3 (bmp280), "
        "iio:device4 (bme280), iio:device5 (mpu6050), iio:device10 (opt3001)."
    )


def test_the_driver_is_to_be_looked_at_where_there_is_no_device_at_all(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match='no IIO device "lis3dh", and no other: see whether'):
        find_device(tmp_path, "lis3dh")


def test_two_of_one_name_are_told_apart_by_their_number(tree: Tree) -> None:
    tree.put("iio:device4", "name", "bmp280")

    with pytest.raises(SourceError, match=r"iio:device3 \(bmp280\), iio:device4 \(bmp280\)"):
        find_device(tree.sysfs, "bmp280")
    assert find_device(tree.sysfs, "iio:device4").id == "iio:device4"


def test_settings_are_put_back_the_last_first(tree: Tree) -> None:
    device = find_device(tree.sysfs, "lis3dh")
    before = tree.everything()
    settings = Settings()

    settings.set(device, "sampling_frequency", "100")
    settings.set(device, "buffer0/enable", "1")
    settings.set(device, "sampling_frequency", "200")
    settings.set(device, "buffer0/length", "2")  # as it is
    changed = {name for name, value in tree.everything().items() if before[name] != value}

    assert changed == {
        "bus/iio/devices/iio:device0/sampling_frequency",
        "bus/iio/devices/iio:device0/buffer0/enable",
    }
    settings.restore()
    assert tree.everything() == before


def test_an_attribute_that_is_not_there_is_not_made(tree: Tree) -> None:
    device = find_device(tree.sysfs, "lis3dh")

    with pytest.raises(SourceError, match=r"iio:device0 \(lis3dh\) is gone"):
        Settings().set(device, "sampling_rate", "1")
    assert not tree.path("iio:device0", "sampling_rate").exists()


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (
            errno.ENODEV,
            r"^iio:device0 \(lis3dh\) is gone: unplugged, or its driver was unloaded\.$",
        ),
        (errno.EBUSY, r"^iio:device0 \(lis3dh\) is in use by another program\.$"),
        (errno.EACCES, r"x cannot be read: permission denied\. The user must be in .*group `iio`"),
        (errno.EROFS, r"x cannot be read: read-only file system\. The user must be in"),
        (errno.EIO, r"^iio:device0 \(lis3dh\): x cannot be read: Input/output error\.$"),
    ],
)
def test_a_failure_says_why_and_what_to_do(tree: Tree, number: int, told: str) -> None:
    device = find_device(tree.sysfs, "lis3dh")

    failure = device.failure(OSError(number, errno.errorcode[number]), "x cannot be read")

    with pytest.raises(SourceError, match=told):
        raise failure


def test_a_value_is_read_without_what_some_drivers_put_after_it(tree: Tree) -> None:
    tree.put("iio:device0", "name", "lis3dh\n\0")

    assert IioDevice(tree.path("iio:device0")).name == "lis3dh"
