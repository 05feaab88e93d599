"""What is on the screen: nothing wider than it, nothing lost that matters."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from watching import Feeder, a_model, metrics

from edged.watch.textline import Frame
from edged.watch.view import lines

TITLE = "edged/+ at localhost:1883"


def drawn(
    feeder: Feeder, columns: int = 80, rows: int = 24, trouble: str | None = None
) -> list[str]:
    """The lines, which are held against the size of the screen."""
    wall = feeder.wall.astimezone(UTC)
    frame = Frame(columns, rows, feeder.at_s, wall, TITLE, trouble)
    shown = [line.plain for line in lines(feeder.board, frame)]
    assert len(shown) <= rows
    for line in shown:
        assert cell_len(line) <= columns, line
        assert line.isprintable() or not line, line
    return shown


def steadily(feeder: Feeder, *where: str, seconds: int = 10) -> None:
    """Ten results a second of each."""
    for number in range(seconds * 10):
        feeder.at_s += 0.1
        for each in where:
            feeder.result(number, each, captured_at="")


def test_one_pipeline_that_runs(feeder: Feeder) -> None:
    feeder.take("pi/status", b"online")
    feeder.take("pi/info", {"version": "0.1.0"})
    feeder.take("pi/metrics", metrics(depth=12))
    feeder.health("running")
    feeder.take("pi/front/model", a_model())
    steadily(feeder, "pi/front")
    assert drawn(feeder) == [
        "edged/+ at localhost:1883                   10.0/s  missing 0  twice 0  06:24:10",
        " PIPELINE     STATE          RATE P50ms P95ms MISS/DUP  MODEL",
        "pi  online  spool 12  dropped 0  47 °C  104 MB  up 3 h 12 min  edged 0.1.0",
        " front        running      10.0/s  13.5  13.5      0/0  coco-ssd e4b118e5e453",
        "   06:24:10  cat 0.73                                            inferred 14.9/s",
        "── changes ─────────────────────────────────────────────────────────── q ends ──",
    ]


def test_troubles_are_told_below_their_pipeline_and_among_the_changes(feeder: Feeder) -> None:
    feeder.health("running")
    feeder.at_s += 60
    feeder.health("source-lost", reason="/dev/video0: there is no such device. Is it plugged in?")
    feeder.take("pi/front/model", a_model())
    feeder.take("pi/front/model", a_model(verdict="refused", reason="truncated: " + "very " * 60))
    assert drawn(feeder)[2:] == [
        "pi  status not told",
        " front        source-lost       -     -     -      0/0  coco-ssd e4b118e5e453",
        "   source-lost since 06:20:00: /dev/video0: there is no such device. Is it",
        "     plugged in?",
        "   candidate coco-ssd 999999999999 refused: truncated: very very very very very",
        "     very very very very very very very very very very very very very very very…",
        "── changes ─────────────────────────────────────────────────────────── q ends ──",
        "06:25:00 front: candidate coco-ssd 999999999999 refused: truncated: very very",
        "  very very very very very very very very very very very very very very very",
        "  very very very very very very very very very very very very very very very ve…",
        "06:25:00 front: source-lost since 06:20:00: /dev/video0: there is no such",
        "  device. Is it plugged in?",
    ]


def test_a_pipeline_that_sleeps_is_in_no_trouble_and_tells_what_it_waits_for(
    feeder: Feeder,
) -> None:
    feeder.health("running", reason='asleep until pipeline ear finds "okay nabu"')
    shown = drawn(feeder)
    assert '   running since 06:20:00: asleep until pipeline ear finds "okay nabu"' in shown
    assert not any(pipeline.troubled for pipeline in feeder.board.pipelines)


def test_numbers_are_told_by_their_names(feeder: Feeder) -> None:
    feeder.result(0, detections=[], values={"error": 0.0123456, "score": 1.5}, captured_at="")
    assert any("error 0.01235, score 1.5" in line for line in drawn(feeder))


def test_a_broker_that_is_away_is_told_and_the_rest_stays(feeder: Feeder) -> None:
    steadily(feeder, "pi/front")
    shown = drawn(feeder, trouble="the connection was refused; trying again")
    assert shown[1] == "no connection: the connection was refused; trying again"
    assert any("front" in line for line in shown)


def test_when_nothing_comes_the_screen_says_what_to_look_at(feeder: Feeder) -> None:
    assert drawn(feeder)[1].startswith("connected; nothing has come yet. Does edged run")
    assert drawn(feeder, trouble="connecting")[1] == "no connection: connecting"


def test_a_device_that_is_offline_is_shown_so_and_first(feeder: Feeder) -> None:
    for device in ("a", "b", "c"):
        feeder.take(f"{device}/status", b"online")
        steadily(feeder, f"{device}/front", seconds=1)
    feeder.take("b/status", b"offline")
    devices = [line for line in drawn(feeder)[2:] if line[0] in "abc"]
    assert devices == ["b  OFFLINE", "a  online", "c  online"]


def test_thirty_detections_are_cut_and_the_best_are_kept(feeder: Feeder) -> None:
    found = [{"label": f"thing number {n}", "score": n / 30} for n in range(30)]
    feeder.result(0, detections=found, captured_at="")
    assert "   06:24:00  thing number 29 0.97, thing number 28 0.93, … 28 more" in drawn(feeder)


def test_the_numbers_of_tracked_objects_are_shown(feeder: Feeder) -> None:
    found = [
        {"label": "cat", "score": 0.9, "track": 12},
        {"label": "cat", "score": 0.5, "track": 3},
    ]
    feeder.result(0, detections=[*found, {"label": "dog", "score": 0.4}], captured_at="")
    assert any("cat 0.90 x2 (#12 #3), dog 0.40" in line for line in drawn(feeder))


def test_a_label_that_is_too_long_is_cut(feeder: Feeder) -> None:
    found = [{"label": "l" * 200, "score": 0.9}, {"label": "字" * 200, "score": 0.8}]
    feeder.result(0, detections=found, captured_at="")
    [line] = [line for line in drawn(feeder) if "lll" in line]
    assert line.endswith("… 1 more")
    assert "… 0.90," in line
    drawn(feeder, columns=100)


def test_long_names_leave_the_version_of_the_model_to_be_read(feeder: Feeder) -> None:
    name = "a-model-with-a-very-long-name"
    told = {"active": {"name": name, "version": "e4b118e5e453"}}
    feeder.take("pi/a-pipeline-with-a-very-long-name/model", told)
    [line] = [line for line in drawn(feeder) if "e4b118e5e453" in line]
    assert line.startswith(" a-pipeline-… ")
    assert line.endswith("  a-model-wi… e4b118e5e453")
    [line] = [line for line in drawn(feeder, columns=120) if "e4b118e5e453" in line]
    assert "a-pipeline-with-a-very-long-name" in line
    assert name in line


def many(feeder: Feeder, seconds: int = 10) -> None:
    """Five devices of four pipelines each; one pipeline of the last device is in trouble."""
    places = [f"device{d}/pipeline{p}" for d in range(5) for p in range(4)]
    for place in places:
        feeder.take(f"{place.split('/')[0]}/status", b"online")
        feeder.health("running", place)
        feeder.take(f"{place}/model", a_model())
    steadily(feeder, *places, seconds=seconds)
    feeder.health("degraded", "device4/pipeline3", reason="the camera is slow")


def test_twenty_pipelines_on_a_small_screen_begin_with_what_is_in_trouble(feeder: Feeder) -> None:
    many(feeder)
    shown = drawn(feeder)
    assert len(shown) == 24
    assert shown[0].startswith(TITLE)
    assert "200.0/s" in shown[0]
    assert shown[2] == "device4  online"
    assert shown[3] == (
        " pipeline3    degraded     10.0/s  13.5  13.5      0/0  the camera is slow"
    )
    assert shown[4].endswith("  cat 0.73")
    [rest] = [line for line in shown if "more" in line]
    assert rest == " … 5 more pipelines and 1 more device, none of them in trouble"
    assert shown[-1].endswith("device4/pipeline3: degraded since 06:20:00: the camera is slow")


def test_on_a_large_screen_nothing_is_left_out(feeder: Feeder) -> None:
    many(feeder)
    shown = drawn(feeder, rows=60)
    assert sum(" pipeline" in line[:10] for line in shown) == 20
    assert not any("more" in line for line in shown)
    assert sum("e4b118e5e453" in line for line in shown) == 20


def test_what_is_left_out_and_in_trouble_is_counted(feeder: Feeder) -> None:
    for number in range(40):
        feeder.health("stopped", f"pi/pipeline{number:02}")
    assert any("more pipelines, 25 of them in trouble" in line for line in drawn(feeder))


def test_pipelines_of_devices_that_are_offline_are_in_trouble(feeder: Feeder) -> None:
    for number in range(40):
        feeder.health("running", f"pi{number:02}/front")
        feeder.take(f"pi{number:02}/status", b"offline")
    [rest] = [line for line in drawn(feeder) if "more" in line]
    assert rest == " … 32 more pipelines and 32 more devices, 32 of them in trouble"


def test_lost_results_are_shown(feeder: Feeder) -> None:
    feeder.result(0)
    feeder.result(1204)
    feeder.result(1204)
    shown = drawn(feeder)
    assert "missing 1,203  twice 1" in shown[0]
    assert any("1,203/1" in line for line in shown)
    assert any("1,203 missing in the sequence: #1 to #1203" in line for line in shown)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.integers(1, 80))
def test_whatever_the_size_of_the_screen_it_is_kept_to(columns: int, rows: int) -> None:
    feeder = Feeder()
    many(feeder, seconds=1)
    drawn(feeder, columns, rows)
    drawn(feeder, columns, rows, trouble="the network is down, " * 20)


def test_rich_markup_in_what_comes_is_only_text(feeder: Feeder) -> None:
    label = {"label": "[red]cat[/red] [link=http://x]", "score": 0.9}
    feeder.result(0, "[bold]pi/[b]", detections=[label], captured_at="")
    frame = Frame(80, 24, feeder.at_s, feeder.wall, TITLE, None)
    shown = lines(feeder.board, frame)
    assert any("[red]cat[/red] [link=http://x] 0.90" in line.plain for line in shown)
    assert any(line.plain.startswith("[bold]pi") for line in shown)
    assert not any("red" in str(span.style) for line in shown for span in line.spans)


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_wide_characters_are_counted_as_two_cells(feeder: Feeder, columns: int) -> None:
    feeder.health("stopped", "装置/入口", reason="カメラが見つかりません。" * 20)
    feeder.result(0, "装置/入口", detections=[{"label": "猫" * 30, "score": 0.9}])
    drawn(feeder, columns)
