"""The channels of an IIO device: what they are called, their units, and what makes numbers of them.

Names, scales and units as of the kernel's ``Documentation/ABI/testing/sysfs-bus-iio``: a channel is
the attribute ``in_<name>_raw``, whose value is ``(raw + offset) * scale``, or ``in_<name>_input``,
which the driver has computed. Its name is a type with, where there are several, a number or an
axis: ``accel_x``, ``voltage0``, ``voltage0-voltage1``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from ..errors import SourceError
from ..samples import Channel
from .iio_device import IioDevice

# By type: the unit that is told, and the factor from the kernel's. They are the same but for
# milli degrees Celsius and milli percent, in which nobody thinks. A type that is not here has no
# unit in the kernel's documentation either.
_UNITS: dict[str, tuple[str, float]] = {
    "accel": ("m/s^2", 1),
    "angl": ("rad", 1),
    "anglvel": ("rad/s", 1),
    "capacitance": ("nF", 1),
    "concentration": ("%", 1),
    "current": ("mA", 1),
    "deltaangl": ("rad", 1),
    "deltavelocity": ("m/s", 1),
    "distance": ("m", 1),
    "electricalconductivity": ("S/m", 1),
    "energy": ("J", 1),
    "gravity": ("m/s^2", 1),
    "humidityrelative": ("%", 0.001),
    "illuminance": ("lx", 1),
    "incli": ("deg", 1),
    "magn": ("G", 1),
    "massconcentration": ("ug/m^3", 1),
    "phase": ("rad", 1),
    "positionrelative": ("%", 0.001),
    "power": ("mW", 1),
    "pressure": ("kPa", 1),
    "resistance": ("ohm", 1),
    "temp": ("°C", 0.001),
    "velocity": ("m/s", 1),
    "voltage": ("mV", 1),
}
# Not readings of their own, so only given where they are named.
_DERIVED = ("_mean", "_peak", "_trough")


class IioChannel(msgspec.Struct, frozen=True):
    """One channel: a raw value is ``(raw + offset) * scale`` in ``channel.unit``.

    ``processed``: sysfs has ``in_<name>_input``, which is that times ``factor``.
    """

    channel: Channel
    scale: float
    offset: float
    processed: bool
    factor: float

    def value(self, number: float) -> float:
        """What the number that sysfs gives stands for."""
        return number * self.factor if self.processed else (number + self.offset) * self.scale

    @property
    def attribute(self) -> str:
        return f"in_{self.name}_{'input' if self.processed else 'raw'}"

    @property
    def name(self) -> str:
        return self.channel.name

    @property
    def type(self) -> str:
        return _type(self.name)


def find_channels(device: IioDevice, wanted: Sequence[str] | None) -> tuple[IioChannel, ...]:
    """Those of these names, in their order, or all readings that it has. Raises SourceError."""
    kinds: dict[str, set[str]] = {}
    for attribute in device.names():
        if found := re.fullmatch(r"in_(.+)_(raw|input)", attribute):
            kinds.setdefault(found[1], set()).add(found[2])
    kinds.pop("timestamp", None)
    told = ", ".join(sorted(kinds, key=_order))
    if not kinds:
        raise SourceError(f"{device} has no channel that can be read.")
    if wanted is None:
        wanted = sorted((name for name in kinds if not name.endswith(_DERIVED)), key=_order)
    for name in wanted:
        if name not in kinds:
            raise SourceError(f'{device} has no channel "{name}"; it has {told}.')
    return tuple(_channel(device, name, "input" in kinds[name]) for name in wanted)


def _channel(device: IioDevice, name: str, processed: bool) -> IioChannel:
    scale, offset = _shared(device, name, "scale"), _shared(device, name, "offset")
    unit, factor = _UNITS.get(_type(name), ("", 1.0))
    if scale is None and not processed:
        unit, factor = "", 1.0  # a number of which the driver does not know what it stands for
    return IioChannel(
        Channel(name, unit),
        scale=(1.0 if scale is None else scale) * factor,
        offset=offset or 0.0,
        processed=processed,
        factor=factor,
    )


def _shared(device: IioDevice, name: str, attribute: str) -> float | None:
    """Of the channel itself, or shared by those that differ in number, by its type, or by all."""
    bare = re.sub(r"\d+", "", name)
    types = "-".join(map(_type, name.split("-")))
    for prefix in dict.fromkeys((f"in_{name}", f"in_{bare}", f"in_{types}", "in")):
        number = device.number(f"{prefix}_{attribute}")
        if number is not None:
            return number
    return device.number(attribute)


def _type(name: str) -> str:
    found = re.match(r"[a-z]+", name)
    return found[0] if found else name


def _order(name: str) -> list[tuple[str, int]]:
    """voltage2 before voltage10."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D+)(\d*)", name)]
