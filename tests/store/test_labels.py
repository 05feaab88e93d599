"""Labels: where they come from, how they count, and what never leaves the device."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.errors import ModelError
from edged.store.labels import Labels, find_labels, nearest


@dataclass(frozen=True)
class File:
    name: str
    data: bytes


COCO = File("coco.labels.txt", b"???\nperson\nbicycle\n???\ncar\n")
FRUIT = File("fruit.txt", b"apple\npear\nplum\n")


def names_in(data: bytes, name: str = "a.txt") -> tuple[str, ...]:
    """The labels of a file that lies beside a model."""
    return find_labels(None, File(name, data), None, None, None).names


def test_a_sidecar_comes_before_a_labels_file_and_that_before_embedded_ones() -> None:
    assert find_labels(["x"], FRUIT, COCO, None, None).origin == "sidecar"
    assert find_labels(None, FRUIT, COCO, None, None).origin == "labels file fruit.txt"
    assert find_labels(None, None, FRUIT, None, None).origin == "embedded fruit.txt"


def test_without_any_source_a_class_goes_by_its_number() -> None:
    labels = find_labels(None, None, None, 3, None)
    assert labels == Labels("none: class numbers", (), 0)
    assert labels.name(2) == "2"


def test_an_empty_sidecar_list_does_not_hide_the_labels_file() -> None:
    assert find_labels([], FRUIT, None, None, None).name(0) == "apple"


def test_a_first_line_of_question_marks_counts_from_the_class_before() -> None:
    labels = find_labels(None, COCO, None, None, None)
    assert [labels.name(n) for n in (0, 1, 3)] == ["person", "bicycle", "car"]


def test_as_many_lines_as_classes_count_from_class_0_whatever_the_first_line_is() -> None:
    labels = find_labels(None, COCO, None, 5, None)
    assert [labels.name(n) for n in (0, 1, 4)] == ["0", "person", "car"]


def test_one_label_less_than_classes_means_that_class_0_is_the_background() -> None:
    labels = find_labels(None, FRUIT, None, 4, None)
    assert [labels.name(n) for n in range(4)] == ["background", "apple", "pear", "plum"]


def test_any_other_number_of_labels_counts_from_class_0() -> None:
    labels = find_labels(None, FRUIT, None, 10, None)
    assert [labels.name(n) for n in (0, 2, 3)] == ["apple", "plum", "3"]


@pytest.mark.parametrize(
    ("offset", "named"), [(0, "???"), (1, "person"), (2, "bicycle"), (-1, "???")]
)
def test_an_offset_that_is_told_wins_over_every_rule(offset: int, named: str) -> None:
    labels = find_labels(None, COCO, None, 5, offset)
    assert labels.name(0) == ("0" if named == "???" else named)


def test_a_told_offset_below_0_leaves_the_first_class_without_a_label() -> None:
    labels = find_labels(["apple", "pear"], None, None, 3, -1)
    assert [labels.name(n) for n in range(4)] == ["0", "apple", "pear", "3"]


@pytest.mark.parametrize("class_id", [-1, -2, 5, 10**12, -(10**12)])
def test_a_class_outside_the_labels_goes_by_its_number(class_id: int) -> None:
    assert find_labels(None, COCO, None, None, None).name(class_id) == str(class_id)


def test_a_placeholder_or_an_empty_line_is_never_published() -> None:
    labels = find_labels(["a", "???", "", "b"], None, None, None, None)
    assert [labels.name(n) for n in range(4)] == ["a", "1", "2", "b"]
    assert labels.known == ("a", "b")


@given(st.integers(), st.lists(st.text(max_size=5), max_size=5), st.integers(-9, 9))
def test_naming_a_class_never_fails(class_id: int, names: list[str], offset: int) -> None:
    assert Labels("", tuple(names), offset).name(class_id)


@pytest.mark.parametrize(
    ("data", "labels"),
    [
        (b"", ()),
        (b"\n\n", ()),
        (b"cat\ndog", ("cat", "dog")),
        (b"cat\ndog\n\n  \n", ("cat", "dog")),
        (b"cat\r\ndog\r\n", ("cat", "dog")),
        (b"\xef\xbb\xbfcat\n", ("cat",)),
        (b"\ncat\n", ("", "cat")),
        ("Füße\n猫\n".encode(), ("Füße", "猫")),
        (b"a\tb\x00c\x1b[31m\n", ("a b c [31m",)),
        ("a\u2028b\x85c\n".encode(), ("a b c",)),
        (b"x" * 300, ("x" * 100,)),
        ("gnp\u202egepj\n\u200b\n\ufeffcat\u00a0dog".encode(), ("gnpgepj", "", "cat dog")),
    ],
)
def test_a_labels_file_is_read_line_by_line(data: bytes, labels: tuple[str, ...]) -> None:
    assert names_in(data) == labels


@pytest.mark.parametrize(
    ("data", "labels"),
    [
        (b"0 person\n1 bicycle\n", ("person", "bicycle")),
        (b"0  person\n1  traffic light\n", ("person", "traffic light")),
        (b"0: person\n\n3:car\n", ("person", "???", "???", "car")),
        (b"5 euro\n10 euro\n", ("5 euro", "10 euro")),
        (b"0 person\nbicycle\n", ("0 person", "bicycle")),
        (b"0 person\n2 car\n1 dog\n", ("0 person", "2 car", "1 dog")),
        (b"0 person\n0 car\n", ("0 person", "0 car")),
        (b"0\n1\n2\n", ("0", "1", "2")),
        (b"0 a\n9999999 b\n", ("0 a", "9999999 b")),
    ],
)
def test_numbers_before_labels_count_where_all_lines_have_one_and_they_rise_from_0(
    data: bytes, labels: tuple[str, ...]
) -> None:
    assert names_in(data) == labels


def test_a_file_that_is_not_utf8_is_refused_with_its_line() -> None:
    with pytest.raises(
        ModelError,
        match=r"^labels file a\.txt is not UTF-8 \(line 2\); save it as UTF-8$",
    ):
        names_in(b"cat\nF\xfc\xdfe\n")


def test_too_much_is_refused_with_the_bound() -> None:
    with pytest.raises(
        ModelError, match=r"^labels file a\.txt has 1,000,001 bytes; at most 1,000,000 are read$"
    ):
        names_in(b"x" * 1_000_001)
    with pytest.raises(
        ModelError, match=r"^labels file a\.txt has 100,001 labels; at most 100,000 are read$"
    ):
        names_in(b"x\n" * 100_001)
    with pytest.raises(ModelError, match="at most 100,000 are read"):
        names_in(b"0 a\n500000 b\n")


def test_labels_that_had_to_be_cleaned_are_told_where_they_are_from() -> None:
    file = File("a.txt", b"cat\n\x1b[31mdog\n" + b"x" * 101)
    origin = "labels file a.txt (2 of 3 shortened or cleaned)"
    assert find_labels(None, file, None, None, None).origin == origin
    assert find_labels(["cat", "a\nb"], None, None, None, None).origin == (
        "sidecar (1 of 2 shortened or cleaned)"
    )


@given(st.binary(max_size=200))
def test_labels_of_any_bytes_can_be_published(data: bytes) -> None:
    try:
        labels = names_in(data)
    except ModelError:
        return
    assert all(len(label) <= 100 for label in labels)
    assert not {unicodedata.category(c) for label in labels for c in label} & {"Cc", "Zl", "Zp"}


def test_the_labels_nearest_to_a_misspelt_one_are_found() -> None:
    names = ("person", "Bicycle", "cat", "car", "cart", "carp")
    assert nearest("bycicle", names) == ["Bicycle"]
    assert nearest("carx", names) == ["car", "cart", "carp"]
    assert nearest("zebra crossing", names) == []


def test_the_labels_of_the_coco_model_count_from_person(testdata: Path) -> None:
    file = testdata / "models" / "coco_ssd_mobilenet_v1_quant.labels.txt"
    labels = find_labels(None, File(file.name, file.read_bytes()), None, None, None)
    assert [labels.name(n) for n in (0, 11, 16, 89, 90)] == [
        "person",
        "11",
        "cat",
        "toothbrush",
        "90",
    ]
