"""From a settled file to a model that serves: one thread, one candidate at a time.

    watcher -> read -> signature -> private store -> probe -> contract -> load -> swap, on trial

All loading is done in this thread, beside the models that serve. What the pipelines say of their
trials comes back here too, because remembering it writes to the disk.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from .engine import ahead
from .errors import EdgedError, ProbeCancelled
from .golden import read_golden
from .loading import Examined, Loaded, build_model, examine
from .log_fields import Event, about
from .pipeline import Serving
from .records.models import Verdict
from .runner import Runner
from .service.machine import give_back_memory
from .standstill import Standstill
from .store.minisign import PublicKey
from .store.models import ModelBytes, ModelFiles, read_bytes, understood
from .store.settling import Fingerprint
from .store.shelf import Kept
from .store.signature import refuse_older, verify_all
from .store.vault import Vault
from .store.watched import fingerprint, path_in, version_of
from .trial import Expected

log = logging.getLogger("edged.intake")


class _Lying(msgspec.Struct, frozen=True):
    """What lay in the directory, and what it held (a hash, None where it could not be read): a
    change may leave the fingerprint as it was. The times of some file systems are as coarse as two
    seconds, and those of a file that is being written are set before its bytes are.
    """

    seen: Fingerprint
    held: int | None


class Intake:
    """``settled``, ``gone``, ``join`` and ``trial_over`` may be called from any thread.

    ``keys`` are the trusted ones where signatures are required, else None. ``users`` gives the
    pipelines that run at the moment.
    """

    def __init__(
        self,
        models_dir: Path,
        vault: Vault,
        keys: Sequence[PublicKey] | None,
        users: Callable[[], Iterable[Runner]],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models_dir = models_dir
        self._vault = vault
        self._keys = keys
        self._users = users
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ended: deque[tuple[Runner, Serving, str | None, Serving]] = deque()  # trials
        self._loaded = Loaded()
        self._offered: dict[str, _Lying] = {}  # by pipeline, the last that it was offered
        self._lock = threading.Lock()
        self._probing: tuple[str, Fingerprint] | None = None  # model and files; with the lock
        self._newer = threading.Event()  # a file that replaces what is being probed; with the lock
        self._closing = False
        self._standstill = Standstill("the thread that takes in models", Event.MODEL, now_s)
        # A load that hangs is beyond reach: the process must be able to end all the same.
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs, as it does from ``start`` on."""
        return self._thread.is_alive()

    def check(self) -> None:
        """Tell where its thread stands, if it has for too long; called about once a second."""
        self._standstill.check()

    def stop(self, timeout_s: float) -> None:
        """End after what is under way; a probe is given up, and trials end without a verdict.

        To be called when the pipelines have stopped.
        """
        with self._lock:
            self._closing = True
            self._newer.set()
        self._tasks.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            ahead.drop()
            self._settle_trials()
        for runner in self._users():
            self._leave(runner)
        self._vault.close()

    def join(self, runner: Runner) -> None:
        """Give a new pipeline its model: the one it knows to be good, then what lies there."""
        self._tasks.put(lambda: self._first_model(runner))

    def leave(self, runner: Runner) -> None:
        """A pipeline was stopped: what it had on trial is tried anew when it comes back."""
        name = runner.plan.model
        with self._lock:
            if self._probing is not None and self._probing[0] == name and not self._users_of(name):
                self._newer.set()  # nobody waits for what is being probed
        self._tasks.put(lambda: self._leave(runner))

    def settled(self, name: str) -> None:
        """A model's file, or one beside it, has changed and is whole again."""
        if not self._users_of(name):
            return
        there = fingerprint(self._models_dir, name)
        with self._lock:
            # Not where the very same is being probed, which may be new to other pipelines.
            if self._probing is not None and self._probing[0] == name and self._probing[1] != there:
                self._newer.set()
        self._tasks.put(lambda: self._take_new(name))

    def gone(self, name: str) -> None:
        """A model's file was deleted: what serves goes on."""
        for runner in self._users_of(name):
            log.warning(
                "pipeline %s: the file of model %s was deleted; what serves goes on serving",
                runner.plan.name,
                name,
                extra=about(Event.MODEL, runner.plan.name, name),
            )

    def trial_over(
        self, runner: Runner, tried: Serving, failure: str | None, serving: Serving
    ) -> None:
        """A pipeline has watched a model for long enough, or has gone back to the one before."""
        self._ended.append((runner, tried, failure, serving))
        self._tasks.put(self._settle_trials)

    # ---- below: the intake thread only ----------------------------------------------------------

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None and not self._closing:
            self._standstill.begin()
            try:
                task()
            except Exception:
                # One candidate's trouble must not end the thread that all others need.
                log.exception(
                    "taking in a model failed; the models that serve go on",
                    extra=about(Event.MODEL),
                )
            ahead.drop()  # what was begun for the first of them
            del task  # it may hold a pipeline that was stopped, and its model
            give_back_memory()
            self._standstill.end()

    def _users_of(self, name: str) -> list[Runner]:
        return [runner for runner in self._users() if runner.plan.model == name]

    def _first_model(self, runner: Runner) -> None:
        """Without a probe where the model is known to be good: it has served here before."""
        if runner not in self._users():  # it has left meanwhile
            return
        plan = runner.plan
        good, files = self._vault.good(plan.name, plan.model), None
        if good is not None:
            try:
                files = self._vault.read(plan.model, good)
                if self._keys is not None:
                    verify_all(files, self._keys)  # they may have become required since
                self._swap(runner, files, self._vault.find(good), None)
            except EdgedError as error:
                log.warning(
                    "pipeline %s: its last good model: %s",
                    plan.name,
                    error,
                    extra=about(Event.MODEL, plan.name, plan.model),
                )
        self._take(plan.model, [runner], new=False, known=files)

    def _leave(self, runner: Runner) -> None:
        plan = runner.plan
        if runner.bundle is not None:
            with contextlib.suppress(EdgedError):  # told already: the disk fails
                self._vault.abandon_trial(plan.name, plan.model, runner.bundle)

    def _take_new(self, name: str) -> None:
        self._take(name, self._users_of(name), new=True)

    def _take(
        self, name: str, users: Sequence[Runner], *, new: bool, known: ModelFiles | None = None
    ) -> None:
        """Try what lies in the directory for ``users``; ``new``: it was put there just now, which
        the watcher also tells of what was there before. ``known``: what was read already under
        that name, and most likely lies there.
        """
        path = path_in(self._models_dir, name)
        lying, read = self._look(name)
        if new:
            users = [user for user in users if self._offered.get(user.plan.name) != lying]
        self._offered.update((user.plan.name, lying) for user in users)
        if not users or (not new and not path.exists() and all(user.bundle for user in users)):
            return
        try:
            if isinstance(read, EdgedError):
                raise read
            is_known = known is not None and (known.data, known.beside) == (read.data, read.beside)
            files = known if known is not None and is_known else understood(read, path)
            others = [user for user in users if user.bundle != files.bundle]
            if new:
                same = [user for user in users if user not in others]
                _report(same, Verdict.UNCHANGED, files.version, None)
            users = others if new else self._not_failed(files, others)
            if not users:
                return
            served_before = files.bundle in self._vault.ledger().bundles()
            kept = self._keep(files, users)
        except EdgedError as error:
            if isinstance(read, EdgedError):
                _report(users, Verdict.REFUSED, version_of(path), str(error))
            else:
                reason = self._cut_off(name, read.data) or str(error)
                _report(users, Verdict.REFUSED, read.version, reason)
            return
        taken = [self._offer(files, kept, group) for group in _alike(users)]
        if not any(taken) and not served_before:
            self._vault.drop(kept.bundle)

    def _look(self, name: str) -> tuple[_Lying, ModelBytes | EdgedError]:
        """What lies there, and why it cannot be read. What is changed meanwhile is told again."""
        seen = fingerprint(self._models_dir, name)
        try:
            read = read_bytes(path_in(self._models_dir, name))
        except EdgedError as error:
            return _Lying(seen, None), error
        return _Lying(seen, hash((read.data, *sorted(read.beside.items())))), read

    def _cut_off(self, name: str, data: bytes) -> str | None:
        """Of which kept version ``data`` is the beginning; None where of none."""
        with contextlib.suppress(OSError):
            for version in self._vault.versions(name) if data else ():
                whole = self._vault.path_of(version.bundle).read_bytes()
                if len(data) < len(whole) and whole.startswith(data):
                    return f"truncated: {len(data):,} of {len(whole):,} bytes"
        return None

    def _not_failed(self, files: ModelFiles, users: Sequence[Runner]) -> list[Runner]:
        """Those for whom the model has not failed its trial: it is tried again only when it is
        put there again, and not whenever the daemon starts.
        """
        left = []
        for user in users:
            failure = self._vault.failure(files.bundle, user.plan.name)
            if failure is None:
                left.append(user)
            else:
                _report([user], Verdict.REFUSED, files.version, failure)
        return left

    def _keep(self, files: ModelFiles, users: Sequence[Runner]) -> Kept:
        """The private copy of a candidate whose signature is as it should be. Raises EdgedError."""
        version = None
        if self._keys is not None:
            verified = verify_all(files, self._keys)
            version = verified.version
            if not self._vault.is_allowed(files.bundle):
                for user in users:
                    if user.bundle is not None:
                        refuse_older(verified, self._vault.find(user.bundle).signed_version)
        return self._vault.keep(files, version)

    def _offer(self, files: ModelFiles, kept: Kept, users: Sequence[Runner]) -> bool:
        """Probe once for pipelines that are alike, then let each swap; whether any did."""
        try:
            examined = self._examine(files, kept.path, users[0])
        except ProbeCancelled:
            if not self._closing and self._users_of(files.name):
                log.info(
                    "model %s was replaced again while it was tried",
                    files.name,
                    extra=about(Event.MODEL, model=files.name),
                )
            return False
        except EdgedError as error:
            _report(users, Verdict.REFUSED, files.version, str(error))
            return False
        taken = False
        for user in users:
            try:
                user.refuse_other_contract(examined.reading)
                self._swap(user, files, kept, examined)
                taken = True
            except EdgedError as error:
                _report([user], Verdict.REFUSED, files.version, str(error))
        return taken

    def _examine(self, files: ModelFiles, path: Path, user: Runner) -> Examined:
        with self._lock:
            self._probing = files.name, self._offered[user.plan.name].seen
            if not self._closing:
                self._newer.clear()
        try:
            goldens = read_golden(files.sidecar.goldens, self._models_dir)
            return examine(files, path, user.plan.options, goldens, self._newer)
        finally:
            with self._lock:
                self._probing = None

    def _swap(
        self, runner: Runner, files: ModelFiles, kept: Kept, examined: Examined | None
    ) -> None:
        """Load, warm up and hand over. What has not passed a trial yet goes on one."""
        plan = runner.plan
        reading = examined.reading if examined else None
        model = build_model(
            plan.model, files, kept.path, plan.options, reading, loaded=self._loaded
        )
        # What passed while this one was probed is known to be good before this one is on trial.
        self._settle_trials()
        expected = None
        if examined is not None and self._vault.good(plan.name, plan.model) != kept.bundle:
            # On disk before it serves: a daemon that it kills must not begin with it again.
            self._vault.begin_trial(plan.name, plan.model, kept.bundle)
            expected = Expected(examined.probed.invoke_ms, files.sidecar.latency_budget_ms)
        elif runner.bundle is not None:
            self._leave(runner)
        runner.swap(kept.bundle, model, expected)

    def _settle_trials(self) -> None:
        """Remember and tell how trials have ended. One that the disk has no room for is told."""
        while self._ended:
            runner, tried, failure, serving = self._ended.popleft()
            which = (runner.plan.name, runner.plan.model, tried.bundle)
            try:
                if failure is None:
                    self._vault.pass_trial(*which)
                else:
                    if serving.expected is not None:
                        # None is good yet: its own trial begins anew.
                        self._vault.begin_trial(*which[:2], serving.bundle)
                    self._vault.fail_trial(*which, failure)
            except EdgedError as error:
                log.error(
                    "pipeline %s: a trial's end is not remembered: %s",
                    runner.plan.name,
                    error,
                    extra=about(Event.MODEL, runner.plan.name, runner.plan.model),
                )
            if failure is None:
                runner.report(Verdict.ACCEPTED, tried.model.spec.version, None)
            else:
                runner.went_back(tried, serving, failure)


def _report(
    users: Sequence[Runner], verdict: Verdict, version: str | None, reason: str | None
) -> None:
    for user in users:
        user.report(verdict, version, reason)


def _alike(users: Sequence[Runner]) -> list[list[Runner]]:
    """The pipelines that one probe and one reading can speak for."""
    groups: list[list[Runner]] = []
    for user in users:
        for group in groups:
            one, other = group[0].plan.options, user.plan.options
            if (one.delegate, one.gives, one.batch) == (other.delegate, other.gives, other.batch):
                group.append(user)
                break
        else:
            groups.append([user])
    return groups
