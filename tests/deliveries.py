"""What became of each result: judged from what was made, acknowledged and heard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from witness import Sent, Talk

COMMIT_S = 1.0  # what a KILL may take is younger than this: the spool commits once a second
IN_HAND = 2  # pictures that were read, and were no results yet when the daemon ended
OVERTAKING_AFTER_S = 5.0  # of sending what was spooled, new results may go first (README)
HEARD_WITHIN_S = (
    2.0  # what the broker acknowledged shorter before its end it may not have handed on
)


@dataclass(frozen=True, slots=True)
class Run:
    """A life of the daemon; result n is of the picture that it read at ``read_s[n]``."""

    name: str
    read_s: Sequence[float]
    ended_s: float
    killed: bool


@dataclass(frozen=True, slots=True)
class Listening:
    """A life of the broker, from the subscription on, and which results (run, sequence) came."""

    since_s: float
    ended_s: float
    heard: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Allowed:
    """``window``: messages that edged has under way at once. ``slack_s``: how late the machine may
    be, at a commit or at a picture's way through the model.
    """

    window: int
    slack_s: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """``lost_at_kills``: results, with ``oldest_lost_s`` from the oldest one's picture to the KILL.

    ``duplicates`` are acknowledged sendings of what had been acknowledged, ``sent_again`` all that
    were sent more than once; at most ``most_sent_again``: what a lost connection left without an
    acknowledgement, and what a KILL kept from being noted as acknowledged. ``overtaken`` came after
    newer results of their run; ``unheard`` is what the broker acknowledged and then died with.
    """

    made: int
    arrived: int
    lost_at_kills: int
    oldest_lost_s: float
    sent_again: int
    most_sent_again: int
    duplicates: int
    overtaken: int
    unheard: int
    broken: list[str]


def judge(
    runs: Sequence[Run],
    sent: Sequence[Sent],
    talks: Sequence[Talk],
    listenings: Sequence[Listening],
    allowed: Allowed,
) -> Delivered:
    """``broken`` of what it gives: the promises that were not kept, in words."""
    arrived = _first_acknowledged(sent)
    by_run: defaultdict[str, list[Sent]] = defaultdict(list)
    for each in arrived.values():
        by_run[each.run].append(each)
    broken = [f"a result of a run nobody started: {name}" for name in by_run.keys() - _names(runs)]
    lost_ages_s: list[float] = []
    overtaken = 0
    for run in runs:
        came = by_run[run.name]
        ages_s, told = _lost(run, {each.sequence for each in came}, allowed)
        lost_ages_s += ages_s
        overtaken += len(overtakings([each.sequence for each in came]))
        broken += told + _disorder(run.name, came, talks)
    sent_again = len(sent) - len({(each.run, each.sequence) for each in sent})
    most = _most_sent_again(runs, sent, talks, allowed)
    if sent_again > most:
        broken.append(f"{sent_again} sendings were repeated, where {most} had a reason")
    unheard, told = _unheard(arrived.values(), listenings)
    return Delivered(
        made=sum(len(run.read_s) for run in runs),
        arrived=len(arrived),
        lost_at_kills=len(lost_ages_s),
        oldest_lost_s=max(lost_ages_s, default=0.0),
        sent_again=sent_again,
        most_sent_again=most,
        duplicates=sum(each.acknowledged_s is not None for each in sent) - len(arrived),
        overtaken=overtaken,
        unheard=unheard,
        broken=broken + told,
    )


def overtakings(numbers: Iterable[int]) -> list[int]:
    """Those that come after a higher one."""
    found, highest = [], -1
    for number in numbers:
        if number < highest:
            found.append(number)
        highest = max(highest, number)
    return found


def _first_acknowledged(sent: Sequence[Sent]) -> dict[tuple[str, int], Sent]:
    found: dict[tuple[str, int], Sent] = {}
    for each in sent:
        if each.acknowledged_s is not None:
            found.setdefault((each.run, each.sequence), each)
    return found


def _names(runs: Sequence[Run]) -> set[str]:
    return {run.name for run in runs}


def _lost(run: Run, came: set[int], allowed: Allowed) -> tuple[list[float], list[str]]:
    """How old each lost result was at the run's end, and what cannot be excused of it."""
    in_hand = len(run.read_s) - IN_HAND
    gone = [n for n in range(in_hand) if n not in came]
    ages_s = [run.ended_s - run.read_s[n] for n in gone]
    most_s = COMMIT_S + allowed.slack_s if run.killed else 0.0
    told = [
        f"run {run.name}: result {n} was lost, of {age_s:.1f} s before "
        + ("the KILL" if run.killed else "the daemon's own end")
        for n, age_s in zip(gone, ages_s, strict=True)
        if age_s > most_s
    ]
    return ages_s, told


def _disorder(name: str, came: Sequence[Sent], talks: Sequence[Talk]) -> list[str]:
    """``came``: a run's results in the order of their sending."""
    numbers = [each.sequence for each in came]
    late = overtakings(numbers)
    told = [f"run {name}: {n} came after a later one, itself late" for n in overtakings(late)]
    waiting = set(late)
    for each in came:
        waiting.discard(each.sequence)
        since_s = talks[each.connection].accepted_s or 0.0
        after_s = each.sent_s - since_s
        if after_s < OVERTAKING_AFTER_S and any(n < each.sequence for n in waiting):
            told.append(f"run {name}: {each.sequence} went first {after_s:.1f} s after connecting")
    return told


def _most_sent_again(
    runs: Sequence[Run], sent: Sequence[Sent], talks: Sequence[Talk], allowed: Allowed
) -> int:
    most = allowed.window * sum(talk.accepted_s is not None for talk in talks)
    for run in runs:
        since_s = run.ended_s - COMMIT_S - allowed.slack_s
        if run.killed:
            most += sum(since_s < (each.acknowledged_s or 0.0) <= run.ended_s for each in sent)
    return most


def _unheard(arrived: Iterable[Sent], listenings: Sequence[Listening]) -> tuple[int, list[str]]:
    heard = {each for listening in listenings for each in listening.heard}
    gone = [each for each in arrived if (each.run, each.sequence) not in heard]
    told = []
    for each in gone:
        assert each.acknowledged_s is not None
        if any(
            listening.since_s <= each.acknowledged_s <= listening.ended_s - HEARD_WITHIN_S
            for listening in listenings
        ):
            told.append(f"run {each.run}: {each.sequence} was acknowledged and not handed on")
    for listening in listenings:
        by_run: defaultdict[str, list[int]] = defaultdict(list)
        for run, number in dict.fromkeys(listening.heard):
            by_run[run].append(number)
        for run, numbers in by_run.items():
            if overtakings(overtakings(numbers)):
                told.append(f"run {run} was heard out of order")
    return len(gone), told
