"""A comparison as one page of plots: matplotlib's, an extra."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

from ...errors import EdgedError, MissingExtra
from ...store.atomic import DISK
from .run import Compared

_COLOURS = ("#4c72b0", "#dd8452")
_MOST_SHOWN = 99.0  # percentile
_BARS = 12
_LONGEST = 22


def figure() -> Any:
    """An empty page, before there is anything measured. Raises MissingExtra."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("matplotlib, which draws the plot,", "workshop") from error
    page = Figure(figsize=(13, 9), layout="constrained")
    FigureCanvasAgg(page)
    return page


def plot(compared: Compared, page: Any, path: Path) -> None:
    """Latencies, accuracy against size, what changes by class, and where most is lost. Raises
    EdgedError.
    """
    names = (compared.one.path.name, compared.other.path.name)
    page.suptitle(f"{names[0]} and {names[1]}: {compared.examples:,} examples of {compared.data}")
    (latency, size), (classes, layers) = page.subplots(2, 2)
    _latency(compared, latency, names)
    _size(compared, size, names)
    _classes(compared, classes, names)
    _layers(compared, layers, names)
    drawn = io.BytesIO()
    page.savefig(drawn, dpi=120, format="png")
    try:
        DISK.write_atomically(path, drawn.getvalue())
    except OSError as error:
        raise EdgedError(f"{path} cannot be written: {error.strerror}") from error


def _latency(compared: Compared, axes: Any, names: tuple[str, str]) -> None:
    axes.set_title("latency: the box holds half, the line is the median")
    times, labels, colours = [], [], []
    for pair in compared.pairs:
        for run, name, colour in zip((pair.one, pair.other), names, _COLOURS, strict=True):
            ordered = sorted(run.times_ms)
            times.append(ordered[: max(2, round(len(ordered) * _MOST_SHOWN / 100))])
            labels.append(f"{_short(name)}\n{pair.runtime}\n{pair.threads} thr.")
            colours.append(colour)
    if not times:
        _nothing(axes, "not measured: the models hear a stream")
        return
    boxes = axes.boxplot(times, patch_artist=True, showfliers=False, widths=0.6)
    for box, colour in zip(boxes["boxes"], colours, strict=True):
        box.set_facecolor(colour)
    for median in boxes["medians"]:
        median.set_color("black")
    axes.set_xticks(range(1, len(labels) + 1), labels, fontsize="small")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("ms for one inference")


def _size(compared: Compared, axes: Any, names: tuple[str, str]) -> None:
    megabytes = [e.files.facts.size_bytes / 1e6 for e in (compared.one, compared.other)]
    if compared.accuracy is not None:
        what, values = "accuracy, top 1, %", [100 * e.top_1 for e in compared.accuracy]
    elif compared.precision is not None:
        what, values = "mAP, %", [100 * e.mean for e in compared.precision]
    else:
        what, values = "agreement with the first, %", [100.0, 100 * compared.share]
    axes.set_title("accuracy against size: up and to the left is better")
    for x, y, name, colour in zip(megabytes, values, names, _COLOURS, strict=True):
        axes.scatter([x], [y], s=120, color=colour, label=f"{name}: {y:.1f} %, {x:.2f} MB")
    axes.plot(megabytes, values, color="grey", linewidth=0.8, zorder=0)
    axes.set_xlim(0, 1.15 * max(megabytes))
    middle = sum(values) / 2
    reach = max(5.0, 1.5 * abs(values[0] - values[1]))
    axes.set_ylim(max(0.0, middle - reach), min(101.0, middle + reach))
    axes.set_xlabel("MB")
    axes.set_ylabel(what)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")


def _classes(compared: Compared, axes: Any, names: tuple[str, str]) -> None:
    told = compared.accuracy or compared.precision
    axes.set_title(f"what {_short(names[1])} changes by class")
    if told is None:
        _nothing(axes, "the data are not labelled")
        return
    changes = {
        label: 100 * (told[1].by_label.get(label, 0.0) - share)
        for label, share in told[0].by_label.items()
    }
    shown = sorted(changes.items(), key=lambda each: -abs(each[1]))[:_BARS]
    shown.sort(key=lambda each: each[1])
    labels, values = [label for label, _ in shown], [value for _, value in shown]
    axes.barh(labels, values, color=[_COLOURS[1] if v < 0 else _COLOURS[0] for v in values])
    axes.axvline(0, color="black", linewidth=0.8)
    reach = max(1.0, *(abs(value) for value in values))
    axes.set_xlim(-1.1 * reach, 1.1 * reach)
    axes.set_xlabel("percentage points")
    if not any(values):
        axes.text(0.52, 0.9, "no class changes", transform=axes.transAxes, color="grey")


def _layers(compared: Compared, axes: Any, names: tuple[str, str]) -> None:
    axes.set_title(f"where {_short(names[1])} loses most: less is worse")
    told = [e for e in compared.losses or () if e.own_db is not None and math.isfinite(e.own_db)]
    if not told:
        _nothing(axes, "with --layers" if compared.losses is None else "none loses anything")
        return
    shown = told[:_BARS]
    axes.barh(
        [f"{e.number} {e.kind} {_short(e.name)}" for e in shown],
        [e.own_db for e in shown],
        color=_COLOURS[1],
    )
    axes.invert_yaxis()
    axes.set_xlabel("SQNR of the operator by itself, dB")


def _nothing(axes: Any, why: str) -> None:
    axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes, color="grey")
    axes.set_xticks([])
    axes.set_yticks([])


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"
