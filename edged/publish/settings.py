"""Which brokers, and as whom: plain values, nothing is reached here."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from .tls import TlsFiles


class Version(enum.Enum):
    """The versions of MQTT that edged speaks."""

    V5 = "5"
    V3_1_1 = "3.1.1"


class Address(msgspec.Struct, frozen=True):
    """Where a broker listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, default_port: int) -> Address:
        """``host``, ``host:port``, ``[IPv6]`` or ``[IPv6]:port``, as the configuration allows."""
        host, colon, port = text.rpartition(":")
        if not colon or port.endswith("]"):
            host, port = text, ""
        return cls(host.strip("[]"), int(port) if port else default_port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def addresses(host: str, port: int, hosts: Sequence[str] | None) -> tuple[Address, ...]:
    """Where the broker is, in the order in which it is tried: ``hosts``, else ``host``."""
    if hosts is None:
        return (Address(host, port),)
    return tuple(Address.parse(text, port) for text in hosts)


class MqttSettings(msgspec.Struct, frozen=True):
    """Which broker, and as whom. ``others``: more addresses of it, in order, where it is a cluster.
    ``tls`` None: no TLS.

    The client id must stay the same from run to run: only so does a broker that has not noticed the
    end of the run before publish its will before this run's `online`, and not after.
    ``session_expiry_s``: how long a broker keeps the session (MQTT 5) after a lost connection.
    ``first_version`` spares the first attempt at a broker that is known to have no MQTT 5.
    """

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = None
    tls: TlsFiles | None = None
    keepalive_s: int = 30
    answer_timeout_s: float = 5.0
    first_version: Version = Version.V5
    others: tuple[Address, ...] = ()
    session_expiry_s: int = 0

    def each(self) -> tuple[MqttSettings, ...]:
        """The settings of each address, in order."""
        addresses = (Address(self.host, self.port), *self.others)
        return tuple(replace(self, host=at.host, port=at.port, others=()) for at in addresses)

    def __repr__(self) -> str:
        """Without the password."""
        return f"{type(self).__name__}({self})"

    def __str__(self) -> str:
        return f"the MQTT broker at {Address(self.host, self.port)}"
