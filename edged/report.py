"""The lines of ``edged check``."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Report(msgspec.Struct):
    """Tells each finding as it is made, and remembers whether all is well."""

    tell: Callable[[str], None]
    failed: bool = False

    def ok(self, subject: str, text: str) -> None:
        self.tell(f"ok     {subject:<8} {text}")

    def note(self, subject: str, text: str) -> None:
        """Worth knowing; the daemon runs all the same."""
        self.tell(f"note   {subject:<8} {text}")

    def wrong(self, subject: str, text: str) -> None:
        self.failed = True
        self.tell(f"wrong  {subject:<8} {text}")
