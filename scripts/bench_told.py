"""How the scripts that measure begin and end alike."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edged.bench.machine import machine
from edged.bench.plot import drawn, figure

REPO = Path(__file__).resolve().parent.parent
TESTDATA = Path(os.environ.get("EDGED_TESTDATA", REPO.parent / "shared" / "testdata"))
COCO_SSD = TESTDATA / "models" / "coco_ssd_mobilenet_v1_quant.tflite"


def parser(
    doc: str, model: Path | None = COCO_SSD, *, plots: bool = True
) -> argparse.ArgumentParser:
    """With what all of them know. ``model`` None: they need none."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    if model is not None:
        made.add_argument("--model", type=Path, default=model)
    made.add_argument("--json", action="store_true", help="for programs")
    if plots:
        made.add_argument("--plot", type=Path, metavar="FILE.png", help="draw it, too")
    return made


def tell(found: Mapping[str, Any], lines: Iterable[str], as_json: bool) -> None:
    """What came of it, records and all, below the machine and the versions of what ran on it."""
    if as_json:
        told = msgspec.json.encode({"machine": machine(), **found})
        print(msgspec.json.format(told).decode())
        return
    print(", ".join(f"{what} {value}" for what, value in machine().items()))
    print("\n".join(lines))


def plot_values(values: Mapping[str, Sequence[float]], unit: str, path: Path) -> None:
    """All that was measured of each, as dots in a row of its own, with a line at the median.

    Raises MissingExtra, EdgedError.
    """
    made, axes = figure(1)
    for row, each in enumerate(values.values()):
        axes.plot(each, [row] * len(each), "o", alpha=0.4)
        axes.plot(2 * [sorted(each)[len(each) // 2]], [row - 0.3, row + 0.3], "k-")
    axes.set_yticks(range(len(values)), list(values))
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel(unit)
    axes.grid(alpha=0.3)
    drawn(made, path)
