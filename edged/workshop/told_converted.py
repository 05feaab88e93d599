"""What ``edged model convert`` tells of the model that it made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..inputs import PictureInput
from ..loading import Examined
from ..toml_text import printable


def told(target: Path, examined: Examined | None) -> Iterator[str]:
    """Lines for a person."""
    yield f"wrote {target}: {target.stat().st_size:,} bytes"
    if examined is None:
        yield f"it cannot serve as it is: edged model inspect {target} says more"
        return
    reading = examined.reading
    yield f"task: {reading.task.name}: {reading.task.why}"
    what = "pixels" if isinstance(reading.input, PictureInput) else "input"
    yield printable(f"{what}: {reading.input.said}")
    labels = reading.labels
    yield printable(f"labels: {labels.origin}" + (f", {len(labels.names)}" if labels.names else ""))
    if "assumed" in reading.input.said:
        stem = target.name.removesuffix(".tflite")
        yield (
            "note: the source does not say how its input is scaled. Where the assumption is "
            f"wrong, put [input] with mean and std into {stem}.toml: (value - mean) / std"
        )
