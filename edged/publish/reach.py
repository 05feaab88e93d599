"""Trying a broker once, for ``edged check``: is it there, and does it let edged in?"""

from __future__ import annotations

import ssl

from msgspec.structs import replace

from .attempts import Attempts
from .listeners import Listeners
from .losses import BrokerLost
from .mqtt import Connection, Greeting
from .settings import MqttSettings, Version
from .tls import tls_context
from .wake import Wake

# MQTT 5 twice, for a broker that hangs up at it, then 3.1.1.
_TRIES = 3


def reach(settings: MqttSettings) -> Version:
    """Log in at one address and leave again; the version of MQTT that the broker speaks.

    Under a client identifier of its own and without a will, so that a daemon that runs meanwhile
    is not disturbed. Raises BrokerLost with the reason, ConfigError for TLS files that are no use.
    """
    settings = replace(settings, client_id=f"{settings.client_id}-check", session_expiry_s=0)
    tls = tls_context(settings.tls) if settings.tls is not None else None
    attempts = Attempts(settings.first_version)
    wake = Wake()
    wake.open()
    try:
        return _version(settings, tls, attempts, wake)
    finally:
        wake.close()


def _version(
    settings: MqttSettings, tls: ssl.SSLContext | None, attempts: Attempts, wake: Wake
) -> Version:
    for left in reversed(range(_TRIES)):
        greeting = Greeting(attempts.version)
        connection = Connection(settings, tls, greeting, lambda *_: None, Listeners())
        try:
            connection.open()
            connection.await_answer(wake)
            connection.say_goodbye()
            return attempts.version
        except BrokerLost as error:
            if not left or not attempts.in_other_words(error):
                raise
        finally:
            connection.close()
    raise AssertionError("the last try either returns or raises")
