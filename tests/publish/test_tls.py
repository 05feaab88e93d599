"""TLS with a real broker: whom it is to be, whom it lets in, and the words for it."""

from __future__ import annotations

import ipaddress
import re
import ssl
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from patience import PATIENCE_S

from edged.errors import ConfigError
from edged.publish.losses import Unwelcome, tls_ended
from edged.publish.tls import TlsFiles

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two CAs, `ours` and `other`, and certificates of `ours`."""
    directory = tmp_path_factory.mktemp("pki")

    def openssl(name: str, *arguments: str) -> None:
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        files = ("-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}")
        subprocess.run(
            ["openssl", "req", "-x509", *key, *files, "-days", "2", *arguments],
            check=True,
            capture_output=True,
            cwd=directory,
        )

    ours = ("-CA", "ours.crt", "-CAkey", "ours.key")
    openssl("ours")
    openssl("other")
    openssl("broker", *ours, "-addext", "subjectAltName=IP:127.0.0.1")
    openssl("elsewhere", *ours, "-addext", "subjectAltName=DNS:elsewhere.example")
    openssl("client", *ours)
    dated(directory, "expired", days=(-3, -1))
    dated(directory, "future", days=(1, 3))
    openssl("stranger", "-CA", "other.crt", "-CAkey", "other.key")
    return directory


def dated(directory: Path, name: str, days: tuple[int, int]) -> None:
    """A certificate of `ours` for 127.0.0.1, valid from and until so many days from now. (The
    program openssl makes none that is not valid.)
    """
    authority = x509.load_pem_x509_certificate((directory / "ours.crt").read_bytes())
    its_key = load_pem_private_key((directory / "ours.key").read_bytes(), None)
    assert isinstance(its_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(its_key, SHA256())
    )
    (directory / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    (directory / f"{name}.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def tls_lines(pki: Path, certificate: str = "broker") -> tuple[str, ...]:
    return (
        "allow_anonymous true",
        f"cafile {pki}/ours.crt",
        f"certfile {pki}/{certificate}.crt",
        f"keyfile {pki}/{certificate}.key",
    )


def test_results_go_over_tls_to_a_broker_whose_ca_is_trusted(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, pki: Path
) -> None:
    broker = mosquitto(*tls_lines(pki))
    sender = publisher(broker.port, tls=TlsFiles(pki / "ours.crt", None, None))

    for number in range(200):
        sender.publish(a_result(number))

    assert sender.wait_delivered(PATIENCE_S)
    assert len(broker.topics()) == 201


def test_a_client_certificate_is_shown_to_a_broker_that_wants_one(
    mosquitto: Make, publisher: Make, told: Any, pki: Path
) -> None:
    broker = mosquitto(*tls_lines(pki), "require_certificate true")
    files = TlsFiles(pki / "ours.crt", pki / "client.crt", pki / "client.key")

    publisher(broker.port, tls=files)

    told.wait_for("Connected")


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        # Which of the words comes is a race between the broker's alert and its end.
        (None, r"wants? a (client )?certificate"),
        ("stranger", r"signed the client certificate|may want a certificate"),
        ("expired", r"client certificate has expired|may want a certificate"),
    ],
)
def test_a_broker_that_wants_another_client_certificate_is_told_as_that(
    certificate: str | None,
    reason: str,
    version: str,
    mosquitto: Make,
    publisher: Make,
    told: Any,
    pki: Path,
) -> None:
    broker = mosquitto(*tls_lines(pki), "require_certificate true", f"tls_version {version}")
    cert = certificate and pki / f"{certificate}.crt"
    key = certificate and pki / f"{certificate}.key"

    sender = publisher(broker.port, tls=TlsFiles(pki / "ours.crt", cert, key))

    assert re.search(reason, told.wait_for("No connection"))
    assert not sender.connected


@pytest.mark.parametrize(
    ("ca", "certificate", "reason"),
    [
        ("other", "broker", "its certificate is not trusted: self-signed certificate"),
        (None, "broker", "its certificate is not trusted: self-signed certificate"),
        ("ours", "elsewhere", "its certificate is not for 127.0.0.1 (use a name that"),
        ("ours", "expired", "its certificate has expired, or this machine's clock, which says 20"),
        ("ours", "future", "its certificate is not valid yet, or this machine's clock, which says"),
    ],
)
def test_a_broker_that_cannot_be_trusted_is_told_and_gets_nothing(
    ca: str | None,
    certificate: str,
    reason: str,
    mosquitto: Make,
    publisher: Make,
    told: Any,
    pki: Path,
) -> None:
    broker = mosquitto(*tls_lines(pki, certificate))

    publisher(broker.port, tls=TlsFiles(ca and pki / f"{ca}.crt", None, None))

    assert reason in told.wait_for("No connection")
    assert broker.topics() == []


def test_a_broker_without_tls_is_told(
    mosquitto: Make, publisher: Make, told: Any, pki: Path
) -> None:
    broker = mosquitto()

    publisher(broker.port, tls=TlsFiles(pki / "ours.crt", None, None))

    assert "speak TLS on that port?" in told.wait_for("No connection")


def test_a_broker_with_tls_hangs_up_at_a_client_without(
    mosquitto: Make, publisher: Make, told: Any, pki: Path
) -> None:
    broker = mosquitto(*tls_lines(pki))

    publisher(broker.port)

    assert "want TLS?" in told.wait_for("No connection")


@pytest.mark.parametrize(
    ("ca", "cert", "key", "problem"),
    [
        ("absent.crt", None, None, "mqtt.tls.ca_file: .*absent.crt cannot be used: No such file"),
        ("ours.key", None, None, "mqtt.tls.ca_file: .*ours.key cannot be used"),
        ("ours.crt", "absent.crt", None, "mqtt.tls.cert_file: .*absent.crt cannot be used"),
        ("ours.crt", "client.crt", "broker.key", "mqtt.tls.cert_file: .*client.crt cannot be used"),
    ],
)
def test_tls_files_that_are_no_use_are_a_fault_of_the_config(
    ca: str, cert: str | None, key: str | None, problem: str, publisher: Make, pki: Path
) -> None:
    files = TlsFiles(pki / ca, cert and pki / cert, key and pki / key)

    with pytest.raises(ConfigError, match=problem):
        publisher(1883, tls=files)


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(
    publisher: Make, pki: Path
) -> None:
    subprocess.run(
        [
            "openssl",
            "ec",
            "-in",
            "client.key",
            "-aes128",
            "-passout",
            "pass:x",
            "-out",
            "locked.key",
        ],
        check=True,
        capture_output=True,
        cwd=pki,
    )
    files = TlsFiles(pki / "ours.crt", pki / "client.crt", pki / "locked.key")

    with pytest.raises(ConfigError, match="cert_file"):
        publisher(1883, tls=files)


@pytest.mark.parametrize(
    ("alert", "words"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "wants a client certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", "does not know the authority"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "client certificate has expired"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "does not accept the client certificate"),
    ],
)
def test_an_alert_about_the_client_certificate_is_a_refusal(alert: str, words: str) -> None:
    error = ssl.SSLError(1, "[SSL] ...")
    error.reason = alert

    lost = tls_ended(error)

    assert isinstance(lost, Unwelcome)
    assert words in str(lost)
