"""The demo of recordings that the bundled activity model has never seen."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from patience import PATIENCE_S
from sampled import Given, block, counted

from edged.demo.sensor import MOTIONS_DIR, Overheard, activities, verdict
from edged.samples import WindowShape
from edged.sources.windowed import WindowedSource

SHOWN = re.compile(r"  #\d+ +[\d.]+ ms   (standing|running|walking|badminton) [01]\.\d\d")


def results(*said: str) -> Sequence[dict[str, object]]:
    return [
        {"sequence": number, "classes": [{"label": label, "score": 0.9}]}
        for number, label in enumerate(said)
    ]


def test_the_recordings_come_in_turns_ten_of_each_activity() -> None:
    assert activities(MOTIONS_DIR) == ["standing", "running", "walking", "badminton"] * 10


def test_a_gap_parts_one_recording_from_the_next() -> None:
    """Of the second recording there is no whole window."""
    blocks = (block(0, counted(0, 9)), block(10, counted(10, 3)), block(14, counted(14, 6)))
    source = Overheard(WindowedSource(Given(blocks, live=False)))
    source.open(WindowShape(None, 4))
    while source.read() is not None:
        pass
    assert source.recordings == [0, 0, 2]


def test_the_verdict_tells_how_often_it_was_right_and_what_was_taken_for_what() -> None:
    lines = verdict(
        results("still", "still", "running", "still"), ["still", "still", "running", "running"]
    )
    assert lines == [
        "accuracy  0.750: 3 of 4 windows of series that the model was not trained on",
        "          was, said        still    running",
        "          still                2          0",
        "          running              1          1",
    ]


def test_it_shows_results_that_came_over_mqtt_and_how_right_they_were() -> None:
    """Until five are shown; then it is stopped as from a keyboard."""
    with subprocess.Popen(
        [sys.executable, "-m", "edged", "demo", "--sensor"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        timer = threading.Timer(PATIENCE_S, demo.kill)
        timer.start()
        lines = []
        for line in demo.stdout:
            lines.append(line.rstrip())
            if len(list(filter(SHOWN.fullmatch, lines))) == 5:
                break
        demo.send_signal(signal.SIGINT)
        rest, errors = demo.communicate()
        timer.cancel()
    assert demo.returncode == 0, errors
    assert "WARNING" not in errors
    assert any(line.startswith("edged/demo/activity/model: activity ") for line in lines)
    assert ", 0 missing in the sequence" in rest
    accuracy = re.search(r"^accuracy  ([\d.]+): (\d+) of (\d+) windows", rest, re.M)
    assert accuracy is not None, rest
    assert float(accuracy[1]) >= 0.9
    assert int(accuracy[3]) >= 5
