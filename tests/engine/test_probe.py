"""What a model breaks in its own process, and what is told of it here."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from household import SMALL_MODELS

from edged.engine import probe as module
from edged.engine.probe import Probed, probe
from edged.errors import ModelError

PATIENCE_S = 20.0
REPO = Path(__file__).resolve().parent.parent.parent


def tried(path: Path, wall_limit_s: float = PATIENCE_S) -> Probed:
    return probe(path, threads=1, delegate=None, wall_limit_s=wall_limit_s)


def refusal(path: Path, wall_limit_s: float = PATIENCE_S) -> str:
    with pytest.raises(ModelError) as told:
        tried(path, wall_limit_s)
    return str(told.value)


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A pipe that nobody writes to: whoever opens it waits for ever."""
    path = tmp_path / "endless.tflite"
    os.mkfifo(path)
    return path


def test_a_sound_model_gives_its_tensors_and_its_speed() -> None:
    found = tried(SMALL_MODELS / "detector_tf1.tflite")
    assert [(tensor.shape, tensor.dtype) for tensor in found.inputs] == [((1, 32, 32, 3), "uint8")]
    # The file does not tell these shapes: they are known once it has run.
    assert [output.shape for output in found.outputs] == [(1, 10, 4), (1, 10), (1, 10), (1,)]
    assert 0 < found.invoke_ms < 1000


def opened() -> int:
    """How many files this process holds open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_model_that_aborts_ends_its_own_process_and_nothing_is_left(
    testdata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a core would be dropped
    before = opened(), children(os.getpid())
    bad = testdata / "bad-models" / "aborts_on_invoke.tflite"
    assert refusal(bad).startswith("the runtime crashes (SIGABRT) when it is ")
    assert list(tmp_path.iterdir()) == []
    assert (opened(), children(os.getpid())) == before


def test_a_model_that_does_not_finish_is_ended_and_told(endless: Path) -> None:
    before = children(os.getpid())
    assert refusal(endless, 0.3) == "it did not finish being loaded within 0.3 s"
    assert children(os.getpid()) == before


def test_a_model_that_needs_more_than_the_limit_of_memory_is_told_so() -> None:
    assert "memory" in refusal(SMALL_MODELS / "greedy.tflite")


def test_a_file_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    told = refusal(tmp_path / "none.tflite")
    assert told.startswith("the runtime cannot load it: ")
    assert "none.tflite" in told


@pytest.mark.parametrize(
    ("status", "output", "told"),
    [
        (-signal.SIGSEGV, b"load\n", "the runtime crashes (SIGSEGV) when it is loaded"),
        (-signal.SIGSEGV, b"load\ninvoke\n", "the runtime crashes (SIGSEGV) when it is run"),
        (-signal.SIGXCPU, b"load\n", "it used more than 120 s of processor time being tried"),
        (
            -signal.SIGKILL,
            b"load\ninvoke\n",
            "the system killed it when it was run, most likely for want of memory",
        ),
        (1, b"load\n", "trying it ended with exit status 1: ImportError: no numpy"),
        (0, b"", "trying it ended with exit status 0: ImportError: no numpy"),
    ],
)
def test_every_end_of_the_process_is_a_sentence(status: int, output: bytes, told: str) -> None:
    errors = b"Traceback (most recent call last):\nImportError: no numpy\n"
    with pytest.raises(ModelError) as raised:
        module._verdict(subprocess.CompletedProcess([], status, output, errors))
    assert str(raised.value) == told


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPO,
    )


def test_the_processor_limit_says_that_it_was_the_limit() -> None:
    script = """
        from edged.engine import probe
        probe._CPU_LIMIT_S = 1
        probe._limit_resources()
        while True:
            pass
    """
    with python(script) as process:
        assert process.wait(PATIENCE_S) == -signal.SIGXCPU


def test_limits_that_are_lower_already_are_kept() -> None:
    script = """
        import os, resource
        from edged.engine import probe
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        if os.geteuid() == 0:
            os.setuid(65534)  # root may raise limits
        probe._limit_resources()
        print(resource.getrlimit(resource.RLIMIT_AS))
    """
    with python(script) as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert said.strip() == str((3 << 30, 3 << 30))


def children(pid: int) -> list[int]:
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def wait_until(what: str, holds: Callable[[], object]) -> None:
    """For states of /proc, which tells nobody when they change."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.01)


def ignores(pid: int, number: signal.Signals) -> bool:
    """Whether a process ignores a signal: SigIgn of proc(5)."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_the_process_of_a_try_ends_with_the_daemon_and_not_by_its_signals(endless: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from edged.engine.probe import probe
        probe(Path(sys.argv[1]), threads=1, delegate=None)
    """
    with python(script, str(endless)) as daemon:
        wait_until("it starts a process", lambda: children(daemon.pid))
        (child,) = children(daemon.pid)
        wait_until("it is set up", lambda: ignores(child, signal.SIGTERM))
        ended = os.pidfd_open(child)
        os.kill(child, signal.SIGTERM)
        os.kill(child, signal.SIGINT)
        assert not select.select([ended], [], [], 0.1)[0]
        daemon.kill()
    try:
        assert select.select([ended], [], [], PATIENCE_S)[0]
    finally:
        os.close(ended)
