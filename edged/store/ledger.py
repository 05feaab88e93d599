"""The vault's memory: which versions came, what is known good, what is on trial, what failed.

A ``Ledger`` is a value: each change gives another one, and the vault writes that before it goes by
it. In ``ledger.json`` it is plain JSON. The order of versions is that of a counter: a Pi's clock
may be wrong.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

PLACE = Path("store/ledger.json")
"""Where it is, seen from the state directory."""

Bundle = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}-[0-9a-f]{8}\Z")]


class Version(Struct, frozen=True):
    """A bundle as it came under a model's name.

    ``number`` counts arrivals, of all names. ``came_at`` is by the wall clock of that moment, which
    may have been wrong. ``signed_version`` is that of the signature's trusted comment.
    """

    bundle: Bundle
    size_bytes: int
    number: int
    came_at: Annotated[datetime, Meta(tz=True)]
    signed_version: int | None

    @property
    def sha256(self) -> str:
        return self.bundle[:64]

    @property
    def version(self) -> str:
        """As it is published: ``ModelSpec.version``."""
        return self.bundle[:12]


class Standing(Struct, frozen=True, omit_defaults=True):
    """What a pipeline knows of a model's bundles: the one that is good, the one on trial, and why
    others failed. ``died``: the one in whose trial a daemon has died once, when none was good.
    """

    good: Bundle | None = None
    trial: Bundle | None = None
    failures: dict[Bundle, str] = {}
    died: Bundle | None = None


class Ledger(Struct, frozen=True):
    """``models``: versions by model name, the newest first. ``pipelines``: standings by pipeline
    and model name. ``arrivals``: how many versions ever came.
    """

    schema: Literal["edged.ledger/1"] = "edged.ledger/1"
    arrivals: int = 0
    models: dict[str, tuple[Version, ...]] = {}
    pipelines: dict[str, dict[str, Standing]] = {}

    # ---- what it tells -----------------------------------------------------------------------

    def versions(self, name: str) -> tuple[Version, ...]:
        """The kept versions of a model, the newest first."""
        return self.models.get(name, ())

    def standing(self, pipeline: str, model: str) -> Standing:
        return self.pipelines.get(pipeline, {}).get(model, Standing())

    def failure(self, bundle: str, pipeline: str | None = None) -> str | None:
        """Why it failed its trial in that pipeline, or in any; None where it did not."""
        told = (self.pipelines.get(pipeline, {}),) if pipeline else self.pipelines.values()
        reasons = (s.failures.get(bundle) for standings in told for s in standings.values())
        return next((reason for reason in reasons if reason is not None), None)

    def bundles(self) -> set[str]:
        """All that are kept under any name."""
        return {version.bundle for versions in self.models.values() for version in versions}

    def in_use(self) -> set[str]:
        """What is good or on trial anywhere."""
        standings = (s for by_model in self.pipelines.values() for s in by_model.values())
        return {bundle for s in standings for bundle in (s.good, s.trial) if bundle is not None}

    # ---- what it becomes ---------------------------------------------------------------------

    def with_version(self, name: str, came: Version, *, stays: bool) -> Ledger:
        """With a bundle that came under ``name``; its ``number`` is given here.

        One that is there already becomes the newest, unless it ``stays`` where it is.
        """
        versions = self.versions(name)
        here = next((version for version in versions if version.bundle == came.bundle), None)
        if here is not None and (stays or here is versions[0]):
            signed = replace(here, signed_version=came.signed_version)
            placed = tuple(signed if version is here else version for version in versions)
            return replace(self, models={**self.models, name: placed})
        others = tuple(version for version in versions if version is not here)
        newest = replace(came, number=self.arrivals)
        models = {**self.models, name: (newest, *others)}
        return replace(self, arrivals=self.arrivals + 1, models=models)

    def with_standing(self, pipeline: str, model: str, standing: Standing) -> Ledger:
        by_model = {**self.pipelines.get(pipeline, {}), model: standing}
        return replace(self, pipelines={**self.pipelines, pipeline: by_model})

    def on_trial(self, pipeline: str, model: str, bundle: str) -> Ledger:
        """What is good needs no trial, and one that is tried again has not failed yet."""
        before = self.standing(pipeline, model)
        failures = {b: reason for b, reason in before.failures.items() if b != bundle}
        trial = None if before.good == bundle else bundle
        died = bundle if before.died == bundle else None
        return self.with_standing(pipeline, model, Standing(before.good, trial, failures, died))

    def passed(self, pipeline: str, model: str, bundle: str) -> Ledger:
        """What is on trial is good; nothing where meanwhile another one is on trial."""
        before = self.standing(pipeline, model)
        if before.trial != bundle:
            return self
        return self.with_standing(pipeline, model, Standing(bundle, None, before.failures))

    def failed(self, pipeline: str, model: str, bundle: str, reason: str) -> Ledger:
        before = self.standing(pipeline, model)
        trial = None if before.trial == bundle else before.trial
        failures = {**before.failures, bundle: reason}
        return self.with_standing(pipeline, model, Standing(before.good, trial, failures))

    def cut_off(self, pipeline: str, model: str, reason: str) -> Ledger:
        """The daemon has died during the trial, by the model's fault or by another: the power's.

        Where none is good, and so there is none to come back to, it has a second try.
        """
        before = self.standing(pipeline, model)
        if before.trial is None:
            return self
        if before.good is None and before.died != before.trial:
            once = Standing(None, None, before.failures, before.trial)
            return self.with_standing(pipeline, model, once)
        return self.failed(pipeline, model, before.trial, reason)

    def abandoned(self, pipeline: str, model: str, bundle: str) -> Ledger:
        """The trial is over without a verdict."""
        before = self.standing(pipeline, model)
        if before.trial != bundle:
            return self
        return self.with_standing(pipeline, model, replace(before, trial=None))

    def pruned(self, keep_versions: int) -> Ledger:
        """With the newest of each name, and what is in use."""
        newest = {v.bundle for versions in self.models.values() for v in versions[:keep_versions]}
        return self.keeping(newest | self.in_use())

    def keeping(self, bundles: set[str]) -> Ledger:
        """As if no other bundles had ever come."""
        models = {
            name: left
            for name, versions in self.models.items()
            if (left := tuple(version for version in versions if version.bundle in bundles))
        }
        here = replace(self, models=models).bundles()
        pipelines = {
            pipeline: {model: _keeping(standing, here) for model, standing in by_model.items()}
            for pipeline, by_model in self.pipelines.items()
        }
        return replace(self, models=models, pipelines=pipelines)


def _keeping(standing: Standing, bundles: set[str]) -> Standing:
    return Standing(
        good=standing.good if standing.good in bundles else None,
        trial=standing.trial if standing.trial in bundles else None,
        failures={b: reason for b, reason in standing.failures.items() if b in bundles},
        died=standing.died if standing.died in bundles else None,
    )


def encode(ledger: Ledger) -> bytes:
    return msgspec.json.format(msgspec.json.encode(ledger), indent=1) + b"\n"


def decode(data: bytes) -> Ledger:
    """Raises ValueError for what is no ledger (msgspec's own errors are of that kind)."""
    return msgspec.json.decode(data, type=Ledger)
