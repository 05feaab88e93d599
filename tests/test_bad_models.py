"""Files that are no good as models: each gets its verdict, and nothing else comes to harm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from household import House, at_least, load, published

from edged.errors import ModelError

# What is told of each, as a pattern for all of it; None: it loads, as nothing can tell.
VERDICTS = {
    "truncated": r"truncated: 200,000 bytes, but its tables reach to byte [\d,]+",
    "root_offset_out_of_bounds": r"truncated: 8 bytes, but its tables reach to byte \d+",
    "empty": "the file is empty",
    "text": "no TFLite model: it is a text file",
    "custom_op_unresolved": 'needs the operator "fake-op-double", which the TFLite runtime does '
    "not have",
    "custom_op_posenet_decoder": 'needs the operator "PosenetDecoderOp", which the TFLite runtime '
    "does not have",
    "compiled_for_edgetpu": 'made for the Coral Edge TPU: it needs delegate = "edgetpu"',
    "invalid_quantization_parameters": "the runtime cannot load it: .*invalid quantization "
    "parameters.*",
    "aborts_on_invoke": r"the runtime crashes \(SIGABRT\) when it is (loaded|run)",
    "weights_corrupted": None,
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.end()


def test_every_bad_model_is_looked_at_here(testdata: Path) -> None:
    there = {path.stem for path in (testdata / "bad-models").glob("*.tflite")}
    assert there == set(VERDICTS)


@pytest.mark.parametrize("name", VERDICTS)
def test_a_bad_model_is_refused_with_its_reason_and_one_that_nothing_tells_loads(
    testdata: Path, house: House, name: str
) -> None:
    house.model(name, testdata / "bad-models" / f"{name}.tflite")
    expected = VERDICTS[name]
    if expected is None:
        assert load(house.models, name).spec.task == "classification"
        return
    with pytest.raises(ModelError) as told:
        load(house.models, name)
    assert re.fullmatch(expected, str(told.value)), str(told.value)


def test_in_one_daemon_they_all_get_their_verdict_and_a_good_one_goes_on(
    testdata: Path, house: House, mosquitto: Callable[[], Any], subscriber: Callable[[int], Any]
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    synthetic = '[pipelines.source]\nkind = "synthetic"\nsize = [64, 48]\nfps = 30'
    house.model("classifier_uint8")
    for name in VERDICTS:
        house.model(name, testdata / "bad-models" / f"{name}.tflite")
    house.configure(
        broker.port,
        *(f'model = "{name}"\n{synthetic}' for name in ("classifier_uint8", *VERDICTS)),
    )
    daemon = house.run()

    heard.wait_for(lambda got: all(at_least(1, f"{name}/health")(got) for name in VERDICTS))
    before = len(published(heard.messages, "classifier_uint8/result"))
    messages = heard.wait_for(at_least(before + 10, "classifier_uint8/result"))
    assert daemon.process.poll() is None

    for name, expected in VERDICTS.items():
        report = published(messages, f"{name}/model")[0]
        candidate, active = report["candidate"], report["active"]
        assert (candidate["verdict"], active is None) == (
            ("trial", False) if expected is None else ("refused", True)
        ), name
        if expected is not None:
            assert re.fullmatch(expected, candidate["reason"]), candidate["reason"]
            (health,) = published(messages, f"{name}/health")
            assert (health["state"], health["reason"]) == (
                "stopped",
                f"no model: {candidate['reason']}",
            )
    states = [health["state"] for health in published(messages, "classifier_uint8/health")]
    assert states == ["running"]
    numbers = [one["sequence"] for one in published(messages, "classifier_uint8/result")]
    assert numbers == list(range(len(numbers)))
    assert daemon.stop() == 0
