"""Why there is no connection to the broker, in words: paho's reasons and sockets' errors."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime

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


class Broken(BrokerLost):
    """An accepted connection ended without a word."""


class Unwelcome(BrokerLost):
    """The broker is there and does not let us in: asking again soon would not change its mind."""


class TakenOver(Unwelcome):
    """Another client uses our client id. To come back at once would throw it out in turn."""


_UNSUPPORTED_PROTOCOL = 132  # reason codes of MQTT 5; paho maps those of 3.1.1 to them
_KEEP_ALIVE_TIMEOUT = 141
_TAKEN_OVER = 142
_UNWELCOME = {
    133: "the broker refused the client id, which is edged- and device.id (choose another id)",
    134: "the broker refused the user name or the password (check username and password_file)",
    135: "the broker refused the login: not authorised (check username and password_file)",
    138: "the broker has banned this client",
    140: "the broker wants another way to log in than by user name and password",
}
_REFUSALS = {
    136: "the broker says that it is not available",
    137: "the broker says that it is too busy",
    139: "the broker is shutting down",
    151: "the broker's quota is exceeded",
    156: "the broker says that another server is to be used",
    157: "the broker says that it has moved",
    159: "the broker says that connections come too fast",
}


def refused(reason: ReasonCode) -> BrokerLost:
    """The broker's own word, in CONNACK or DISCONNECT."""
    if reason.value == _UNSUPPORTED_PROTOCOL:
        return ProtocolRefused("the broker refused this version of MQTT")
    if reason.value == _TAKEN_OVER:
        return TakenOver(
            "another client with the same device id took the connection over "
            "(give each device a device.id of its own)"
        )
    if (text := _UNWELCOME.get(reason.value)) is not None:
        return Unwelcome(text)
    return BrokerLost(_REFUSALS.get(reason.value, f"the broker ended the connection: {reason}"))


def broken(reason: ReasonCode) -> BrokerLost:
    """An accepted connection that ended without a word."""
    if reason.value == _KEEP_ALIVE_TIMEOUT:
        return BrokerLost("the broker stopped answering")
    return Broken("the connection broke")


def broken_again() -> BrokerLost:
    """As before, soon after the one before. MQTT 3.1.1 has no word for why, and mosquitto 2.0 does
    not say it in MQTT 5 either.
    """
    return Broken(
        "the connection broke again soon after it was made (does another client have the same "
        "device id? give each device a device.id of its own)"
    )


# OpenSSL's names of the alerts with which a broker ends TLS, without their versions.
_ALERTS = {
    "CERTIFICATE_REQUIRED": "the broker wants a client certificate (set mqtt.tls.cert_file)",
    "HANDSHAKE_FAILURE": "the broker ended the TLS handshake (it may want a client certificate)",
    "UNKNOWN_CA": "the broker does not know the authority that signed the client certificate",
    "CERTIFICATE_EXPIRED": "the broker says that the client certificate has expired",
    "CERTIFICATE_REVOKED": "the broker says that the client certificate was revoked",
    "BAD_CERTIFICATE": "the broker does not accept the client certificate",
    "CERTIFICATE_UNKNOWN": "the broker does not accept the client certificate",
    "UNSUPPORTED_CERTIFICATE": "the broker does not accept the client certificate",
}


def tls_ended(error: ssl.SSLError) -> BrokerLost:
    """TLS failed, or the broker ended it with an alert."""
    _, _, alert = (error.reason or "").partition("_ALERT_")
    if (text := _ALERTS.get(alert)) is not None:
        return Unwelcome(text)
    return BrokerLost(
        f"TLS failed (does the broker speak TLS on that port?): {error.reason or error}"
    )


# X509_V_ERR_... of openssl/x509_vfy.h
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_NAME = (62, 64)  # of a host, of an address
_UNKNOWN_AUTHORITY = (18, 19, 20, 21)


def _untrusted(error: ssl.SSLCertVerificationError, host: str) -> str:
    today = f"this machine's clock, which says {datetime.now(UTC):%Y-%m-%d}, is wrong"
    match error.verify_code:
        case code if code == _NOT_YET_VALID:
            return f"its certificate is not valid yet, or {today} (set the clock, or wait for it)"
        case code if code == _EXPIRED:
            return f"its certificate has expired, or {today}"
        case code if code in _OTHER_NAME:
            return f"its certificate is not for {host} (use a name that the certificate has)"
        case code if code in _UNKNOWN_AUTHORITY:
            return (
                f"its certificate is not trusted: {error.verify_message} "
                "(name the file of the authority that signed it in mqtt.tls.ca_file)"
            )
    return f"its certificate is not trusted: {error.verify_message}"


def unreached(error: OSError | ValueError, host: str) -> BrokerLost:
    """The broker could not be reached. ValueError: of a name that no host can have."""
    match error:
        case ssl.SSLCertVerificationError():
            why = _untrusted(error, host)
        case ssl.SSLError():
            return tls_ended(error)
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
