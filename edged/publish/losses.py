"""Why there is no connection to the broker, in words: paho's reasons and sockets' errors."""

from __future__ import annotations

import socket
import ssl

from paho.mqtt.reasoncodes import ReasonCode

from ..errors import EdgedError


class BrokerLost(EdgedError):
    """There is no connection (any more); the message is the reason. Trying again may help."""


class ProtocolRefused(BrokerLost):
    """The broker does not speak this version of MQTT."""


class HungUp(BrokerLost):
    """The broker ended the connection without an answer to CONNECT, as some do at MQTT 5."""


class NoAnswer(BrokerLost):
    """The broker does not answer to CONNECT: some take that of MQTT 5 for an unfinished 3.1.1."""


_UNSUPPORTED_PROTOCOL = 132  # reason codes of MQTT 5; paho maps those of 3.1.1 to them
_KEEP_ALIVE_TIMEOUT = 141
_REFUSALS = {
    133: "the broker refused the client id",
    134: "the broker refused the user name or the password (check username and password_file)",
    135: "the broker refused the login: not authorised (check username and password_file)",
    136: "the broker says that it is not available",
    138: "the broker has banned this client",
    142: "another client with the same device id took the connection over",
}


def refused(reason: ReasonCode) -> BrokerLost:
    """The broker's own word, in CONNACK or DISCONNECT."""
    if reason.value == _UNSUPPORTED_PROTOCOL:
        return ProtocolRefused("the broker refused this version of MQTT")
    return BrokerLost(_REFUSALS.get(reason.value, f"the broker ended the connection: {reason}"))


def broken(reason: ReasonCode) -> BrokerLost:
    """An accepted connection that ended without a word."""
    if reason.value == _KEEP_ALIVE_TIMEOUT:
        return BrokerLost("the broker stopped answering")
    return BrokerLost("the connection broke")


def unreached(error: OSError | ValueError) -> BrokerLost:
    """The broker could not be reached. ValueError: of a name that no host can have."""
    match error:
        case ssl.SSLCertVerificationError():
            why = f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            why = f"TLS failed (does the broker speak TLS on that port?): {error.reason or error}"
        case ConnectionRefusedError():
            why = "the connection was refused (does a broker listen on that port?)"
        case ConnectionResetError():
            why = "the broker hung up (does it speak TLS on that port?)"
        case socket.gaierror():
            why = f"the host's name cannot be resolved: {error.strerror}"
        case TimeoutError():
            why = "no answer in time"
        case OSError(strerror=str(text)):
            why = text[:1].lower() + text[1:]
        case _:
            why = str(error)
    return BrokerLost(why)
