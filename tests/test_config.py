from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.config import (
    Config,
    Device,
    Images,
    Models,
    Mqtt,
    Picamera2,
    Pipeline,
    Spool,
    Synthetic,
    Tls,
    V4l2,
    Video,
    load_config,
    parse_config,
)
from edged.config_types import topic_level
from edged.errors import ConfigError

CASES = sorted((Path(__file__).parent / "cases" / "config").iterdir())
REFUSED = [case for case in CASES if (case / "expected.txt").exists()]
DESIGN_EXAMPLE, SHORTEST = (
    (Path(__file__).parent / "cases" / "config" / name / "edged.toml").read_bytes()
    for name in ("design-example", "shortest")
)

ETC = "/etc/edged/edged.toml"


def config(text: bytes | str, file_name: str = ETC) -> Config:
    return parse_config(text.encode() if isinstance(text, str) else text, file_name)


def problems(text: str) -> tuple[str, ...]:
    """What is told of a text; nothing where it is read."""
    try:
        config(text)
    except ConfigError as error:
        return error.problems
    return ()


def source(text: str) -> object:
    return config(f'[[pipelines]]\nmodel = "m"\n[pipelines.source]\n{text}').pipelines[0].source


# ---- what is read ----------------------------------------------------------------------------


def test_the_example_of_the_contract_comes_out_typed() -> None:
    etc = Path("/etc/edged")
    assert config(DESIGN_EXAMPLE) == Config(
        device=Device(id="garden-pi"),
        mqtt=Mqtt(
            host="localhost",
            port=1883,
            username="edged",
            password_file=etc / "mqtt-password",
            tls=Tls(
                ca_file=etc / "ca.crt", cert_file=etc / "client.crt", key_file=etc / "client.key"
            ),
        ),
        spool=Spool(max_bytes=67108864, max_age_s=604800),
        models=Models(
            dir=Path("/var/lib/edged/models"), trusted_keys=(etc / "keys" / "release.pub",)
        ),
        pipelines=(
            Pipeline(
                name="front",
                model="coco-ssd",
                threshold=0.5,
                labels=("person", "cat"),
                threads=2,
                source=Picamera2(camera=0, size=(1280, 720), fps=15),
            ),
        ),
    )


def test_the_shortest_config_has_the_defaults_of_the_contract() -> None:
    got = config(SHORTEST)
    assert got.mqtt == Mqtt(
        host="localhost",
        port=1883,
        username=None,
        password_file=None,
        topic_prefix="edged",
        qos=1,
        keepalive_s=60,
        home_assistant=True,
        home_assistant_prefix="homeassistant",
        tls=None,
    )
    assert got.spool == Spool(max_bytes=67108864, max_age_s=604800)
    assert got.models == Models(dir=None, require_signature=False, trusted_keys=(), keep_versions=3)
    assert got.pipelines == (
        Pipeline(
            name="coco-ssd",
            model="coco-ssd",
            threshold=None,
            labels=None,
            max_results=25,
            publish="every",
            interval_s=10,
            threads=1,
            fit="stretch",
            delegate=None,
            delegate_options={},
            source=Synthetic(size=(640, 480), seed=0, fps=15),
        ),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('kind = "picamera2"', Picamera2(camera=0, size=(1280, 720), fps=0)),
        ('kind = "v4l2"', V4l2(device=Path("/dev/video0"), size=(1280, 720), fps=0)),
        (
            'kind = "video"\npath = "a.mp4"',
            Video(path="/etc/edged/a.mp4", loop=False, realtime=True, fps=0),  # type: ignore[arg-type]
        ),
        (
            'kind = "video"\npath = "rtsp://cam/1"\nfps = 2.5',
            Video(path="rtsp://cam/1", fps=2.5),  # type: ignore[arg-type]
        ),
        (
            'kind = "images"\npath = "photos"\nloop = true',
            Images(path=Path("/etc/edged/photos"), loop=True),
        ),
    ],
)
def test_every_kind_of_source_is_read_with_its_defaults(text: str, expected: object) -> None:
    assert source(text) == expected


@pytest.mark.parametrize(
    ("text", "in_real_time"),
    [("", False), ("fps = 0", False), ("fps = 5", True), ("fps = 5\nrealtime = false", False)],
)
def test_images_play_in_real_time_where_fps_is_set(text: str, in_real_time: bool) -> None:
    images = source(f'kind = "images"\npath = "photos"\n{text}')
    assert isinstance(images, Images)
    assert images.in_real_time is in_real_time


@pytest.mark.parametrize(
    ("text", "port"),
    [("tls = {}", 8883), ("tls = {}\nport = 1883", 1883), ("port = 8884", 8884), ("", 1883)],
)
def test_the_port_follows_from_tls_unless_it_is_given(text: str, port: int) -> None:
    assert config(b"[mqtt]\n" + text.encode() + b"\n" + SHORTEST).mqtt.port == port


def test_relative_paths_start_at_the_directory_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b'[device]\nstate_dir = "state"\n[models]\ndir = "../models"\n' + SHORTEST
    assert config(text, str(tmp_path / "a" / "x.toml")).device.state_dir == tmp_path / "a" / "state"
    monkeypatch.chdir(tmp_path)
    assert config(text, "x.toml").models.dir == tmp_path / ".." / "models"


def test_a_delegate_is_a_name_or_the_path_of_a_library() -> None:
    text = SHORTEST.decode() + 'delegate = "{}"\ndelegate_options = {{device = "usb", n = 2}}\n'
    named = config(text.format("edgetpu")).pipelines[0]
    assert named.delegate == "edgetpu"
    assert named.delegate_options == {"device": "usb", "n": 2}
    assert config(text.format("./libx.so")).pipelines[0].delegate == "/etc/edged/libx.so"


def test_a_pipeline_is_equal_to_itself_read_again_and_not_to_a_changed_one() -> None:
    before = config(DESIGN_EXAMPLE).pipelines[0]
    assert config(DESIGN_EXAMPLE).pipelines[0] == before
    assert config(DESIGN_EXAMPLE.replace(b"0.5", b"0.6")).pipelines[0] != before


@pytest.mark.parametrize(
    ("host", "device_id"),
    [
        ("garden-pi", "garden-pi"),
        ("garden-pi.local", "garden-pi"),
        ("pi of anna/+#", "pi-of-anna"),
        ("", "edged"),
        ("ü", "edged"),
        ("x" * 100, "x" * 64),
    ],
)
def test_a_host_name_is_made_safe_for_topics(host: str, device_id: str) -> None:
    assert topic_level(host) == device_id


def test_the_device_has_an_id_that_the_file_could_hold() -> None:
    device_id = config(SHORTEST).device.id
    assert config(f'[device]\nid = "{device_id}"\n'.encode() + SHORTEST).device.id == device_id


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("host", "192.168.1.2"),
        ("host", "::1"),
        ("host", "broker.home.arpa"),
        ("topic_prefix", "home/edged"),
        ("topic_prefix", "e"),
        ("home_assistant_prefix", "ha"),
        ("home_assistant_prefix", "home/assistant"),
    ],
)
def test_usual_hosts_and_prefixes_are_allowed(key: str, value: str) -> None:
    mqtt = config(f'[mqtt]\n{key} = "{value}"\n'.encode() + SHORTEST).mqtt
    assert getattr(mqtt, key) == value


def test_an_empty_prefix_turns_home_assistant_off() -> None:
    mqtt = config(b'[mqtt]\nhome_assistant_prefix = ""\n' + SHORTEST).mqtt
    assert not mqtt.home_assistant


@pytest.mark.parametrize("name", ["front door", "Küche", "cam.1", "a", "x" * 64, "statuses"])
def test_usual_pipeline_names_are_allowed(name: str) -> None:
    text = f'[[pipelines]]\nname = "{name}"\nmodel = "m"\nsource.kind = "synthetic"'
    assert config(text).pipelines[0].name == name


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_config_with_errors_is_refused_with_a_line_for_each(case: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config((case / "edged.toml").read_bytes(), "edged.toml")
    assert list(caught.value.problems) == (case / "expected.txt").read_text().splitlines()


def test_the_cases_cover_what_the_contract_names() -> None:
    assert {"empty", "not-toml", "not-utf-8", "port-out-of-range"} <= {
        case.name for case in REFUSED
    }


def test_a_missing_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "edged.toml"
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    advice = "there is no such file; write it, or name another with -c or $EDGED_CONFIG"
    assert caught.value.problems == (f"{path}: {advice}",)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_file_is_read_and_named_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("edged.toml")
    path.write_bytes(SHORTEST)
    assert load_config(path).pipelines[0].model == "coco-ssd"
    path.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"^edged\.toml: pipelines: missing"):
        load_config(path)


# ---- anything at all -----------------------------------------------------------------------------

LEVELS = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["a/b", "x\n", "status"]
)


@given(LEVELS)
def test_a_name_that_is_read_is_one_level_of_a_topic_and_a_file_name(name: str) -> None:
    escaped = "".join(f"\\U{ord(c):08x}" for c in name)
    text = f'[[pipelines]]\nname = "{escaped}"\nmodel = "m"\nsource.kind = "synthetic"'
    if problems(text):
        return
    assert config(text).pipelines[0].name == name == name.strip()
    assert name not in ("", ".", "..", "status", "info", "metrics", "set")
    assert not re.search(r"[/+#\x00-\x1f\x7f-\x9f]", name)


TREES = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "model", "source", "kind", "tls", "cert_file", "size", "path"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["device", "mqtt", "models", "pipelines"]), TREES))
def test_any_tree_is_read_or_refused(tree: dict[str, Any]) -> None:
    text = "\n".join(f"{key} = {as_toml(value)}" for key, value in tree.items())
    assert all(line.startswith(f"{ETC}: ") and line.isprintable() for line in problems(text))


def as_toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + "".join(f"\\U{ord(c):08x}" for c in value) + '"'
        case list():
            return f"[{', '.join(map(as_toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{k} = {as_toml(v)}' for k, v in value.items())}}}"
    return str(value)
