"""From the configuration to objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from edged.build import load_options, make_plan, make_source, mqtt_settings, spool_settings
from edged.config import Config, Pipeline, Spool, parse_config
from edged.crops import CropRule
from edged.engine.geometry import Fit
from edged.engine.runtime import Delegate
from edged.errors import ConfigError
from edged.gate import MotionRule
from edged.minimise import Minimiser
from edged.publish import SpoolSettings
from edged.publish.tls import TlsFiles
from edged.records.frames import Size
from edged.service import machine
from edged.sources.images import ImagesSource
from edged.sources.pi_camera import Picamera2Source
from edged.sources.synthetic import SyntheticSource
from edged.sources.v4l2 import V4l2Source
from edged.sources.video import VideoSource
from edged.sources.windowed import WindowedSource


def config(text: str, source: str = 'kind = "synthetic"') -> Config:
    return parse_config(f"{text}\n[pipelines.source]\n{source}".encode(), "/etc/edged/edged.toml")


def pipeline(source: str, text: str = "") -> Pipeline:
    return config(f'[[pipelines]]\nmodel = "m"\n{text}', source).pipelines[0]


@pytest.mark.parametrize(
    ("source", "kind", "live"),
    [
        ('kind = "picamera2"', Picamera2Source, True),
        ('kind = "v4l2"', V4l2Source, True),
        ('kind = "video"\npath = "a.mp4"', VideoSource, True),
        ('kind = "video"\npath = "a.mp4"\nrealtime = false', VideoSource, False),
        ('kind = "images"\npath = "a"', ImagesSource, False),
        ('kind = "synthetic"', SyntheticSource, None),
        ('kind = "iio"\ndevice = "bmi160"', WindowedSource, True),
        ('kind = "microphone"', WindowedSource, True),
        ('kind = "wav"\npath = "a.wav"', WindowedSource, True),
        ('kind = "csv"\npath = "a.csv"\nrealtime = false', WindowedSource, False),
    ],
)
def test_every_kind_of_source_is_made_and_nothing_opened(
    source: str, kind: type, live: bool | None
) -> None:
    made = make_source(pipeline(source).source)
    assert type(made) is kind
    if live is not None:
        assert made.live is live
    made.close()


@pytest.mark.parametrize(
    ("source", "realtime", "fps"),
    [
        ('kind = "synthetic"', True, 15),
        ('kind = "synthetic"\nfps = 0', True, None),
        ('kind = "picamera2"\nfps = 10', True, 10),
        ('kind = "video"\npath = "a.mp4"', True, None),
        ('kind = "video"\npath = "a.mp4"\nrealtime = false', False, None),
        ('kind = "csv"\npath = "a.csv"\nfps = 2', True, 2),
        ('kind = "wav"\npath = "a.wav"\nrealtime = false', False, None),
        ('kind = "images"\npath = "a"', False, None),
        ('kind = "images"\npath = "a"\nfps = 4', True, 4),
        ('kind = "images"\npath = "a"\nfps = 4\nrealtime = false', False, 4),
    ],
)
def test_recordings_wait_or_drop_as_the_contract_says(
    source: str, realtime: bool, fps: float | None
) -> None:
    plan = make_plan(pipeline(source))
    assert (plan.realtime, plan.fps) == (realtime, fps)


def test_a_plan_holds_what_the_pipelines_table_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 2)
    plan = make_plan(
        pipeline(
            'kind = "picamera2"\nsize = [640, 480]',
            'name = "front"\nthreshold = 0.25\nlabels = ["cat"]\nmax_results = 3\n'
            'threads = 2\nfit = "crop"',
        )
    )
    assert (plan.name, plan.model, plan.source_kind) == ("front", "m", "picamera2")
    assert (plan.threshold, plan.labels, plan.max_results) == (0.25, ("cat",), 3)
    assert plan.frame_size == Size(640, 480)
    assert (plan.options.threads, plan.options.fit, plan.options.delegate) == (2, Fit.CROP, None)


def test_a_gate_has_defaults_for_all_but_its_kind() -> None:
    assert make_plan(pipeline('kind = "v4l2"')).gate is None
    plan = make_plan(pipeline('kind = "v4l2"', 'gate.kind = "motion"'))
    assert plan.gate == MotionRule(contrast=6, share=0.0005, hold_s=2, heartbeat_s=10)


def test_an_interpreter_has_no_more_threads_than_there_are_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 3)
    threads = [
        load_options(pipeline('kind = "synthetic"', f"threads = {n}")).threads for n in (1, 3, 8)
    ]
    assert threads == [1, 3, 3]


def test_only_a_camera_that_scales_at_no_cost_is_asked_for_a_size() -> None:
    assert make_plan(pipeline('kind = "v4l2"')).frame_size is None


def test_a_delegate_comes_with_its_options() -> None:
    text = 'delegate = "edgetpu"\ndelegate_options = { device = "usb" }'
    options = load_options(pipeline('kind = "synthetic"', text))
    assert options.delegate == Delegate("edgetpu", {"device": "usb"})


def test_the_brokers_settings_come_with_password_and_tls(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    mqtt = config(
        f'[mqtt]\nhost = "broker"\nusername = "u"\npassword_file = "{secret}"\nkeepalive_s = 9\n'
        '[mqtt.tls]\nca_file = "ca.crt"\n[[pipelines]]\nmodel = "m"'
    ).mqtt
    settings = mqtt_settings(mqtt, "garden-pi", {})
    assert (settings.host, settings.port, settings.client_id) == ("broker", 8883, "edged-garden-pi")
    assert (settings.username, settings.password, settings.keepalive_s) == ("u", "s3cret", 9)
    assert settings.tls == TlsFiles(Path("/etc/edged/ca.crt"), None, None)
    secret.unlink()
    with pytest.raises(ConfigError, match="there is no such file"):
        mqtt_settings(mqtt, "garden-pi", {})


def test_the_labels_to_publish_are_cleaned_as_those_of_a_model_are() -> None:
    listed = '["hot\\u00a0dog", "\\u202ecat", "' + "x" * 101 + '"]'
    plan = make_plan(pipeline('kind = "synthetic"', f"labels = {listed}"))
    assert plan.labels == ("hot dog", "cat", "x" * 100)


def test_the_spool_lies_in_the_state_directory_and_0_bytes_mean_none(tmp_path: Path) -> None:
    boot_id = tmp_path / "proc/sys/kernel/random/boot_id"
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text("this-boot\n")

    made = spool_settings(Spool(max_bytes=2**20, max_age_s=60), Path("/var/lib/edged"), tmp_path)

    assert made == SpoolSettings(Path("/var/lib/edged/spool.db"), "this-boot", 2**20, 60)
    assert spool_settings(Spool(max_bytes=0), Path("/var/lib/edged"), tmp_path) is None


def test_a_pipeline_of_crops_goes_by_the_one_whose_objects_it_looks_at() -> None:
    text = """
[[pipelines]]
name = "front"
model = "m"
coarse = 0.2
min_count = 2
zones = [{name = "z", polygon = [[0, 0], [1, 0], [0, 1]]}]
source = {kind = "video", path = "a.mp4", realtime = false}
[[pipelines]]
name = "close"
model = "n"
coarse = 0.1
crop = {from = "front", label = "Straße", max_boxes = 3, margin = 0.5}
[[pipelines]]
name = "counts"
model = "n"
only = "counts"
coarse = 0.3
crop = {from = "front"}
"""
    pipelines = parse_config(text.encode(), "edged.toml").pipelines
    front, close, counts = (make_plan(each, pipelines) for each in pipelines)
    assert front.crop is None
    assert close.crop == CropRule(
        "front",
        frozenset({"strasse"}),
        0.5,
        3,
        tracked=True,
        telling=Minimiser(0.2, 2),
        waits=True,
        empty=False,
    )
    assert (close.source_kind, close.fps, close.options.batch) == ("crop", None, 3)
    assert close.minimiser == Minimiser(0.2, 1)
    assert close.depends_on == "front"
    assert counts.crop is not None
    assert (counts.crop.empty, counts.crop.labels) == (True, None)
    assert counts.minimiser == Minimiser(0.3, 1)
