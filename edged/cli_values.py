"""What several commands take as an option's value."""

from __future__ import annotations

import argparse


def share(text: str) -> float:
    """Raises ArgumentTypeError for what is no share, or is none of anything."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; a number above 0, at most 1")
    return value
