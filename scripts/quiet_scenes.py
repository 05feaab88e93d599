"""Scenes for scripts/bench_quiet.py: a still one, and acts of things that come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edged.config import Gate
from edged.engine.geometry import Fit
from edged.filter import Filter
from edged.gate import MotionGate, MotionRule
from edged.loading import LoadOptions, build_model, examine
from edged.records.arrays import UInt8Array
from edged.records.frames import Frame, PixelOrder, Size
from edged.records.results import labels_of
from edged.sources.backdrop import BACKDROPS
from edged.store.models import read_model_files

RATE_HZ = 15
LASTING = 5  # frames
SIGMA = 4.0  # of the noise, in levels
SMALL, HD = Size(640, 480), Size(1280, 720)
ACT_S, PAUSE_S = 8.0, 4.0
CORNERS = {"circle": (64, 0.85), "square": (4, 1.0), "triangle": (3, 1.0)}

Way = Callable[[float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Act:
    """``way``: from the share of its time (0..1) to the centre, in shares of the frame.

    ``contrast``: levels of all channels, beside the backdrop's mean; ``radius`` in shares of the
    frame's height.
    """

    what: str
    label: str
    contrast: int
    radius: float
    way: Way


def crossing(share: float) -> tuple[float, float]:
    return -0.2 + 1.4 * share, 0.5


def pausing(share: float) -> tuple[float, float]:
    """Comes in, stands for three fifths of its time, and goes on."""
    x = 2.5 * min(share, 0.2) + 2.5 * max(0.0, share - 0.8)
    return -0.2 + 1.4 * x, 0.5


def creeping(share: float) -> tuple[float, float]:
    return 0.4 + 0.04 * share, 0.55


def falling(share: float) -> tuple[float, float]:
    return 0.6, -0.25 + 1.5 * share


def staying(share: float) -> tuple[float, float]:
    """There at once, as after a cut."""
    return 0.55, 0.45


WAYS = {f.__name__: f for f in (crossing, pausing, creeping, falling, staying)}
LOOKS = {"plain": (90, 0.17), "small": (90, 0.08), "dim": (30, 0.17), "dark": (-50, 0.14)}
ACTS = tuple(
    Act(f"{look}, {way}", label, contrast, radius, go)
    for (look, (contrast, radius)), label in zip(
        LOOKS.items(), ("circle", "square", "triangle", "circle"), strict=True
    )
    for way, go in WAYS.items()
)


@dataclass(frozen=True, slots=True)
class Events:
    """``changes``: of the labels found in every frame, that last for ``LASTING`` frames; ``lost``:
    those that the gated run does not come to within their time and so many frames. ``seen``: acts
    whose label is found in some frame of theirs.
    """

    frames: int
    inferred: int
    changes: int
    lost: int
    acts: int
    seen: int
    seen_gated: int


def noises(size: Size) -> list[UInt8Array]:
    """Four of them, 128 where nothing is added; they hang together as a camera's do."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(4):
        noise = rng.normal(size=(size.height, size.width, 3)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), 0.7)
        found.append((noise / noise.std() * SIGMA + 128.5).astype(np.uint8))
    return found


def with_noise(picture: UInt8Array, noise: UInt8Array) -> UInt8Array:
    return np.asarray(cv2.addWeighted(picture, 1, noise, 1, -128), np.uint8)


def still_scene() -> UInt8Array:
    """Four frames of 1280x720, n x H x W x 3, that differ by noise alone."""
    picture = BACKDROPS[3](np.random.default_rng(3), HD)
    return np.stack([with_noise(picture, noise) for noise in noises(HD)])


def draw(picture: UInt8Array, act: Act, share: float) -> UInt8Array:
    count, size = CORNERS[act.label]
    angles = np.arange(count) * (2 * np.pi / count) + 0.4
    corners = np.stack([np.cos(angles), np.sin(angles)], axis=1) * act.radius * size * SMALL.height
    centre = np.array(act.way(share)) * (SMALL.width, SMALL.height)
    level = float(np.clip(picture.mean() + act.contrast, 0, 255))
    shown = picture.copy()
    points = np.rint((corners + centre) * 16).astype(np.int32)
    cv2.fillPoly(shown, [points], (level,) * 3, cv2.LINE_AA, 4)
    return shown


def frames(backdrop: int) -> Iterator[tuple[int | None, UInt8Array]]:
    """With the number of the act that is on."""
    noise = noises(SMALL)
    number = 0
    for at, act in enumerate(ACTS):
        picture = BACKDROPS[backdrop](np.random.default_rng(at), SMALL)
        for step in range(round((PAUSE_S + ACT_S) * RATE_HZ)):
            share = (step / RATE_HZ - PAUSE_S) / ACT_S
            on = share >= 0
            shown = draw(picture, act, share) if on else picture
            yield at if on else None, with_noise(shown, noise[number % len(noise)])
            number += 1


def compare(path: Path) -> dict[str, Events]:
    """By backdrop."""
    options = LoadOptions(threads=1, delegate=None, fit=Fit.STRETCH)
    files = read_model_files(path)
    reading = examine(files, path, options).reading
    model = build_model(path.stem, files, path, options, reading)
    chosen = Filter(reading.labels.name, threshold=0.5, allowed=None, max_results=25)
    defaults = Gate(kind="motion")
    rule = MotionRule(defaults.contrast, defaults.share, defaults.hold_s, defaults.heartbeat_s)
    found = {}
    for number in (0, 3, 4):
        gate, inferred = MotionGate(rule), 0
        every: list[frozenset[str]] = []
        gated: list[frozenset[str]] = []
        acts: list[int | None] = []
        for at, (act, pixels) in enumerate(frames(number)):
            at_ns = at * 1_000_000_000 // RATE_HZ
            frame = Frame(at, at_ns, at_ns, pixels, PixelOrder.RGB)
            inference = model.infer(frame)
            every.append(labels_of(chosen.apply(inference.decoded, inference.placement)))
            passes = gate.lets_pass(frame)
            inferred += passes
            gated.append(every[-1] if passes else gated[-1])
            acts.append(act)
        changes = lasting(every)
        lost = sum(labels not in gated[a : b + LASTING] for a, b, labels in changes)
        seen, seen_gated = seen_in(every, acts), seen_in(gated, acts)
        found[BACKDROPS[number].__name__] = Events(
            len(every), inferred, len(changes), lost, len(ACTS), seen, seen_gated
        )
    return found


def lasting(labels: list[frozenset[str]]) -> list[tuple[int, int, frozenset[str]]]:
    """From which frame to before which one, and what is found; two on end differ."""
    found: list[tuple[int, int, frozenset[str]]] = []
    begin = 0
    for at in range(1, len(labels) + 1):
        if at == len(labels) or labels[at] != labels[begin]:
            if at - begin >= LASTING and not (found and found[-1][2] == labels[begin]):
                found.append((begin, at, labels[begin]))
            begin = at
    return found


def seen_in(labels: list[frozenset[str]], acts: list[int | None]) -> int:
    pairs = zip(labels, acts, strict=True)
    return len({act for found, act in pairs if act is not None and ACTS[act].label in found})
