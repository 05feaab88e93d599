"""The table of devices and pipelines. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from rich.text import Text

from . import words
from .board import Board
from .known import Device, Pipeline
from .textline import Frame, cell, fitted, spread, wrapped

_INDENT = 3
_MOST_LABELS = 12
_STATE_STYLES = {"running": "green", "degraded": "yellow", "source-lost": "red", "stopped": "red"}


class _Row(msgspec.Struct, frozen=True):
    """A line of the table, of a pipeline or else of a device. ``grave``: it is in trouble."""

    text: Text
    is_pipeline: bool
    grave: bool


def table(board: Board, frame: Frame, room: int) -> list[Text]:
    """At most so many lines, those in trouble first. Without room for all, one line a pipeline."""
    devices = sorted(board.devices.values(), key=_interest)
    for full in (True, False):
        rows = [row for device in devices for row in _device_rows(device, frame, full)]
        if len(rows) <= room:
            return [row.text for row in rows]
    kept, rest = rows[: max(room - 1, 0)], rows[max(room - 1, 0) :]
    return [*(row.text for row in kept), _how_many_more(rest)][: max(room, 0)]


def _how_many_more(rest: Sequence[_Row]) -> Text:
    """``rest``: one line each."""
    pipelines = [row for row in rest if row.is_pipeline]
    devices, troubled = len(rest) - len(pipelines), sum(row.grave for row in pipelines)
    text = Text(f" … {words.number(len(pipelines), 'more pipeline')}", "bold")
    if devices:
        text.append(f" and {words.number(devices, 'more device')}")
    return text.append(f", {troubled or 'none'} of them in trouble")


def _needs_attention(pipeline: Pipeline) -> bool:
    return pipeline.troubled or pipeline.sequences.missing > 0


def _interest(device: Device) -> tuple[bool, str]:
    quiet = not device.offline and not any(map(_needs_attention, device.pipelines.values()))
    return quiet, device.name


def _device_rows(device: Device, frame: Frame, full: bool) -> Iterator[_Row]:
    yield _Row(_device_line(device), False, device.offline)
    pipelines = device.pipelines.values()
    for pipeline in sorted(pipelines, key=lambda one: (not _needs_attention(one), one.name)):
        text = _pipeline_line(pipeline, frame, full)
        if device.offline:
            text.stylize("dim")
        grave = device.offline or _needs_attention(pipeline)
        for line in [text, *(_details(device, pipeline, frame) if full else ())]:
            yield _Row(line, True, grave)


def _device_line(device: Device) -> Text:
    text = Text(words.safe(device.name, 60), "bold")
    text.append("  ")
    if device.offline:
        text.append("OFFLINE", "bold red")
    else:
        text.append(device.status or "status not told", "green" if device.status else "yellow")
    if device.metrics is not None:
        spool = device.metrics.spool
        waiting = "yellow" if spool.depth or spool.dropped else ""
        for part in words.figures(device.metrics):
            style = "bold red" if part == words.THROTTLED else waiting
            text.append("  ").append(part, style)
            waiting = waiting if part.startswith("spool") else ""
    if device.info is not None:
        text.append("  ").append(words.safe(f"edged {device.info.version}", 40), "dim")
    return text


def headings(columns: int) -> Text:
    cells = ("PIPELINE", "STATE", "RATE", "P50ms", "P95ms", "MISS/DUP", "MODEL")
    return Text(_columns(cells, columns), "dim")


def _name_width(columns: int) -> int:
    return max(12, min(32, columns - 68))


def _columns(cells: Sequence[str], columns: int) -> str:
    """Cells side by side: name, state, rate, p50, p95, missing/twice, and the rest of the line."""
    name, state, rate, p50, p95, counts, last = cells
    parts = (
        cell(name, _name_width(columns)),
        cell(state, 11),
        cell(rate, 7, right=True),
        cell(p50, 5, right=True),
        cell(p95, 5, right=True),
        cell(counts, 8, right=True),
    )
    return f" {' '.join(parts)}  {last}"


def _pipeline_line(pipeline: Pipeline, frame: Frame, full: bool) -> Text:
    pace, counts = pipeline.pace(frame.at_s), pipeline.sequences
    state = words.safe(pipeline.health.state, 40) if pipeline.health else "-"
    wide = _name_width(frame.columns)
    cells = (
        words.safe(pipeline.name),
        state,
        words.rate(pace.rate_hz),
        words.milliseconds(pace.p50_ms),
        words.milliseconds(pace.p95_ms),
        f"{counts.missing:,}/{counts.twice:,}",
        _model(pipeline, frame.columns - wide - 44) if full else _what_now(pipeline),
    )
    text = Text(_columns(cells, frame.columns))
    text.stylize(_STATE_STYLES.get(state, ""), wide + 2, wide + 2 + len(state))
    return text


def _model(pipeline: Pipeline, room: int) -> str:
    """Which model serves; where there is little room the version is what matters."""
    model = pipeline.last.model if pipeline.last else None
    if pipeline.model is not None:
        model = pipeline.model.active
    if model is None:
        return "none" if pipeline.model else "-"
    version = words.safe(model.version or "", 12)
    name = Text(words.safe(model.name))
    return f"{fitted(name, max(1, room - len(version) - 1)).plain} {version}"


def _what_now(pipeline: Pipeline) -> str:
    """For a pipeline's only line: why it does not run, else what was found last."""
    if pipeline.troubled and pipeline.health is not None and pipeline.health.reason:
        return words.safe(pipeline.health.reason)
    return words.findings(pipeline.last, most=_MOST_LABELS) if pipeline.last else "no result yet"


def _details(device: Device, pipeline: Pipeline, frame: Frame) -> Iterator[Text]:
    """The lines below a pipeline's own."""
    health, model = pipeline.health, pipeline.model
    if health is not None and (pipeline.troubled or health.reason):
        told = words.health(health, frame.wall)
        style = "red" if pipeline.troubled else "dim"
        yield from wrapped(told, style, frame.columns, most=2, indent=_INDENT)
    if pipeline.last is not None:
        yield _last_result(device, pipeline, frame)
    tried = model.candidate if model else None
    if tried is not None and tried.verdict in ("trial", "refused", "rolled-back"):
        told = words.candidate(tried)
        yield from wrapped(told, "yellow", frame.columns, most=2, indent=_INDENT)


def _last_result(device: Device, pipeline: Pipeline, frame: Frame) -> Text:
    last, wall = pipeline.last, pipeline.last_wall
    assert last is not None
    assert wall is not None
    when = words.captured_late(last, wall)
    came = f"captured {when}" if when else words.clock_time(wall, frame.wall)
    left = f"{' ' * _INDENT}{came}  "
    figures = device.metrics.pipelines.get(pipeline.name) if device.metrics else None
    hz = figures.inference_rate_hz if figures else None
    right = Text(f"  inferred {words.rate(hz)}" if hz is not None else "", "dim")
    room = frame.columns - len(left) - right.cell_len
    return spread(Text(left + _findings_in(pipeline, room)), right, frame.columns)


def _findings_in(pipeline: Pipeline, room: int) -> str:
    """As many findings as there is room for; the best one in any case."""
    assert pipeline.last is not None
    text = ""
    for most in range(_MOST_LABELS, 0, -1):
        text = words.findings(pipeline.last, most)
        if Text(text).cell_len <= room:
            break
    return text
