from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import SourceError
from edged.samples import Channel
from edged.sources.iio_channels import IioChannel
from edged.sources.iio_scan import Element, Layout

RAW = IioChannel(Channel("x"), scale=1, offset=0, processed=False, factor=1)


def layout(*types: str) -> Layout:
    """Of channels c0, c1 ... with these types, in this order."""
    elements = [Element.parse(f"c{at}", str(at), type_) for at, type_ in enumerate(types)]
    return Layout([RAW] * len(types), elements, None)


def offsets(of: Layout) -> dict[str, int]:
    assert of.dtype.fields is not None
    return {name: field[1] for name, field in of.dtype.fields.items()}


@pytest.mark.parametrize(
    ("types", "expected", "size"),
    [
        # The two examples of Documentation/iio/iio_devbuf.rst.
        (
            ["be:u16/16>>0", "be:u32/32>>0", "be:u32/32>>0", "be:u64/64>>0"],
            {"c0": 0, "c1": 4, "c2": 8, "c3": 16},
            24,
        ),
        (["be:u16/16>>0", "be:u64/64>>0"], {"c0": 0, "c1": 8}, 16),
        (["le:s16/16>>0"] * 3, {"c0": 0, "c1": 2, "c2": 4}, 6),
        # The whole is as large as a multiple of its largest part.
        (["le:s64/64>>0", "le:u8/8>>0"], {"c0": 0, "c1": 8}, 16),
    ],
)
def test_values_are_aligned_to_their_size(
    types: list[str], expected: dict[str, int], size: int
) -> None:
    found = layout(*types)

    assert offsets(found) == expected
    assert found.dtype.itemsize == size


@pytest.mark.parametrize(
    ("type_", "stored", "value"),
    [
        ("le:s12/16>>4", "f07f", 2047),
        ("le:s12/16>>4", "0080", -2048),
        ("le:s12/16>>4", "ffff", -1),  # what is below the shift is not of the value
        ("be:s16/16>>0", "3bb5", 0x3BB5),
        ("be:s16/16>>0", "ffc4", -60),
        ("be:s16/16", "ffc4", -60),
        ("le:u12/16>>0", "fff0", 255),  # what is above it is not either
        ("le:u32/32>>0", "ffffffff", 0xFFFFFFFF),
        ("le:s32/32>>0", "ffffffff", -1),
        ("be:u24/32>>8", "7ffd3c00", 0x7FFD3C),
        ("be:s20/32X1>>3", "fffffff8", -1),
        ("le:s8/8>>0", "80", -128),
        ("le:s64/64>>0", "0000000000000080", -(2**63)),
    ],
)
def test_a_value_is_what_its_type_says(type_: str, stored: str, value: int) -> None:
    found = layout(type_)

    scans = np.frombuffer(bytes.fromhex(stored), found.dtype)

    assert found.values(scans) == pytest.approx(np.float32(value))


@given(
    order=st.sampled_from(["be", "le"]),
    signed=st.booleans(),
    storage=st.sampled_from([8, 16, 32, 64]),
    data=st.data(),
)
def test_every_type_gives_back_what_was_stored(
    order: str, signed: bool, storage: int, data: st.DataObject
) -> None:
    bits = data.draw(st.integers(1, storage))
    shift = data.draw(st.integers(0, storage - bits))
    rubbish = data.draw(st.integers(0, 2**storage - 1))
    least = -(2 ** (bits - 1)) if signed else 0
    value = data.draw(st.integers(least, least + 2**bits - 1))
    mask = (2**bits - 1) << shift
    stored = rubbish & ~mask | (value << shift) & mask
    element = Element.parse("c", "0", f"{order}:{'s' if signed else 'u'}{bits}/{storage}>>{shift}")
    scans = np.frombuffer(
        stored.to_bytes(storage // 8, "big" if order == "be" else "little"),
        np.dtype([("c", element.dtype)]),
    )

    assert element.decode(scans).tolist() == [value]


def test_channels_lie_by_their_index_and_come_as_they_were_named() -> None:
    names = ["accel_z", "accel_x"]
    channels = [IioChannel(Channel(name), 2.0, 1.0, False, 1.0) for name in names]
    elements = [
        Element.parse("accel_z", "2", "le:s16/16>>0"),
        Element.parse("accel_x", "0", "be:u8/8"),
    ]
    stamp = Element.parse("timestamp", "3", "le:s64/64>>0")
    found = Layout(channels, elements, stamp)

    scans = np.frombuffer(struct.pack("<BxhxxxxqBxhxxxxq", 5, -7, 11, 6, -8, 12), found.dtype)

    assert found.values(scans).tolist() == [[-12, 12], [-14, 14]]
    assert found.values(scans).dtype == np.float32
    stamps = found.stamps_ns(scans)
    assert stamps is not None
    assert stamps.tolist() == [11, 12]


@pytest.mark.parametrize(
    "type_", ["", "le:f32/32>>0", "le:s12/16>>5", "le:s0/16>>0", "be:s24/24>>0", "xe:s8/8"]
)
def test_an_unknown_way_to_store_is_told(type_: str) -> None:
    with pytest.raises(SourceError, match="accel_x is stored in a way edged does not know"):
        Element.parse("accel_x", "0", type_)


def test_several_values_in_one_channel_are_not_taken_for_one() -> None:
    with pytest.raises(SourceError, match="rot_quaternion holds 4 values at a time"):
        Element.parse("rot_quaternion", "0", "le:s32/32X4>>0")
