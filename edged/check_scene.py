"""``edged check``: what masks, zones and lines of the picture cover, and whom they count."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from . import config_pipelines as configuration
from .build import make_plan
from .config_frame import Line, Zone
from .polygon import Polygon
from .report import Report
from .suitability import unknown_labels

_SIDE = 1000  # of the picture that shares are counted in


def check_scene(
    report: Report, pipeline: configuration.Pipeline, known: Sequence[str] | None
) -> None:
    """``known``: the model's labels; None where it cannot be read."""
    name, masked = pipeline.name, _covered([mask.polygon for mask in pipeline.masks])
    if pipeline.masks:
        share = f"{masked.mean():.0%} of the picture is filled before anything looks at it"
        (report.note if masked.all() else report.ok)("masks", f"{name}: {share}")
    for zone in pipeline.zones:
        inside = _covered([zone.polygon])
        seen = (inside & ~masked).sum() / max(inside.sum(), 1)
        said = f"{name}: zone {zone.name}: {inside.mean():.0%} of the picture, {_who(zone)}"
        if seen < 1:
            said += f"; {1 - seen:.0%} of it is masked"
        (report.ok if seen else report.note)("zones", said)
    for line in pipeline.lines:
        report.ok("lines", f"{name}: line {line.name}: {_who(line)}")
    parts: list[Zone | Line] = [*pipeline.zones, *pipeline.lines]
    for part in parts if known is not None else ():
        unknown = unknown_labels(part.labels, known or ())
        if unknown is not None:
            report.note("labels", f"{name}: {part.name}: {unknown}")
    track = make_plan(pipeline).track
    if track is not None:
        why = "" if pipeline.track is not None else ", as zones and lines need it"
        report.ok(
            "track",
            f"{name}: objects keep their number{why}; scores over {track.low:g} go on with one, "
            f"and one that is lost is looked for {track.lost_s:g} s",
        )


def _who(part: Zone | Line) -> str:
    labels = "all objects" if part.labels is None else ", ".join(part.labels)
    return f"{labels} by the {part.anchor} of their boxes"


def _covered(polygons: Sequence[Polygon]) -> npt.NDArray[np.bool_]:
    """Which places of a picture (side, side) lie in any of them."""
    drawn = np.zeros((_SIDE, _SIDE), np.uint8)
    for polygon in polygons:
        outline = np.rint(np.array(polygon) * (_SIDE - 1)).astype(np.int32)
        cv2.fillPoly(drawn, [outline], (1,))
    return drawn > 0
