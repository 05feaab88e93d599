"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The shared models, broken models and photos; skips the test where they are absent."""
    given = os.environ.get("EDGED_TESTDATA")
    path = Path(given) if given else REPO.parent / "shared" / "testdata"
    if not path.is_dir():
        pytest.skip(f"no test data at {path}; name its directory in EDGED_TESTDATA")
    return path
