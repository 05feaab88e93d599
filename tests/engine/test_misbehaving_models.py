"""The models that go wrong after 20 frames: good when they are tried, and as bad as they say."""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edged.engine.interpreter import Engine
from edged.engine.probe import probe
from edged.errors import ModelError

MODELS = Path(__file__).resolve().parent.parent / "models"
GOOD = 20

RUN_UNTIL_IT_FAILS = """
import sys
from pathlib import Path
from edged.engine.interpreter import Engine
engine = Engine(Path(sys.argv[1]), threads=1)
engine.feedback = {1: 1}
engine.reset_state()
for frame in range(25):
    print(frame, flush=True)
    engine.invoke()
"""


def path_of(fault: str) -> Path:
    return MODELS / f"{fault}_after_20.tflite"


def started(fault: str) -> Engine:
    engine = Engine(path_of(fault), threads=1)
    engine.feedback = {1: 1}
    engine.reset_state()
    return engine


def red(engine: Engine) -> float:
    engine.input_view(0)[...] = (255, 0, 0)
    engine.invoke()
    return float(engine.output(0)[0, 0])


@pytest.mark.parametrize("fault", ["nan", "error", "slow", "crash", "hang"])
def test_each_is_good_when_it_is_tried_and_for_20_frames(fault: str) -> None:
    assert probe(path_of(fault), threads=1, delegate=None).not_finite == ()
    engine = started(fault)
    assert [red(engine) for _ in range(GOOD)] == pytest.approx([0.909] * GOOD, abs=0.001)


def test_one_gives_no_numbers_from_then_on_and_is_good_again_when_loaded_anew() -> None:
    engine = started("nan")
    scores = [red(engine) for _ in range(GOOD + 5)]
    assert np.isnan(scores[GOOD:]).all()
    engine.reset_state()
    assert red(engine) == pytest.approx(0.909, abs=0.001)


def test_one_gives_an_error_from_then_on() -> None:
    engine = started("error")
    for _ in range(GOOD):
        red(engine)
    with pytest.raises(ModelError, match="the runtime cannot run it: gather index out of bounds"):
        red(engine)


def test_one_takes_at_least_four_times_as_long_from_then_on() -> None:
    engine = started("slow")
    took = []
    for _ in range(3 * GOOD):
        start = time.thread_time()  # of the one thread that runs it, whatever else goes on
        red(engine)
        took.append(time.thread_time() - start)
    assert statistics.median(took[GOOD:]) > 4 * statistics.median(took[1:GOOD])


def test_one_never_gives_the_21st_frame_back() -> None:
    command = [sys.executable, "-c", RUN_UNTIL_IT_FAILS, str(path_of("hang"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert [int(next(child.stdout)) for _ in range(GOOD + 1)] == list(range(GOOD + 1))
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(timeout=1)
        finally:
            child.kill()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86_64 minds the division")
def test_one_ends_its_process_at_the_21st_frame() -> None:
    command = [sys.executable, "-c", RUN_UNTIL_IT_FAILS, str(path_of("crash"))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout.split()[-1], ended.returncode) == ("20", -8)
