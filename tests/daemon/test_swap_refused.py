"""Files that must not serve: each gets its verdict with its reason, and what serves goes on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from household import SMALL_MODELS, House
from signing import Signer
from swapping import Stream, pipeline, version_of

from edged.workshop.recorder import record

Make = Callable[..., Any]
A, B = SMALL_MODELS / "classifier_uint8.tflite", SMALL_MODELS / "classifier_int8.tflite"
DETECTOR = SMALL_MODELS / "detector_tf1.tflite"

# What comes, and the sentence that it is refused with, as a pattern.
REFUSED = {
    "nothing": (b"", "the file is empty"),
    "truncated": (A.read_bytes()[:1000], r"truncated: 1,000 of 1,[0-9]{3} bytes"),
    "text": (b"Not found\n", "no TFLite model: it is a text file"),
    "custom operator": (
        DETECTOR.read_bytes().replace(b"Detection_PostProcess", b"Detection_PostProcesz"),
        'needs the operator "TFLite_Detection_PostProcesz", which the TFLite runtime does not have',
    ),
    "other task": (
        DETECTOR.read_bytes(),
        "it does detection, and the pipeline serves classification. Install it under another name, "
        "and name that in the pipeline",
    ),
    "two pictures": (
        (SMALL_MODELS / "two_inputs.tflite").read_bytes(),
        r"it has 2 inputs \(.*\). A pipeline feeds one; .*",
    ),
}


class Served:
    """A daemon that serves A as "eye"; ``refuses`` tells the sentence that a file gets."""

    def __init__(self, house: House, stream: Stream) -> None:
        self.stream = stream
        self._daemon = house.run()
        self.file = house.models / "eye.tflite"
        self.beside = {
            ending: house.models / f"eye{ending}" for ending in (".labels.txt", ".tflite.minisig")
        }
        stream.wait_for_version(version_of(A))

    def refuses(self, put: Callable[[], object]) -> str:
        """The reason for which what ``put`` puts there is refused; A serves on, with no hole."""
        before = len(self.stream.reports)
        put()
        report = self.stream.wait_for_verdict("refused", after=before)
        self.stream.wait_for_results(10)
        assert report["candidate"]["version"] == version_of(self.file)
        assert report["active"]["version"] == version_of(A)
        assert self.stream.versions == [version_of(A)]
        assert not self.stream.holes
        assert self._daemon.process.poll() is None
        reason: str = report["candidate"]["reason"]
        self._daemon.wait_for_line(f"refused: {reason}")
        return reason


@pytest.fixture
def served(house: House, mosquitto: Make, subscriber: Make) -> Served:
    """A serves, and may publish two of its labels."""
    broker = mosquitto()
    house.model("eye", A)
    house.labels("eye", "red", "green", "blue")
    house.configure(broker.port, pipeline("eye", 'labels = ["red", "green"]'))
    return Served(house, Stream(subscriber(broker.port)))


@pytest.fixture
def signed(house: House, mosquitto: Make, subscriber: Make) -> Served:
    """A serves, signed as version 12, and signatures are required."""
    broker = mosquitto()
    shutil.copy(A, house.models / "eye.tflite")
    (house.models / "eye.tflite.minisig").write_bytes(Signer().sign(A.read_bytes(), "version: 12"))
    required = f'require_signature = true\ntrusted_keys = ["{Signer().public_file}"]'
    house.configure(broker.port, pipeline(), models=required)
    return Served(house, Stream(subscriber(broker.port)))


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_serve_is_refused_with_its_reason(kind: str, served: Served) -> None:
    data, expected = REFUSED[kind]
    told = served.refuses(lambda: served.file.write_bytes(data))
    assert re.fullmatch(expected, told), told


def test_a_model_that_gives_something_else_than_was_recorded_is_refused(
    house: House, served: Served
) -> None:
    record(served.file, house.pictures((255, 0, 0), (0, 255, 0)), 0.05, print)
    other = SMALL_MODELS / "classifier_uint8_grey.tflite"
    told = served.refuses(lambda: shutil.copyfile(other, served.file))
    assert told == (
        'its golden input "eye.golden/000.png" gives "red" with a score of 0.6914, which is not '
        'within 0.05 of 0.9102; its golden input "eye.golden/001.png" gives "green" with a score '
        "of 0.5938, which is not within 0.05 of 0.9102"
    )


def test_a_model_whose_copying_was_cut_off_is_taken_when_it_is_whole(served: Served) -> None:
    whole = B.read_bytes()
    assert "truncated" in served.refuses(lambda: served.file.write_bytes(whole[: len(whole) // 2]))
    with served.file.open("ab") as file:
        file.write(whole[len(whole) // 2 :])
    served.stream.wait_for_version(version_of(B))
    assert not served.stream.holes


def test_a_model_that_crashes_the_runtime_is_refused(testdata: Path, served: Served) -> None:
    crashing = testdata / "bad-models" / "aborts_on_invoke.tflite"
    told = served.refuses(lambda: shutil.copyfile(crashing, served.file))
    assert told.startswith("the runtime crashes (SIGABRT) when it is ")


def test_a_model_without_any_of_the_published_labels_is_refused(served: Served) -> None:
    told = served.refuses(lambda: served.beside[".labels.txt"].write_text("cat\ndog\nbird"))
    assert told == "it has none of the labels that the pipeline publishes"


def test_a_model_over_the_budget_of_its_sidecar_is_refused(served: Served, house: House) -> None:
    sidecar = house.models / "eye.toml"
    told = served.refuses(lambda: sidecar.write_text("latency_budget_ms = 0.001\n"))
    assert re.fullmatch(r"it takes [\d.]+ ms, over its budget of 0.001 ms", told)


def test_an_unsigned_model_is_refused_where_signatures_are_required(signed: Served) -> None:
    def unsigned() -> None:
        signed.beside[".tflite.minisig"].unlink()
        shutil.copyfile(B, signed.file)

    assert signed.refuses(unsigned).startswith("not signed: require_signature is set; ")


def test_a_model_that_was_changed_after_signing_is_refused(signed: Served) -> None:
    told = signed.refuses(lambda: shutil.copyfile(B, signed.file))
    assert told.startswith("its signature does not fit the file: ")


@pytest.mark.parametrize(
    ("signer", "comment", "expected"),
    [
        ("other", "version: 13", "signed by a key that is not trusted ("),
        ("trusted", "version: 11", "signed version 11 is older than 12, which serves; "),
        ("trusted", "no version", "its signature tells no version, so it may be older than 12"),
    ],
)
def test_another_key_and_an_older_version_are_refused(
    signer: str, comment: str, expected: str, signed: Served
) -> None:
    def put() -> None:
        signature = Signer(signer).sign(B.read_bytes(), comment)
        signed.beside[".tflite.minisig"].write_bytes(signature)
        shutil.copyfile(B, signed.file)

    assert signed.refuses(put).startswith(expected)


def test_a_newer_signed_version_serves_and_its_signature_may_come_last(
    signed: Served,
) -> None:
    assert signed.refuses(lambda: shutil.copyfile(B, signed.file))
    signed.beside[".tflite.minisig"].write_bytes(Signer().sign(B.read_bytes(), "version: 13"))
    signed.stream.wait_for_version(version_of(B))
