"""From a name to a model that can serve: read, keep a private copy, probe, understand, load."""

from __future__ import annotations

import functools
import threading
from collections.abc import Hashable, Sequence
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from .engine.engines import Engines
from .engine.geometry import Fit
from .engine.interpreter import Engine
from .engine.probe import Probed, probe
from .engine.runtime import Delegate
from .engine.tflite_file import unusable_reason
from .errors import ModelError
from .golden import Golden, HowToRun, check_golden
from .inputs import StreamInput
from .model import Model
from .reading import Reading, read_model
from .records.models import ModelSpec
from .samples import Gives
from .store.models import ModelFiles


class LoadOptions(msgspec.Struct, frozen=True):
    """What a pipeline asks for. ``gives``: what its source does; None: no source is known.
    ``batch``: how many pictures it may look at at once.
    """

    threads: int
    delegate: Delegate | None
    fit: Fit
    gives: Gives | None = None
    batch: int = 1


Loaded = WeakValueDictionary[Hashable, Engines]
"""What serves, and can be shared: for as long as any model uses it."""


class Examined(msgspec.Struct, frozen=True):
    """A model that was tried and understood, not loaded here."""

    probed: Probed
    reading: Reading


def examine(
    files: ModelFiles,
    path: Path,
    options: LoadOptions,
    goldens: Sequence[Golden] = (),
    cancelled: threading.Event | None = None,
) -> Examined:
    """Try the model at ``path`` (whose bytes are ``files.data``) and read what it is.

    Raises ModelError, and ProbeCancelled soon after ``cancelled`` is set. Nothing of the model is
    run in this process.
    """
    examined = understand(files, try_out(files, path, options, cancelled), options)
    if goldens:
        how = HowToRun(path, options.threads, options.delegate, files.facts.remembers)
        check_golden(goldens, how, examined.reading, cancelled)
    return examined


def try_out(
    files: ModelFiles,
    path: Path,
    options: LoadOptions,
    cancelled: threading.Event | None = None,
) -> Probed:
    """The first part of ``examine``: whether it runs, and what its tensors are then."""
    threads, delegate = options.threads, options.delegate
    reason = unusable_reason(files.facts, delegate.name if delegate else None)
    if reason is not None:
        raise ModelError(reason)
    return probe(
        path,
        threads=threads,
        delegate=delegate,
        remembers=files.facts.remembers,
        batch=options.batch,
        sha256=files.facts.sha256,
        budget_ms=files.sidecar.latency_budget_ms,
        cancelled=cancelled,
    )


def understand(files: ModelFiles, probed: Probed, options: LoadOptions) -> Examined:
    """The second part: what it is."""
    reading = read_model(
        files, probed.inputs, probed.outputs, options.gives, batches=options.batch > 1
    )
    for outputs in probed.doubtful_outputs(reading.task.stored):
        reading.task.decoder.decode(outputs)  # knows which of the numbers count
    return Examined(probed, reading)


def build_model(
    name: str,
    files: ModelFiles,
    path: Path,
    options: LoadOptions,
    reading: Reading | None,
    *,
    loaded: Loaded | None = None,
) -> Model:
    """The model whose private copy lies at ``path``, loaded and warmed up.

    ``reading`` None: the model is known to be good, and is read from the interpreter itself.
    ``loaded``: what it may share with others. Raises ModelError, DelegateError.
    """
    engines = _engines(files, path, options, loaded)
    if reading is None:
        reading = read_model(
            files, engines.inputs, engines.outputs, options.gives, batches=options.batch > 1
        )
    spec = ModelSpec(
        name=name,
        sha256=files.facts.sha256,
        size_bytes=files.facts.size_bytes,
        task=reading.task.name,
        labels=reading.labels.known,
    )
    return kind_of(reading)(spec, engines, reading, options.fit)


def _engines(files: ModelFiles, path: Path, options: LoadOptions, loaded: Loaded | None) -> Engines:
    """Those that others use already, where they can be shared."""
    remembers = files.facts.remembers
    load = functools.partial(_warm_engine, path, options.threads, options.delegate, remembers)
    if loaded is None or files.facts.may_have_state:
        return Engines(load())
    key = (path, options.threads, repr(options.delegate))
    engines = loaded.get(key)
    if engines is None:
        engines = loaded[key] = Engines(load(), another=load)
    return engines


def _warm_engine(path: Path, threads: int, delegate: Delegate | None, remembers: bool) -> Engine:
    """With all memory in place for the first frame, and all shapes of outputs known."""
    engine = Engine(path, threads=threads, delegate=delegate, remembers=remembers)
    # What the memory happens to hold may be an index out of bounds, or a loop without end.
    for position in range(len(engine.inputs)):
        engine.input_view(position)[...] = 0
    engine.invoke()
    return engine


def kind_of(reading: Reading) -> type[Model]:
    """Of what kind the model of such a reading is."""
    if reading.task.keyword is None:
        return Model
    from .listening import ListeningModel, StreamModel  # what only models that hear need

    return StreamModel if isinstance(reading.input, StreamInput) else ListeningModel
