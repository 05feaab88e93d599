"""SSD and EfficientDet without post-processing: boxes as differences from anchors in the file.

Two outputs: 1 x n x 4 (y, x, height, width) and 1 x n x classes. An output that is constant (some
exporters give the anchors out) is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ..errors import ModelError
from ..records.models import AnchorTable
from .anchors import AnchoredDecoder, BoxCoder, Coded, Rows, ScoreRule
from .outputs import Output, covers_0_to_1, named, shown
from .suppression import suppression_of
from .task import Activation, Candidate, Sure, Task, Told

_SSD_SCALES = (10.0, 10.0, 5.0, 5.0)
_EFFICIENTDET_SCALES = (1.0, 1.0, 1.0, 1.0)
_EFFICIENTDET_STRIDES = (8, 16, 32, 64, 128)
_EFFICIENTDET_AT_EACH = 9
_PLACEHOLDERS = ("???", "background")


class _Parts(msgspec.Struct, frozen=True):
    boxes: Output
    scores: Output

    @property
    def count(self) -> int:
        return self.boxes.shape[1]

    @property
    def columns(self) -> int:
        return self.scores.shape[2]

    @property
    def said(self) -> str:
        return f"boxes as differences from {self.count} anchors, {self.columns} scores each"


def find(outputs: Sequence[Output], told: Told) -> Iterator[Candidate]:
    """Two outputs of such shapes that are computed from a picture."""
    if len(told.input_shape) == 4 and (parts := _shaped(outputs)) is not None:
        held = told.detection.anchors(parts.count)
        yield Candidate("detection", parts.said, Sure.NAMES if held else Sure.SHAPES, "anchors")


def read(outputs: Sequence[Output], told: Told) -> Task:
    """Raises ModelError for other outputs, where the file holds no anchors or several tables, and
    where nothing says which of the scores are classes.
    """
    parts = _told(outputs, told) if told.roles else _shaped(outputs)
    if parts is None:
        raise ModelError(
            "boxes that are differences from anchors need the outputs 1 x n x 4 and 1 x n x "
            f"classes, it has {shown(outputs)}. If two fit, add to its .toml file: [outputs] with "
            "boxes and scores, each the output's number"
        )
    table = _table(parts, told)
    scales, why_scales = _scales(table, parts, told)
    activation, why_activation = _activation(table, parts.scores, told)
    background = _background(table, parts, told)
    rule = suppression_of(told.detection)
    boxes, scores = parts.boxes, parts.scores
    reasons = (
        parts.said + (", the first the background's" if background else ""),
        f"anchors from {table.origin}",
        f"scales {', '.join(f'{scale:g}' for scale in scales)} {why_scales}",
        why_activation,
        f"suppression: {rule}",
    )
    return Task(
        name="detection",
        why="; ".join(reasons),
        decoder=AnchoredDecoder(
            Coded(
                Rows(boxes.position, 4, boxes.quantization),
                table.anchors,
                BoxCoder(scales, exponential=table.exponential),
            ),
            Rows(scores.position, parts.columns, scores.quantization),
            ScoreRule(activation, background),
            rule,
        ),
        classes=parts.columns,
        labels_output=scores.position,
        stored=True,
    )


def _shaped(outputs: Sequence[Output]) -> _Parts | None:
    """The two outputs, if there is just one way to take them."""
    computed = [output for output in outputs if output.operator is not None]
    if len(computed) != 2 or len(outputs) > 3:
        return None
    fitting = [
        _Parts(one, other)
        for one, other in (computed, computed[::-1])
        if len(one.shape) == len(other.shape) == 3
        and one.shape[:2] == other.shape[:2]
        and one.shape[0] == 1
        and one.shape[1] > 1
        and one.shape[2] == 4
    ]
    return fitting[0] if len(fitting) == 1 else None


def _told(outputs: Sequence[Output], told: Told) -> _Parts | None:
    """Raises ModelError where a role is missing or no output's."""
    missing = [role for role in ("boxes", "scores") if role not in told.roles]
    if missing:
        raise ModelError(f"its sidecar names outputs for detection, but none for {missing[0]}")
    parts = {role: named(outputs, role, told.roles[role]) for role in ("boxes", "scores")}
    return _shaped(list(parts.values())) or _Parts(**parts)


def _table(parts: _Parts, told: Told) -> AnchorTable:
    found = told.detection.anchors(parts.count)
    if len(found) == 1:
        return found[0]
    if not found:
        raise ModelError(
            f"its boxes are differences from {parts.count} anchors, and its file does not hold "
            "these. Export it with its anchors, or with the post-processing inside"
        )
    origins = " and ".join(table.origin for table in found)
    raise ModelError(
        f"its boxes are differences from {parts.count} anchors, and its file holds {len(found)} "
        f"tables of as many ({origins}). Export it with the post-processing inside"
    )


def _scales(
    table: AnchorTable, parts: _Parts, told: Told
) -> tuple[tuple[float, float, float, float], str]:
    if told.detection.scales is not None:
        return told.detection.scales, "as told"
    if table.scales is not None:
        return table.scales, "as it says"
    height, width = told.input_shape[1:3]
    places = sum(-(-height // s) * -(-width // s) for s in _EFFICIENTDET_STRIDES)
    if parts.count == places * _EFFICIENTDET_AT_EACH:
        return _EFFICIENTDET_SCALES, "(it has as many anchors as an EfficientDet)"
    return _SSD_SCALES, "(assumed: those of SSD)"


def _activation(table: AnchorTable, scores: Output, told: Told) -> tuple[Activation, str]:
    if told.activation is not None:
        return told.activation, f"activation {told.activation.value}, as told"
    if table.logits is not None:
        return (
            (Activation.SIGMOID, "a sigmoid, as it says")
            if table.logits
            else (
                Activation.NONE,
                "scores, as it says",
            )
        )
    if scores.operator in ("LOGISTIC", "SOFTMAX"):
        return Activation.NONE, "scores (the model ends in an activation)"
    if covers_0_to_1(scores):
        return Activation.NONE, "scores (its quantisation covers 0 to 1)"
    return Activation.SIGMOID, "logits, so a sigmoid is applied"


def _background(table: AnchorTable, parts: _Parts, told: Told) -> bool:
    """Whether the first score is no class's. Raises ModelError where nothing says it."""
    if told.detection.background is not None:
        return told.detection.background
    if table.scales is not None or parts.columns == 1:  # MediaPipe counts classes alone
        return False
    names = told.detection.names(parts.scores.position)
    placeholder = bool(names) and names[0] in _PLACEHOLDERS
    if len(names) == parts.columns:
        return placeholder
    if len(names) - placeholder in (parts.columns, parts.columns - 1):
        return len(names) - placeholder == parts.columns - 1
    raise ModelError(
        f"nothing says whether the first of its {parts.columns} scores is the background's or a "
        "class's. Give it labels, one a class, or add the right line to its .toml file: "
        "outputs.background = true, or outputs.background = false"
    )
