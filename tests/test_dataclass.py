"""The quick dataclass beside the standard library's."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, asdict, field, replace
from typing import Any

import msgspec
import pytest

from edged.dataclass import dataclass


class Fields:
    """What both kinds of classes below have."""

    __slots__ = ()

    @property
    def doubled(self) -> int:
        return 2 * self.number  # type: ignore[attr-defined, no-any-return]


@dataclass(frozen=True, slots=True)
class Quick(Fields):
    """A value."""

    number: int
    name: str = "none"
    many: list[int] = field(default_factory=list)
    secret: str = field(default="x", repr=False, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Usual(Fields):
    """A value."""

    number: int
    name: str = "none"
    many: list[int] = field(default_factory=list)
    secret: str = field(default="x", repr=False, compare=False)


@dataclass(slots=True)
class Changing:
    """No value."""

    number: int = 0


@dataclass(slots=True, eq=False)
class Itself:
    """Equal to nothing else."""

    number: int = 0


@dataclass(frozen=True, slots=True)
class Named(Quick):
    """One with another's fields, and a word of its own."""

    last: int = 7

    def __repr__(self) -> str:
        return f"the {self.last}th"


@dataclass(frozen=True, slots=True)
class Empty:
    """Nothing."""


def made(kind: Any) -> list[Any]:
    return [kind(1), kind(1, "a", [2]), kind(name="b", number=3), kind(4, secret="s")]


def test_it_tells_of_itself_as_the_standard_one() -> None:
    told = [repr(each).replace("Quick", "Usual") for each in made(Quick)]
    assert told == [repr(each) for each in made(Usual)]


def test_it_gives_its_parts_as_the_standard_one() -> None:
    assert [asdict(each) for each in made(Quick)] == [asdict(each) for each in made(Usual)]
    assert Quick.__match_args__ == Usual.__match_args__  # type: ignore[attr-defined]
    assert Quick(4).doubled == 8


def test_a_default_that_is_made_is_another_one_each_time() -> None:
    assert Quick(1).many is not Quick(1).many


def test_it_compares_as_the_standard_one() -> None:
    assert Quick(1) == Quick(1, secret="other")
    assert Quick(1) != Quick(2)
    assert Quick(1) != Usual(1)
    assert Empty() == Empty()
    assert Changing(1) == Changing(1)
    assert Itself() != Itself()


def test_only_a_frozen_one_can_be_a_key() -> None:
    hashable = replace(Quick(1), many=())  # type: ignore[arg-type]
    assert {hashable: 1}[replace(hashable, secret="other")] == 1
    assert {Itself(): 1}
    with pytest.raises(TypeError, match="unhashable"):
        hash(Changing())


def test_a_frozen_one_cannot_be_changed() -> None:
    one = Quick(1)
    with pytest.raises(FrozenInstanceError):
        one.number = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del one.number
    assert one == Quick(1)
    changing = Changing(1)
    changing.number = 2
    assert changing == Changing(2)


def test_it_has_no_room_for_anything_else() -> None:
    with pytest.raises(AttributeError):
        Changing().other = 1  # type: ignore[attr-defined]


def test_it_can_be_replaced_copied_and_sent() -> None:
    one = Quick(1, "a", [2])
    assert replace(one, name="b") == Quick(1, "b", [2])
    assert copy.copy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one
    assert msgspec.json.decode(msgspec.json.encode(one), type=Quick) == one


def test_one_that_follows_another_has_its_fields_and_keeps_its_own_words() -> None:
    one = Named(1, last=3)
    assert (one.number, one.name, one.last) == (1, "none", 3)
    assert repr(one) == "the 3th"


def test_wrong_arguments_are_told_by_the_name_of_the_class() -> None:
    for arguments in ((), (1, "a", [], "s", 5)):
        with pytest.raises(TypeError, match=r"Quick\.__init__\(\)"):
            Quick(*arguments)


def test_what_it_does_not_make_is_refused() -> None:
    with pytest.raises(TypeError, match="has slots"):
        dataclass(frozen=True, slots=False)

    @dataclass(frozen=True, slots=True)
    class Late:
        number: int

        def __post_init__(self) -> None:
            raise AssertionError

    with pytest.raises(TypeError, match="Late: __init__ sets all fields here"):
        Late(1)
