"""Events and counts."""

from __future__ import annotations

from ...records.happenings import Counts, EventType, Happening
from .. import Context
from ..wire import happenings as wire
from ..wire.fields import MS_DECIMALS, Closed
from .values import rounded, share, short_label, short_text, timestamp


def event(record: Happening, context: Context) -> Closed:
    box = record.box
    ended = record.type is EventType.ENDED
    return wire.Event(
        "edged.event/1",
        context.device,
        record.pipeline,
        context.run,
        record.sequence,
        context.clock.synced(),
        record.id,
        record.type.value,
        short_label(record.label),
        None if record.score is None else share(record.score),
        record.track,
        None if record.zone is None else short_text(record.zone),
        None if box is None else (share(box[0]), share(box[1]), share(box[2]), share(box[3])),
        timestamp(record.started_ns, context),
        timestamp(record.seen_ns, context) if ended else None,
        rounded((record.seen_ns - record.started_ns) / 1e9, MS_DECIMALS),
    )


def counts(record: Counts, context: Context) -> Closed:
    return wire.Counts(
        "edged.counts/1",
        context.device,
        record.pipeline,
        context.run,
        timestamp(record.at_ns, context),
        context.clock.synced(),
        record.min_count,
        _by_label(record.objects),
        {
            name: wire.ZoneCounts(_by_label(zone.inside), zone.entered, zone.left)
            for name, zone in record.zones.items()
        },
        {name: wire.LineCounts(line.to_left, line.to_right) for name, line in record.lines.items()},
    )


def _by_label(found: dict[str, int]) -> dict[str, int]:
    return {short_label(label): count for label, count in found.items()}
