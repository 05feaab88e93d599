"""What was measured, as a picture: matplotlib's, an extra."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import EdgedError, MissingExtra
from .figures import BESIDES, pooled, spreads
from .run import Outcome

_STAGES = ("preprocess", "inference", "decode", "hand-over", "publish", "rest")
_MOST_SHOWN = 99.5  # percentile


def figure(places: int) -> tuple[Any, Any]:
    """A figure and its places beside each other, before there is anything measured. Raises
    MissingExtra.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("matplotlib, which draws the plot,", "plot") from error
    made = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(made)
    return made, made.subplots(1, places)


def plot(title: str, outcomes: Mapping[str, Outcome], path: Path) -> None:
    """Left: where the time of a frame goes, by medians; right: how what goes by beside the
    inference is spread, of all but the last one, the bare interpreter. Raises MissingExtra,
    EdgedError.
    """
    made, (bars, spread) = figure(2)
    made.suptitle(title)
    found = [spreads(outcome.turns) for outcome in outcomes.values()]
    lefts = [0.0] * len(found)
    for stage in _STAGES:
        widths = [each[stage].median if stage in each else 0.0 for each in found]
        if not any(widths):
            continue
        bars.barh(list(outcomes), widths, left=lefts, label=stage)
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    bars.invert_yaxis()
    bars.set_xlabel("ms a frame, medians")
    bars.legend()
    for name, outcome in list(outcomes.items())[:-1]:
        values = sorted(pooled(outcome.turns)[BESIDES])
        shown = values[: max(2, round(len(values) * _MOST_SHOWN / 100))]
        shares = [100 * (number + 1) / len(values) for number in range(len(shown))]
        spread.plot(shown, shares, label=name)
    spread.set_xlabel("ms between two frames beside the inference")
    spread.set_ylabel("% of frames")
    spread.set_ylim(0, 100)
    spread.grid(alpha=0.3)
    spread.legend()
    drawn(made, path)


def drawn(made: Any, path: Path) -> None:
    """Raises EdgedError."""
    try:
        made.savefig(path, dpi=120, format="png")
    except OSError as error:
        raise EdgedError(f"{path} cannot be written: {error.strerror}") from error
