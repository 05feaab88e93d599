"""Which runtime is taken and why, and delegates that cannot be loaded."""

from __future__ import annotations

import ctypes
import ctypes.util
import gc
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from edged.engine import runtime as binding
from edged.engine.runtime import Delegate, load_delegate
from edged.errors import DelegateError, RuntimeMissing

LITERT, TFLITE = "ai_edge_litert.interpreter", "tflite_runtime.interpreter"


@pytest.fixture
def fresh() -> Iterator[None]:
    """The runtime is looked for once a process; here, anew."""
    binding.runtime.cache_clear()
    yield
    binding.runtime.cache_clear()


def pretend(monkeypatch: pytest.MonkeyPatch, **modules: ModuleType | None) -> None:
    """Make imports of the two runtimes give these; None: they are not installed."""
    monkeypatch.setitem(sys.modules, LITERT, modules["litert"])
    monkeypatch.setitem(sys.modules, TFLITE, modules["tflite"])


@pytest.mark.usefixtures("fresh")
def test_litert_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    litert = ModuleType(LITERT)
    pretend(monkeypatch, litert=litert, tflite=ModuleType(TFLITE))
    found = binding.runtime()
    assert (found.name, found.module, found.passed_over) == ("ai-edge-litert", litert, ())


@pytest.mark.usefixtures("fresh")
def test_tflite_runtime_is_the_fallback_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, litert=None, tflite=ModuleType(TFLITE))
    found = binding.runtime()
    assert found.name == "tflite-runtime"
    (why,) = found.passed_over
    assert re.fullmatch(r"ai-edge-litert cannot be imported \(.+\)", why)


@pytest.mark.usefixtures("fresh")
def test_a_runtime_that_was_built_for_another_numpy_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "ai_edge_litert"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text("raise AttributeError('_ARRAY_API not found')")
    pretend(monkeypatch, litert=None, tflite=ModuleType(TFLITE))
    for name in (LITERT, "ai_edge_litert"):
        monkeypatch.setitem(sys.modules, name, None)  # so that it is put back as it was
        del sys.modules[name]
    monkeypatch.syspath_prepend(tmp_path)
    assert binding.runtime().passed_over == (
        "ai-edge-litert cannot be imported (_ARRAY_API not found)",
    )


@pytest.mark.usefixtures("fresh")
def test_without_any_runtime_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, litert=None, tflite=None)
    with pytest.raises(RuntimeMissing) as told:
        binding.runtime()
    assert str(told.value).startswith("No TFLite runtime: ai-edge-litert cannot be imported (")
    assert "; tflite-runtime cannot be imported (" in str(told.value)
    assert str(told.value).endswith("Install one with: pip install ai-edge-litert")


def test_the_runtime_in_use_tells_its_version() -> None:
    assert re.match(r"\d+\.\d+", binding.runtime().version)
    assert binding.runtime() is binding.runtime()


# ---- delegates -----------------------------------------------------------------------------------


@pytest.fixture
def half_made(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The runtimes' own Delegate trips over itself when it is thrown away half made."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    yield
    gc.collect()


def refusal(name: str) -> str:
    with pytest.raises(DelegateError) as told:
        load_delegate(Delegate(name, {"device": "usb"}))
    return str(told.value)


def test_a_delegate_of_an_unknown_name_is_told_with_the_known_ones() -> None:
    assert refusal("edgetpo") == (
        'The delegate "edgetpo" is not known. '
        'Name "edgetpu", "none" or the path of a shared library'
    )


def test_a_delegate_whose_file_is_missing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "libdelegate.so"
    assert refusal(str(path)) == f'The delegate "{path}" cannot be loaded: there is no such file'


@pytest.mark.usefixtures("half_made")
def test_a_file_that_is_no_library_is_told(tmp_path: Path) -> None:
    path = tmp_path / "libdelegate.so"
    path.write_text("not a library")
    assert refusal(str(path)).startswith(f'The delegate "{path}" cannot be loaded: {path}: ')


@pytest.mark.usefixtures("half_made")
def test_a_library_that_is_no_delegate_is_told() -> None:
    library = ctypes.util.find_library("m")
    assert library
    told = refusal(library)
    assert told.startswith(f'The delegate "{library}" cannot be loaded: ')
    assert "tflite_plugin_create_delegate" in told


@pytest.mark.usefixtures("half_made")
def test_the_edge_tpus_delegate_is_told_by_name_and_library_where_it_is_not_installed() -> None:
    try:
        ctypes.CDLL("libedgetpu.so.1")
    except OSError:
        told = refusal("edgetpu")
    else:
        pytest.skip("libedgetpu is installed here")
    assert told.startswith('The delegate "edgetpu" (libedgetpu.so.1) cannot be loaded: ')
    assert told.endswith(". Install what it needs, or take `delegate` out of the pipeline")
