"""A system that was installed with edged in it, and has just started."""

from __future__ import annotations

import re
import unittest
from datetime import UTC, datetime

from machine import Heard, run, service, wait_until


class Boots(unittest.TestCase):
    def test_the_service_is_up_with_the_system_and_gives_results(self) -> None:
        heard = Heard()
        self.addCleanup(heard.close)

        first = heard.wait("/shapes/result")

        assert first["task"] == "detection"
        assert service("ActiveState") == "active"
        assert service("NRestarts") == "0"
        assert 1 in range(first["sequence"] + 2)
        began = run("systemctl", "show", "--property", "UserspaceTimestamp", "--timestamp=us+utc")
        since = heard.wait("/shapes/health", lambda told: told["state"] == "running")["since"]
        moment = re.sub(r"^.*=\w+ (\S+) (\S+) UTC\s*$", r"\1T\2+00:00", began)
        took = datetime.fromisoformat(since) - datetime.fromisoformat(moment).astimezone(UTC)
        print(f"\n  boot to first result: {took.total_seconds():.1f} s after systemd began")

    def test_nothing_failed_while_it_booted(self) -> None:
        wait_until(
            lambda: "running" in run("systemctl", "is-system-running", "--wait", check=False),
            "a system without failed units",
        )
        said = run("journalctl", "-u", "edged", "-p", "warning", "-q", "--no-pager", "-o", "cat")
        assert said == ""

    def test_the_unit_has_no_mistakes(self) -> None:
        assert run("systemd-analyze", "verify", "--man=no", "edged.service") == ""

    def test_the_check_finds_nothing_wrong(self) -> None:
        told = run("edged", "check")

        assert "\nwrong" not in f"\n{told}", told
