"""From a frame to the input tensor, held against plain NumPy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edged.engine.geometry import Fit, Placement
from edged.engine.preprocess import Normalization, Preprocessor, is_picture, pixel_rule
from edged.errors import ModelError
from edged.records.frames import Frame, PixelOrder, Size
from edged.records.models import Quantization, TensorSpec


def tensor(
    shape: tuple[int, ...], dtype: str, scale: float = 0.0, zero_point: int = 0
) -> TensorSpec:
    quantization = Quantization(scale, zero_point) if scale else None
    return TensorSpec(0, "input", shape, shape, dtype, quantization)


def frame(pixels: np.ndarray, order: PixelOrder = PixelOrder.RGB) -> Frame:
    return Frame(0, 0, 0, pixels, order)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)


def filled(
    spec: TensorSpec,
    picture: Frame,
    *,
    normalization: Normalization | None = None,
    order: PixelOrder | None = None,
    fit: Fit = Fit.STRETCH,
) -> np.ndarray:
    view = np.full(spec.shape, 77, np.dtype(spec.dtype))
    Preprocessor(spec, pixel_rule(spec, normalization), order, fit).fill(picture, view)
    return view[0]


def test_a_uint8_input_of_the_frames_size_gets_its_bytes() -> None:
    pixels = noise(20, 30)
    assert np.array_equal(filled(tensor((1, 20, 30, 3), "uint8"), frame(pixels)), pixels)


def test_a_larger_frame_is_scaled_bilinearly() -> None:
    pixels = noise(64, 48)
    expected = cv2.resize(pixels, (16, 24), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(filled(tensor((1, 24, 16, 3), "uint8"), frame(pixels)), expected)


@pytest.mark.parametrize("size", [(20, 30), (40, 60)])
def test_a_bgr_frame_is_swapped(size: tuple[int, int]) -> None:
    pixels = noise(*size)
    expected = cv2.resize(pixels, (30, 20), interpolation=cv2.INTER_LINEAR)[..., ::-1]
    got = filled(tensor((1, 20, 30, 3), "uint8"), frame(pixels, PixelOrder.BGR))
    assert np.array_equal(got, expected)


def test_a_model_may_want_bgr() -> None:
    pixels = noise(20, 30)
    got = filled(tensor((1, 20, 30, 3), "uint8"), frame(pixels), order=PixelOrder.BGR)
    assert np.array_equal(got, pixels[..., ::-1])


def test_int8_gets_bytes_minus_128_where_nothing_says_otherwise() -> None:
    pixels = noise(20, 30)
    got = filled(tensor((1, 20, 30, 3), "int8", 0.0078, -1), frame(pixels))
    assert np.array_equal(got, (pixels.astype(int) - 128).astype(np.int8))


def test_float_gets_minus_one_to_one_where_nothing_says_otherwise() -> None:
    pixels = noise(40, 60)
    scaled = cv2.resize(pixels, (30, 20), interpolation=cv2.INTER_LINEAR)
    got = filled(tensor((1, 20, 30, 3), "float32"), frame(pixels))
    np.testing.assert_allclose(got, scaled / 127.5 - 1, atol=1e-6)


def test_normalised_values_are_quantised_by_the_tensors_own_scale() -> None:
    pixels = noise(20, 30)
    # EfficientNet-Lite0's own numbers.
    spec = tensor((1, 20, 30, 3), "uint8", 0.012566016986966133, 131)
    rule = Normalization((127.0,), (128.0,), "metadata")
    real = (pixels.astype(float) - 127) / 128
    expected = np.clip(np.floor(real / 0.012566016986966133 + 0.5) + 131, 0, 255)
    got = filled(spec, frame(pixels), normalization=rule)
    assert np.array_equal(got, expected.astype(np.uint8))


def test_each_channel_may_have_its_own_mean_in_the_models_order() -> None:
    pixels = noise(20, 30)
    rule = Normalization((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), "sidecar")
    got = filled(
        tensor((1, 20, 30, 3), "float32"), frame(pixels, PixelOrder.BGR), normalization=rule
    )
    expected = (pixels[..., ::-1] - np.array(rule.mean)) / np.array(rule.std)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_rule_that_comes_to_the_identity_needs_no_table() -> None:
    spec = tensor((1, 8, 8, 3), "uint8", 1 / 255, 0)
    assert pixel_rule(spec, Normalization((0.0,), (255.0,), "metadata")).table is None
    three = Normalization((0.0, 0.0, 0.0), (255.0, 255.0, 255.0), "metadata")
    assert pixel_rule(spec, three).table is None


def test_a_rule_never_wraps_round() -> None:
    spec = tensor((1, 8, 8, 3), "int8", 0.001, 0)
    table = pixel_rule(spec, Normalization((0.0,), (1.0,), "sidecar")).table
    assert table is not None
    assert table[0] == 0
    assert table[255] == 127


@pytest.mark.parametrize("shape", [(1, 28, 28, 1), (1, 28, 28)])
def test_a_grey_input_gets_luminance(shape: tuple[int, ...]) -> None:
    pixels = noise(56, 56)
    scaled = cv2.resize(pixels, (28, 28), interpolation=cv2.INTER_LINEAR)
    got = filled(tensor(shape, "uint8"), frame(pixels)).reshape(28, 28)
    assert np.array_equal(got, cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_letterbox_leaves_black_bars(dtype: str) -> None:
    white = np.full((36, 64, 3), 255, np.uint8)
    got = filled(tensor((1, 64, 64, 3), dtype), frame(white), fit=Fit.LETTERBOX)
    black = {"uint8": 0, "int8": -128, "float32": -1}[dtype]
    bright = {"uint8": 255, "int8": 127, "float32": 1}[dtype]
    assert np.all(got[:14] == black)
    assert np.all(got[14:50] == bright)
    assert np.all(got[50:] == black)


def test_crop_takes_the_middle() -> None:
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = 200
    got = filled(tensor((1, 40, 40, 3), "uint8"), frame(pixels), fit=Fit.CROP)
    assert np.all(got == 200)


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("order", [PixelOrder.RGB, PixelOrder.BGR])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("size", [(64, 96), (20, 30)])
def test_a_frame_that_was_prepared_comes_to_the_same(
    fit: Fit, order: PixelOrder, dtype: str, size: tuple[int, int]
) -> None:
    spec = tensor((1, 20, 30, 3), dtype)
    picture = frame(noise(*size), order)
    preprocessor = Preprocessor(spec, pixel_rule(spec, None), None, fit)
    preprocessor.prepare(picture)
    view = np.full(spec.shape, 77, np.dtype(dtype))
    placement = preprocessor.fill(picture, view)
    assert np.array_equal(view[0], filled(spec, picture, fit=fit))
    assert placement == Placement.of(Size(size[1], size[0]), Size(30, 20), fit)


def test_what_was_prepared_is_of_its_own_frame_alone() -> None:
    spec = tensor((1, 8, 8, 3), "uint8")
    preprocessor = Preprocessor(spec, pixel_rule(spec, None), None, Fit.STRETCH)
    view = np.zeros(spec.shape, np.uint8)
    frames = [frame(np.full((16, 16, 3), value, np.uint8)) for value in range(6)]
    for prepared in (0, 1, 3, 4, 5):  # more than can wait
        preprocessor.prepare(frames[prepared])
    for number in (0, 2, 5, 3):  # in no order
        preprocessor.fill(frames[number], view)
        assert np.all(view == number)


def test_a_prepared_frame_is_shrunk_while_it_waits_and_not_when_it_is_taken() -> None:
    spec = tensor((1, 8, 8, 3), "uint8")
    preprocessor = Preprocessor(spec, pixel_rule(spec, None), None, Fit.STRETCH)
    pixels = np.full((16, 16, 3), 5, np.uint8)
    picture = frame(pixels)
    preprocessor.prepare(picture)
    pixels[...] = 6  # nobody does that to a frame; here it tells when it was read
    view = np.zeros(spec.shape, np.uint8)
    preprocessor.fill(picture, view)
    assert np.all(view == 5)
    preprocessor.fill(picture, view)
    assert np.all(view == 6)


def test_what_is_wrong_with_a_frame_is_told_when_it_is_taken() -> None:
    spec = tensor((1, 8, 8, 3), "uint8")
    preprocessor = Preprocessor(spec, pixel_rule(spec, None), None, Fit.STRETCH)
    wrong = frame(np.zeros((8, 8), np.uint8))
    preprocessor.prepare(wrong)
    with pytest.raises(ModelError, match="is no rgb picture"):
        preprocessor.fill(wrong, np.zeros(spec.shape, np.uint8))


def test_frames_may_change_their_size() -> None:
    spec = tensor((1, 20, 20, 3), "int8")
    preprocessor = Preprocessor(spec, pixel_rule(spec, None), None, Fit.LETTERBOX)
    view = np.zeros(spec.shape, np.int8)
    for height, width in [(40, 20), (20, 40), (20, 20), (40, 20)]:
        placement = preprocessor.fill(frame(np.full((height, width, 3), 255, np.uint8)), view)
        target = placement.target
        assert np.count_nonzero(view == 127) == target.width * target.height * 3


@pytest.mark.parametrize(
    ("shape", "picture"),
    [
        ((1, 10), False),
        ((2, 8, 8, 3), False),
        ((1, 8, 8, 4), False),
        ((), False),
        ((1, 8, 8, 3), True),
        ((1, 8, 8, 1), True),
        ((1, 8, 8), True),
    ],
)
def test_a_picture_is_known_by_its_shape(shape: tuple[int, ...], picture: bool) -> None:
    assert is_picture(tensor(shape, "uint8")) is picture


def test_an_input_of_another_dtype_is_refused() -> None:
    with pytest.raises(ModelError, match="its input is int64; a picture needs"):
        pixel_rule(tensor((1, 8, 8, 3), "int64"), None)


def test_an_input_of_int32_gets_the_bytes_as_they_are() -> None:
    rule = pixel_rule(tensor((1, 8, 8, 3), "int32"), None)
    assert rule.table is not None
    assert (rule.table.dtype, rule.table.tolist()) == (np.int32, list(range(256)))
    assert rule.said.startswith("assumed: bytes as they are")


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 2), (8, 8, 4)])
def test_a_frame_that_is_no_picture_of_its_kind_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="is no rgb picture"):
        filled(tensor((1, 8, 8, 3), "uint8"), frame(np.zeros(shape, np.uint8)))


def test_normalisation_for_another_number_of_channels_is_refused() -> None:
    spec = tensor((1, 8, 8, 1), "float32")
    rule = Normalization((1.0, 2.0, 3.0), (1.0, 1.0, 1.0), "sidecar")
    with pytest.raises(ModelError, match="for 3 channels, its input has 1"):
        Preprocessor(spec, pixel_rule(spec, rule), None, Fit.STRETCH)
