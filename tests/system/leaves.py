"""The package's life: upgraded, removed, purged, and installed on a system that runs."""

from __future__ import annotations

import unittest
from pathlib import Path

from machine import CONFIG, MODELS, Heard, run, service, wait_until

DEBS = Path("/deb")
STATE = Path("/var/lib/edged")
PLACES = (
    "/etc/edged",
    "/usr/lib/edged",
    "/usr/share/edged",
    "/var/lib/edged",
    "/run/edged",
    "/usr/bin/edged",
    "/usr/share/man/man1/edged.1.gz",
    "/etc/systemd/system/edged.service.d",
)


def apt(*words: str | Path) -> str:
    """There is no network, and all that edged depends on is installed."""
    quiet = ("env", "DEBIAN_FRONTEND=noninteractive")
    return run(*quiet, "apt-get", "--yes", "--no-install-recommends", *words)


def version() -> str:
    return run("dpkg-query", "--show", "--showformat=${Version}", "edged")


def results() -> None:
    heard = Heard()
    try:
        heard.wait("/shapes/result")
    finally:
        heard.close()


class Leaves(unittest.TestCase):
    def setUp(self) -> None:
        run("dpkg", "--purge", "edged", check=False)  # which stops it
        apt("install", DEBS / "first.deb")

    def test_installed_on_a_running_system_it_serves_at_once(self) -> None:
        results()

        assert service("ActiveState") == "active"
        assert run("systemctl", "is-enabled", "edged").strip() == "enabled"
        assert "edged" in run("edged", "--version")
        assert run("dpkg", "--verify", "edged") == ""
        assert "complete -F _edged edged" in run(
            "bash", "-c", ". /usr/share/bash-completion/completions/edged; complete -p edged"
        )

    def test_an_upgrade_keeps_what_is_the_users_and_restarts(self) -> None:
        results()
        CONFIG.write_text(CONFIG.read_text().replace("fps = 5", "fps = 4"))
        (MODELS / "mine.tflite").write_bytes(b"mine")
        (MODELS / "shapes.labels.txt").unlink()
        (STATE / "mine").touch()
        pid, before = service("MainPID"), version()

        apt("install", DEBS / "second.deb")

        assert version() != before
        wait_until(lambda: service("MainPID") not in (pid, "0"), "another process")
        assert "fps = 4" in CONFIG.read_text()
        assert (MODELS / "mine.tflite").read_bytes() == b"mine"
        assert not (MODELS / "shapes.labels.txt").exists()
        assert (STATE / "mine").exists()
        results()

    def test_a_service_that_was_stopped_for_good_stays_so(self) -> None:
        run("systemctl", "disable", "--now", "edged")

        apt("install", DEBS / "second.deb")

        assert run("systemctl", "is-enabled", "edged", check=False).strip() == "disabled"

    def test_removed_it_stops_and_keeps_what_is_the_users(self) -> None:
        apt("remove", "edged")

        assert not run("pgrep", "-u", "edged", check=False)
        assert CONFIG.exists()
        assert (MODELS / "shapes.tflite").exists()
        assert not Path("/usr/lib/edged").exists()

    def test_purged_it_leaves_nothing(self) -> None:
        results()
        Path("/etc/edged/mqtt-password").write_text("secret")

        apt("purge", "edged")

        assert [place for place in PLACES if Path(place).exists()] == []
        assert run("getent", "passwd", "edged", check=False) == ""
        assert run("getent", "group", "edged", check=False) == ""
        left = run(
            "find",
            "/etc",
            "/usr",
            "/var",
            "-xdev",
            "-name",
            "*edged*",
            "-not",
            "-path",
            "/var/log/*",
            "-not",
            "-path",
            "/var/cache/*",
            "-not",
            "-name",
            "edged-lab*",
        )
        assert left == ""
