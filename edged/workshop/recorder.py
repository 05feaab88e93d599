"""``edged model test``: golden results recorded, and a model held against those that are."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..engine.geometry import Fit
from ..errors import EdgedError
from ..golden import MOST, Given, HowToRun, find_results, read_golden
from ..golden_found import differences, expectation, spans
from ..inputs import LogMelInput, PictureInput, StreamInput
from ..loading import LoadOptions, examine
from ..reading import Reading
from ..samples import Gives, Window
from ..sources.csv_table import CsvSource
from ..sources.wav import WavSource
from ..store.atomic import DISK, Disk
from ..store.golden_tables import ExpectTable, GoldenTable
from ..store.models import ModelFiles, read_model_files_named
from .data import Data, find_data
from .recorded import refuse_missing, with_golden
from .subject import take

Tell = Callable[[str], None]


def record(path: Path, directory: Path, tolerance: float, tell: Tell, disk: Disk = DISK) -> None:
    """Let what the model at ``path`` makes of the data in ``directory`` be golden: write it into
    its sidecar, and the inputs into ``NAME.golden`` beside it. Raises EdgedError.
    """
    refuse_missing()
    data = find_data(directory)
    if len(data.files) > MOST:
        raise EdgedError(
            f"{directory} holds {data.said}, and at most {MOST} golden inputs are tried at a swap. "
            "Name a directory with a choice of them"
        )
    subject = take(path, data)
    reading, options = subject.examined.reading, subject.options
    place = f"{subject.files.name}.golden"
    given = _named_apart(place, [_given(data, file, reading) for file in data.files])
    how = HowToRun(path, options.threads, None, subject.files.facts.remembers)
    results = find_results(given, how, reading)
    apart = spans(results)
    expected = [expectation(found, tolerance, apart) for found in results]
    for each, expect in zip(given, expected, strict=True):
        tell(f"{each.name}: {said(expect)}")
    tables = [GoldenTable(g.name, e) for g, e in zip(given, expected, strict=True)]
    _write(path, subject.files, given, tables, disk)
    toml = path.with_name(f"{subject.files.name}.toml")
    count = f"{len(tables)} golden input{'s' * (len(tables) != 1)}"
    tell(f"wrote {count} into {toml}; a model that gives anything else is refused there")
    if ".toml.minisig" in subject.files.beside:
        tell(f"note: {toml} is signed; sign it anew: minisign -S -m {toml}")


def hold(path: Path, tell: Tell) -> bool:
    """Whether the model at ``path`` gives what its sidecar expects. Raises EdgedError."""
    files = read_model_files_named(path)
    goldens = read_golden(files.sidecar.goldens, path.parent)
    if not goldens:
        raise EdgedError(
            f"{files.name}.toml names no golden inputs. Record what the model gives now: "
            f"edged model test {path} --golden DIRECTORY"
        )
    options = LoadOptions(min(4, os.cpu_count() or 1), None, Fit.STRETCH, _gives(goldens[0].given))
    reading = examine(files, path, options).reading
    how = HowToRun(path, options.threads, None, files.facts.remembers)
    results = find_results([golden.given for golden in goldens], how, reading)
    wrong = 0
    for golden, found in zip(goldens, results, strict=True):
        told = list(differences(golden.expect, found))
        wrong += bool(told)
        tell(f"{golden.given.name}: " + ("; ".join(told) if told else "as expected"))
    tell(f"{len(goldens) - wrong} of {len(goldens)} golden inputs give what is expected")
    return not wrong


def said(expect: ExpectTable) -> str:
    """What is expected, in a few words."""
    match expect.kind:
        case "label":
            return f"{expect.label} {expect.score:.2f}"
        case "words" | "detections":
            found = expect.words if expect.words is not None else expect.detections
            return ", ".join(f"{each.label} {each.score:.2f}" for each in found or ()) or "nothing"
        case "regions":
            return ", ".join(f"{r.label} {r.fraction:.1%}" for r in expect.regions or ())
        case "people":
            return ", ".join(f"a person {p.score:.2f}" for p in expect.people or ()) or "nobody"
    values = expect.values or ()
    return ", ".join(f"{v.label} {v.value:.6g} ± {v.tolerance:g}" for v in values)


def _gives(first: Given) -> Gives | None:
    """What such an input is given by; None where it does not matter, or is not known."""
    suffix = Path(first.name).suffix.lower()
    if suffix in (*CsvSource.suffixes, *WavSource.suffixes):
        return Gives.WINDOWS
    if suffix != ".npy":
        return Gives.FRAMES
    try:
        array = np.load(io.BytesIO(first.data), allow_pickle=False)
    except (ValueError, EOFError):
        return None  # told when it is read
    return Gives.FRAMES if array.dtype == np.uint8 else Gives.WINDOWS


# ---- inputs --------------------------------------------------------------------------------------


def _given(data: Data, file: Path, reading: Reading) -> Given:
    """A table whose windows are not all looked at is kept as its first window."""
    name = "-".join(file.relative_to(data.directory).parts)
    if file.suffix.lower() in CsvSource.suffixes and reading.task.keyword is None:
        return Given(f"{Path(name).stem}.npy", _first_window(data, file, reading))
    try:
        return Given(name, file.read_bytes())
    except OSError as error:
        raise EdgedError(f"{file} cannot be read: {error.strerror}") from error


def _first_window(data: Data, file: Path, reading: Reading) -> bytes:
    input_ = reading.input
    assert not isinstance(input_, PictureInput | StreamInput)
    rule = input_.sound if isinstance(input_, LogMelInput) else input_.samples
    why: list[str] = []
    example = next(data.read(file, rule.shape, why.append), None)
    if example is None:
        told = why[0] if why else f"it is shorter than a window of {rule.shape.length} samples"
        raise EdgedError(f"{file.name} gives no window: {told}")
    window = example.item
    assert isinstance(window, Window)
    places = rule.places_in(window.channels)
    samples = window.samples if places is None else window.samples[:, places]
    array = io.BytesIO()
    np.save(array, np.ascontiguousarray(samples))
    return array.getvalue()


def _named_apart(place: str, given: Sequence[Given]) -> list[Given]:
    """Each in the directory ``place``, under a name that no other has."""
    taken: set[str] = set()
    named = []
    for each in given:
        name, number = each.name, 1
        while name in taken:
            number += 1
            name = f"{Path(each.name).stem}-{number}{Path(each.name).suffix}"
        taken.add(name)
        named.append(Given(f"{place}/{name}", each.data))
    return named


# ---- what is written -----------------------------------------------------------------------------


def _write(
    path: Path,
    files: ModelFiles,
    given: Sequence[Given],
    tables: Sequence[GoldenTable],
    disk: Disk,
) -> None:
    """The inputs first, then the sidecar that names them, then away with those that nobody names
    any more. Raises EdgedError.
    """
    toml = path.with_name(f"{files.name}.toml")
    place = f"{files.name}.golden/"
    old = [each.input for each in files.sidecar.goldens if each.input.startswith(place)]
    text = with_golden(files.beside.get(".toml", b""), str(toml), tables, old)
    names = {each.name for each in given}
    try:
        (path.parent / place).mkdir(exist_ok=True)
        for each in given:
            target = path.parent / each.name
            if not (target.is_file() and target.read_bytes() == each.data):
                disk.write_atomically(target, each.data)
        disk.write_atomically(toml, text)
        for name in set(old) - names:
            (path.parent / name).unlink(missing_ok=True)
    except OSError as error:
        raise EdgedError(
            f"cannot write the golden results beside {path}: {error.strerror}. Nothing is "
            f"half-written, and {toml.name} is as it was"
        ) from error
