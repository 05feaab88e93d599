"""What Ultralytics' exporters append to a model is read, whatever it holds."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.engine.tflite_file import read_model_file
from edged.engine.ultralytics import read_ultralytics

MODEL = (Path(__file__).resolve().parent.parent / "models" / "classifier_uint8.tflite").read_bytes()


def appended(name: str, text: str | bytes) -> bytes:
    file = io.BytesIO(MODEL)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return file.getvalue()


def told(**what: Any) -> bytes:
    return appended("metadata.json", json.dumps(what))


def test_newer_files_tell_in_json() -> None:
    names = {"0": "person", "1": "traffic\nlight", "3": "cat"}
    found, problem = read_ultralytics(told(task="detect", names=names, version="8.4.0"))
    assert found is not None
    assert problem is None
    assert (found.task, found.version) == ("detect", "8.4.0")
    assert found.names == ("person", "traffic\nlight", "2", "cat")
    assert found.label_file.data == b"person\ntraffic light\n2\ncat"


def test_older_files_tell_in_python() -> None:
    text = "{'stride': 32, 'names': {0: 'person', 1: \"bird's nest\"}}"
    found, _ = read_ultralytics(appended("temp_meta.txt", text))
    assert found is not None
    assert (found.task, found.names) == (None, ("person", "bird's nest"))


def test_the_names_become_the_labels_that_are_embedded() -> None:
    file = read_model_file(told(task="detect", names=["red", "green", "blue"]))
    labels = file.embedded_labels(0)
    assert labels is not None
    assert (labels.name, labels.data) == ("metadata.json", b"red\ngreen\nblue")


def test_labels_of_such_a_name_are_labels_still() -> None:
    file = read_model_file(appended("temp_meta.txt", "red\ngreen\n"))
    assert file.ultralytics is None
    assert file.metadata_problem is None
    assert [label.data for label in file.label_files] == [b"red\ngreen\n"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"names": 3}',
        b'{"names": {"x": "y"}}',
        b'{"names": {"-1": "y"}}',
        b'{"names": {"99999999": "y"}}',
        b"[" * 100_000,
    ],
)
def test_what_cannot_be_used_is_said_and_not_used(text: bytes) -> None:
    file = read_model_file(appended("metadata.json", text))
    assert file.ultralytics is None
    assert file.metadata_problem == (
        "its metadata.json is not used: it is not what Ultralytics' exporters write"
    )


@settings(deadline=None)
@given(
    st.sampled_from(["metadata.json", "temp_meta.txt"]),
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: f'{{"names": {json.dumps(value)}}}'.encode()),
)
def test_no_text_makes_it_raise(name: str, text: bytes) -> None:
    read_ultralytics(appended(name, text))
