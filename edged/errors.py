"""What can go wrong, as one tree.

EdgedError
├── ConfigError         the configuration is wrong (every problem at once; exit status 78)
├── MissingExtra        an optional part is not installed; the message holds the command
├── RuntimeMissing      no TFLite runtime can be imported
├── DelegateError       a delegate cannot be loaded
├── ModelError          a model cannot serve: absent, damaged, or of a kind edged cannot use
├── NotFinite           a window holds values that are no numbers: nothing is to be said of it
├── ProbeCancelled      a model's trial was given up, because nobody wants its outcome any more
├── SourceError         a source cannot be opened or has stopped giving frames
└── MessageRefused      something that must not leave the device was handed to the publisher
    └── MessageExpired  it has waited for longer than it was to be delivered

A message is one or two plain sentences: what is wrong, and what to do. The cause is kept with
``raise ... from``.
"""

from __future__ import annotations

from collections.abc import Sequence

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h: systemd can be told not to restart on it
EXIT_READER_GONE = 141  # 128 + SIGPIPE: what a shell says of a tool that this signal has ended


class EdgedError(Exception):
    """The root of the tree: anything edged itself reports."""

    exit_status = EXIT_FAILED


class ConfigError(EdgedError):
    """The configuration cannot be used. ``problems`` holds one sentence for each fault found."""

    exit_status = EXIT_CONFIG

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class MissingExtra(EdgedError):
    """An optional part of edged is needed and not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed. Install it with: pip install 'edged[{extra}]'")
        self.extra = extra


class RuntimeMissing(EdgedError):
    """Neither ai-edge-litert nor tflite-runtime can be imported."""


class DelegateError(EdgedError):
    """A delegate that a pipeline names cannot be loaded; the message names it."""


class ModelError(EdgedError):
    """A model cannot serve; the message is the reason that is published and shown."""


class NotFinite(EdgedError):
    """A window's samples are not all finite numbers; says nothing about the model."""


class ProbeCancelled(EdgedError):
    """A probe was cancelled before it had an outcome; says nothing about the model."""


class SourceError(EdgedError):
    """A source cannot be opened or has failed; opening it again later may succeed."""


class MessageRefused(EdgedError):
    """A message is over the size limit or holds what must not leave the device."""


class MessageExpired(MessageRefused):
    """A result is older than the configuration lets it become; it is dropped and counted."""
