"""The bench as its user runs it, with few frames, and what it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import pytest
from household import SMALL_MODELS
from msgspec.structs import replace

from edged.bench.contestant import Memory
from edged.bench.figures import Turn
from edged.bench.items import draw, frames
from edged.bench.machine import processor
from edged.bench.plot import plot
from edged.bench.report import as_text
from edged.bench.row import as_row
from edged.bench.run import Measured, Outcome, kept_for
from edged.bench.settings import DEFAULT, toml_lines
from edged.bench.stage import try_model
from edged.cli import main
from edged.engine.geometry import Fit
from edged.engine.runtime import Delegate
from edged.errors import EdgedError
from edged.loading import LoadOptions
from edged.records.frames import Frame, PixelOrder, Size
from edged.samples import Gives, Window
from edged.service.chip import Chip

Capture = pytest.CaptureFixture[str]


def test_it_measures_the_daemon_and_the_bare_interpreter(capsys: Capture) -> None:
    model = SMALL_MODELS / "classifier_uint8.tflite"
    assert main(["bench", str(model), "--frames", "4", "--json"]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found["schema"] == "edged.bench/1"
    assert found["model"] == model.name
    assert found["broker"] in ("mosquitto", "amqtt")
    camera, own = found["cases"]
    assert camera["given"] == "frames of 1280x720"
    assert own["given"] == "frames of 32x32, the model's own size"
    for case in (camera, own):
        assert case["frames"] == 4
        assert case["first_result_s"] > 0
        assert case["resident_mb"] > case["held_mb"]
        stages = {stage: each["median"] for stage, each in case["stages_ms"].items()}
        assert set(stages) >= {"wait", "preprocess", "inference", "decode", "hand-over"}
        assert stages["total"] > stages["inference"] > 0
    assert found["bare"]["rate_ratio"] == 1
    assert "3 processes in turns of 4 frames" in told.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--frames", "1"), "1 is not allowed; 2 to 1000000"),
        (("--frames", "many"), "many is not allowed; 2 to 1000000"),
        (("--threads", "0"), "0 is not allowed; 1 to 64"),
    ],
)
def test_wrong_usage_is_told(arguments: tuple[str, ...], words: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_model_that_is_not_there_is_told_in_a_sentence(tmp_path: Path, capsys: Capture) -> None:
    assert main(["bench", str(tmp_path / "gone.tflite")]) == 1
    told = f"edged: There is no model {tmp_path}/gone.tflite. Name a .tflite file\n"
    assert capsys.readouterr().err == told


def test_a_file_that_is_no_model_is_told_in_a_sentence(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "model.tflite"
    path.write_text("hello\n" * 100)
    assert main(["bench", str(path)]) == 1
    assert capsys.readouterr().err == f"edged: {path}: no TFLite model: it is a text file\n"


def test_a_model_of_windows_gets_windows_of_its_shape() -> None:
    tried = try_model(
        SMALL_MODELS / "autoencoder_float32.tflite", replace(DEFAULT, gives=Gives.WINDOWS)
    )
    [(what, kept)] = kept_for(tried).items()
    window = kept.item(3)
    assert isinstance(window, Window)
    length, width = window.samples.shape
    assert what == f"windows of {length} x {width} samples"
    assert len(window.channels) == width


def test_frames_differ_and_are_in_the_order_that_is_asked_for() -> None:
    size, drawn = Size(64, 48), draw(Size(320, 240))
    rgb, bgr = frames(drawn, size, PixelOrder.RGB), frames(drawn, size, PixelOrder.BGR)
    assert (rgb.values[..., ::-1] == bgr.values).all()
    assert (rgb.values[0] != rgb.values[1]).any()
    frame = bgr.item(1)
    assert isinstance(frame, Frame)
    assert (frame.pixels.shape, frame.order) == ((48, 64, 3), PixelOrder.BGR)


def test_settings_are_the_lines_of_a_pipelines_table() -> None:
    delegate = Delegate("/lib/a b.so", {"cache": True, "path": "x"})
    assert toml_lines(LoadOptions(2, delegate, Fit.CROP)) == [
        "threads = 2",
        'fit = "crop"',
        'delegate = "/lib/a b.so"',
        'delegate_options = {"cache" = true, "path" = "x"}',
    ]


def test_the_board_goes_before_the_processor(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor : 0\nmodel name\t: Some  CPU\n")
    assert processor(tmp_path) == "Some CPU"
    (tmp_path / "proc/device-tree").mkdir()
    (tmp_path / "proc/device-tree/model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert processor(tmp_path) == "Raspberry Pi 5 Model B Rev 1.0"


def measured() -> Measured:
    ours = Turn.of(
        {
            "wait": [1.0, 1.0],
            "preprocess": [0.25, 0.25],
            "inference": [8.0, 8.0],
            "decode": [0.25, 0.25],
            "total": [9.5, 9.5],
            "hand-over": [0.5, 0.5],
            "ended": [0.0, 10.0],
        }
    )
    bare = Outcome(
        [Turn.of({"inference": [8.0, 8.0], "ended": [0.0, 8.0]})], Memory(50, 40), None, []
    )
    case = Outcome([ours], Memory(90.0, None), 1.25, [0.5, 0.25, 0.75])
    return Measured("cat.tflite", DEFAULT, "mosquitto", {"frames": case}, {"frames": 10.5}, bare)


def test_the_text_tells_stages_rate_memory_and_starts() -> None:
    lines = as_text(measured(), {"cpu": "Some CPU"})
    assert lines[0] == "cpu       Some CPU"
    assert "  overhead               0.500     0.500   total - inference - wait" in lines
    assert "  rate          100.0 a second, 80.0% of the bare interpreter's 125.0" in lines
    assert "  memory        90.0 MB, of them 10.5 MB for what it is given" in lines
    [first] = (line for line in lines if "first result" in line)
    assert first.endswith(
        "1.25 s after a start with a new model; 0.50 s with one that it knows to be good"
    )


def test_a_row_tells_machine_speed_memory_starts_and_heat(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("61300\n")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/vcio").touch()
    machine = {"cpu": "Pi 9, 4 cores", "os": "Debian", "python": "3.11.2", "runtime": "litert 2"}
    assert as_row(measured(), machine, Chip(tmp_path, lambda: "throttled=0x50000\n")) == (
        "| Pi 9, 4 cores | Debian, Python 3.11.2 | litert 2 | cat.tflite, 1 thread | 8.00 "
        "| 0.50 (0.50) | 80.0% | 90 | 1.25 / 0.50 | 61 °C; under-voltage, throttled |"
    )


def test_a_missing_matplotlib_is_told_before_anything_is_measured(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["bench", "--plot", "bench.png"]) == 1
    assert capsys.readouterr().err == (
        "edged: matplotlib, which draws the plot, is not installed. "
        "Install it with: pip install 'edged[plot]'\n"
    )


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra edged[plot] is not installed")
    outcomes = {**measured().cases, "bare interpreter": measured().bare}
    plot("cat.tflite", outcomes, tmp_path / "bench.png")
    picture = cv2.imread(str(tmp_path / "bench.png"))
    assert picture is not None
    with pytest.raises(EdgedError, match=r"gone/bench\.png cannot be written: No such file"):
        plot("cat.tflite", outcomes, tmp_path / "gone" / "bench.png")
