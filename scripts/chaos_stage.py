"""The daemon, its broker and the network between them, each of which can be made to fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from conftest import Mosquitto, Received, Subscriber
from deliveries import Listening, Run
from household import Daemon, House, content, images
from paho.mqtt.enums import MQTTProtocolVersion
from readings import Readings
from swapping import Stream
from tunnel import NEAR, Tunnel
from witness import Witness

FPS = 20
KEEPALIVE_S = 5  # so that short cuts are noticed too
PATIENCE_S = 300.0  # for what is left to deliver at the end
_BEGUN = ", run "  # in the first line that edged logs, when it has taken the signals
_PIPELINE = 'name = "eye"\nmodel = "classifier_uint8"\nthreshold = 0\npublish = "every"\n'


class Stage:
    """``open``, then whatever is to fail, then ``finish``, and ``close`` in any case.

    ``runs`` and ``listenings`` tell of the lives of the daemon and of the broker, ``dropped`` the
    highest of the counts that a daemon published. Every picture that is read makes a result, since
    ``realtime`` is false: so what arrives can be held against what the kernel saw being read.
    """

    def __init__(self, place: Path, tunnel: Tunnel | None) -> None:
        self.tunnel = tunnel
        self.runs: list[Run] = []
        self.listenings: list[Listening] = []
        self.house = House(place)
        self.house.model("classifier_uint8")
        self.pictures = self.house.pictures(*((n, n, n) for n in range(0, 200, 10)))
        # Its queue for the subscriber is to hold what comes while a long backlog is delivered.
        settings = ("allow_anonymous true", "max_queued_messages 100000")
        self.broker = Mosquitto(place, *settings, keeps=True)
        self.host = NEAR if tunnel else "127.0.0.1"
        self.witness = Witness(self.broker.port, self.host)
        self._readings = Readings(self.pictures)
        self._subscriber: Subscriber | None = None
        self._logs: list[Daemon] = []

    def open(self) -> None:
        """Until the first model has passed its trial: a daemon that is killed in it starts anew
        with another model or none.
        """
        self._readings.open()
        self.start_broker()
        self.configure(loop=True)
        self.start_daemon()
        assert self._subscriber is not None
        Stream(self._subscriber).wait_for_verdict("accepted")

    def configure(self, *, loop: bool) -> None:
        source = (f"loop = {str(loop).lower()}", f"fps = {FPS}", "realtime = false")
        self.house.configure(
            self.witness.port,
            _PIPELINE + images(self.pictures, *source),
            host=self.host,
            mqtt=f"keepalive_s = {KEEPALIVE_S}",
        )

    def finish(self) -> None:
        """End the daemon in peace; another one delivers what is left, reads a round of pictures
        and exits when all is acknowledged.
        """
        self._daemon.wait_for_line(_BEGUN)  # before it, SIGTERM ends it as it ends any process
        self.end_daemon(Daemon.stop, killed=False)
        self.configure(loop=False)
        self.start_daemon()
        self.end_daemon(lambda daemon: daemon.wait(PATIENCE_S), killed=False)
        assert self._subscriber is not None
        last = self.witness.sent[-1]
        self._subscriber.wait_for(lambda messages: (last.run, last.sequence) in _heard(messages))
        self.end_broker(self.broker.stop)

    def close(self) -> None:
        self.house.end()
        self.witness.close()
        if self._subscriber is not None:
            self._subscriber.close()
        self.broker.kill()
        self._readings.close()

    @property
    def dropped(self) -> int:
        spools = (told["spool"] for told in self.witness.metrics)
        return max((spool["dropped"] + spool["refused"] for spool in spools), default=0)

    def log(self) -> list[str]:
        """What all daemons have said."""
        return [line for daemon in self._logs for line in ("---- a daemon", *daemon.lines)]

    # ---- the broker ------------------------------------------------------------------------------

    def start_broker(self) -> None:
        """The subscriber is there before edged is let in, so it hears all that there is to hear."""
        self.witness.close_door()
        self.broker.start()
        self._subscriber = Subscriber(self.broker.port, "#", MQTTProtocolVersion.MQTTv5)
        self._listening_since_s = time.monotonic()
        self.witness.open_door()

    def end_broker(self, end: Callable[[], None]) -> None:
        assert self._subscriber is not None
        ended_s = time.monotonic()
        end()
        self._subscriber.close()
        heard = _heard(self._subscriber.messages)
        self._subscriber = None
        self.listenings.append(Listening(self._listening_since_s, ended_s, heard))

    # ---- the daemon ------------------------------------------------------------------------------

    def start_daemon(self) -> None:
        self._daemon = self.house.run(prefix=self.tunnel.prefix if self.tunnel else ())
        self._logs.append(self._daemon)

    def end_daemon(self, end: Callable[[Daemon], object], *, killed: bool) -> None:
        """Raises AssertionError where it had ended before."""
        assert self._daemon.process.poll() is None, "the daemon ended by itself"
        if killed:
            ended_s = time.monotonic()
            end(self._daemon)
        else:
            status = end(self._daemon)
            assert status == 0, f"the daemon ended with status {status}"
            ended_s = time.monotonic()
        told = next((line for line in self._daemon.lines if _BEGUN in line), None)
        read_s = self._readings.take()
        if told is not None:  # else it was killed before it had begun
            name = told.partition(_BEGUN)[2].partition(",")[0]
            self.runs.append(Run(name, read_s, ended_s, killed))


def _heard(messages: Sequence[Received]) -> list[tuple[str, int]]:
    """The results among them: run and sequence."""
    results = (content(each) for each in messages if each.topic.endswith("/result"))
    return [(result["run"], result["sequence"]) for result in results]
