"""From a window of samples to the input tensor, held against plain NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace

from edged.engine.preprocess import Normalization
from edged.engine.windows import WindowFiller, is_window, sample_rule, window_shape
from edged.errors import ModelError, NotFinite
from edged.records.arrays import FloatArray
from edged.records.frames import Frame, PixelOrder
from edged.records.models import Quantization, TensorSpec
from edged.samples import Channel, Window, WindowShape

XYZ = tuple(Channel(name, "m/s^2") for name in "xyz")
ASSUMED = "assumed: at the source's own rate, values as they are (nothing says otherwise)"


def tensor(
    shape: tuple[int, ...], dtype: str = "float32", scale: float = 0.0, zero_point: int = 0
) -> TensorSpec:
    quantization = Quantization(scale, zero_point) if scale else None
    return TensorSpec(0, "input", shape, shape, dtype, quantization)


def window(
    samples: FloatArray, channels: tuple[Channel, ...] = XYZ, rate_hz: float = 10.0
) -> Window:
    return Window(0, 0, 0, samples, rate_hz, channels, first=0)


def noise(length: int = 8, width: int = 3) -> FloatArray:
    return np.random.default_rng(7).normal(0, 3, (length, width)).astype(np.float32)


def filler(
    spec: TensorSpec,
    normalization: Normalization | None = None,
    channels: tuple[str, ...] | None = None,
    rate_hz: float | None = None,
) -> WindowFiller:
    return WindowFiller(spec, sample_rule(spec, rate_hz, channels, normalization))


def filled(spec: TensorSpec, given: Window, **told: object) -> npt.NDArray[np.generic]:
    """What the tensor holds after it was filled with something else before."""
    fills = filler(spec, **told)
    view = np.full(spec.shape, 77, np.dtype(spec.dtype))
    fills.fill(replace(given, samples=np.ones_like(given.samples)), view)
    fills.fill(given, view)
    return view


def told(mean: tuple[float, ...], std: tuple[float, ...]) -> Normalization:
    return Normalization(mean, std, "m.toml")


# ---- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 8, 3), (1, 8, 3, 1)])
def test_a_float_input_gets_the_values_as_they_are(shape: tuple[int, ...]) -> None:
    samples = noise()
    assert np.array_equal(filled(tensor(shape), window(samples)), samples.reshape(shape))


def test_one_channel_may_be_without_a_dimension_of_its_own() -> None:
    samples = noise(16, 1)
    got = filled(tensor((1, 16)), window(samples, XYZ[:1]))
    assert np.array_equal(got, samples.T)


def test_channels_are_normalised_each_by_its_own() -> None:
    samples, mean, std = noise(), (1.0, -2.0, 9.81), (0.5, 2.0, 4.0)
    got = filled(tensor((1, 8, 3)), window(samples), normalization=told(mean, std))
    np.testing.assert_allclose(got[0], (samples - np.array(mean)) / np.array(std), rtol=1e-6)


def test_one_mean_and_deviation_hold_for_all_channels() -> None:
    samples = noise()
    got = filled(tensor((1, 8, 3)), window(samples), normalization=told((1.0,), (4.0,)))
    np.testing.assert_allclose(got[0], (samples - 1) / 4, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", 10), ("uint8", 100)])
def test_values_are_quantised_by_the_tensors_scale_and_zero_point(
    dtype: str, zero_point: int
) -> None:
    samples = noise() * 4  # some are out of the tensor's range
    limits = np.iinfo(dtype)
    got = filled(tensor((1, 8, 3), dtype, 0.0625, zero_point), window(samples))
    steps = samples.astype(np.float64) / 0.0625
    expected = np.clip(np.round(steps) + zero_point, limits.min, limits.max)
    assert {limits.min, limits.max} <= set(got.ravel().tolist())
    assert np.array_equal(got[0], expected.astype(dtype))


def test_halves_are_rounded_away_from_zero_as_tflite_does() -> None:
    halves = np.array([[0.5], [1.5], [2.5], [-0.5], [-1.5], [-2.5]], np.float32)
    got = filled(tensor((1, 6, 1), "int8", 1.0, 3), window(halves, XYZ[:1]))
    assert got.ravel().tolist() == [4, 5, 6, 2, 1, 0]


def test_values_are_normalised_and_then_quantised() -> None:
    samples = np.array([[10.0], [12.0], [14.0]], np.float32)
    spec = tensor((1, 3, 1), "int8", 0.25, -4)
    got = filled(spec, window(samples, XYZ[:1]), normalization=told((10.0,), (2.0,)))
    assert got.ravel().tolist() == [-4, 0, 4]


def test_values_too_large_for_the_input_are_its_largest() -> None:
    most = float(np.finfo(np.float32).max)
    samples = np.array([[most, -most]], np.float32)
    got = filled(tensor((1, 1, 2), "int8", 0.1, 0), window(samples, XYZ[:2]))
    assert got.ravel().tolist() == [127, -128]


def test_values_that_are_no_numbers_are_told_by_their_channel() -> None:
    samples = noise()
    samples[3, 1] = np.nan
    with pytest.raises(NotFinite, match="values of y that are not finite"):
        filled(tensor((1, 8, 3)), window(samples))
    with pytest.raises(NotFinite, match="values of y that are not finite"):
        filled(tensor((1, 8, 2)), window(samples), channels=("z", "y"))


def test_one_that_the_model_does_not_take_may_be_no_number() -> None:
    samples = noise()
    samples[3, 1] = np.inf
    got = filled(tensor((1, 8, 2)), window(samples), channels=("z", "x"))
    assert np.array_equal(got[0], samples[:, [2, 0]])


# ---- channels ------------------------------------------------------------------------------------


def test_channels_are_found_by_their_names_and_others_left_out() -> None:
    samples = noise(8, 4)
    given = window(samples, (Channel("temp"), *XYZ))
    got = filled(tensor((1, 8, 3)), given, channels=("z", "x", "y"))
    assert np.array_equal(got[0], samples[:, [3, 1, 2]])


def test_channels_in_the_models_order_are_not_copied_first() -> None:
    rule = sample_rule(tensor((1, 8, 3)), None, ("x", "y", "z"), None)
    assert rule.places_in(XYZ) is None
    assert rule.places_in(XYZ[::-1]).tolist() == [2, 1, 0]


def test_channels_that_change_are_looked_up_again() -> None:
    fills = filler(tensor((1, 8, 2)), channels=("x", "y"))
    view, samples = np.zeros((1, 8, 2), np.float32), noise()
    fills.fill(window(samples), view)
    assert np.array_equal(view[0], samples[:, :2])
    fills.fill(window(samples, XYZ[::-1]), view)
    assert np.array_equal(view[0], samples[:, [2, 1]])


def test_a_channel_that_the_source_lacks_is_told() -> None:
    with pytest.raises(ModelError) as failed:
        filled(tensor((1, 8, 2)), window(noise()), channels=("x", "gyro_x"))
    assert str(failed.value) == (
        'it takes a channel "gyro_x", and the source gives x (m/s^2), y (m/s^2), z (m/s^2). '
        "Correct [input] channels in its .toml file, or the source"
    )


def test_without_names_the_source_must_have_as_many_channels_as_the_model() -> None:
    with pytest.raises(ModelError) as failed:
        filled(tensor((1, 8, 2)), window(noise()))
    assert str(failed.value) == (
        "it takes 2 channels, and the source gives 3 (x (m/s^2), y (m/s^2), z (m/s^2)). "
        "Name those that it takes in its .toml file: [input] channels"
    )


# ---- which windows -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 100, 6), (100, 6)),
        ((1, 100, 6, 1), (100, 6)),
        ((1, 100), (100, 1)),
        ((1, 1, 6), (1, 6)),
        ((2, 100, 6), None),
        ((1, 28, 28, 3), None),
        ((1,), None),
        ((), None),
    ],
)
def test_a_window_is_known_by_its_shape(
    shape: tuple[int, ...], expected: tuple[int, int] | None
) -> None:
    assert is_window(tensor(shape)) is (expected is not None)
    if expected is not None:
        assert window_shape(tensor(shape)) == expected


def test_windows_of_the_models_length_and_rate_are_asked_for() -> None:
    assert filler(tensor((1, 8, 3)), rate_hz=50).want(None) == WindowShape(50, 8)
    assert filler(tensor((1, 8, 3))).want(None) == WindowShape(None, 8)


def test_only_what_was_asked_for_fits() -> None:
    exact, any_rate = filler(tensor((1, 8, 3)), rate_hz=50), filler(tensor((1, 8, 3)))
    assert exact.fits(window(noise(), rate_hz=50))
    assert not exact.fits(window(noise(), rate_hz=10))
    assert any_rate.fits(window(noise(), rate_hz=10))
    assert not any_rate.fits(window(noise(9)))
    assert not any_rate.fits(Frame(0, 0, 0, np.zeros((8, 3, 3), np.uint8), PixelOrder.RGB))


@pytest.mark.parametrize(
    ("spec", "told_", "said"),
    [
        (tensor((1, 8, 3)), {}, f"8 x 3 channels; {ASSUMED}"),
        (
            tensor((1, 16), "uint8", 0.5, 3),
            {"rate_hz": 50.0},
            "16 x 1 channel at 50 Hz; scale 0.5, zero point 3; "
            "assumed: values as they are (nothing says otherwise)",
        ),
        (
            tensor((1, 8, 2), "int8", 0.5, 3),
            {"channels": ("x", "y"), "normalization": told((0.0,), (9.81,)), "rate_hz": 100.0},
            "8 x 2 channels (x, y) at 100 Hz; (value - 0) / 9.81, from m.toml, "
            "then scale 0.5, zero point 3",
        ),
    ],
)
def test_what_becomes_of_samples_is_said(
    spec: TensorSpec, told_: dict[str, object], said: str
) -> None:
    defaults = {"rate_hz": None, "channels": None, "normalization": None}
    assert sample_rule(spec, **{**defaults, **told_}).said == said


@pytest.mark.parametrize(
    ("spec", "told_", "reason"),
    [
        (tensor((1, 8, 3), "int16", 0.1), {}, "its input is int16; samples need"),
        (tensor((1, 8, 3), "int8"), {}, "its int8 input has no scale and zero point"),
        (tensor((1, 8, 3)), {"channels": ("x", "y")}, "names 2 channels, and its input has 3"),
        (
            tensor((1, 8, 3)),
            {"normalization": told((0.0, 0.0), (1.0, 1.0))},
            "its normalisation is for 2 channels, its input has 3",
        ),
    ],
)
def test_a_rule_that_does_not_go_with_the_input_is_refused(
    spec: TensorSpec, told_: dict[str, object], reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        sample_rule(spec, None, *(told_.get(key) for key in ("channels", "normalization")))
