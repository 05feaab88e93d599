"""From the configuration to objects: the only place that knows both.

Sources are imported only when the configuration has them: a camera's library costs memory and
time, and need not be installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from . import config as configuration
from .cascade import Trigger
from .crops import CropRule
from .engine.geometry import Fit
from .engine.runtime import Delegate
from .gate import MotionRule
from .loading import LoadOptions
from .minimise import Minimiser
from .plan import Plan
from .presence.areas import Line, Zone
from .presence.stage import Rules
from .publish import SpoolSettings
from .publish.settings import MqttSettings, addresses
from .publish.tls import TlsFiles
from .records.frames import Size
from .samples import Gives
from .service import machine
from .sources import SampleSource, Source
from .store.labels import publishable
from .tracking.tracker import TrackSettings


def make_source(source: configuration.SourceTable) -> Source:
    """The source that a pipeline names; nothing is opened. Raises MissingExtra."""
    match source:
        case configuration.Picamera2():
            from .sources.pi_camera import Picamera2Source

            return Picamera2Source(source.camera, size=Size(*source.size), fps=source.fps or None)
        case configuration.V4l2():
            from .sources.v4l2 import V4l2Source

            return V4l2Source(str(source.device), size=Size(*source.size), fps=source.fps or None)
        case configuration.Video():
            from .sources.video import VideoSource

            return VideoSource(source.path, loop=source.loop, realtime=source.realtime)
        case configuration.Images():
            from .sources.images import ImagesSource

            return ImagesSource(source.path, loop=source.loop)
        case configuration.Synthetic():
            from .sources.synthetic import SyntheticSource

            return SyntheticSource(
                size=Size(*source.size), seed=source.seed, fps=source.fps or None
            )
        case _:
            from .sources.windowed import WindowedSource

            return WindowedSource(make_sensor(source), hop_s=source.hop_s, overlap=source.overlap)


def masked(source: Source, pipeline: configuration.Pipeline) -> Source:
    """The pipeline's source behind its privacy masks, where it has any."""
    if not pipeline.masks:
        return source
    from .sources.masked import MaskedSource

    return MaskedSource(source, [mask.polygon for mask in pipeline.masks])


def make_sensor(source: configuration.SensorTable) -> SampleSource:
    """The source of samples behind one of windows, as ``make_source``."""
    match source:
        case configuration.Iio():
            from .sources.iio import IioSource

            return IioSource(
                source.device,
                channels=source.channels,
                rate_hz=source.rate_hz,
                sysfs_root=source.sysfs_root,
            )
        case configuration.Microphone():
            from .sources.microphone import MicrophoneSource

            return MicrophoneSource(source.device)
        case configuration.Wav():
            from .sources.wav import WavSource

            return WavSource(source.path, loop=source.loop, realtime=source.realtime)
        case configuration.Csv():
            from .sources.csv_table import CsvSource

            return CsvSource(
                source.path, loop=source.loop, realtime=source.realtime, rate_hz=source.rate_hz
            )


def _realtime(pipeline: configuration.Pipeline) -> bool:
    source = pipeline.source
    if isinstance(source, configuration.Video | configuration.Wav | configuration.Csv):
        return source.realtime
    return source.in_real_time if isinstance(source, configuration.Images) else True


def _crop_rule(pipeline: configuration.Pipeline, first: configuration.Pipeline) -> CropRule:
    """``first``: the one whose objects it looks at."""
    crop = pipeline.crop
    assert crop is not None
    labels = _labels(crop.labels)
    return CropRule(
        first.name,
        labels and frozenset(map(str.casefold, labels)),
        crop.margin,
        crop.max_boxes,
        tracked=first.has_tracks,
        telling=Minimiser(_coarser(pipeline, first), first.min_count),
        waits=not _realtime(first),
        empty="counts" in pipeline.tells,
    )


def _coarser(*pipelines: configuration.Pipeline | None) -> float | None:
    """Of two grids: what one makes coarse is not to be told by the other."""
    return max((each.coarse for each in pipelines if each and each.coarse), default=None)


def make_plan(
    pipeline: configuration.Pipeline, pipelines: Sequence[configuration.Pipeline] = ()
) -> Plan:
    """``pipelines``: all of the configuration, where there are others."""
    source, first = pipeline.source, configuration.first_of(pipeline, pipelines)
    # What is cut out of a frame that was made small for a model shows little.
    scales = isinstance(source, configuration.Picamera2) and not any(
        each.crops_of == pipeline.name for each in pipelines
    )
    return Plan(
        name=pipeline.name,
        model=pipeline.model,
        source_kind=str(source.__struct_config__.tag) if source else "crop",
        frame_size=Size(*source.size)
        if scales and isinstance(source, configuration.Picamera2)
        else None,
        fps=(source.fps or None) if source else None,
        realtime=_realtime(pipeline),
        threshold=pipeline.threshold,
        labels=None if pipeline.labels is None else tuple(map(publishable, pipeline.labels)),
        max_results=pipeline.max_results,
        options=load_options(pipeline),
        trigger=None if pipeline.when is None else _trigger(pipeline.when),
        gate=None if pipeline.gate is None else _motion_rule(pipeline.gate),
        track=_track_settings(pipeline),
        minimiser=_minimiser(pipeline, first),
        presence=_presence_rules(pipeline) if "counts" in pipeline.tells else None,
        tells=pipeline.tells,
        crop=None if first is None else _crop_rule(pipeline, first),
    )


def _track_settings(pipeline: configuration.Pipeline) -> TrackSettings | None:
    if not pipeline.has_tracks:
        return None
    track = pipeline.track or configuration.Track()
    return TrackSettings(low=track.low, lost_s=track.lost_s)


def _presence_rules(pipeline: configuration.Pipeline) -> Rules:
    events = pipeline.events or configuration.Events()
    return Rules(
        zones=tuple(
            Zone(zone.name, zone.polygon, _labels(zone.labels), zone.anchor)
            for zone in pipeline.zones
        ),
        lines=tuple(
            Line(line.name, line.start, line.end, _labels(line.labels), line.anchor)
            for line in pipeline.lines
        ),
        appear=events.appear_frames,
        gone=events.gone_frames,
        update_s=events.update_s,
        per_minute=events.max_per_minute,
        by_track=pipeline.has_tracks,
        tells_events="event" in pipeline.tells,
        minimiser=Minimiser(pipeline.coarse, pipeline.min_count),
    )


def _labels(labels: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if labels is None else frozenset(map(publishable, labels))


def _minimiser(
    pipeline: configuration.Pipeline, first: configuration.Pipeline | None
) -> Minimiser | None:
    coarse = _coarser(pipeline, first)
    if coarse is None and pipeline.min_count == 1:
        return None
    return Minimiser(coarse, pipeline.min_count)


def _trigger(when: configuration.When) -> Trigger:
    label = None if when.label is None else publishable(when.label)
    return Trigger(when.pipeline, label, when.for_s)


def _motion_rule(gate: configuration.Gate) -> MotionRule:
    return MotionRule(
        contrast=gate.contrast,
        share=gate.share,
        hold_s=gate.hold_s,
        heartbeat_s=gate.heartbeat_s,
    )


def load_options(pipeline: configuration.Pipeline) -> LoadOptions:
    delegate = None
    if pipeline.delegate is not None:
        delegate = Delegate(str(pipeline.delegate), pipeline.delegate_options)
    sensor = isinstance(pipeline.source, configuration.SensorTable)
    return LoadOptions(
        threads=min(pipeline.threads, machine.cores()),
        delegate=delegate,
        fit=Fit(pipeline.fit),
        gives=Gives.WINDOWS if sensor else Gives.FRAMES,
        batch=pipeline.crop.max_boxes if pipeline.crop else 1,
    )


def mqtt_settings(
    mqtt: configuration.Mqtt, device: str, environ: Mapping[str, str]
) -> MqttSettings:
    """Raises ConfigError where a password should be read and can't."""
    tls = mqtt.tls
    first, *others = addresses(mqtt.host, mqtt.port, mqtt.hosts)
    return MqttSettings(
        host=first.host,
        port=first.port,
        others=tuple(others),
        client_id=f"edged-{device}",
        username=mqtt.username,
        password=configuration.mqtt_password(mqtt, environ),
        tls=TlsFiles(tls.ca_file, tls.cert_file, tls.key_file) if tls is not None else None,
        keepalive_s=mqtt.keepalive_s,
        # A broker remembers which packets of QoS 2 it has had, and would take those of a new
        # connection for the same ones.
        session_expiry_s=0 if mqtt.qos == 2 else mqtt.session_expiry_s,
    )


def spool_settings(
    spool: configuration.Spool, state_dir: Path, root: Path = Path("/")
) -> SpoolSettings | None:
    """None where nothing is to be kept on the disk."""
    if not spool.max_bytes:
        return None
    return SpoolSettings(
        state_dir / "spool.db", machine.boot_id(root), spool.max_bytes, spool.max_age_s
    )
