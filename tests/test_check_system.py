"""What ``edged check`` finds out about the system, on machines that are made up."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from iio_trees import Tree

from edged.check_system import (
    check_cameras,
    check_chip,
    check_clock,
    check_microphones,
    check_places,
    check_sensors,
    check_unit,
    check_user,
)
from edged.config import Pipeline, parse_config
from edged.report import Report
from edged.service.host import Account, Host, Unit, account, run_command

RUNS = Unit("active", "success", "edged", enabled=True, status="1 of 1 pipeline runs", restarts=0)


def pipelines(*sources: str) -> tuple[Pipeline, ...]:
    text = "".join(
        f'[[pipelines]]\nname = "p{number}"\nmodel = "m"\n[pipelines.source]\n{source}\n'
        for number, source in enumerate(sources)
    )
    return parse_config(text.encode(), "edged.toml").pipelines


CAMERA = pipelines('kind = "picamera2"')
USB = pipelines('kind = "v4l2"')


class Lines:
    """A report, and what it has told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.report = Report(self.lines.append)

    def words(self) -> list[str]:
        """The verdict and the subject of each line."""
        return [" ".join(line.split()[:2]) for line in self.lines]


@pytest.fixture
def told() -> Lines:
    return Lines()


def person(*groups: str, uid: int = 4321) -> Account:
    return Account("pi", uid, frozenset({uid}), frozenset(groups))


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# ---- the unit ------------------------------------------------------------------------------------

SHOWN = """LoadState=loaded
ActiveState=failed
Result=watchdog
User=edged
UnitFileState=enabled
StatusText=1 of 1 pipeline runs; a=b
NRestarts=3
"""


def systemd(root: Path, said: str | None) -> Host:
    (root / "run/systemd/system").mkdir(parents=True)
    asked: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> str | None:
        asked.append(command)
        assert command[:3] == ["systemctl", "show", "edged.service"]
        return said

    return Host(root, run)


def test_the_unit_is_what_systemctl_shows(tmp_path: Path) -> None:
    assert systemd(tmp_path, SHOWN).unit() == Unit(
        "failed", "watchdog", "edged", True, "1 of 1 pipeline runs; a=b", 3
    )


@pytest.mark.parametrize("said", [None, "", "LoadState=not-found\nActiveState=inactive\n"])
def test_where_there_is_no_unit_nothing_is_said_of_it(
    tmp_path: Path, told: Lines, said: str | None
) -> None:
    check_unit(told.report, systemd(tmp_path, said).unit())
    assert told.lines == []


def test_where_systemd_does_not_run_it_is_not_asked(tmp_path: Path) -> None:
    def run(command: Sequence[str]) -> str:
        raise AssertionError(command)

    assert Host(tmp_path, run).unit() is None


@pytest.mark.parametrize(
    ("unit", "lines"),
    [
        (RUNS, ["ok     unit     edged.service runs: 1 of 1 pipeline runs"]),
        (
            Unit("failed", "watchdog", "edged", True, "", 3),
            [
                "note   unit     edged.service has failed (watchdog): see journalctl -u edged, "
                "mend it, then: sudo systemctl restart edged",
                "note   unit     it was started anew 3 times: see journalctl -u edged",
            ],
        ),
        (
            Unit("inactive", "success", "edged", False, "", 0),
            [
                "note   unit     edged.service does not run: start it with sudo systemctl start "
                "edged",
                "note   unit     it does not start at boot: sudo systemctl enable edged",
            ],
        ),
    ],
)
def test_each_state_of_the_unit_comes_with_what_to_do(
    told: Lines, unit: Unit, lines: list[str]
) -> None:
    check_unit(told.report, unit)
    assert told.lines == lines
    assert not told.report.failed


# ---- the user ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [CAMERA, USB])
def test_a_user_outside_of_the_camera_s_group_is_told_how_to_get_in(
    told: Lines, wanted: tuple[Pipeline, ...]
) -> None:
    check_user(told.report, person("users"), wanted)
    assert told.lines == [
        "wrong  user     pi is not in the group video: sudo usermod -aG video pi, then log in "
        "again or restart the service"
    ]
    assert told.report.failed


@pytest.mark.parametrize(
    ("user", "wanted"),
    [
        (person("video"), CAMERA),
        (person(uid=0), CAMERA),
        (person(), pipelines('kind = "synthetic"')),
    ],
)
def test_who_may_open_all_devices_is_fine(
    told: Lines, user: Account, wanted: tuple[Pipeline, ...]
) -> None:
    check_user(told.report, user, wanted)
    assert told.words() == ["ok user"]


def test_this_process_s_user_is_known_and_one_that_is_not_there_is_not() -> None:
    own = account()
    assert own is not None
    assert own.uid == os.geteuid()
    assert account("root") is not None
    assert account("nobody-of-that-name") is None


def test_a_command_that_is_not_there_or_fails_says_nothing() -> None:
    assert run_command(["edged-no-such-command"]) is None
    assert run_command(["false"]) is None
    assert run_command(["echo", "a"]) == "a\n"


# ---- directories ---------------------------------------------------------------------------------


def test_directories_that_the_user_may_write_are_fine_and_none_is_made(
    tmp_path: Path, told: Lines
) -> None:
    tmp_path.chmod(0o777)
    check_places(told.report, person(), tmp_path / "state", tmp_path / "state/models", 0)
    assert told.words() == ["ok state", "ok models", "ok space"]
    assert "(will be made)" in told.lines[0]
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_the_service_s_user_may_not_write_is_wrong(
    tmp_path: Path, told: Lines
) -> None:
    (tmp_path / "models").mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    check_places(told.report, person(uid=os.geteuid() + 1), tmp_path, tmp_path / "models", 0)
    assert told.words() == ["wrong state", "ok models", "ok space"]
    assert f"pi may not write to {tmp_path}: sudo chown pi {tmp_path}" in told.lines[0]
    assert "device.state_dir" in told.lines[0]


def test_models_that_the_service_s_user_may_not_read_are_wrong(tmp_path: Path, told: Lines) -> None:
    (tmp_path / "models").mkdir(mode=0o700)
    tmp_path.chmod(0o777)
    check_places(told.report, person(uid=os.geteuid() + 1), tmp_path, tmp_path / "models", 0)
    assert told.words() == ["ok state", "wrong models", "ok space"]
    assert "models.dir" in told.lines[1]


def test_a_file_in_place_of_a_directory_is_wrong(tmp_path: Path, told: Lines) -> None:
    (tmp_path / "state").write_text("")
    (tmp_path / "state").chmod(0o777)
    check_places(told.report, person(), tmp_path / "state", tmp_path, 0)
    assert told.words()[0] == "wrong state"


def test_too_little_space_for_the_spool_is_noted(tmp_path: Path, told: Lines) -> None:
    tmp_path.chmod(0o777)
    check_places(told.report, person(), tmp_path, tmp_path, 1 << 60)
    assert told.words()[2] == "note space"
    assert "set spool.max_bytes lower" in told.lines[2]


# ---- another daemon ------------------------------------------------------------------------------


def locks(
    root: Path, inode: int, command: bytes = b"/usr/bin/python3\0/usr/bin/edged\0run"
) -> Host:
    put(
        root,
        "proc/locks",
        "1: POSIX  ADVISORY  WRITE 99 08:01:1 0 EOF\n"
        f"2: FLOCK  ADVISORY  WRITE 4242 08:01:{inode} 0 EOF\n"
        "nonsense\n",
    )
    put(root, "proc/4242/cmdline", "")
    (root / "proc/4242/cmdline").write_bytes(command)
    return Host(root)


def test_a_daemon_that_holds_the_store_is_found_by_its_lock(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    assert locks(tmp_path / "root", store.stat().st_ino).user_of_lock(store) == 4242


@pytest.mark.parametrize(("offset", "command"), [(1, b"edged"), (0, b"/usr/sbin/mosquitto")])
def test_other_locks_are_no_daemon(tmp_path: Path, offset: int, command: bytes) -> None:
    store = tmp_path / "store"
    store.mkdir()
    host = locks(tmp_path / "root", store.stat().st_ino + offset, command)
    assert host.user_of_lock(store) is None


def test_without_a_store_nobody_holds_it(tmp_path: Path) -> None:
    assert Host(tmp_path).user_of_lock(tmp_path / "store") is None


# ---- cameras -------------------------------------------------------------------------------------


def picamera2(*cameras: dict[str, str]) -> Any:
    return SimpleNamespace(
        Picamera2=SimpleNamespace(global_camera_info=staticmethod(lambda: list(cameras)))
    )


@pytest.mark.parametrize(
    ("module", "line"),
    [
        (picamera2({"Model": "imx708"}, {"Model": "ov5647"}), "libcamera sees 0 imx708, 1 ov5647"),
        (picamera2(), "libcamera sees none"),
    ],
)
def test_the_pi_s_cameras_are_libcamera_s_list(
    tmp_path: Path, told: Lines, module: Any, line: str
) -> None:
    check_cameras(told.report, Host(tmp_path), CAMERA, lambda: module)
    assert told.lines == [f"note   cameras  {line}"]


def test_a_libcamera_that_cannot_be_asked_is_said(tmp_path: Path, told: Lines) -> None:
    def missing() -> Any:
        raise ImportError("No module named 'picamera2'")

    check_cameras(told.report, Host(tmp_path), CAMERA, missing)
    assert told.lines == ["note   cameras  libcamera cannot be asked: No module named 'picamera2'"]


def test_usb_cameras_are_told_by_their_names(tmp_path: Path, told: Lines) -> None:
    put(tmp_path, "dev/video0", "")
    put(tmp_path, "dev/video1", "")
    put(tmp_path, "sys/class/video4linux/video0/name", "HD Webcam\n")
    check_cameras(told.report, Host(tmp_path), USB)
    assert told.lines == ["note   cameras  video devices: /dev/video0 (HD Webcam), /dev/video1"]


def test_the_devices_that_record_are_told_where_a_pipeline_listens(
    tmp_path: Path, told: Lines
) -> None:
    put(tmp_path, "proc/asound/card1/id", "Device\n")
    put(tmp_path, "proc/asound/pcm", "01-00: USB Audio : USB Audio : playback 1 : capture 1\n")
    check_microphones(told.report, tmp_path, USB)
    check_microphones(told.report, tmp_path, pipelines('kind = "microphone"'))
    check_microphones(told.report, tmp_path / "none", pipelines('kind = "microphone"'))
    assert told.lines == [
        "note   audio    devices that record: sysdefault:CARD=Device (USB Audio)",
        "note   audio    devices that record: none",
    ]


def test_where_no_pipeline_wants_a_camera_none_is_looked_for(tmp_path: Path, told: Lines) -> None:
    check_cameras(told.report, Host(tmp_path), pipelines('kind = "synthetic"'))
    assert told.lines == []


def test_sensors_are_told_by_their_numbers_and_names(tmp_path: Path, told: Lines) -> None:
    root = Tree(tmp_path, "nexus5.txt").sysfs
    wanted = pipelines(f'kind = "iio"\ndevice = "bmp280"\nsysfs_root = "{root}"')

    check_sensors(told.report, wanted)
    check_user(told.report, person(), wanted)

    assert told.lines == [
        "note   sensors  IIO devices: iio:device1 (mpu6515), iio:device2 "
        "(fc4cf000.spmi:pm8941@0:iadc@3600), iio:device4 (fc4cf000.spmi:pm8941@0:vadc@3100), "
        "iio:device5 (bmp280)",
        "ok     user     pi: no group is needed",
    ]


# ---- the chip and the clock ----------------------------------------------------------------------


def pi(root: Path, degrees: int, word: str | None) -> Host:
    put(root, "sys/class/thermal/thermal_zone0/type", "cpu-thermal")
    put(root, "sys/class/thermal/thermal_zone0/temp", f"{degrees}000")
    if word is not None:
        put(root, "sys/devices/platform/soc/soc:firmware/get_throttled", word)
    return Host(root)


@pytest.mark.parametrize(
    ("degrees", "word", "lines"),
    [
        (
            48,
            "0",
            [
                "ok     chip     48 °C",
                "ok     power    the firmware has not throttled it since boot",
            ],
        ),
        (
            77,
            "50005",
            [
                "note   chip     77 °C, and hot is 80 °C: give it air or a cooler; pipelines are "
                "slowed down from there on",
                "note   power    under-voltage, throttled now: use the Pi's own power supply and a "
                "short cable",
            ],
        ),
        (
            60,
            "80000",
            [
                "ok     chip     60 °C",
                "note   power    soft-temperature-limit since boot: give it a cooler",
            ],
        ),
        (50, None, ["ok     chip     50 °C"]),
    ],
)
def test_heat_and_power_come_with_what_to_do(
    tmp_path: Path, told: Lines, degrees: int, word: str | None, lines: list[str]
) -> None:
    check_chip(told.report, pi(tmp_path, degrees, word), hot_c=80)
    assert told.lines == lines
    assert not told.report.failed


def test_a_machine_without_such_facts_has_no_such_lines(tmp_path: Path, told: Lines) -> None:
    check_chip(told.report, Host(tmp_path), hot_c=80)
    assert told.lines == []


class FakeClock:
    def __init__(self, synced: bool) -> None:
        self._synced = synced

    def monotonic_ns(self) -> int:
        return 0

    def utc_of(self, monotonic_ns: int) -> datetime:
        return datetime.fromtimestamp(0, UTC)

    def synced(self) -> bool:
        return self._synced


@pytest.mark.parametrize(("synced", "words"), [(True, "ok clock"), (False, "note clock")])
def test_a_clock_that_is_not_set_is_noted(told: Lines, synced: bool, words: str) -> None:
    check_clock(told.report, FakeClock(synced))
    assert told.words() == [words]
