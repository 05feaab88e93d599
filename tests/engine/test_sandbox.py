"""What a child may do, and what becomes of it; it runs the tasks of ``confined_tasks``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from edged.engine.sandbox import run_confined
from edged.errors import ModelError, ProbeCancelled


def run(task: str, **options: Any) -> Any:
    return run_confined("confined_tasks", task.encode(), object, **options)


def refusal(task: str, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        run(task, **options)
    return str(caught.value)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline
        pause.wait(0.01)


def is_over(process: int) -> bool:
    """Whether it has ended; one whose parent has not asked how is over, too."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def processes(note: Path) -> list[int]:
    """The child that hangs and the one that it left, once they run."""
    wait_until(note.exists)
    return [int(number) for number in note.read_text().split()]


def descriptors() -> set[str]:
    """What is open here, by what it is."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{link.name} {link.readlink()}")
        except FileNotFoundError:  # the one that lists the directory
            continue
    return {each for each in found if "/proc/" not in each}


# ---- how it is confined --------------------------------------------------------------------------


def test_the_child_has_limits_no_privileges_to_gain_and_a_lower_priority() -> None:
    facts = run("facts")
    assert (facts["status"]["NoNewPrivs"], facts["status"]["Seccomp"]) == ("1", "2")
    assert facts["limits"]["core"] == 0
    assert facts["limits"]["cpu"] == 120
    assert 1 << 30 < facts["limits"]["memory"] <= 4 << 30
    assert facts["limits"]["files"] == 64 << 20
    assert facts["nice"] == min(19, os.nice(0) + 10)
    assert facts["oom_score_adj"] == "1000"
    assert facts["group_of_its_own"]


def test_limits_that_are_lower_already_are_kept() -> None:
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import os, resource\n"
        "from edged.engine.sandbox import run_confined\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "print(run_confined('confined_tasks', b'facts', dict)['limits']['memory'])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert int(said.stdout) <= 2 << 30


def test_the_child_does_not_end_by_signals_that_are_for_the_daemon() -> None:
    ignored = int(run("facts")["status"]["SigIgn"], 16)
    for number in (signal.SIGINT, signal.SIGTERM):
        assert ignored >> (number - 1) & 1


def test_the_child_inherits_no_descriptor() -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        assert run("facts")["open"] == [0, 1, 2, 3]  # 3: where it answers
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_the_child_has_no_network(family: socket.AddressFamily) -> None:
    assert run(f"socket {family.value}") == "PermissionError"


def test_the_child_can_ask_the_kernel_about_usb_devices() -> None:
    assert run(f"socket {socket.AF_NETLINK.value}") == "allowed"


def test_the_child_runs_no_other_program() -> None:
    assert run("exec") == "PermissionError"


# ---- how it ends ---------------------------------------------------------------------------------


def test_what_the_child_prints_is_not_its_answer() -> None:
    assert run("print") == "answered"


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE"])
def test_a_crash_is_a_sentence_with_the_signals_name(name: str) -> None:
    assert refusal(f"die {name}") == f"the runtime crashes ({name}) when it is run"


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("refuse", "it is not good"),
        ("compute_without_end", "it used more than 120 s of processor time being tried"),
        (
            "die SIGKILL",
            "its process was killed when it was run, most likely because it needs more memory "
            "than the machine has left",
        ),
        ("exit 0", "its process ended without an answer when it was run"),
        ("answer_nonsense", "its process ended without an answer when it was run"),
        ("exit 3", "trying it ended with exit status 3: said last"),
        ("break", "trying it ended with exit status 1: ZeroDivisionError: by nothing"),
    ],
)
def test_every_other_end_is_a_sentence_too(task: str, sentence: str) -> None:
    assert refusal(task) == sentence


def test_memory_without_end_is_refused() -> None:
    assert refusal("ask_for_memory").startswith("it needs more than ")


def test_output_without_end_is_refused() -> None:
    assert refusal("write_without_end").startswith("trying it ended with exit status")


def test_a_child_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    note, before = tmp_path / "note", descriptors()
    told = refusal(f"hang {note}", wall_limit_s=2.0)
    assert told == "it did not finish being run within 2 s"
    child, left = processes(note)
    assert not Path(f"/proc/{child}").exists()
    wait_until(lambda: is_over(left))
    assert descriptors() == before


def test_a_cancelled_child_is_gone_at_once_with_what_it_started(tmp_path: Path) -> None:
    note, cancelled, ended = tmp_path / "note", threading.Event(), threading.Event()
    caught: list[BaseException] = []

    def try_it() -> None:
        try:
            run(f"hang {note}", cancelled=cancelled)
        except ProbeCancelled as error:
            caught.append(error)
        ended.set()

    before = descriptors()
    thread = threading.Thread(target=try_it)
    thread.start()
    child, left = processes(note)
    cancelled.set()
    assert ended.wait(PATIENCE_S)
    thread.join()
    assert len(caught) == 1
    assert not Path(f"/proc/{child}").exists()
    wait_until(lambda: is_over(left))
    assert descriptors() == before


def test_what_is_cancelled_beforehand_is_not_tried() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(ProbeCancelled):
        run("print", cancelled=cancelled)


def test_the_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from edged.engine.sandbox import run_confined\n"
        f"run_confined('confined_tasks', b'hang {note}', object)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        child, left = processes(note)
        parent.kill()
    wait_until(lambda: is_over(child))
    # Nobody is there to end the group: a model that forks is beyond what is promised.
    os.kill(left, signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel does not say")
def test_waiting_for_a_processor_is_not_held_against_the_child() -> None:
    """It steps back behind another process on the one core that both may use."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
            assert run("compute", wall_limit_s=5.0) == "done"
            other.kill()
    finally:
        os.sched_setaffinity(0, cores)
