"""`edged audit`: what it says is what the publisher lets pass, and no more than that."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iio_trees import Tree

from edged.audit import Audit, audit
from edged.cli import main
from edged.commands.audit import as_text
from edged.config import Config, parse_config
from edged.publish import bounds
from edged.publish.topics import PUBLISHED
from edged.publish.wire.fields import Closed
from edged.publish.wire.kinds import TYPES

STATE, MODELS = Path("/var/lib/edged"), Path("/srv/models")
FRONT = """
[device]
id = "garden-pi"
[[pipelines]]
name = "front"
model = "coco-ssd"
max_results = 5
labels = ["person", "猫"]
"""
SYNTHETIC = '[pipelines.source]\nkind = "synthetic"\nfps = 0.5\n'


def configured(text: str) -> Config:
    return parse_config(text.encode(), "/etc/edged/edged.toml")


def audited(text: str) -> Audit:
    return audit(configured(text), STATE, MODELS)


def result_of(text: str) -> Any:
    [found] = [sent for sent in audited(text).sends if sent.kind == "result"]
    return found


def test_every_topic_is_told_with_what_the_publisher_makes_of_it() -> None:
    told = {sent.topic: (sent.retained, sent.qos) for sent in audited(FRONT + SYNTHETIC).sends}
    assert told == {
        "edged/garden-pi/status": (True, 1),
        "edged/garden-pi/info": (True, 1),
        "edged/garden-pi/metrics": (False, 1),
        "edged/garden-pi/front/result": (False, 1),
        "edged/garden-pi/front/model": (True, 1),
        "edged/garden-pi/front/health": (True, 1),
        "homeassistant/device/garden-pi/config": (True, 1),
    }


def test_what_is_switched_off_is_neither_sent_nor_heard() -> None:
    found = audited("[mqtt]\nhome_assistant = false\n" + FRONT + SYNTHETIC)
    assert not [sent for sent in found.sends if "homeassistant" in sent.topic]
    assert not [heard for heard in found.hears if "homeassistant" in heard.topic]


def test_what_a_longest_result_may_hold_follows_from_the_configuration() -> None:
    found = result_of(FRONT + SYNTHETIC)
    one = {"label": "person", "score": 0.1234, "box": [0.1234] * 4}
    longer_number = 10**9 + 0.123
    longest = {
        "schema": "edged.result/1",
        "device": "garden-pi",
        "pipeline": "front",
        "run": "c0ffee12",
        "sequence": 2**53 - 1,
        "captured_at": "2026-11-22T06:24:00.123Z",
        "clock_synced": False,
        "model": {"name": "coco-ssd", "version": "e4b118e5e453"},
        "latency_ms": dict.fromkeys(
            ("wait", "preprocess", "inference", "decode", "total"), longer_number
        ),
        "task": "detection",
        "detections": [one] * 5,
    }
    assert found.most_bytes == len(msgspec.json.encode(longest))
    assert not found.refused_over
    one["track"] = 2**53 - 1
    tracked = result_of(FRONT + "track = {}\n" + SYNTHETIC)
    assert tracked.most_bytes == len(msgspec.json.encode(longest))


@pytest.mark.parametrize(
    ("lines", "source", "per_hour", "why"),
    [
        ("", "fps = 15", 54_001, "15 frames a second"),
        ('publish = "change"', "fps = 15", 54_001, "15 frames a second"),
        ('publish = "interval"\ninterval_s = 60', "fps = 15", 61, "one each 60 s"),
        ('publish = "interval"\ninterval_s = 60', "fps = 0", 61, "one each 60 s"),
        ('publish = "interval"\ninterval_s = 0.01', "fps = 1", 3601, "1 frames a second"),
        ("", "fps = 0", None, "source.fps bounds it"),
        ('publish = "change"', "fps = 0", None, "source.fps bounds it"),
    ],
)
def test_how_many_results_an_hour_follows_from_rate_and_interval(
    lines: str, source: str, per_hour: int | None, why: str
) -> None:
    found = result_of(f'{FRONT}{lines}\n[pipelines.source]\nkind = "synthetic"\n{source}\n')
    assert found.most_per_hour == per_hour
    assert why in found.why


def test_all_bytes_of_an_hour_are_bounded_where_the_frames_are() -> None:
    bounded = audited(FRONT + SYNTHETIC)
    assert bounded.most_bytes_per_hour == sum(
        sent.most_per_hour * sent.most_bytes for sent in bounded.sends if sent.most_per_hour
    )
    assert audited(FRONT + SYNTHETIC.replace("0.5", "0")).most_bytes_per_hour is None


def test_the_numbers_of_a_result_are_told_as_such() -> None:
    told = {field.path: field.said for field in result_of(FRONT + SYNTHETIC).fields}
    assert "each value a number, -3.5e+38 to 3.5e+38, 6 digits" in told["values"]
    assert told["values.score"] == "number, 0 to 3.5e+38, 6 digits"


def test_a_message_that_the_limit_would_refuse_is_told() -> None:
    many = FRONT.replace("= 5", "= 100").replace('"猫"', f'"{"猫" * 100}"')
    found = result_of(many + SYNTHETIC)
    assert (found.most_bytes, found.refused_over) == (16_384, True)


def test_it_listens_on_nothing_and_reaches_only_the_broker_and_network_cameras() -> None:
    camera = '[pipelines.source]\nkind = "video"\npath = "rtsp://me:secret@10.0.0.7:554/x?k=secret"'
    found = audited(f'[mqtt]\nhost = "broker.lan"\n{FRONT}{camera}')
    local = ["$NOTIFY_SOCKET", "/run/systemd/journal/socket"]
    reached = [place.where for place in found.connects]
    assert reached == ["broker.lan:1883", "10.0.0.7:554", *local]
    assert found.listens == ()
    assert "secret" not in "\n".join(as_text(found))


def test_a_microphone_is_a_device_and_what_alsa_says_of_it() -> None:
    def read(source: str) -> set[str]:
        return {place.where for place in audited(f"{FRONT}[pipelines.source]\n{source}").reads}

    more = read('kind = "microphone"') - read('kind = "synthetic"')

    assert more == {
        "/dev/snd/*",
        "/etc/alsa/*",
        "/etc/asound.conf",
        "/proc/asound/*",
        "/usr/share/alsa/*",
    }


def test_without_a_spool_no_spool_is_written() -> None:
    def written(text: str) -> str:
        return " ".join(place.where for place in audited(text).writes)

    assert "/var/lib/edged/spool.db" in written(FRONT + SYNTHETIC)
    assert "spool.db" not in written("[spool]\nmax_bytes = 0\n" + FRONT + SYNTHETIC)


def test_what_can_be_commanded_is_told_where_it_is_switched_on() -> None:
    heard = {each.topic for each in audited("[mqtt]\ncommands = true\n" + FRONT + SYNTHETIC).hears}

    assert {"edged/garden-pi/set", "edged/garden-pi/front/set"} <= heard
    assert not any("set" in each.topic for each in audited(FRONT + SYNTHETIC).hears)


def test_it_is_readable_in_80_columns_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "edged.toml"
    path.write_text(f'[mqtt]\nusername = "u"\ncommands = true\n{FRONT}{SYNTHETIC}')
    assert main(["audit", "-c", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines if str(tmp_path) not in line)
    assert "listens on nothing" in lines
    assert main(["audit", "--json", "-c", str(path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {topic["kind"] for topic in told["sends"]} >= {*TYPES, "status"} - {"event", "counts"}
    assert told["most_bytes_per_hour"] > 0


def test_a_configuration_with_errors_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "edged.toml"
    path.write_text("[[pipelines]]\nmodle = 1\n")
    assert main(["audit", "-c", str(path)]) == 78
    assert "model" in capsys.readouterr().err


def test_no_file_is_touched(tmp_path: Path) -> None:
    audit(configured(FRONT + SYNTHETIC), tmp_path / "state", tmp_path / "models")
    assert not list(tmp_path.iterdir())


# ---- the bounds ---------------------------------------------------------------------------------

CLOSED = [each for entry in PUBLISHED for each in entry.types]


@pytest.mark.parametrize("message", CLOSED)
def test_every_field_of_the_schema_is_told(message: type[Closed]) -> None:
    told = {field.path.rpartition(".")[2] for field in bounds.fields(message)}
    schemas = msgspec.json.schema(message)["$defs"].values()
    assert {name for schema in schemas for name in schema["properties"]} == told


def everything(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a JSON Schema of ours allows, long ones among them."""

    def of(part: dict[str, Any]) -> st.SearchStrategy[Any]:
        return everything(part, definitions)

    if "$ref" in schema:
        return of(definitions[schema["$ref"].rpartition("/")[2]])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return st.one_of([of(part) for part in schema[word]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    match schema["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"]) | st.just(schema["maximum"])
        case "number":
            ends = [float(schema["minimum"]), float(schema["maximum"])]
            return st.sampled_from(ends) | st.floats(*ends).map(lambda value: round(value, 1))
        case "string":
            most = schema["maxLength"]
            if schema.get("minLength", 0) > 1 or "^[" in schema["pattern"]:
                return st.from_regex(schema["pattern"].replace("$", r"\Z"), fullmatch=True)
            signs = st.sampled_from('a"\\é猫🐈')
            return st.just("🐈" * most) | st.text(signs, min_size=1, max_size=most)
        case "array" if "prefixItems" in schema:
            return st.tuples(*map(of, schema["prefixItems"]))
        case "array":
            least, most = schema.get("minItems", 0), min(3, schema["maxItems"])
            return st.lists(of(schema["items"]), min_size=least, max_size=most)
        case "object" if "properties" in schema:
            return st.fixed_dictionaries({k: of(v) for k, v in schema["properties"].items()})
        case "object":
            names = of({"type": "string", **schema["propertyNames"]})
            return st.dictionaries(names, of(schema["additionalProperties"]), max_size=3)
    raise AssertionError(schema)


@pytest.mark.parametrize("message", CLOSED)
def test_no_message_of_a_type_is_longer_than_its_bound(message: type[Closed]) -> None:
    schema = msgspec.json.schema(message)
    limits = {"classes": 3, "detections": 3, "pipelines": 3, "pipelines[].labels": 3}
    most = bounds.most_bytes(message, limits)

    @settings(max_examples=50, deadline=None)
    @given(everything(schema, schema["$defs"]))
    def holds(value: Any) -> None:
        assert len(msgspec.json.encode(msgspec.convert(value, message))) <= most

    holds()


def unbounded(kind: Any) -> type[msgspec.Struct]:
    return msgspec.defstruct("Loose", [("field", kind)])


@pytest.mark.parametrize(
    "kind", [str, int, float, bytes, tuple[int, ...], list[int], dict[str, int], Any, msgspec.Raw]
)
def test_a_type_without_bounds_cannot_be_told(kind: Any) -> None:
    with pytest.raises(ValueError, match="bounds"):
        bounds.most_bytes(unbounded(kind), {})


def test_each_address_of_a_cluster_is_told() -> None:
    text = '[mqtt]\nhosts = ["a.example", "[fd00::1]:1884"]\n[[pipelines]]\nmodel = "m"\n'
    config = parse_config(f'{text}source.kind = "synthetic"\n'.encode(), "edged.toml")

    found = audit(config, Path("/state"), Path("/models"))

    assert [place.where for place in found.connects][:2] == ["a.example:1883", "[fd00::1]:1884"]


def test_what_is_set_of_a_sensor_is_told(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "debian13.txt")
    told = audited(
        '[[pipelines]]\nmodel = "m"\nsource = {kind = "iio", device = "lis3dh", '
        f'sysfs_root = "{tree.sysfs}"}}'
    )

    written = [place.where for place in told.writes]
    assert all(
        any(PurePath(tree.sysfs / name).match(place) for place in written)
        for name in tree.everything()
    )
    assert "/dev/iio:device*" in [place.where for place in told.reads]


CROPS = """
[[pipelines]]
name = "species"
model = "birds"
max_results = 5
labels = ["wren", "kite"]
"""


def of_crops(first: str, crop: str, source: str = SYNTHETIC) -> Any:
    """What is told of the results of the second of two pipelines."""
    text = f'{FRONT}{first}\n{source}{CROPS}crop = {{from = "front"{crop}}}\n'
    *_, found = (sent for sent in audited(text).sends if sent.kind == "result")
    return found


def test_a_longest_result_of_a_crop_follows_from_both_pipelines() -> None:
    crop: dict[str, Any] = {
        "pipeline": "front",
        "label": "person",
        "score": 0.1234,
        "box": [0.1234] * 4,
        "sequence": 2**53 - 1,
    }
    bare = result_of(FRONT + SYNTHETIC).most_bytes
    whole = of_crops("", "")
    assert {"crop", "crop.pipeline", "crop.label", "crop.track"} <= {
        field.path for field in whole.fields
    }
    for first, more in (("", {}), ("track = {}", {"track": 2**53 - 1})):
        added = msgspec.json.encode({"crop": crop | more})
        found = of_crops(first, "")
        # A detection with labels as long is as long; the names of pipeline and model differ.
        longer = len("species") + len("birds") - len("front") - len("coco-ssd")
        labels = 5 * (len("wren") - len("person"))
        assert found.most_bytes == bare + longer + labels + len(added) - 1
    silent = of_crops('publish = "events"', "")
    assert silent.most_bytes == whole.most_bytes - len(f',"sequence":{2**53 - 1}')


@pytest.mark.parametrize(
    ("first", "crop", "source", "per_hour", "why"),
    [
        ("", "", SYNTHETIC, 1801 * 8, "0.5 frames a second (source.fps), 8 boxes each"),
        ("", ", max_boxes = 2", SYNTHETIC, 1801 * 2, ", 2 boxes each (crop.max_boxes)"),
        ("", "", SYNTHETIC.replace("0.5", "0"), None, "source.fps bounds it"),
    ],
)
def test_how_many_results_of_crops_there_are_follows_from_the_firsts_frames(
    first: str, crop: str, source: str, per_hour: int | None, why: str
) -> None:
    found = of_crops(first, crop, source)
    assert found.most_per_hour == per_hour
    assert why in found.why
