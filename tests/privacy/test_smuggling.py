"""Nothing but bounded, harmless text and numbers leaves, whatever is pushed through the models'
outputs, the files that lie beside them, and the records.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from edged.clock import SystemClock
from edged.decoders import Decoder
from edged.decoders.anomaly import ReconstructionDecoder
from edged.decoders.classification import ClassificationDecoder
from edged.decoders.detection import DetectionDecoder, DetectionRoles
from edged.decoders.pose import PoseDecoder
from edged.decoders.regression import RegressionDecoder
from edged.decoders.segmentation import SegmentationDecoder
from edged.decoders.task import Activation
from edged.engine.geometry import Fit, Placement
from edged.errors import ConfigError, MessageRefused, ModelError
from edged.filter import Filter
from edged.plain_text import PLAIN
from edged.publish import Context, Message, Stored
from edged.publish.messages import MAX_PAYLOAD_BYTES, encode, encode_stored
from edged.publish.topics import publication_of
from edged.publish.wire.kinds import TYPES, schema
from edged.records.arrays import AnyArray
from edged.records.frames import Size
from edged.records.health import (
    Health,
    HealthState,
    Metrics,
    Percentiles,
    PipelineMetrics,
    SpoolMetrics,
    StageLatency,
)
from edged.records.home_assistant import Announcement, DiscoveryPlace, Entity, EntityKind
from edged.records.info import Info, PipelineInfo
from edged.records.models import Candidate, ModelRef, ModelReport, ModelSpec, Verdict
from edged.records.published import Record
from edged.records.results import ClassScore, Detection, Findings, Latency, Result
from edged.store.labels import Labels, find_labels, publishable
from edged.store.sidecar import parse_sidecar

CONTEXT = Context("edged", "pi", "c0ffee12", 1, SystemClock(), "0.1.0")
VALIDATORS = {kind: Draft202012Validator(schema(kind)) for kind in TYPES}
PLACEMENT = Placement.of(Size(640, 480), Size(300, 300), Fit.LETTERBOX)
FRAME = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)

TOPICS = r"edged/pi/([^/+#]{1,200}/)?[a-z]+|[^+#]{1,200}/device/[^/+#]{1,200}/config"

many = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def leaves(record: Any) -> Message | None:
    """What becomes of a record: None where it was refused, else what is right in every way."""
    try:
        message = encode(record, CONTEXT)
    except MessageRefused:
        return None
    return right(message, publication_of(record).kind)


def right(message: Message, kind: str) -> Message:
    """Holds for whatever leaves."""
    assert len(message.payload) <= MAX_PAYLOAD_BYTES
    assert re.fullmatch(TOPICS, message.topic)
    assert re.search(PLAIN, message.topic)
    if kind == "discovery" and not message.payload:
        return message  # it takes back what was announced
    payload = json.loads(message.payload, parse_constant=_no_constant)
    VALIDATORS[kind].validate(payload)  # type: ignore[index]
    assert all(re.search(PLAIN, text) and len(text) <= 1000 for text in texts_in(payload))
    return message


def _no_constant(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def texts_in(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for each in value for text in texts_in(each)]
        case dict():
            return [*value, *texts_in(list(value.values()))]
    return []


def told(error: Exception) -> None:
    """What went wrong is told, and can be."""
    assert leaves(Health("front", HealthState.STOPPED, str(error), 0))


def result(task: str, findings: Findings) -> Result:
    return Result(
        "front", 0, 0, ModelRef("m", "e4b118e5e453"), Latency(0, 0, 0, 0, 0), task, findings
    )


# ---- decoders -----------------------------------------------------------------------------------

_FLOATS = ("float16", "float32", "float64", "complex64")
_OTHERS = ("uint8", "int8", "int32", "int64", "uint64", "bool", "S4", "U3")
DTYPES = st.sampled_from((*_FLOATS, *_OTHERS))
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=8)


def array() -> st.SearchStrategy[AnyArray]:
    """Arrays of any shape and kind, NaN and infinity among them; and pixels."""
    anything: st.SearchStrategy[Any] = DTYPES.flatmap(lambda kind: arrays.arrays(kind, SHAPES))
    nearly: st.SearchStrategy[Any] = arrays.arrays(
        np.float32, st.sampled_from([(1, 8), (8,), (1,)])
    )
    return anything | nearly | st.sampled_from([FRAME, FRAME.astype(np.float32)])


@st.composite
def ssd(draw: st.DrawFn) -> list[AnyArray]:
    """Four outputs of the right shapes with any numbers in them."""
    n = draw(st.integers(0, 12))
    floats: Any = st.floats(width=32)
    return [
        draw(arrays.arrays(np.float32, shape, elements=floats))
        for shape in ((1, n, 4), (1, n), (1, n), (1,))
    ]


@many
@given(st.lists(array(), max_size=5) | ssd(), st.sampled_from(Activation), st.integers(0, 3))
def test_whatever_a_model_gives_its_decoder_says_something_harmless_or_raises_a_model_error(
    outputs: Sequence[AnyArray], activation: Activation, position: int
) -> None:
    decoders: list[tuple[str, Decoder]] = [
        ("classification", ClassificationDecoder(position, activation)),
        ("detection", DetectionDecoder(DetectionRoles(0, 1, 2, 3))),
        ("segmentation", SegmentationDecoder(position, None)),
        ("segmentation", SegmentationDecoder(position, 3)),
        ("pose", PoseDecoder(position, several=False)),
        ("pose", PoseDecoder(position, several=True)),
        ("regression", RegressionDecoder({position: 3})),
        ("anomaly", ReconstructionDecoder(position)),
    ]
    for task, decoder in decoders:
        try:
            decoded = decoder.decode(outputs)
        except ModelError as error:
            told(error)
            continue
        findings = Filter(
            Labels("", ("cat", "dog"), 0).name, threshold=0.0, allowed=None, max_results=100
        ).apply(decoded, PLACEMENT)
        assert leaves(result(task, findings)), "what a decoder lets pass is fit to be published"


# ---- labels -------------------------------------------------------------------------------------

NASTY = [
    "\x1b[2J\x1b[31mred",
    "a\nb\r\nc",
    '{"schema": "edged.result/1"}',
    '", "frame": "/9j/4AAQSkZJRg',
    "gnp\u202egepj",
    "\u2066\u200b\ufeff",
    "tag\U000e0041\U000e0042",
    "nul\x00",
    "x" * 10_000,
    "🐈" * 10_000,
    "\u0301" * 500,
]


@dataclasses.dataclass(frozen=True)
class File:
    name: str
    data: bytes


def told_by(labels: Labels, count: int) -> None:
    """Each label, alone and with the most others of its kind, is published or refused whole."""
    for number in range(count):
        name = labels.name(number)
        assert re.search(PLAIN, name)
        assert 0 < len(name) <= 100
        assert publishable(name) == name, "what is listed to be published is what is published"
        found = result("classification", (ClassScore(name, 0.5),))
        assert leaves(found)
        leaves(msgspec.structs.replace(found, findings=found.findings * 100))
    pipeline = PipelineInfo("p", "v4l2", "detection", None, labels.known)
    assert leaves(Info("r", "1", "h", "o", (pipeline,)))


@many
@given(
    st.lists(st.text() | st.sampled_from(NASTY), min_size=1, max_size=5),
    st.sampled_from(["sidecar", "file", "embedded"]),
)
def test_a_label_of_any_text_leaves_as_plain_text_or_as_a_number(
    names: list[str], where: str
) -> None:
    file = File("labels.txt", "\n".join(names).encode("utf-8", "replace"))
    labels = find_labels(
        names if where == "sidecar" else None,
        file if where == "file" else None,
        file if where == "embedded" else None,
        None,
        0,
    )
    told_by(labels, len(names) + 1)


@many
@given(st.binary(max_size=300))
def test_a_label_file_of_any_bytes_is_refused_or_harmless(data: bytes) -> None:
    try:
        labels = find_labels(None, File("labels.txt", data), None, None, None)
    except ModelError as error:
        told(error)
        return
    told_by(labels, min(len(labels.names), 8) + 1)


def test_a_label_file_of_10_mb_is_refused_in_a_short_sentence() -> None:
    for data in (b"x" * 10_000_000, b"cat\n" * 2_500_000):
        with pytest.raises(ModelError, match="at most 1,000,000 are read") as refused:
            find_labels(None, File("labels.txt", data), None, None, None)
        assert len(str(refused.value)) < 200


def test_a_label_of_a_megabyte_is_cut_and_told() -> None:
    labels = find_labels(None, File("l.txt", b"x" * 999_990 + b"\ncat\n"), None, None, None)
    assert labels.names == ("x" * 100, "cat")
    assert labels.origin == "labels file l.txt (1 of 2 shortened or cleaned)"


def toml(text: str) -> str:
    """A string of TOML, which knows no surrogates."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@many
@given(st.dictionaries(st.text(max_size=20), st.text() | st.sampled_from(NASTY), max_size=3))
def test_a_sidecar_of_any_text_is_refused_or_harmless(tables: dict[str, str]) -> None:
    lines = [f"{toml(key)} = {toml(value)}" for key, value in tables.items()]
    listed = ", ".join(toml(value) for value in tables.values())
    for text in ("\n".join(lines), f"labels = [{listed}]"):
        try:
            sidecar = parse_sidecar(text.encode("utf-8", "replace"), "m.toml")
        except ConfigError as error:
            told(error)
            continue
        told_by(find_labels(sidecar.labels, None, None, None, None), len(tables) + 1)


# ---- records ------------------------------------------------------------------------------------


class Numbers:
    """Is all that a careless object may claim to be."""

    def __float__(self) -> float:
        return 0.5

    def __index__(self) -> int:
        return 1

    def __str__(self) -> str:
        return "pixels"

    def isascii(self) -> bool:
        return True


SMUGGLED = st.one_of(
    st.sampled_from(NASTY),
    st.text(),
    st.binary(max_size=50),
    st.floats(),
    st.integers(),
    st.just(10**400),
    st.just(1j),
    st.builds(bytearray, st.binary(max_size=50)),
    st.builds(memoryview, st.binary(max_size=50)),
    st.sampled_from([FRAME, FRAME.tobytes(), FRAME.tolist(), np.float32(0.5), np.float64(0.5)]),
    st.sampled_from(
        [np.array(0.5), np.array([0.5]), np.str_("cat"), np.bytes_(b"cat"), np.int64(3)]
    ),
    st.sampled_from([None, object(), Numbers(), "\ud800", [[[]]], {"a": {"b": b"c"}}, Exception]),
    st.lists(st.integers(0, 255), max_size=20),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
    st.just(msgspec.Raw(b'"raw"')),
)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(NASTY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def good(kind: type) -> Any:
    """One record of a kind, fit to be published."""
    stage = StageLatency(*[Percentiles(1.0, 2.0, 3.0)] * 5)
    counts = PipelineMetrics(1, 1, 1, 0, 0, 0, 0, 15.0, 15.0, stage)
    spec = ModelSpec("m", "e4b118e5e453" + "0" * 52, 1000, "detection", ("cat",))
    pipeline = PipelineInfo("p", "v4l2", "detection", spec.ref, ("cat",))
    entities = (
        Entity(EntityKind.OBJECTS, "front"),
        Entity(EntityKind.TEMPERATURE, None),
    )
    made: dict[type, Any] = {
        Health: Health("front", HealthState.DEGRADED, "why", 0),
        ModelReport: ModelReport("front", spec, Candidate("m", None, Verdict.REFUSED, "why", 0)),
        Info: Info("r", "1", "h", "o", (pipeline,)),
        Announcement: Announcement(
            DiscoveryPlace("homeassistant", "pi"), "Debian", entities, ("front_old",)
        ),
        Result: result("detection", (Detection("cat", 0.5, (0.1, 0.1, 0.9, 0.9)),)),
    }
    if kind in made:
        return made[kind]
    spool = _any_of(SpoolMetrics)
    return Metrics(1.0, {"front": counts}, spool, 48.0, None, 1000)


def _any_of(kind: type[msgspec.Struct]) -> Any:
    """An instance whose fields are all small numbers or null, whatever they are."""
    values = {}
    for field in msgspec.inspect.type_info(kind).fields:  # type: ignore[attr-defined]
        values[field.name] = 0 if "int" in str(field.type).lower() else None
    return kind(**values)


def places_in(record: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all that a record is made of, itself apart."""
    found = [path] if path else []
    for key, value in parts_of(record).items():
        found += places_in(value, (*path, key))
    return found


def parts_of(record: Any) -> dict[Any, Any]:
    match record:
        case msgspec.Struct():
            return msgspec.structs.asdict(record)
        case tuple():
            return dict(enumerate(record))
        case dict():
            return dict(record)
    return {}


def with_in_place(record: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The same with another value at that path."""
    if not path:
        return value
    changed = with_in_place(parts_of(record)[path[0]], path[1:], value)
    match record:
        case tuple():
            return tuple(changed if n == path[0] else each for n, each in enumerate(record))
        case dict():
            return {**record, path[0]: changed}
    return replace(record, **{path[0]: changed})


KINDS = get_args(Record)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_put_in_place_of_any_part_of_a_record_is_refused_or_harmless(kind: type) -> None:
    record = good(kind)
    assert leaves(record), "the record that is changed is itself fit to be published"
    places = places_in(record)

    @many
    @given(st.sampled_from(places), SMUGGLED)
    def holds(path: tuple[Any, ...], value: Any) -> None:
        leaves(with_in_place(record, path, value))

    holds()


@many
@given(st.dictionaries(st.text(max_size=300) | st.sampled_from(NASTY), st.none(), max_size=3))
def test_the_names_in_a_table_are_no_way_out_either(names: dict[str, None]) -> None:
    assume(names)
    metrics = good(Metrics)
    counts = metrics.pipelines["front"]
    leaves(replace(metrics, pipelines=dict.fromkeys(names, counts)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pixels", [FRAME, FRAME.tobytes(), FRAME.tolist(), memoryview(FRAME)])
def test_a_frame_leaves_in_no_place_of_any_record(kind: type, pixels: Any) -> None:
    usual = encode(good(kind), CONTEXT)
    for path in places_in(good(kind)):
        message = leaves(with_in_place(good(kind), path, pixels))
        # Of a model's labels a message may tell how many there are.
        assert message is None or len(message.payload) <= len(usual.payload) + 4, path


# ---- the spool ----------------------------------------------------------------------------------


@many
@given(st.binary(max_size=200) | st.text().map(str.encode), st.sampled_from(["b", "another"]))
def test_a_spool_that_somebody_else_has_written_is_refused(payload: bytes, boot: str) -> None:
    with pytest.raises(MessageRefused):
        encode_stored(Stored("front", payload, boot, 0, 0, True), CONTEXT, "b")


@many
@given(st.data())
def test_what_is_changed_in_a_spooled_result_is_refused_or_harmless(data: st.DataObject) -> None:
    stored = json.loads(encode(good(Result), CONTEXT).payload)
    key = data.draw(st.sampled_from([*stored, "frame"]))
    stored[key] = data.draw(JSON)
    when = data.draw(st.integers() | st.sampled_from([0, 10**400, -(10**30)]))
    boot = data.draw(st.sampled_from(["b", "another"]))
    payload = json.dumps(stored).encode()
    try:
        message = encode_stored(Stored("front", payload, boot, when, when, True), CONTEXT, "b")
    except MessageRefused:
        return
    right(message, "result")
