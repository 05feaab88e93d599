"""The service at work, under its unit as it is installed."""

from __future__ import annotations

import re
import socket
import subprocess
import time
import unittest
from pathlib import Path

from machine import (
    DROP_IN,
    MODELS,
    Heard,
    configure,
    drop_in,
    put_model,
    restart,
    run,
    service,
    synthetic,
    wait_until,
)

EYE = synthetic("eye", "eye")


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Serves(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        run("useradd", "--create-home", "--groups", "edged", "alice", check=False)
        run("useradd", "--create-home", "mallory", check=False)

    def setUp(self) -> None:
        run("systemctl", "stop", "edged")
        for file in MODELS.glob("eye*"):
            file.unlink()
        run("rm", "-rf", "/var/lib/edged/store")
        put_model("classifier_uint8")
        configure(EYE)
        restart()
        self.heard = Heard()
        self.addCleanup(self.heard.close)
        self.addCleanup(drop_in, "")
        self.first = self.heard.wait("/eye/result")

    def _wait_until_accepted(self) -> None:
        self.heard.wait("/eye/model", lambda m: m["candidate"]["verdict"] == "accepted")

    def test_a_model_that_a_member_of_the_group_drops_is_taken(self) -> None:
        put_model("classifier_int8")

        taken = self.heard.wait(
            "/eye/result", lambda r: r["model"]["version"] != self.first["model"]["version"]
        )

        assert taken["run"] == self.first["run"]

    def test_others_may_not_drop_models(self) -> None:
        copied = ("cp", "/src/tests/models/classifier_int8.tflite", MODELS)

        said = run("runuser", "-u", "mallory", "--", *copied, check=False)

        assert "Permission denied" in said

    def test_a_broken_model_is_refused_in_its_confined_process(self) -> None:
        (MODELS / "eye.tflite").write_bytes(b"no model at all")

        told = self.heard.wait("/eye/model", lambda m: m["candidate"]["verdict"] == "refused")

        assert told["candidate"]["reason"]
        assert told["active"]["version"] == self.first["model"]["version"]

    def test_a_reload_starts_a_new_pipeline_and_leaves_the_others_alone(self) -> None:
        configure(EYE, synthetic("other", "eye"))

        run("systemctl", "reload", "edged")

        assert self.heard.wait("/other/result")["run"] == self.first["run"]
        self.heard.wait("/eye/result", after=self.heard.mark())
        assert service("NRestarts") == "0"

    def test_a_hung_inference_is_ended_by_the_watchdog_and_the_model_before_serves(self) -> None:
        drop_in("WatchdogSec=6s")
        restart()
        self._wait_until_accepted()
        before = service("MainPID")
        began = time.monotonic()
        put_model("hang_after_20")

        wait_until(lambda: service("MainPID") not in (before, "0"), "another process")
        mark = self.heard.mark()
        result = self.heard.wait("/eye/result", after=mark)

        print(
            f"\n  hung, killed and back with a WatchdogSec of 6 s: {time.monotonic() - began:.1f} s"
        )
        assert result["model"]["version"] == self.first["model"]["version"]
        assert result["run"] != self.first["run"]
        said = run("journalctl", "-u", "edged", "-o", "cat", "--no-pager")
        assert "Watchdog timeout" in said
        assert service("NRestarts") == "1"

    def test_killed_it_comes_back(self) -> None:
        self._wait_until_accepted()
        began = time.monotonic()
        run("systemctl", "kill", "--signal=KILL", "edged")

        self.heard.wait("/eye/result", lambda r: r["run"] != self.first["run"])

        took_s = time.monotonic() - began
        print(f"\n  kill -9 to the next result: {took_s:.1f} s")
        assert took_s < 10  # on a quiet machine below 3
        assert service("NRestarts") == "1"

    def test_a_model_that_kills_it_does_so_once(self) -> None:
        self._wait_until_accepted()
        put_model("crash_after_20")

        self.heard.wait("/eye/result", lambda r: r["run"] != self.first["run"])
        told = self.heard.wait(
            "/eye/model",
            lambda m: "died" in str(m["candidate"]["reason"]),
            after=self.heard.mark() // 2,
        )
        mark = self.heard.mark()
        for _ in range(3):
            self.heard.wait("/eye/result", after=mark)
            mark = self.heard.mark()

        assert told["active"]["version"] == self.first["model"]["version"]
        assert service("NRestarts") == "1"

    def test_a_broken_configuration_ends_in_a_failed_state_that_says_why(self) -> None:
        configure(EYE.replace("fps = 20", "fps = -3"))

        run("systemctl", "restart", "edged", check=False)

        wait_until(lambda: service("ActiveState") == "failed", "the state failed")
        status = run("systemctl", "status", "--no-pager", "--lines=20", "edged", check=False)
        assert "pipelines[0].source.fps: -3 is not allowed" in status
        assert service("ExecMainStatus") == "78"
        assert service("NRestarts") == "0"

    def test_what_no_restart_mends_is_given_up_in_the_end(self) -> None:
        drop_in("ExecStart=\nExecStart=/bin/false\nRestartSec=0")

        run("systemctl", "restart", "edged", check=False)

        wait_until(
            lambda: (
                service("Result") in ("start-limit-hit", "exit-code")
                and service("ActiveState") == "failed"
            ),
            "the start limit",
        )

    def test_the_password_is_handed_over_by_the_service_manager(self) -> None:
        secret = Path("/etc/edged/mqtt-password")
        secret.write_text("open sesame\n")
        secret.chmod(0o600)
        self.addCleanup(secret.unlink)
        port = self._broker_with_password("edged", "open sesame")
        configure(EYE, top=f'[mqtt]\nport = {port}\nusername = "edged"\n')
        heard = Heard("-p", str(port), "-u", "edged", "-P", "open sesame")
        self.addCleanup(heard.close)

        restart()

        heard.wait("/eye/result")

    def _broker_with_password(self, user: str, password: str) -> int:
        port, home = 1884, Path("/run/broker")
        home.mkdir(exist_ok=True)
        run("mosquitto_passwd", "-b", "-c", home / "passwd", user, password)
        run("chown", "-R", "mosquitto", home)
        (home / "conf").write_text(f"listener {port}\npassword_file {home}/passwd\n")
        broker = subprocess.Popen(
            ["mosquitto", "-c", str(home / "conf")], stderr=subprocess.DEVNULL
        )
        self.addCleanup(broker.wait)
        self.addCleanup(broker.terminate)
        wait_until(lambda: listens(port), "the broker")
        return port

    def test_it_knows_when_timesyncd_has_set_the_clock(self) -> None:
        assert not self.first["clock_synced"]
        mark = Path("/run/systemd/timesync/synchronized")
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        self.addCleanup(mark.unlink)

        self.heard.wait("/eye/result", lambda r: r["clock_synced"])

    def test_another_time_daemon_needs_only_the_example(self) -> None:
        DROP_IN.write_text(Path("/src/examples/other-time-daemon.conf").read_text())
        run("systemctl", "daemon-reload")
        restart()
        error = subprocess.run(
            [
                "/usr/lib/edged/bin/python3",
                "-c",
                "from edged.clock import SystemClock; "
                "raise SystemExit(not SystemClock(was_set=lambda: False).synced())",
            ]
        ).returncode

        mark = self.heard.mark()
        result = self.heard.wait("/eye/result", lambda r: r["run"] != self.first["run"], mark)

        assert result["clock_synced"] == (error == 0)

    def test_only_the_broker_can_be_reached_with_the_example(self) -> None:
        example = Path("/src/examples/broker-only.conf").read_text()
        DROP_IN.write_text(example.replace("192.0.2.10", "127.0.0.1"))
        run("systemctl", "daemon-reload")
        configure(EYE, top='[mqtt]\nhost = "127.0.0.1"\n')
        restart()

        self.heard.wait("/eye/result", lambda r: r["run"] != self.first["run"])

        DROP_IN.write_text(example)
        run("systemctl", "daemon-reload")
        restart()
        wait_until(
            lambda: (
                "cannot be reached" in run("systemctl", "status", "edged", check=False)
                or (
                    "waiting for the broker" in service("StatusText")
                    and not service("StatusText").endswith("; 0 waiting for the broker")
                )
            ),
            "a broker out of reach",
        )

    def test_it_is_little_exposed(self) -> None:
        said = run("systemd-analyze", "security", "--no-pager", "edged")

        exposure = float(re.findall(r"Overall exposure level.*: ([\d.]+)", said)[0])

        print(f"\n  systemd-analyze security: {exposure}")
        assert exposure <= 1.5

    def test_it_writes_to_its_state_directory_and_nowhere_else(self) -> None:
        pid = service("MainPID")
        user = ("setpriv", "--reuid=edged", "--regid=edged", "--init-groups")
        skipped = [
            word for place in ("/proc", "/sys", "/dev") for word in ("-path", place, "-prune", "-o")
        ]

        writable = run(
            "nsenter",
            "--target",
            pid,
            "--mount",
            *user,
            "find",
            "/",
            *skipped,
            "-writable",
            "-not",
            "-type",
            "l",
            "-print",
            check=False,
        ).split("\n")

        own = ("/tmp", "/var/tmp", "/var/lib/edged", "/run/edged")
        found = {p for p in writable if p.startswith("/") and not p.startswith(own)}
        assert {p for p in found if not Path(p).is_socket()} == set()
        status = Path(f"/proc/{pid}/status").read_text()
        assert re.search(r"CapEff:\s+0+\n", status)
        assert re.search(r"NoNewPrivs:\s+1\n", status)
        assert re.search(r"Seccomp:\s+2\n", status)

    def test_nobody_else_can_read_its_state(self) -> None:
        modes = {oct(Path(p).stat().st_mode & 0o7777) for p in ("/var/lib/edged", MODELS)}

        assert modes == {"0o750", "0o2775"}

    def test_a_stop_is_quick_and_says_goodbye(self) -> None:
        began = time.monotonic()

        run("systemctl", "stop", "edged")

        assert time.monotonic() - began < 10
        self.heard.wait("/status", lambda status: status == "offline")
        assert service("Result") == "success"
