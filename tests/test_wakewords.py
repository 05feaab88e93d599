"""Real wake word models, held against the detector that their package has.

``scripts/hear_wakewords.py`` does the same with spoken words, and takes minutes.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from household import OPTIONS, SCRIPTS
from msgspec.structs import replace
from patience import PATIENCE_S
from sounds import RATE_HZ, windows, write_wav

from edged.engine.runtime import runtime
from edged.loading import build_model
from edged.records.arrays import FloatArray
from edged.records.decoded import HeardClasses
from edged.samples import Gives, WindowShape
from edged.sources.wav import WavSource
from edged.sources.windowed import WindowedSource
from edged.store.models import read_model_files

PACKAGE = importlib.util.find_spec("pymicro_wakeword")
pytestmark = pytest.mark.skipif(PACKAGE is None, reason="pymicro-wakeword is not installed")
WORDS = ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")


def spoken(text: str, directory: Path) -> FloatArray:
    """A second of silence, the words, half a second of silence: 16 kHz, in steps of 16 bits."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: scripts/test installs it")
    path = directory / "spoken.wav"  # at 22.05 kHz
    subprocess.run(["espeak-ng", "-v", "en-gb", "-s", "160", "-w", path, text], check=True)
    source = WindowedSource(WavSource(path, loop=False, realtime=False))
    source.open(WindowShape(RATE_HZ, 480, 480))
    words = [window.samples[:, 0] for window in iter(source.read, None)]
    source.close()
    silence = np.zeros(RATE_HZ, np.float32)
    sound = np.concatenate([silence, *words, silence[: RATE_HZ // 2]])
    steps: FloatArray = np.rint(sound * 32768).clip(-32768, 32767)
    return (steps / 32768).astype(np.float32)


def models() -> Path:
    assert PACKAGE is not None
    assert PACKAGE.origin is not None
    return Path(PACKAGE.origin).parent / "models"


@pytest.mark.parametrize("word", WORDS)
def test_a_model_says_of_each_moment_what_its_own_detector_says(word: str, tmp_path: Path) -> None:
    text = word.replace("_", " ")
    sound, recording = spoken(text, tmp_path), tmp_path / "words.wav"
    write_wav(recording, sound)
    command = [SCRIPTS / "wakeword_reference.py", models() / f"{word}.json", recording]
    (theirs,) = json.loads(
        subprocess.check_output([sys.executable, *map(str, command)], timeout=PATIENCE_S)
    )
    path = models() / f"{word}.tflite"
    options = replace(OPTIONS, gives=Gives.WINDOWS)
    model = build_model(word, read_model_files(path), path, options, None)
    heard = [model.infer(window).decoded for window in windows(sound)]
    moments = (each.scores for each in heard if isinstance(each, HeardClasses))
    ours = [scores.item() for scores in itertools.chain.from_iterable(moments)]
    assert len(ours) == len(sound) // 480 - 1
    if runtime().name == "ai-edge-litert":
        assert ours == theirs["probabilities"][: len(ours)]
    else:  # its kernels round otherwise
        np.testing.assert_allclose(ours, theirs["probabilities"][: len(ours)], atol=0.2)
    assert model.reading.labels.known == (text.title(),)
    if word != "hey_jarvis":  # which knows no voice of espeak-ng's
        assert theirs["heard_s"]
        assert max(ours) > 0.5
