"""What is done at the start, and what is not: imports, and a probe that is begun ahead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edged import start
from edged.config import parse_config

PIPELINE = """
[[pipelines]]
name = "front"
model = "m"
source = {kind = "synthetic"}
"""


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int]]:
    found: list[tuple[Path, int]] = []
    monkeypatch.setattr(
        "edged.engine.ahead.begin",
        lambda path, *, threads, delegate: found.append((path, threads)),
    )
    return found


def tried(tmp_path: Path, text: str = PIPELINE) -> None:
    config = parse_config(text.encode(), "edged.toml")
    start._try_ahead(config, tmp_path / "state", tmp_path / "models")


def remember(tmp_path: Path, pipeline: str) -> None:
    place = tmp_path / "state" / "store" / "ledger.json"
    place.parent.mkdir(parents=True)
    good = f'{{"m": {{"good": "{"a" * 64}-{"0" * 8}"}}}}'
    place.write_text(f'{{"pipelines": {{"{pipeline}": {good}}}}}')


def test_the_first_model_is_tried_where_none_is_known_to_be_good(
    tmp_path: Path, begun: list[tuple[Path, int]]
) -> None:
    tried(tmp_path, PIPELINE + "threads = 2\n" + PIPELINE.replace("front", "back"))
    assert begun == [(tmp_path / "models" / "m.tflite", 2)]


def test_one_that_is_known_to_be_good_is_not_tried_again(
    tmp_path: Path, begun: list[tuple[Path, int]]
) -> None:
    remember(tmp_path, "front")
    tried(tmp_path)
    assert begun == []


def test_what_is_known_of_another_pipeline_does_not_count(
    tmp_path: Path, begun: list[tuple[Path, int]]
) -> None:
    remember(tmp_path, "back")
    tried(tmp_path)
    assert len(begun) == 1


def test_a_model_that_must_be_signed_is_not_run_before_it_is_known_to_be(
    tmp_path: Path, begun: list[tuple[Path, int]]
) -> None:
    keys = '[models]\nrequire_signature = true\ntrusted_keys = ["release.pub"]\n'
    tried(tmp_path, keys + PIPELINE)
    assert begun == []


def test_a_delegate_is_not_loaded_ahead(tmp_path: Path, begun: list[tuple[Path, int]]) -> None:
    tried(tmp_path, PIPELINE + 'delegate = "edgetpu"\n')
    assert begun == []


@pytest.mark.parametrize("unwanted", ["numpy", "cv2", "paho", "edged.daemon"])
def test_before_the_probe_is_begun_little_is_imported(unwanted: str) -> None:
    code = f"import sys, edged.cli, edged.start; sys.exit({unwanted!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "unwanted",
    [
        "edged.engine.log_mel",
        "edged.listening",
        "edged.sources.alsa",
        "edged.sources.video",
        "edged.golden_input",
        "cryptography",
        "sqlite3",
        "rich",
    ],
)
def test_the_daemon_imports_nothing_that_its_configuration_does_not_need(unwanted: str) -> None:
    code = (
        f"import sys, edged.cli, edged.start, edged.daemon; sys.exit({unwanted!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
