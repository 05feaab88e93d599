"""``edged check`` as a whole: what makes it say that the daemon would not run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alsa_devices import alsa_devices
from household import RED, House, images
from iio_trees import Tree

from edged.check import check
from edged.service.host import Host

EYE = 'name = "eye"\nmodel = "classifier_uint8"\n'


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.end()


def checked(config: Path, host: Host | None = None) -> tuple[int, list[str]]:
    """The exit status and the lines."""
    lines: list[str] = []
    is_root = os.geteuid() == 0
    return check(config, {"HOME": str(config.parent)}, is_root, lines.append, host), lines


def line_of(lines: list[str], words: str) -> str:
    """The one line of that verdict and subject."""
    [line] = [line for line in lines if line.split()[:2] == words.split()]
    return line


def test_a_daemon_that_runs_on_the_same_state_is_told_by_its_process(
    house: House, mosquitto: Callable[..., Any]
) -> None:
    house.model("classifier_uint8")
    config = house.configure(
        mosquitto().port, EYE + '[pipelines.source]\nkind = "synthetic"\nfps = 5'
    )
    daemon = house.run()
    daemon.wait_for_line("pipeline eye: running")
    status, lines = checked(config)
    assert status == 1
    told = line_of(lines, "wrong other")
    assert f"another edged (process {daemon.process.pid}) uses {house.directory}/state" in told
    assert daemon.stop() == 0
    assert checked(config)[0] == 0


def test_a_camera_that_a_daemon_has_is_not_tried(house: House, tmp_path: Path) -> None:
    house.model("classifier_uint8")
    camera = '[pipelines.source]\nkind = "v4l2"\ndevice = "/dev/video0"'
    config = house.configure(1, EYE + camera)
    store = house.directory / "state" / "store"
    store.mkdir(parents=True)
    root = tmp_path / "root"
    (root / "proc/77").mkdir(parents=True)
    (root / "proc/77/cmdline").write_bytes(b"python3\0/usr/bin/edged\0run")
    inode = store.stat().st_ino
    (root / "proc/locks").write_text(f"1: FLOCK  ADVISORY  WRITE 77 00:01:{inode} 0 EOF\n")
    _, lines = checked(config, Host(root))
    assert "v4l2 is not tried" in line_of(lines, "note source")


def test_a_broker_that_refuses_the_login_is_wrong_and_one_that_is_away_is_not(
    house: House, mosquitto: Callable[..., Any]
) -> None:
    house.model("classifier_uint8")
    pipeline = EYE + images(house.pictures(RED))
    closed = mosquitto("allow_anonymous false")
    status, lines = checked(house.configure(closed.port, pipeline))
    assert status == 1
    assert "not authorised" in line_of(lines, "wrong broker")
    status, lines = checked(house.configure(1, pipeline))
    assert status == 0
    assert "results wait for it on the disk" in line_of(lines, "note broker")


def test_a_password_file_that_is_not_there_is_wrong_and_the_rest_is_told(house: House) -> None:
    house.model("classifier_uint8")
    config = house.configure(
        1,
        EYE + images(house.pictures(RED)),
        mqtt='username = "edged"\npassword_file = "absent"',
    )
    status, lines = checked(config)
    assert status == 1
    assert "there is no such file" in line_of(lines, "wrong broker")
    assert any(line.split()[1] == "clock" for line in lines)


def test_nothing_is_made_by_looking(house: House) -> None:
    house.model("classifier_uint8")
    config = house.configure(1, EYE + images(house.pictures(RED)))
    assert checked(config)[0] == 0
    assert not (house.directory / "state").exists()


def test_a_sensor_is_asked_for_a_sample(house: House, tmp_path: Path) -> None:
    tree = Tree(tmp_path / "weather", "stm32mp-bme280.txt")
    house.model("autoencoder_float32")
    sensor = f'kind = "iio"\ndevice = "bme280"\nsysfs_root = "{tree.sysfs}"\n'
    config = house.configure(
        1,
        'name = "weather"\nmodel = "autoencoder_float32"\nthreshold = 1\n[pipelines.source]\n'
        f'{sensor}channels = ["pressure", "temp"]\n',
    )

    told = line_of(checked(config)[1], "ok source")
    tree.path("iio:device0", "in_temp_input").unlink()
    failed = line_of(checked(config)[1], "wrong source")

    assert "weather: iio gives samples of pressure (kPa), temp (°C) at 1 Hz" in told
    assert 'iio:device0 (bme280) has no channel "temp"; it has humidityrelative, press' in failed


def test_a_model_that_cannot_use_a_sensors_channels_is_told(house: House) -> None:
    house.model("window_float32")
    table = house.directory / "hand.csv"
    table.write_text("x (g),y (g)\n" + "0,1\n" * 9)
    source = f'[pipelines.source]\nkind = "csv"\npath = "{table}"\nrate_hz = 50\n'
    config = house.configure(1, f'name = "hand"\nmodel = "window_float32"\n{source}')
    status, lines = checked(config)
    assert status == 1
    assert line_of(lines, "ok source").endswith("hand: csv gives samples of x (g), y (g) at 50 Hz")
    assert "hand: its model cannot use that: it takes 3 channels, and the source gives 2" in (
        line_of(lines, "wrong source")
    )
    assert any("hand: window_float32: samples 8 x 3 channels; assumed" in line for line in lines)


def test_a_microphone_that_gives_only_silence_is_noted(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    click = np.zeros(32_000, np.int16)
    click[16_000] = -16_384
    alsa_devices(tmp_path, monkeypatch, click)
    house.model("autoencoder_float32")
    pipeline = 'model = "autoencoder_float32"\n[pipelines.source]\nkind = "microphone"\n'
    silent, loud = (
        checked(house.configure(1, f'name = "{name}"\n{pipeline}device = "{name}"\n'))[1]
        for name in ("nothing", "recorder")
    )
    assert "nothing: microphone gives samples of audio at 16000 Hz" in line_of(silent, "ok source")
    assert "gives only silence" in line_of(silent, "note sound")
    assert "recorder: the microphone hears something, -6 dB" in line_of(loud, "ok sound")


def test_what_masks_zones_and_lines_cover_is_told(
    house: House, mosquitto: Callable[..., Any]
) -> None:
    house.model("detector_tf1")
    house.labels("detector_tf1", "person", "cat")
    parts = """name = "eye"
model = "detector_tf1"
masks = [
  {polygon = [[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]]},
  {polygon = [[0.25, 0], [0.5, 0], [0.5, 0.5], [0.25, 0.5]]},
]
zones = [
  {name = "left", polygon = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], labels = ["person", "cats"]},
  {name = "hidden", polygon = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4]], anchor = "centre"},
]
lines = [{name = "gate", start = [0, 0], end = [1, 1], labels = ["cat"], anchor = "top"}]
source.kind = "synthetic"
"""
    status, lines = checked(house.configure(mosquitto().port, parts))
    assert status == 0
    told = [line for line in lines if line.split()[1] in ("masks", "zones", "lines", "track")]
    assert [" ".join(line.split()) for line in told] == [
        "ok masks eye: 25% of the picture is filled before anything looks at it",
        "ok zones eye: zone left: 50% of the picture, person, cats by the bottom of their boxes; "
        "50% of it is masked",
        "note zones eye: zone hidden: 5% of the picture, all objects by the centre of their "
        "boxes; 100% of it is masked",
        "ok lines eye: line gate: cat by the top of their boxes",
        "ok track eye: objects keep their number, as zones and lines need it; scores over 0.1 go "
        "on with one, and one that is lost is looked for 2 s",
    ]
    assert line_of(lines, "note labels").endswith(
        'eye: left: the model has no label "cats" (did you mean "cat"?): nothing is published for '
        "it"
    )


def test_zones_for_a_model_that_finds_no_objects_are_wrong(
    house: House, mosquitto: Callable[..., Any]
) -> None:
    house.model("classifier_uint8")
    zones = 'zones = [{name = "a", polygon = [[0, 0], [1, 0], [1, 1]]}]\nsource.kind = "synthetic"'
    status, lines = checked(house.configure(mosquitto().port, EYE + zones))
    assert status == 1
    assert "only the objects of a detection can be tracked" in line_of(lines, "wrong model")


def test_a_quantised_model_of_a_runtime_that_is_slow_with_it_is_noted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edged.check.slow_here", lambda runtime, machine: "it is slow here")
    source = '[pipelines.source]\nkind = "synthetic"'
    for model, noted in (("classifier_uint8", True), ("classifier_float32", False)):
        house.model(model)
        _, lines = checked(house.configure(1, f'name = "{model}"\nmodel = "{model}"\n{source}'))
        assert any(f"{model}: {model}: it is slow here" in line for line in lines) == noted
