"""The choice of the design by cross-validation over the recordings to train with, and no others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .lessons import scaling, windows
from .measure import VIEWS, Measure
from .network import Design, trained
from .recordings import CLASSES, Recordings

_FOLDS = 5
DESIGNS = (
    *(Design(length) for length in (20, 30, 40)),
    Design(mounting=False),
    Design(mounting=False, gravity=False),
    Design(mounting=False, gravity=False, centred=False),
)


def cross_validated(recordings: Recordings, design: Design, seed: int) -> Mapping[str, Measure]:
    """Of float networks on the windows of series that they have not seen, in each of ``VIEWS``.

    No series is in two folds, and each fold has as many of each class.
    """
    rng = np.random.default_rng(seed)
    fold_of = np.empty(len(recordings), np.int64)
    for number in range(len(CLASSES)):
        (members,) = np.nonzero(recordings.classes == number)
        fold_of[members] = rng.permutation(np.arange(len(members)) % _FOLDS)
    total = {view: Measure.of_nothing() for view in VIEWS}
    for fold in range(_FOLDS):
        learnt, held = recordings.part(fold_of != fold), recordings.part(fold_of == fold)
        scales = scaling(learnt.series)
        network = trained(learnt, scales, design, seed)
        for view, seen in VIEWS.items():
            cut = windows(Recordings(seen(held.series, rng), held.classes), design.length)
            logits = network.predict_on_batch(scales.apply(cut.series))
            total[view] += Measure.of(cut.classes, logits.argmax(1))
    return total
