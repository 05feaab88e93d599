"""How often an IIO device samples: found, and set where another rate is asked for.

``sampling_frequency`` may stand with the trigger, the buffer, the device or a type of channel, and
what it can be in ``sampling_frequency_available`` (``Documentation/ABI/testing/sysfs-bus-iio``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .iio_device import IioDevice, Settings

FREQUENCY = "sampling_frequency"
# Two rates that differ by less are the same one: 12.5 and "12.500000", 833 and 833.333.
SAME = 0.01


def set_rate(
    device: IioDevice, types: Sequence[str], wanted_hz: float | None, settings: Settings
) -> float | None:
    """How often the buffer is filled, after it was set as near to what is wanted as it goes.

    Rather above than below: what is too much can be resampled. None where nothing tells the rate:
    an interrupt or a program is the trigger. Raises SourceError.
    """
    trigger = _current_trigger(device)
    if trigger is None or trigger.number(FREQUENCY) is None:
        if wanted_hz is not None:
            for name in _own(device, types):
                _set(device, name, wanted_hz, settings)
        return own_rate_hz(device, types)
    if wanted_hz is not None:
        _set(trigger, FREQUENCY, wanted_hz, settings)
    rate_hz = trigger.number(FREQUENCY)
    if rate_hz:
        raise_rate(device, types, rate_hz, settings)
    return rate_hz or None


def raise_rate(
    device: IioDevice, types: Sequence[str], least_hz: float, settings: Settings
) -> None:
    """Let the device itself measure at least that often, as far as it can. Raises SourceError."""
    for name in _own(device, types):
        if (device.number(name) or 0.0) < least_hz * (1 - SAME):
            _set(device, name, least_hz, settings)


def own_rate_hz(device: IioDevice, types: Sequence[str]) -> float | None:
    """What the device itself is set to; None where it does not tell."""
    return max(
        (rate for name in _own(device, types) if (rate := device.number(name))), default=None
    )


def _set(place: IioDevice, name: str, wanted_hz: float, settings: Settings) -> None:
    given_hz = place.number(name)
    available = place.read(f"{name}_available") or ""
    value = _nearest(available, wanted_hz) or f"{wanted_hz:.9g}"
    if given_hz is None or not math.isclose(given_hz, float(value), rel_tol=SAME):
        settings.set(place, name, value)


def _nearest(available: str, wanted_hz: float) -> str | None:
    """Of a list ("12.5 26 52"), in its own words, or of a range ("[least step most]")."""
    try:
        rates = {float(text): text for text in available.strip("[]").split()}
    except ValueError:
        return None
    enough_hz = wanted_hz * (1 - SAME)
    if available.startswith("[") and len(rates) == 3:
        least, step, most = rates
        steps = max(0, math.ceil((enough_hz - least) / step)) if step > 0 else 0
        return f"{min(least + steps * step, most):.9g}"
    above = [rate for rate in rates if rate >= enough_hz]
    return rates[min(above) if above else max(rates)] if rates else None


def _own(device: IioDevice, types: Sequence[str]) -> list[str]:
    """The attributes that hold the device's rate: one for all channels, or one for each type."""
    for name in (f"buffer/{FREQUENCY}", FREQUENCY):
        if device.read(name) is not None:
            return [name]
    names = [f"in_{type_}_{FREQUENCY}" for type_ in dict.fromkeys(types)]
    return [name for name in names if device.read(name) is not None]


def _current_trigger(device: IioDevice) -> IioDevice | None:
    """The trigger that fills the device's buffer, where it is set and can be seen."""
    name = device.read("trigger/current_trigger")
    if name:
        for path in sorted(device.path.parent.glob("trigger[0-9]*")):
            trigger = IioDevice(path)
            if trigger.name == name:
                return trigger
    return None
