"""``dataclass``, as of the standard library, made in a tenth of the time.

The standard one writes and compiles six functions for a class that is frozen. For the hundred and
thirty classes of a daemon that was a third of what its start took. Here all classes share theirs
but for ``__init__``, which is compiled when the first instance is made. What comes out is a
dataclass to ``replace``, ``asdict``, msgspec, ``pickle`` and mypy.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

_Class = type[Any]


def _dataclass(*, slots: bool, frozen: bool = False, eq: bool = True) -> Callable[[_Class], _Class]:
    """Only with ``slots``; its fields are all given to ``__init__``, in their order or by name.

    Raises TypeError for what is not made here.
    """

    def make(cls: _Class) -> _Class:
        shared = dict(_SHARED)
        if eq:
            shared |= {"__eq__": _eq, "__hash__": _hash if frozen else None}
        if frozen:
            shared |= {"__setattr__": _refuse, "__delattr__": _refuse}
        # Python itself puts None for __hash__ where there is an __eq__.
        own = {name for name, value in vars(cls).items() if value is not None}
        for name in shared.keys() - own:
            setattr(cls, name, shared[name])

        def init_first(self: Any, /, *args: Any, **kwargs: Any) -> None:
            made.__init__ = _init(made)
            made.__init__(self, *args, **kwargs)

        cls.__init__ = init_first
        made: _Class = dataclasses.dataclass(slots=True, init=False, repr=False, eq=False)(cls)
        return made

    if not slots:
        raise TypeError("a dataclass has slots here")
    return make


def _init(cls: _Class) -> Callable[..., None]:
    """Sets by the slots' own descriptors, which know no ``frozen``, and are the fastest way."""
    fields = dataclasses.fields(cls)
    if hasattr(cls, "__post_init__") or any(field.kw_only or not field.init for field in fields):
        raise TypeError(f"{cls.__name__}: __init__ sets all fields here, and does nothing else")
    names: dict[str, Any] = {"MISSING": dataclasses.MISSING}
    given, lines = ["self"], ["pass"]
    for field in fields:
        name = value = field.name
        names[f"set_{name}"] = getattr(cls, name).__set__
        if field.default is not dataclasses.MISSING:
            names[f"default_{name}"] = field.default
            given.append(f"{name}=default_{name}")
        elif field.default_factory is not dataclasses.MISSING:
            names[f"make_{name}"] = field.default_factory
            given.append(f"{name}=MISSING")
            value = f"make_{name}() if {name} is MISSING else {name}"
        else:
            given.append(name)
        lines.append(f"set_{name}(self, {value})")
    text = f"def __init__({', '.join(given)}):\n " + "\n ".join(lines)
    exec(text, names)
    init: Callable[..., None] = names["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _repr(self: Any) -> str:
    fields = (field.name for field in dataclasses.fields(self) if field.repr)
    told = (f"{name}={getattr(self, name)!r}" for name in fields)
    return f"{type(self).__qualname__}({', '.join(told)})"


def _comparing(self: Any) -> Callable[[Any], Any]:
    """What gives all that an instance is compared by, as a tuple where there are fields."""
    cls: Any = type(self)
    if (known := _COMPARING.get(cls)) is None:
        names = [field.name for field in dataclasses.fields(cls) if field.compare]
        known = _COMPARING[cls] = operator.attrgetter("__class__", *names)
    return known


def _eq(self: Any, other: object) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    compared = _comparing(self)
    return compared(self) == compared(other)


def _hash(self: Any) -> int:
    return hash(_comparing(self)(self))


def _refuse(self: object, name: str, *_: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change field {name!r}")


def _reduce(self: Any) -> tuple[Any, ...]:
    return type(self), tuple(getattr(self, field.name) for field in dataclasses.fields(self))


_COMPARING: dict[_Class, Callable[[Any], Any]] = {}
_SHARED: dict[str, Any] = {"__repr__": _repr, "__reduce__": _reduce}

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    dataclass = _dataclass
