"""The TFLite runtime in use. Nothing else in edged imports one.

``ai-edge-litert`` is preferred; ``tflite-runtime`` serves where only it installs (32-bit
Raspberry Pi OS). Both give the same ``Interpreter`` and ``load_delegate``.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from ..errors import DelegateError, RuntimeMissing

# In order of preference: the distribution's name and the module with Interpreter in it.
_RUNTIMES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}

# Delegates that people know by name, and the shared library that each means.
_DELEGATE_LIBRARIES = {"edgetpu": "libedgetpu.so.1"}


class Runtime(msgspec.Struct, frozen=True):
    """A TFLite runtime. ``passed_over`` says why a preferred one is not in use."""

    name: str
    module: Any
    passed_over: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        package = sys.modules[self.module.__name__.partition(".")[0]]
        told = getattr(package, "__version__", None)
        if told is None:
            from importlib import metadata  # takes as long as all else of the runtime

            told = metadata.version(self.name)
        return str(told)


class Delegate(msgspec.Struct, frozen=True):
    """A delegate as a pipeline names it: a known name or a shared library's path, with options.

    ``NO_DELEGATE``: the runtime's own kernels alone, without XNNPACK, which it takes by itself.
    """

    name: str
    options: Mapping[str, str | int | float | bool] = msgspec.field(default_factory=dict)


NO_DELEGATE = "none"

_chosen: list[Runtime] = []


def choose(name: str) -> None:
    """Use this very runtime in this process, be it the best or not: for measuring.

    Raises RuntimeMissing.
    """
    try:
        module = importlib.import_module(_RUNTIMES[name])
    except (ImportError, AttributeError) as error:
        raise RuntimeMissing(f"{name} cannot be imported ({error})") from error
    _chosen[:] = [Runtime(name, module)]
    runtime.cache_clear()


def installed() -> list[str]:
    """The names of the runtimes that are there, the preferred one first."""
    return [name for name, module in _RUNTIMES.items() if find_spec(module.partition(".")[0])]


@functools.cache
def runtime() -> Runtime:
    """The one that was chosen, else the best that can be imported. Raises RuntimeMissing."""
    if _chosen:
        return _chosen[0]
    passed_over: list[str] = []
    for name, module in _RUNTIMES.items():
        try:
            return Runtime(name, importlib.import_module(module), tuple(passed_over))
        except (ImportError, AttributeError) as error:  # AttributeError: built for another NumPy
            passed_over.append(f"{name} cannot be imported ({error})")
    raise RuntimeMissing(
        f"No TFLite runtime: {'; '.join(passed_over)}. Install one with: pip install ai-edge-litert"
    )


def load_delegate(delegate: Delegate) -> Any:
    """Load a delegate with the runtime's own loader. Raises DelegateError, which names it."""
    library = _DELEGATE_LIBRARIES.get(delegate.name, delegate.name)
    shown = f'"{delegate.name}"' + (f" ({library})" if library != delegate.name else "")
    if "/" in library and not Path(library).is_file():
        raise DelegateError(f"The delegate {shown} cannot be loaded: there is no such file")
    if library == delegate.name and "/" not in library and ".so" not in library:
        known = ", ".join(f'"{name}"' for name in (*_DELEGATE_LIBRARIES, NO_DELEGATE))
        raise DelegateError(
            f"The delegate {shown} is not known. Name {known} or the path of a shared library"
        )
    try:
        return runtime().module.load_delegate(library, dict(delegate.options))
    except (ValueError, OSError, RuntimeError, AttributeError) as error:
        # AttributeError: the library loads but has no tflite_plugin_create_delegate.
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise DelegateError(
            f"The delegate {shown} cannot be loaded: {reason}. "
            "Install what it needs, or take `delegate` out of the pipeline"
        ) from error
