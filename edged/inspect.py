"""``edged model inspect``: what a model file is, how it would be run, and why."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .config import default_config_path, load_config
from .decoders.weighing import Weighed, explain
from .engine.delegated import Delegated, find_delegated
from .engine.geometry import Fit
from .engine.layers import Graph, read_graph
from .engine.tflite_graph import FileTensor
from .errors import ConfigError, EdgedError, ModelError
from .inputs import Input
from .inspect_graph import graph_json, graph_lines
from .loading import Examined, LoadOptions, try_out, understand
from .reading import describe, read_model
from .records.models import TensorSpec
from .samples import Gives
from .store.minisign import PublicKey
from .store.models import TELLING, ModelFiles, read_model_files_named
from .store.signature import load_keys, state_of
from .toml_text import printable

log = logging.getLogger("edged.inspect")

_LABELS_SHOWN = 10


class Inspected(msgspec.Struct, frozen=True):
    """``problem`` says why the model would be refused; ``examined`` is None then, and ``inputs``
    empty. ``weighed`` is empty too where it does not run. It holds what the input takes with a
    camera and with a sensor, as far as it does.

    ``delegated`` is None where it cannot be run. ``signature`` is the state of the model's
    signature, ``signatures_beside`` that of the files beside it, by name.
    """

    path: Path
    files: ModelFiles
    signature: str
    signatures_beside: Mapping[str, str]
    graph: Graph
    delegated: Delegated | None
    examined: Examined | None
    inputs: tuple[Input, ...]
    weighed: tuple[Weighed, ...]
    problem: str | None


def inspect(path: Path, keys: Sequence[PublicKey] = ()) -> Inspected:
    """Raises ModelError where the file can't be read as a model at all."""
    files = read_model_files_named(path)
    examined, delegated, problem = None, None, None
    inputs: tuple[Input, ...] = ()
    weighed: tuple[Weighed, ...] = ()
    options = LoadOptions(min(4, os.cpu_count() or 1), None, Fit.STRETCH)
    try:
        probed = try_out(files, path, options)
        found = describe(files, probed.inputs, probed.outputs, options.gives)
        weighed = explain(found.outputs, found.told)
        examined = understand(files, probed, options)
        inputs = tuple(_inputs(files, examined))
        delegated = find_delegated(
            path, threads=options.threads, delegate=None, remembers=files.facts.remembers
        )
    except EdgedError as error:
        problem = str(error)
    signature = state_of(path, keys)
    beside = [path.with_name(files.name + ending) for ending in TELLING]
    states = {file.name: state_of(file, keys) for file in beside if file.exists()}
    graph = read_graph(files.data)
    return Inspected(
        path, files, signature, states, graph, delegated, examined, inputs, weighed, problem
    )


def _inputs(files: ModelFiles, examined: Examined) -> Iterator[Input]:
    for gives in Gives:
        with contextlib.suppress(ModelError):
            found = examined.probed
            yield read_model(files, found.inputs, found.outputs, gives).input


def trusted_keys(config: Path | None, environ: Mapping[str, str]) -> tuple[PublicKey, ...]:
    """The keys to hold signatures against: of the configuration that is given, else of the usual
    one, as far as there is one that can be used. Raises ConfigError of one that is given.
    """
    path = config or default_config_path(environ)
    if config is None and not os.access(path, os.R_OK):
        return ()
    try:
        return load_keys(load_config(path).models.trusted_keys)
    except ConfigError as error:
        if config is not None:
            raise
        log.warning("no trusted keys: %s", "; ".join(error.problems))
        return ()


def as_json(inspected: Inspected) -> dict[str, Any]:
    """All that is known, as plain values."""
    files, examined = inspected.files, inspected.examined
    facts = files.facts
    report: dict[str, Any] = {
        "file": str(inspected.path),
        "name": files.name,
        "size_bytes": facts.size_bytes,
        "sha256": facts.sha256,
        "version": facts.sha256[:12],
        "description": facts.description,
        "usable": examined is not None,
        "problem": inspected.problem,
        "task": examined.reading.task.name if examined else files.sidecar.task,
        "task_reason": examined.reading.task.why if examined else None,
        "readings": [_weighed(one) for one in inspected.weighed],
        "inputs": _tensors(examined.probed.inputs if examined else facts.inputs),
        "outputs": _tensors(examined.probed.outputs if examined else facts.outputs),
        "operators": sorted(set(facts.operators)),
        "custom_operators": list(facts.custom_operators),
        "graph": graph_json(inspected.graph, inspected.delegated),
        "pixels": None,
        "samples": None,
        "labels": None,
        "metadata": msgspec.to_builtins(facts.metadata),
        "metadata_problem": facts.metadata_problem,
        "signature": {
            "state": inspected.signature,
            "beside": dict(inspected.signatures_beside),
        },
        "invoke_ms": round(examined.probed.invoke_ms, 3) if examined else None,
    }
    if examined:
        labels = examined.reading.labels
        report |= {input_.what: input_.said for input_ in inspected.inputs}
        report["labels"] = {
            "origin": labels.origin,
            "offset": labels.offset,
            "count": len(labels.names),
            "names": list(labels.names),
        }
    return report


def as_text(inspected: Inspected) -> list[str]:
    """Lines for a person."""
    files, examined = inspected.files, inspected.examined
    facts = files.facts
    lines = [
        f"file       {inspected.path}",
        f"size       {facts.size_bytes:,} bytes",
        f"sha256     {facts.sha256}",
        f"version    {facts.sha256[:12]}",
    ]
    if facts.description:
        lines.append(f"made by    {facts.description}")
    for kind, tensors in (
        ("input", examined.probed.inputs if examined else facts.inputs),
        ("output", examined.probed.outputs if examined else facts.outputs),
    ):
        lines += [f"{kind:<10} {_tensor_text(tensor)}" for tensor in tensors]
    lines.append(f"operators  {', '.join(sorted(set(facts.operators)))}")
    if facts.metadata:
        name = facts.metadata.name or "without a name"
        author = f", by {facts.metadata.author}" if facts.metadata.author else ""
        lines.append(f"metadata   {name}{author}")
    if facts.metadata_problem:
        lines.append(f"metadata   {facts.metadata_problem}")
    lines.append(f"signature  {inspected.signature}")
    if inspected.signature != "none":
        lines += [f"           {name}: {s}" for name, s in inspected.signatures_beside.items()]
    lines += graph_lines(inspected.graph, inspected.delegated)
    lines += _readings(inspected)
    if examined is None:
        lines.append(f"refused    {inspected.problem}")
    else:
        lines += _how_it_runs(examined, inspected.inputs)
    # Names come out of the file: none may play with the terminal.
    return [printable(line) for line in lines]


def _readings(inspected: Inspected) -> Iterator[str]:
    """Those to which something points, or all where there is none such."""
    pointed = [one for one in inspected.weighed if one.what or one.taken]
    word = "readings"
    for one in pointed or inspected.weighed:
        yield f"{word:<10} {str(one).removesuffix(f': {inspected.problem}')}"
        word = ""


def _how_it_runs(examined: Examined, inputs: Sequence[Input]) -> list[str]:
    reading = examined.reading
    shown = ", ".join(reading.labels.names[:_LABELS_SHOWN])
    more = len(reading.labels.names) - _LABELS_SHOWN
    return [
        f"task       {reading.task.name}: {reading.task.why}",
        *(f"{input_.what:<10} {input_.said}" for input_ in inputs),
        f"labels     {reading.labels.origin}"
        + (f": {shown}" if shown else "")
        + (f" and {more:,} more" if more > 0 else ""),
        f"speed      {examined.probed.invoke_ms:.2f} ms for one invocation, just tried",
    ]


def _weighed(one: Weighed) -> dict[str, Any]:
    return {
        "task": one.task,
        "layout": one.layout,
        "what": one.what,
        "taken": one.taken,
        "reason": one.reason,
    }


def _tensors(tensors: tuple[TensorSpec, ...] | tuple[FileTensor, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": tensor.name,
            "shape": list(tensor.shape),
            "shape_signature": list(tensor.shape_signature),
            "dtype": tensor.dtype,
            "quantization": msgspec.to_builtins(tensor.quantization),
        }
        for tensor in tensors
    ]


def _tensor_text(tensor: TensorSpec | FileTensor) -> str:
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    text = f"{tensor.name}  {tensor.dtype} {shape}"
    if tensor.quantization is not None:
        text += f"  {tensor.quantization}"
    return text
