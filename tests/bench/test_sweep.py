"""Which settings are the fastest."""

from __future__ import annotations

import json
import os
import tomllib

import pytest
from household import SMALL_MODELS
from msgspec.structs import replace

from edged.bench.figures import Spread
from edged.bench.settings import DEFAULT
from edged.bench.sweep import Setting, Swept, as_text, settings
from edged.cli import main
from edged.engine.runtime import NO_DELEGATE, Delegate, installed

Capture = pytest.CaptureFixture[str]


def setting(
    threads: int, *, delegate: Delegate | None = None, runtime: str = "some-runtime"
) -> Setting:
    return Setting(runtime, replace(DEFAULT, threads=threads, delegate=delegate))


def swept(found: dict[Setting, float]) -> Swept:
    return Swept(
        "m.tflite", "some-runtime", {each: Spread(ms, 2 * ms) for each, ms in found.items()}, {}
    )


def test_the_fastest_is_the_best() -> None:
    best = setting(2)
    assert swept({setting(1): 10, best: 6, setting(3): 7}).best is best


def test_of_settings_that_are_as_good_the_one_with_fewer_threads_is_the_best() -> None:
    best = setting(2)
    assert swept({setting(1): 10, best: 6.1, setting(4): 6}).best is best


def test_the_best_is_one_that_a_pipeline_can_have_and_a_faster_one_is_told() -> None:
    best, other = setting(1), setting(1, runtime="another")
    found = swept({best: 10, other: 5})
    assert found.best is best
    assert f"faster, but a pipeline cannot have it: {other}" in as_text(found, {})


def test_what_is_only_as_good_is_not_called_faster() -> None:
    assert swept({setting(1): 10, setting(1, runtime="another"): 9.9}).faster is None


def test_without_xnnpack_is_a_setting_to_paste() -> None:
    lines = as_text(swept({setting(1): 10, setting(1, delegate=Delegate(NO_DELEGATE)): 5}), {})
    assert "         5.000    10.000   some-runtime, 1 thread, without XNNPACK" in lines
    assert lines[-2:] == ["threads = 1", 'delegate = "none"']


def test_all_are_told_the_fastest_first_and_the_best_is_toml() -> None:
    lines = as_text(swept({setting(1): 10, setting(2): 6}), {"cpu": "Some CPU"})
    at = lines.index("         6.000    12.000   some-runtime, 2 threads")
    assert lines[at + 1] == "        10.000    20.000   some-runtime, 1 thread"
    assert tomllib.loads("\n".join(lines[at + 2 :])) == {"threads": 2}


def test_runtimes_threads_xnnpack_and_delegates_are_tried() -> None:
    tried = settings(DEFAULT, [Delegate("edgetpu")])
    cores = len(os.sched_getaffinity(0))
    assert len(tried) == 2 * cores * len(installed()) + 1
    assert str(tried[-1]) == f"{installed()[0]}, 1 thread, delegate edgetpu"


def test_a_delegate_that_cannot_be_loaded_is_told_and_the_others_go_on(capsys: Capture) -> None:
    model = SMALL_MODELS / "classifier_uint8.tflite"
    command = ["bench", "--sweep", str(model), "--frames", "4", "--delegate", "/no/such.so"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    *ran, failed = found["settings"]
    assert failed["failed"] == 'The delegate "/no/such.so" cannot be loaded: there is no such file'
    assert all(each["inference_ms"]["median"] > 0 for each in ran)
    # With so few frames XNNPACK may or may not be worth a second line.
    assert found["toml"][0] == f"threads = {found['best']['threads']}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--sweep", "--threads", "2"), "--sweep and --threads exclude each other"),
        (("--sweep", "--row"), "--sweep and --row exclude each other"),
        (("--sweep", "--plot", "x.png"), "--sweep and --plot exclude each other"),
        (("--delegate", "edgetpu"), "--delegate needs --sweep"),
    ],
)
def test_wrong_usage_is_told(arguments: tuple[str, ...], words: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
