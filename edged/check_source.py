"""``edged check``: whether a pipeline's source gives anything, and what its model can use."""

from __future__ import annotations

import threading

from . import config as configuration
from .build import make_sensor, make_source
from .check_sound import check_sound
from .errors import ModelError
from .inputs import WindowInput
from .reading import Reading
from .records.frames import Frame
from .report import Report
from .samples import Captured, Window, WindowShape
from .sources import Gap, NotYet, Source, Unreadable
from .suitability import crop_misfit, nothing_to_crop

# A camera takes a second or two to start; one that takes longer is told as such.
_SOURCE_TIMEOUT_S = 15.0


def check_source(
    report: Report,
    name: str,
    source: configuration.SourceTable,
    running: bool,
    reading: Reading | None,
) -> None:
    kind = str(source.__struct_config__.tag)
    if running and isinstance(source, configuration.Exclusive):
        told = "is not tried, for the edged that runs has it; see its P/<pipeline>/health"
        report.note("source", f"{name}: {kind} {told}")
        return
    try:
        first = _first(make_source(source), isinstance(source, configuration.SensorTable))
    except Exception as error:  # a camera's library raises what it likes
        report.wrong("source", f"{name}: {kind}: {error}")
        return
    match first:
        case None:
            told = f"gave nothing in {_SOURCE_TIMEOUT_S:g} s"
            report.wrong("source", f"{name}: {kind} {told}")
        case Frame():
            height, width = first.pixels.shape[:2]
            report.ok("source", f"{name}: {kind} gives frames of {width}x{height}")
        case Window():
            channels = ", ".join(map(str, first.channels))
            told = f"gives samples of {channels} at {first.rate_hz:g} Hz"
            report.ok("source", f"{name}: {kind} {told}")
            if reading is not None and isinstance(reading.input, WindowInput):
                _check_channels(report, name, first, reading.input)
            if isinstance(source, configuration.Microphone):
                check_sound(report, name, make_sensor(source))


def check_crop(
    report: Report, name: str, crop: configuration.Crop, reading: Reading | None
) -> None:
    """``reading``: of the model whose objects are looked at; None where that cannot be run."""
    if reading is None:
        report.wrong("source", f"{name}: pipeline {crop.from_} has no model that finds anything")
        return
    misfit = crop_misfit(crop.from_, reading.task.name)
    if misfit is not None:
        report.wrong("source", f"{name}: {misfit}")
        return
    wanted = {label.casefold() for label in crop.labels or ()}
    never = nothing_to_crop(wanted, reading.labels.known)
    if never is not None:
        report.note("labels", f"{name}: has nothing to look at: in pipeline {crop.from_} {never}")
    what = ", ".join(f'"{label}"' for label in crop.labels or ()) or "all objects"
    report.ok("source", f"{name}: crops of {what} of pipeline {crop.from_}")


def _check_channels(report: Report, name: str, first: Window, input_: WindowInput) -> None:
    try:
        input_.samples.places_in(first.channels)
    except ModelError as error:
        report.wrong("source", f"{name}: its model cannot use that: {error}")


def _first(source: Source, sensor: bool) -> Captured | None:
    """The first frame, or sample, or None when none came in time. Raises what the source raises."""
    want = WindowShape(rate_hz=None, length=1) if sensor else None
    found: list[Captured | None] = []
    failed: list[Exception] = []

    def look() -> None:
        try:
            source.open(want)
            while not found:
                try:
                    found.append(source.read())
                except (Unreadable, Gap, NotYet):
                    continue
        except Exception as error:
            failed.append(error)
        finally:
            source.close()

    # A daemon thread: a driver that hangs must not keep the command from ending.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(_SOURCE_TIMEOUT_S)
    if failed:
        raise failed[0]
    return found[0] if found else None
