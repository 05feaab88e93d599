"""What anomaly detectors have learnt outlives a restart, and nothing else does."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest

from edged.store.atomic import Disk
from edged.store.baselines import FILE_NAME, MOST_KEPT, Baselines, Learnt

MOTOR = Learnt("motor", "a" * 64 + "-00000000", 0.25, 601)


def opened(directory: Path, disk: Disk | None = None) -> Baselines:
    baselines = Baselines(directory / FILE_NAME, disk or Disk())
    baselines.open()
    return baselines


def test_what_is_kept_is_found_again_by_the_same_pipeline_and_model_alone(tmp_path: Path) -> None:
    baselines = opened(tmp_path)
    baselines.keep(MOTOR)
    assert not (tmp_path / FILE_NAME).exists()
    baselines.write()
    again = opened(tmp_path)
    assert again.find("motor", MOTOR.model) == MOTOR
    assert again.find("pump", MOTOR.model) is None
    assert again.find("motor", "b" * 64 + "-00000000") is None


def test_what_is_learnt_anew_takes_the_place_of_what_was(tmp_path: Path) -> None:
    baselines = opened(tmp_path)
    for threshold in (0.25, 0.5):
        baselines.keep(Learnt("motor", MOTOR.model, threshold, 601))
        baselines.write()
    found = opened(tmp_path).find("motor", MOTOR.model)
    assert found is not None
    assert found.threshold == 0.5
    assert (tmp_path / FILE_NAME).read_text().count("threshold") == 1


def test_the_oldest_go_where_there_are_too_many(tmp_path: Path) -> None:
    baselines = opened(tmp_path)
    for number in range(MOST_KEPT + 1):
        baselines.keep(Learnt("motor", str(number), 1.0, 30))
    assert baselines.find("motor", "0") is None
    assert baselines.find("motor", "1") is not None


def test_nothing_is_written_where_nothing_was_learnt(tmp_path: Path) -> None:
    opened(tmp_path).write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b'[{"pipeline":"motor"}]', b"[" * 100_000, b"[]\x00"]
)
def test_a_damaged_file_is_told_and_written_anew(
    text: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(text)
    baselines = opened(tmp_path)
    [line] = caplog.messages
    assert line.startswith(f"{path} cannot be read (")
    assert line.endswith("): anomaly detectors learn anew what is usual")
    baselines.keep(MOTOR)
    baselines.write()
    assert opened(tmp_path).find("motor", MOTOR.model) == MOTOR


class Full(Disk):
    def __init__(self) -> None:
        self.full = True

    def create(self, path: Path) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().create(path)


def test_a_full_disk_is_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    disk = Full()
    baselines = opened(tmp_path, disk)
    baselines.keep(MOTOR)
    baselines.write()
    baselines.write()
    assert len(caplog.messages) == 1
    assert "cannot be written ([Errno 28] No space left on device)" in caplog.messages[0]
    disk.full = False
    baselines.write()
    assert opened(tmp_path).find("motor", MOTOR.model) == MOTOR
