"""What can fail on the stage of a chaos run, each as a context: it fails until the end of it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from chaos_stage import Stage
from tunnel import CUT, FINE, Weather

# A mobile network at its edge; and one in which edged is heard, and hears nothing.
SLOW = Weather(loss_to_near=0.05, loss_to_far=0.05, delay_s=0.2, jitter_s=0.1, rate_bytes_s=6000)
MUTE = Weather(loss_to_far=1.0)
NOTHING = "nothing"


def fault(kind: str, stage: Stage, chances: random.Random) -> AbstractContextManager[None]:
    """One of FAULTS or NETWORK_FAULTS."""
    return (FAULTS | NETWORK_FAULTS)[kind](stage, chances)


@contextlib.contextmanager
def _nothing(_: Stage, __: random.Random) -> Iterator[None]:
    """All is well; the daemon is killed in the midst of that too."""
    yield


@contextlib.contextmanager
def _broker_ended(stage: Stage, chances: random.Random) -> Iterator[None]:
    """It ends as it is told to, and comes back with all that it had."""
    _doorman(stage, chances)
    stage.end_broker(stage.broker.stop)
    yield
    stage.start_broker()


@contextlib.contextmanager
def _broker_killed(stage: Stage, chances: random.Random) -> Iterator[None]:
    """It comes back with what it had kept at the end before, if it had one."""
    _doorman(stage, chances)
    stage.end_broker(stage.broker.kill)
    yield
    stage.start_broker()


@contextlib.contextmanager
def _broker_anew(stage: Stage, chances: random.Random) -> Iterator[None]:
    """It comes back with nothing."""
    _doorman(stage, chances)
    stage.end_broker(stage.broker.kill)
    stage.broker.forget()
    yield
    stage.start_broker()


@contextlib.contextmanager
def _broker_frozen(stage: Stage, _: random.Random) -> Iterator[None]:
    """Its connections stand, new ones are made by the kernel, and nothing is answered."""
    stage.broker.freeze()
    yield
    stage.broker.thaw()


@contextlib.contextmanager
def _hung_up(stage: Stage, _: random.Random) -> Iterator[None]:
    """The connection breaks off between two bytes, and can be made again at once."""
    stage.witness.hang_up()
    yield


@contextlib.contextmanager
def _unanswered(stage: Stage, _: random.Random) -> Iterator[None]:
    """What was acknowledged has to be sent again, for edged never hears of it."""
    stage.witness.withholds = True
    yield
    stage.witness.hang_up()
    stage.witness.withholds = False


def _doorman(stage: Stage, chances: random.Random) -> None:
    """Without a broker connections are refused, or, as by a proxy, taken and hung up."""
    if chances.random() < 0.5:
        stage.witness.close_door()


def _weather(weather: Weather) -> Callable[[Stage, random.Random], AbstractContextManager[None]]:
    @contextlib.contextmanager
    def holds(stage: Stage, _: random.Random) -> Iterator[None]:
        assert stage.tunnel is not None
        stage.tunnel.weather = weather
        yield
        stage.tunnel.weather = FINE

    return holds


FAULTS = {
    NOTHING: _nothing,
    "broker ended": _broker_ended,
    "broker killed": _broker_killed,
    "broker anew": _broker_anew,
    "broker frozen": _broker_frozen,
    "connection broken off": _hung_up,
    "answers withheld": _unanswered,
}
NETWORK_FAULTS = {
    "network cut": _weather(CUT),
    "network slow": _weather(SLOW),
    "network mute": _weather(MUTE),
}
