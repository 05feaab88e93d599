"""What the daemon can send, hear, write and read with a configuration: what `edged audit` tells.

Nothing is opened. What is published comes from the list that the publisher itself goes by, and what
a field can hold from the types that it lets pass.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from . import config as configuration
from .audit_files import Place, connects, reads, writes
from .publish import bounds
from .publish.attempts import most_connections_per_hour
from .publish.commands import MOST_PER_MINUTE
from .publish.home_assistant_entities import plain_id
from .publish.messages import MAX_PAYLOAD_BYTES
from .publish.publisher import CAPACITY
from .publish.settings import addresses
from .publish.steady import BURST, PER_S
from .publish.topics import EVENT, HEARD, PUBLISHED, RESULT, Pace, Publication
from .records.poses import KEYPOINTS, MOST_PEOPLE
from .service.metrics import INTERVAL_S

_HOUR_S = 3600
_OF_FINDINGS = ("result", "event", "counts")


class Sent(msgspec.Struct, frozen=True):
    """One topic. ``most_bytes`` are of a message's payload; ``refused_over`` says whether the types
    would allow more than the limit, so that some would be refused. ``most_per_hour`` None: the
    configuration sets no bound; ``why`` says where the bound comes from, or what would set one.
    """

    topic: str
    kind: str
    retained: bool
    qos: int
    fields: tuple[bounds.Field, ...]
    most_bytes: int
    refused_over: bool
    most_per_hour: int | None
    why: str

    @property
    def most_bytes_per_hour(self) -> int | None:
        return None if self.most_per_hour is None else self.most_per_hour * self.most_bytes


class Heard(msgspec.Struct, frozen=True):
    """A topic that is subscribed to."""

    topic: str
    what: str


class Audit(msgspec.Struct, frozen=True):
    """All of it. ``listens`` is empty: the daemon accepts no connections. ``most_kept_bytes``: what
    is kept while the broker is away, and sent afterwards, beside what comes then.
    """

    sends: tuple[Sent, ...]
    hears: tuple[Heard, ...]
    connects: tuple[Place, ...]
    listens: tuple[Place, ...]
    writes: tuple[Place, ...]
    reads: tuple[Place, ...]
    most_kept_bytes: int
    most_payload_bytes: int = MAX_PAYLOAD_BYTES

    @property
    def most_bytes_per_hour(self) -> int | None:
        """Of all payloads; None where a topic has no bound."""
        counts = [sent.most_bytes_per_hour for sent in self.sends]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None


def audit(config: configuration.Config, state_dir: Path, models_dir: Path) -> Audit:
    sends = tuple(_sent(config))
    queued = (RESULT.kind, EVENT.kind)
    results = max((sent.most_bytes for sent in sends if sent.kind in queued), default=0)
    return Audit(
        sends=sends,
        hears=tuple(_heard(config)),
        connects=tuple(connects(config)),
        listens=(),
        writes=tuple(writes(config, state_dir, models_dir)),
        reads=tuple(reads(config, models_dir)),
        most_kept_bytes=config.spool.max_bytes + CAPACITY * results,
    )


# ---- what is sent and heard ----------------------------------------------------------------------


def _sent(config: configuration.Config) -> Iterator[Sent]:
    for entry in PUBLISHED:
        if not _is_on(entry.needs, config.mqtt):
            continue
        if "{pipeline}" in entry.topic:
            for pipeline in config.pipelines:
                if entry.kind in pipeline.tells or entry.kind not in _OF_FINDINGS:
                    yield _topic(entry, config, pipeline)
        else:
            yield _topic(entry, config, None)


def _is_on(needs: str | None, mqtt: configuration.Mqtt) -> bool:
    return needs is None or bool(getattr(mqtt, needs))


def _topic(
    entry: Publication, config: configuration.Config, pipeline: configuration.Pipeline | None
) -> Sent:
    most = max(
        [len(word) for word in entry.words]
        + [bounds.most_bytes(each, _limits(entry, config, pipeline)) for each in entry.types]
    )
    per_hour, why = _pace(entry.pace, config, pipeline)
    return Sent(
        topic=_named(entry.topic, config, pipeline.name if pipeline else ""),
        kind=entry.kind,
        retained=entry.retained,
        qos=config.mqtt.qos if entry.qos is None else entry.qos,
        fields=tuple(_fields(entry)),
        most_bytes=min(most, MAX_PAYLOAD_BYTES),
        refused_over=most > MAX_PAYLOAD_BYTES,
        most_per_hour=per_hour,
        why=why,
    )


def _fields(entry: Publication) -> Iterable[bounds.Field]:
    """Each once, however many types of message have it."""
    if entry.words:
        return [bounds.Field("(the message)", " or ".join(word.decode() for word in entry.words))]
    found: dict[str, dict[str, None]] = {}
    for each in entry.types:
        for field in bounds.fields(each):
            found.setdefault(field.path, {})[field.said] = None
    return [bounds.Field(path, " or ".join(said)) for path, said in found.items()]


def _named(topic: str, config: configuration.Config, pipeline: str) -> str:
    return topic.format(
        prefix=config.mqtt.topic_prefix,
        device=config.device.id,
        pipeline=pipeline,
        home_assistant=config.mqtt.home_assistant_prefix,
        device_id=plain_id(config.device.id),
    )


def _limits(
    entry: Publication, config: configuration.Config, pipeline: configuration.Pipeline | None
) -> dict[str, int]:
    """What the configuration says of the length of a message's parts."""
    limits = {"device": _json_bytes(config.device.id), "pipelines": len(config.pipelines)}
    named = max(_json_bytes(each.name) for each in config.pipelines)
    models = max(_json_bytes(each.model) for each in config.pipelines)
    limits |= {"pipelines.*": named, "pipelines[].name": named, "pipelines[].model.name": models}
    if pipeline is None:
        return limits
    model = _json_bytes(pipeline.model)
    limits |= {"pipeline": _json_bytes(pipeline.name), "run": _json_bytes("0" * 8)}
    limits |= {"model.name": model, "active.name": model, "candidate.name": model}
    if not pipeline.has_tracks:
        limits["detections[].track"] = 0
    limits |= _crop_limits(pipeline, configuration.first_of(pipeline, config.pipelines))
    limits["people"] = min(pipeline.max_results, MOST_PEOPLE)
    if pipeline.labels is not None:
        limits["people[].keypoints"] = len(set(pipeline.labels) & set(KEYPOINTS))
    for findings in ("classes", "detections", "regions"):
        limits[findings] = pipeline.max_results
        if pipeline.labels is not None:
            longest = max(map(_json_bytes, pipeline.labels))
            limits[f"{findings}[].label"] = longest
    limits["values"] = pipeline.max_results
    limits |= {"zones": len(pipeline.zones), "lines": len(pipeline.lines)}
    names = [_json_bytes(zone.name) for zone in pipeline.zones]
    names += [_json_bytes(line.name) for line in pipeline.lines]
    longest = max(names, default=len("null"))
    limits |= {"zone": max(longest, len("null")), "zones.*": longest, "lines.*": longest}
    if pipeline.labels is not None:
        limits["values.*"] = max(map(_json_bytes, pipeline.labels))
    return limits


def _crop_limits(
    pipeline: configuration.Pipeline, first: configuration.Pipeline | None
) -> dict[str, int]:
    """``first``: the pipeline whose objects it looks at."""
    if pipeline.crop is None or first is None:
        return {"crop": 0}
    limits = {"crop.pipeline": _json_bytes(first.name)}
    if not first.has_tracks:
        limits["crop.track"] = 0
    if "result" not in first.tells:
        limits["crop.sequence"] = 0
    labels = pipeline.crop.labels or first.labels
    if labels is not None:
        limits["crop.label"] = max(map(_json_bytes, labels))
    return limits


def _json_bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())


def _pace(
    pace: Pace, config: configuration.Config, pipeline: configuration.Pipeline | None
) -> tuple[int | None, str]:
    """Messages an hour at most, and why; None: nothing in the configuration bounds them."""
    mqtt = config.mqtt
    connections = most_connections_per_hour(len(addresses(mqtt.host, mqtt.port, mqtt.hosts)))
    match pace:
        case Pace.METRICS:
            return math.ceil(_HOUR_S / INTERVAL_S) + 1, Pace.METRICS.value
        case Pace.CHANGE:
            per_hour = BURST + round(PER_S * _HOUR_S) + connections
            return per_hour, f"{Pace.CHANGE.value}; faster changes are put together"
        case Pace.COMMAND:
            per_hour = MOST_PER_MINUTE * 60 + MOST_PER_MINUTE
            return per_hour, f"{Pace.COMMAND.value}, at most {MOST_PER_MINUTE} a minute"
        case Pace.CONNECTION:
            return 2 * connections, Pace.CONNECTION.value
        case Pace.EVENT:
            assert pipeline is not None
            events = pipeline.events or configuration.Events()
            # What began ends, and those that were open at a kill do at the next start.
            per_hour = 2 * events.max_per_minute * 61
            return per_hour, f"{Pace.EVENT.value} (events.max_per_minute)"
        case Pace.RESULT:
            assert pipeline is not None
            return _results(pipeline, configuration.first_of(pipeline, config.pipelines))


def _results(
    pipeline: configuration.Pipeline, first: configuration.Pipeline | None
) -> tuple[int | None, str]:
    """``first``: the pipeline whose objects it looks at."""
    # Each crop has a result.
    boxes = pipeline.crop.max_boxes if pipeline.crop else 1
    source = (first or pipeline).source
    rates: list[tuple[int, str]] = []
    if pipeline.publish == "interval":
        per_hour = (math.floor(_HOUR_S / pipeline.interval_s) + 1) * boxes
        rates.append((per_hour, f"one each {pipeline.interval_s:g} s (interval_s)"))
    if source is not None and source.fps > 0:
        per_hour = (math.ceil(source.fps * _HOUR_S) + 1) * boxes
        rates.append((per_hour, f"{source.fps:g} frames a second (source.fps)"))
    if rates:
        most, why = min(rates)
        return most, f"{why}, {boxes} boxes each (crop.max_boxes)" if pipeline.crop else why
    return None, (
        'as fast as frames come and the model is; source.fps bounds it, or publish = "interval"'
    )


def _heard(config: configuration.Config) -> Iterator[Heard]:
    for entry in HEARD:
        if not _is_on(entry.needs, config.mqtt):
            continue
        names = [p.name for p in config.pipelines] if "{pipeline}" in entry.topic else [""]
        for name in names:
            yield Heard(_named(entry.topic, config, name), entry.what)
