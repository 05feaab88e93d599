"""The commands: exit statuses, and the exact words of errors."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from household import RED, SMALL_MODELS, House, images
from jsonschema import Draft202012Validator
from patience import PATIENCE_S
from signing import SIGNED, Signer

from edged import __version__
from edged.cli import main
from edged.publish.wire.kinds import HEARD_TYPES, KINDS

CASES = Path(__file__).parent / "cases" / "config"
REFUSED = sorted(case.parent for case in CASES.glob("*/expected.txt"))
SCHEMAS = (*KINDS, *HEARD_TYPES, "config")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def edged(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """``edged("check", "-c", path)``: exit status, standard output, standard error."""
    logger = logging.getLogger("edged")
    before = logger.handlers[:], logger.level, logger.propagate

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # argparse: wrong usage, --help, --version
            status = int(ended.code or 0)
        return status, *capsys.readouterr()

    yield run
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.end()


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The real thing, where it matters that it is a process."""
    command = [sys.executable, "-m", "edged", *arguments]
    return subprocess.run(
        command, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False, **options
    )


# ---- usage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("model",), "the following arguments are required: COMMAND"),
        (("model", "inspect"), "the following arguments are required: FILE"),
        (("schema",), "the following arguments are required: kind"),
        (("schema", "resultt"), "invalid choice: 'resultt'"),
        (("fly",), "invalid choice: 'fly'"),
        (("run", "extra"), "unrecognized arguments: extra"),
        (("run", "-c"), "expected one argument"),
        (("demo", "--seconds", "-1"), "-1 is not allowed; a number above 0"),
        (("demo", "--seconds", "nan"), "nan is not allowed; a number above 0"),
        (("demo", "--seconds", "abc"), "abc is not allowed; a number above 0"),
        (("watch", "--seconds", "0"), "'0' is not allowed; a number above 0"),
        (("watch", "--count", "1.5"), "'1.5' is not allowed; a whole number above 0"),
        (("watch", "--port", "1", "pi"), "--port needs --host"),
        (("watch", "--ca-file", "ca.crt"), "--ca-file needs --host"),
        (("watch", "--host", "pi", "--port", "65536"), "'65536' is not allowed; a number from 1"),
        (("watch", "--host", "mqtt://pi"), "a host's name or address alone, without mqtt://"),
        (("watch", "--host", "pi", "--prefix", "a/#"), "a topic of 1 to 128 characters"),
        (("watch", "--host", "pi", "-c", "x"), "--host and --config exclude each other"),
        (("watch", "--host", "pi", "--password-file", "x"), "--password-file needs --username"),
        (("watch", "--all", "pi"), "DEVICE and --all exclude each other"),
        (("watch", "+"), "a name of 1 to 64 characters, without / + #"),
    ],
)
def test_wrong_usage_is_status_2_and_says_what_is_wrong(
    edged: Run, arguments: tuple[str, ...], told: str
) -> None:
    status, out, error = edged(*arguments)
    assert (status, out) == (2, "")
    assert error.startswith("usage: edged ")
    assert told in error


def test_help_and_version_are_status_0(edged: Run) -> None:
    assert edged("--version") == (0, f"edged {__version__}\n", "")
    status, out, error = edged("--help")
    assert (status, error) == (0, "")
    for command in ("run", "demo", "check", "bench", "model", "watch", "schema"):
        assert f"\n    {command} " in out


# ---- the configuration ---------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_wrong_configuration_is_status_78_and_every_fault_a_line(
    edged: Run, case: Path, command: str
) -> None:
    path = case / "edged.toml"
    status, out, error = edged(command, "-c", path)
    expected = (case / "expected.txt").read_text().splitlines()
    lines = [line.replace("edged.toml: ", f"edged: {path}: ", 1) for line in expected]
    assert (status, out) == (78, "")
    assert error.splitlines() == lines


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_configuration_that_cannot_be_read_is_status_78(
    edged: Run, tmp_path: Path, command: str
) -> None:
    absent = tmp_path / "edged.toml"
    what = "there is no such file; write it, or name another with -c or $EDGED_CONFIG"
    assert edged(command, "-c", absent) == (78, "", f"edged: {absent}: {what}\n")
    what = "is a directory; name the file in it"
    assert edged(command, "-c", tmp_path) == (78, "", f"edged: {tmp_path}: {what}\n")


def test_the_environment_names_the_configuration_and_the_command_line_goes_before_it(
    edged: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGED_CONFIG", str(tmp_path / "theirs.toml"))
    assert f"edged: {tmp_path}/theirs.toml: there is no such file" in edged("check")[2]
    given = tmp_path / "given.toml"
    assert f"edged: {given}: there is no such file" in edged("check", "-c", given)[2]
    monkeypatch.setenv("EDGED_CONFIG", "")
    if not Path("/etc/edged/edged.toml").exists():
        assert "edged: /etc/edged/edged.toml: there is no such file" in edged("check")[2]


def test_a_trusted_key_that_is_not_there_is_told_where_signatures_are_required(
    edged: Run, house: House
) -> None:
    path = house.directory / "edged.toml"
    path.write_text(
        '[device]\nstate_dir = "state"\n[mqtt]\nport = 1\n'
        '[models]\nrequire_signature = true\ntrusted_keys = ["a.pub"]\n'
        '[[pipelines]]\nmodel = "m"\nsource.kind = "synthetic"\n'
    )
    told = (
        f"{house.directory}/a.pub: there is no such file; put the public key there, or correct "
        "models.trusted_keys"
    )
    assert edged("run", "-c", path) == (78, "", f"edged: {told}\n")
    status, out, _ = edged("check", "-c", path)
    assert status == 1
    assert told in out


def test_check_refuses_a_model_that_is_not_signed_where_signatures_are_required(
    edged: Run, house: House
) -> None:
    house.model("classifier_uint8")
    path = house.directory / "edged.toml"
    path.write_text(
        '[device]\nstate_dir = "state"\n[mqtt]\nport = 1\n[models]\ndir = "models"\n'
        f'require_signature = true\ntrusted_keys = ["{SIGNED}/trusted.pub"]\n'
        '[[pipelines]]\nmodel = "classifier_uint8"\nsource.kind = "synthetic"\n'
    )
    model = house.models / "classifier_uint8.tflite"
    assert "not signed: require_signature is set" in edged("check", "-c", path)[1]
    model.with_name(f"{model.name}.minisig").write_bytes(Signer().sign(model.read_bytes()))
    assert "not signed" not in edged("check", "-c", path)[1]


def test_a_password_that_cannot_be_read_is_status_78(edged: Run, tmp_path: Path) -> None:
    path = tmp_path / "edged.toml"
    path.write_text(
        '[mqtt]\nusername = "u"\npassword_file = "secret"\n'
        '[[pipelines]]\nmodel = "m"\nsource.kind = "synthetic"\n'
    )
    status, _, error = edged("run", "-c", path)
    assert status == 78
    assert error.startswith(f"edged: {tmp_path}/secret: there is no such file; write the broker's")


# ---- tracebacks ----------------------------------------------------------------------------------


def test_a_traceback_is_shown_with_debug_and_never_without(edged: Run, tmp_path: Path) -> None:
    path = tmp_path / "text.tflite"
    path.write_text("no model")
    said = f"edged: {path}: no TFLite model: it is a text file\n"
    assert edged("model", "inspect", path) == (1, "", said)
    status, out, error = edged("model", "inspect", "--debug", path)
    assert (status, out) == (1, "")
    assert error.startswith("Traceback (most recent call last):\n")
    assert error.endswith(said)


def test_what_nobody_foresaw_is_a_sentence_too(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = process("schema", "result", stdout=full)
        assert done.returncode == 1
        assert done.stderr == (
            "edged: this should not have happened (OSError: [Errno 28] No space left on device). "
            "Run it again with --debug and report what it shows\n"
        )
        done = process("schema", "--debug", "result", stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):\n")


@pytest.mark.parametrize("buffered", ["", "1"])  # it is told at the end, or at the first line
def test_a_reader_that_goes_away_ends_the_command_as_it_ends_any_other_tool(
    house: House, buffered: str
) -> None:
    eye = 'name = "eye"\nmodel = "absent"\n' + images(house.pictures(RED))
    config = house.configure(1, eye)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        environ = {**os.environ, "PYTHONUNBUFFERED": buffered}
        done = process("check", "-c", str(config), stdout=gone, env=environ)
    assert (done.returncode, done.stderr) == (141, "")


# ---- schema --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_valid_and_closed(edged: Run, kind: str) -> None:
    status, out, error = edged("schema", kind)
    assert (status, error) == (0, "")
    schema = json.loads(out)
    Draft202012Validator.check_schema(schema)
    assert not Draft202012Validator(schema).is_valid({"image": "iVBORw0KGgo="})


# The example of the contract, word for word.
RESULT = """
{"schema": "edged.result/1", "device": "garden-pi", "pipeline": "front",
 "run": "c0ffee12", "sequence": 4711,
 "captured_at": "2026-11-22T06:24:00.123Z", "clock_synced": true,
 "model": {"name": "coco-ssd", "version": "e4b118e5e453"},
 "latency_ms": {"wait": 0.3, "preprocess": 0.21, "inference": 12.9, "decode": 0.06, "total": 13.5},
 "task": "detection",
 "detections": [{"label": "cat", "score": 0.73, "box": [0.0712, 0.131, 0.7181, 0.977]}]}
"""


def test_the_schemas_allow_what_the_contract_shows(edged: Run) -> None:
    Draft202012Validator(json.loads(edged("schema", "result")[1])).validate(json.loads(RESULT))
    example = tomllib.loads((CASES / "design-example" / "edged.toml").read_text())
    Draft202012Validator(json.loads(edged("schema", "config")[1])).validate(example)


# ---- model inspect -------------------------------------------------------------------------------


def test_inspect_tells_a_person_and_a_program_the_same(edged: Run) -> None:
    path = SMALL_MODELS / "classifier_int8.tflite"
    status, text, error = edged("model", "inspect", path)
    assert (status, error) == (0, "")
    assert "\ntask       classification: one output of 3 classes; " in text
    status, out, error = edged("model", "inspect", "--json", path)
    assert (status, error) == (0, "")
    report = json.loads(out)
    assert report["task"] == "classification"
    assert f"\nsha256     {report['sha256']}\n" in text


def test_inspect_shows_a_model_that_would_be_refused_with_status_1(edged: Run) -> None:
    path = SMALL_MODELS / "two_inputs.tflite"
    status, text, error = edged("model", "inspect", path)
    assert (status, error) == (1, "")
    assert "\nrefused    it has 2 inputs (" in text
    status, out, _ = edged("model", "inspect", "--json", path)
    assert status == 1
    assert json.loads(out)["problem"].startswith("it has 2 inputs (")


@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_inspect_of_what_is_no_model_is_one_sentence(
    edged: Run, tmp_path: Path, json_too: tuple[str, ...]
) -> None:
    absent = tmp_path / "absent.tflite"
    assert edged("model", "inspect", *json_too, absent) == (
        1,
        "",
        f"edged: there is no file {absent}. Copy the model there\n",
    )
    assert edged("model", "inspect", *json_too, tmp_path) == (
        1,
        "",
        f"edged: cannot read {tmp_path}: Is a directory\n",
    )
    broken = tmp_path / "broken.tflite"
    broken.write_bytes((SMALL_MODELS / "detector_tf1.tflite").read_bytes()[:1000])
    status, out, error = edged("model", "inspect", *json_too, broken)
    assert (status, out) == (1, "")
    assert error.startswith(
        f"edged: {broken}: truncated: 1,000 bytes, but its tables reach to byte 2,"
    )


# ---- check ---------------------------------------------------------------------------------------


def findings(out: str) -> dict[str, list[str]]:
    """The lines of a check by their first two words: ``ok model``, ``wrong source``."""
    found: dict[str, list[str]] = {}
    for line in out.splitlines():
        verdict, subject, text = line.split(maxsplit=2)
        found.setdefault(f"{verdict} {subject}", []).append(text)
    return found


def test_a_check_with_nothing_wrong_is_status_0(
    edged: Run, house: House, mosquitto: Callable[[], Any]
) -> None:
    house.model("detector_tf1")
    house.labels("detector_tf1", "rose", "leaf", "sky")
    config = house.configure(
        mosquitto().port,
        'name = "eye"\nmodel = "detector_tf1"\nlabels = ["sky", "laef"]\n'
        + images(house.pictures(RED)),
    )
    status, out, error = edged("check", "-c", config)
    assert (status, error) == (0, "")
    found = findings(out)
    assert not any(subject.startswith("wrong") for subject in found)
    assert found["ok config"] == [f"{config}: 1 pipeline"]
    assert found["ok model"][0].startswith("eye: detector_tf1 ")
    assert found["ok source"] == ["eye: images gives frames of 64x48"]
    assert found["note labels"] == [
        'eye: the model has no label "laef" (did you mean "leaf"?): nothing is published for it'
    ]


def test_a_check_tells_everything_that_is_wrong(edged: Run, house: House) -> None:
    (house.models / "broken.tflite").write_bytes(b"no model")
    config = house.configure(
        1,
        'name = "a"\nmodel = "broken"\n[pipelines.source]\nkind = "v4l2"\ndevice = "/dev/video77"',
        'name = "b"\nmodel = "borken"\n' + images(house.directory / "nowhere"),
    )
    status, out, error = edged("check", "-c", config)
    assert (status, error) == (1, "")
    found = findings(out)
    assert found["wrong model"] == [
        "a: broken: no TFLite model: it is a text file",
        f'b: borken: there is no file {house.models}/borken.tflite; did you mean "broken"?',
    ]
    camera, pictures = found["wrong source"]
    assert camera.startswith("a: v4l2: ")
    assert "/dev/video77" in camera
    assert pictures == f"b: images: {house.directory}/nowhere: there is no such file or directory."
    # It may come any time: the daemon runs without it.
    [broker] = found["note broker"]
    assert broker.startswith("127.0.0.1:1: the connection was refused")
    assert broker.endswith("edged runs all the same, and results wait for it on the disk")


def test_a_check_tries_each_of_several_brokers_and_one_is_enough(
    edged: Run, house: House, mosquitto: Callable[[], Any]
) -> None:
    port = mosquitto().port
    house.model("classifier_uint8")
    config = house.configure(1, 'model = "classifier_uint8"\n' + images(house.pictures(RED)))
    hosts = f'hosts = ["127.0.0.1:1", "127.0.0.1:{port}"]'
    config.write_text(config.read_text().replace('host = "127.0.0.1"', hosts))

    status, out, error = edged("check", "-c", config)

    assert (status, error) == (0, "")
    found = findings(out)
    assert found["ok broker"] == [f"127.0.0.1:{port} accepts edged, MQTT 5"]
    assert found["note broker"][0].startswith("127.0.0.1:1: the connection was refused")


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_check_tells_of_a_password_that_every_user_can_read(
    mode: int, told: bool, edged: Run, house: House
) -> None:
    password = house.directory / "password"
    password.write_text("secret-enough")
    password.chmod(mode)
    config = house.configure(
        1,
        'model = "absent"\n' + images(house.directory),
        mqtt='username = "edged"\npassword_file = "password"',
    )

    _, out, error = edged("check", "-c", config)

    notes = findings(out).get("note secret", [])
    assert [f"mqtt.password_file: every user can read {password}" in note for note in notes] == (
        [True] if told else []
    )
    assert "secret-enough" not in out + error


# ---- run -----------------------------------------------------------------------------------------


def test_a_run_to_its_end_is_status_0_as_a_process(
    house: House, mosquitto: Callable[[], Any]
) -> None:
    house.model("classifier_uint8")
    config = house.configure(
        mosquitto().port, 'model = "classifier_uint8"\n' + images(house.pictures(RED))
    )
    done = process("run", env={**os.environ, "EDGED_CONFIG": str(config)})
    assert done.returncode == 0
    assert "all pipelines have ended" in done.stderr
