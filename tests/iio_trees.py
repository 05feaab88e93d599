"""Sysfs as sensors have it: the listings in ``tests/sources/iio`` as files."""

from __future__ import annotations

import os
from pathlib import Path

LISTINGS = Path(__file__).parent / "sources" / "iio"


class Tree:
    """``sysfs`` and ``dev`` below ``root``, with the devices of a listing."""

    def __init__(self, root: Path, listing: str) -> None:
        self.sysfs = root / "sys"
        self.dev = root / "dev"
        self.dev.mkdir(parents=True)
        device = ""
        for line in (LISTINGS / listing).read_text("utf-8").splitlines():
            if line.startswith("["):
                device = line.strip("[]")
            elif line:
                attribute, value = line.split(" =", 1)
                self.put(device, attribute, value.strip())

    def path(self, device: str, attribute: str = ".") -> Path:
        return self.sysfs / "bus/iio/devices" / device / attribute

    def put(self, device: str, attribute: str, value: str) -> None:
        path = self.path(device, attribute)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n", "utf-8")

    def get(self, device: str, attribute: str) -> str:
        return self.path(device, attribute).read_text("utf-8").strip()

    def everything(self) -> dict[str, str]:
        """All attributes of all devices."""
        files = sorted(path for path in self.sysfs.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.sysfs)): path.read_text("utf-8").strip() for path in files
        }


class CharacterDevice:
    """A FIFO where the device's buffer is read; what is written comes out there."""

    def __init__(self, tree: Tree, device: str) -> None:
        path = tree.dev / device
        os.mkfifo(path)
        # Both ends, so that opening does not wait for the other.
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def write(self, data: bytes) -> None:
        assert os.write(self._fd, data) == len(data)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
