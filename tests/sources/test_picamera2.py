"""The Pi camera against a fake of what edged calls, and the fake against the real package."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from edged.errors import SourceError
from edged.records.arrays import UInt8Array
from edged.records.frames import PixelOrder, Size
from edged.sources.pi_camera import Picamera2Source

PICAMERA2 = "picamera2==0.3.38"
ORANGE = (230, 120, 20)  # R, G, B
BOOT_NS, MONOTONIC_NS = 9_000_000_000, 5_000_000_000


class FakeCompletedRequest:
    def __init__(self, arrays: dict[str, UInt8Array], metadata: dict[str, Any]) -> None:
        self.arrays = arrays
        self.metadata = metadata
        self.released = 0

    def get_metadata(self) -> dict[str, Any]:
        return self.metadata

    def release(self) -> None:
        self.released += 1
        for array in self.arrays.values():
            array[...] = 0  # the camera overwrites what was given back


class FakeMappedArray:
    def __init__(self, request: FakeCompletedRequest, stream: str) -> None:
        assert not request.released
        self.array = request.arrays[stream]

    def __enter__(self) -> FakeMappedArray:
        return self

    def __exit__(self, exc_type: Any, exc_value: Any, exc_traceback: Any) -> None:
        pass


class FakePicamera2:
    """Shows one orange picture with a darker right half, padded to a stride as a VC4 does."""

    cameras: list[dict[str, Any]]
    error_on_start: Exception | None = None
    made: list[FakePicamera2]
    stride_px = 64

    def __init__(self, camera_num: int = 0) -> None:
        self.camera_num = camera_num
        self.calls: list[str] = []
        self.config: dict[str, Any] = {}
        self.requests: list[FakeCompletedRequest] = []
        self.error_on_capture: Exception | None = None
        type(self).made.append(self)

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        return cls.cameras

    def create_video_configuration(
        self,
        main: dict[str, Any],
        lores: dict[str, Any] | None,
        colour_space: object,
        buffer_count: int,
        controls: dict[str, Any],
        display: str | None,
        encode: str | None,
    ) -> dict[str, Any]:
        return {"main": main, "lores": lores, "controls": controls, "colour_space": colour_space}

    def configure(self, camera_config: dict[str, Any]) -> None:
        self.config = camera_config
        for name in ("main", "lores"):
            stream = camera_config[name]
            if stream is not None:
                width = stream["size"][0]
                sample = 1 if stream["format"] == "YUV420" else 3
                stream["stride"] = -(-width // self.stride_px) * self.stride_px * sample

    def stream_configuration(self, name: str) -> dict[str, Any]:
        stream: dict[str, Any] = self.config[name]
        return stream

    def start(self) -> None:
        self.calls.append("start")
        if self.error_on_start:
            raise self.error_on_start

    def capture_request(self, wait: float) -> FakeCompletedRequest:
        assert 0 < wait <= 5
        if self.error_on_capture:
            raise self.error_on_capture
        arrays = {
            name: picture(self.config[name]) for name in ("main", "lores") if self.config[name]
        }
        request = FakeCompletedRequest(arrays, {"SensorTimestamp": BOOT_NS - 30_000_000})
        self.requests.append(request)
        return request

    def cancel_all_and_flush(self) -> None:
        self.calls.append("cancel_all_and_flush")

    def close(self) -> None:
        self.calls.append("close")


def picture(stream: dict[str, Any]) -> UInt8Array:
    width, height = stream["size"]
    rgb = np.full((height, width, 3), ORANGE, np.uint8)
    rgb[:, width // 2 :] //= 2
    if stream["format"] == "BGR888":
        return rgb
    padded = np.zeros((height, stream["stride"], 3), np.uint8)
    padded[:, :width] = rgb
    return cv2.cvtColor(padded, cv2.COLOR_RGB2YUV_I420).astype(np.uint8)


@pytest.fixture
def fake() -> SimpleNamespace:
    class Fresh(FakePicamera2):
        cameras = [{"Model": "imx708", "Id": "/base/i2c0", "Num": 0}]  # noqa: RUF012
        made: list[FakePicamera2] = []  # noqa: RUF012

    return SimpleNamespace(
        Picamera2=Fresh,
        MappedArray=FakeMappedArray,
        get_platform=lambda: SimpleNamespace(name="VC4"),
        libcamera=SimpleNamespace(ColorSpace=SimpleNamespace(Smpte170m=lambda: "smpte170m")),
    )


def source_of(fake: SimpleNamespace, camera: int = 0, fps: float | None = 15) -> Picamera2Source:
    return Picamera2Source(
        camera,
        size=Size(640, 360),
        fps=fps,
        picamera2_module=fake,
        now_ns=lambda: MONOTONIC_NS,
        boot_ns=lambda: BOOT_NS,
    )


def test_before_a_pi_5_the_models_size_comes_as_yuv_and_is_converted(fake: SimpleNamespace) -> None:
    source = source_of(fake)

    source.open(Size(100, 80))
    frame = source.read()

    camera = fake.Picamera2.made[0]
    assert camera.config["lores"]["size"] == (100, 80)
    assert camera.config["lores"]["format"] == "YUV420"
    assert camera.config["lores"]["stride"] == 128
    assert camera.config["main"]["size"] == (640, 360)
    assert frame.pixels.shape == (80, 100, 3)
    assert frame.pixels.flags.c_contiguous
    assert frame.order is PixelOrder.RGB
    assert np.abs(frame.pixels[:, :48].astype(int) - ORANGE).max() <= 4
    assert np.abs(frame.pixels[:, 52:].astype(int) - np.array(ORANGE) // 2).max() <= 4


def test_a_yuv_stream_without_padding_is_converted(fake: SimpleNamespace) -> None:
    source = source_of(fake)

    source.open(Size(128, 80))

    pixels = source.read().pixels
    assert pixels.shape == (80, 128, 3)
    assert np.abs(pixels[:, 66:].astype(int) - np.array(ORANGE) // 2).max() <= 4


def test_a_pi_5_is_asked_for_rgb(fake: SimpleNamespace) -> None:
    fake.get_platform = lambda: SimpleNamespace(name="PISP")
    source = source_of(fake)

    source.open(Size(100, 80))
    frame = source.read()

    assert fake.Picamera2.made[0].config["lores"]["format"] == "BGR888"
    assert frame.order is PixelOrder.RGB
    assert frame.pixels[0, 0].tolist() == list(ORANGE)


def test_odd_sizes_are_rounded_up_to_even_ones(fake: SimpleNamespace) -> None:
    source = source_of(fake)

    source.open(Size(97, 53))

    assert source.read().pixels.shape == (54, 98, 3)


@pytest.mark.parametrize("want", [None, Size(1000, 100), Size(100, 513)])
def test_the_main_stream_serves_where_the_model_wants_no_smaller_one(
    fake: SimpleNamespace, want: Size | None
) -> None:
    source = source_of(fake)

    source.open(want)
    frame = source.read()

    assert fake.Picamera2.made[0].config["lores"] is None
    assert frame.pixels.shape == (360, 640, 3)
    assert frame.pixels[0, 0].tolist() == list(ORANGE)


@pytest.mark.parametrize(
    ("fps", "controls"),
    [(15, {"FrameRate": 15}), (0.1, {"FrameRate": 1.0}), (None, {})],
)
def test_the_frame_rate_is_asked_for(
    fake: SimpleNamespace, fps: float | None, controls: dict[str, float]
) -> None:
    source_of(fake, fps=fps).open(None)

    assert fake.Picamera2.made[0].config["controls"] == controls


def test_a_request_goes_back_at_once_and_the_frame_keeps_its_content(
    fake: SimpleNamespace,
) -> None:
    source = source_of(fake)
    source.open(Size(100, 80))

    frames = [source.read() for _ in range(3)]

    assert [request.released for request in fake.Picamera2.made[0].requests] == [1, 1, 1]
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert all(frame.pixels[0, 0, 0] > 200 for frame in frames)
    assert len({frame.pixels.ctypes.data for frame in frames}) == 3


def test_the_sensors_time_is_moved_to_the_monotonic_clock(fake: SimpleNamespace) -> None:
    source = source_of(fake)
    source.open(None)

    frame = source.read()

    assert frame.captured_ns == MONOTONIC_NS - 30_000_000
    assert frame.arrived_ns == MONOTONIC_NS


def test_a_missing_package_is_an_error_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)

    with pytest.raises(SourceError, match="sudo apt install python3-picamera2") as caught:
        Picamera2Source(0, size=Size(640, 480), fps=None).open(None)

    assert "--system-site-packages" in str(caught.value)
    assert isinstance(caught.value.__cause__, ImportError)


def test_no_camera_at_all_is_told(fake: SimpleNamespace) -> None:
    fake.Picamera2.cameras = []

    with pytest.raises(SourceError, match=r"No Pi camera .* rpicam-hello --list-cameras"):
        source_of(fake).open(None)


def test_a_number_that_is_not_there_is_told_with_those_that_are(fake: SimpleNamespace) -> None:
    fake.Picamera2.cameras.append({"Model": "ov5647", "Id": "/base/i2c1", "Num": 1})

    with pytest.raises(SourceError, match=r"no camera 2; there is 0 \(imx708\), 1 \(ov5647\)"):
        source_of(fake, camera=2).open(None)


def test_a_camera_in_use_is_told_with_the_first_cause(fake: SimpleNamespace) -> None:
    busy = RuntimeError("Camera __init__ sequence did not complete.")
    busy.__cause__ = RuntimeError("Failed to acquire camera: Device or resource busy")
    fake.Picamera2.error_on_start = busy
    source = source_of(fake)

    with pytest.raises(SourceError, match=r"Device or resource busy\. Another program"):
        source.open(None)
    source.close()

    assert fake.Picamera2.made[0].calls == ["start", "close"]


def test_a_camera_that_stays_silent_is_an_error_and_can_be_closed(fake: SimpleNamespace) -> None:
    source = source_of(fake)
    source.open(None)
    camera = fake.Picamera2.made[0]
    camera.error_on_capture = TimeoutError()

    with pytest.raises(SourceError, match="gave no frame for 5 s"):
        source.read()
    source.close()
    source.close()

    assert camera.calls == ["start", "cancel_all_and_flush", "close"]


def test_a_failing_camera_is_an_error(fake: SimpleNamespace) -> None:
    source = source_of(fake)
    source.open(None)
    fake.Picamera2.made[0].error_on_capture = RuntimeError("failed to find buffer")

    with pytest.raises(SourceError, match="Camera 0 has failed: failed to find buffer"):
        source.read()


def test_a_format_that_edged_cannot_read_is_refused(fake: SimpleNamespace) -> None:
    class Adjusting(fake.Picamera2):  # type: ignore[misc, name-defined]
        def configure(self, camera_config: dict[str, Any]) -> None:
            super().configure(camera_config)
            camera_config["main"]["format"] = "YUYV"

    fake.Picamera2 = Adjusting

    with pytest.raises(SourceError, match="gives YUYV, which edged cannot read"):
        source_of(fake).open(None)


# ---- the fake against the real package ----------------------------------------------------------


@pytest.fixture(scope="module")
def real(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, ast.Module]:
    """The modules of the real package, parsed, never imported: that needs a Pi's libraries."""
    kept = getattr(request.config, "cache", None)  # absent with -p no:cacheprovider
    cache: Path = kept.mkdir("picamera2") if kept else tmp_path_factory.mktemp("picamera2")
    if not any(cache.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", str(cache), PICAMERA2]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            pytest.skip(f"{PICAMERA2} cannot be downloaded, so the fake is not compared with it")
    with zipfile.ZipFile(next(cache.glob("*.whl"))) as wheel:
        return {
            name: ast.parse(wheel.read(f"picamera2/{name}.py"))
            for name in ("__init__", "picamera2", "request", "platform")
        }


def parameters(module: ast.Module, class_name: str, method: str) -> list[str]:
    """The parameters of a method; of an overloaded one, those of the implementation (the last)."""
    (found,) = (
        node for node in module.body if isinstance(node, ast.ClassDef) and node.name == class_name
    )
    defined = [
        node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == method
    ]
    assert defined, f"the real {class_name} has no method {method}"
    return [argument.arg for argument in defined[-1].args.args]


def called() -> list[tuple[str, str, str, str]]:
    """Every public method of the fakes: module, class, method, parameter."""
    fakes = [
        ("picamera2", "Picamera2", FakePicamera2),
        ("request", "CompletedRequest", FakeCompletedRequest),
        ("request", "MappedArray", FakeMappedArray),
    ]
    found = []
    for module, name, kind in fakes:
        own = (name, kind) if name != "CompletedRequest" else None  # libcamera makes the requests
        for method, function in vars(kind).items():
            plain = function.__func__ if isinstance(function, classmethod) else function
            is_dunder = method.startswith("__") and method not in ("__enter__", "__exit__")
            if not inspect.isfunction(plain) or (is_dunder and not (own and method == "__init__")):
                continue
            names = [each for each in inspect.signature(plain).parameters if each != "cls"]
            found += [(module, name, method, parameter) for parameter in names or [""]]
    return found


@pytest.mark.parametrize(("module", "class_name", "method", "parameter"), called())
def test_what_the_fake_has_the_real_package_has(
    real: dict[str, ast.Module], module: str, class_name: str, method: str, parameter: str
) -> None:
    known = parameters(real[module], class_name, method)

    assert not parameter or parameter in known


def test_the_package_exports_what_is_used(real: dict[str, ast.Module]) -> None:
    exported = {
        alias.asname or alias.name
        for node in real["__init__"].body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    platforms = {
        target.id
        for node in ast.walk(real["platform"])
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    assert {"Picamera2", "MappedArray", "get_platform", "libcamera"} <= exported
    assert {"PISP", "VC4"} <= platforms
