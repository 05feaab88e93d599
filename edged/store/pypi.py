"""Archives of pinned Python packages, downloaded by pip and not installed.

By pip, because it knows the machine's package index, mirror and proxy. Of a source archive it asks
the metadata, which runs the package's own build: so it gets the archive's hash, and checks that
before anything else.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from ..errors import EdgedError
from ..toml_text import printable

_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
_DOWNLOAD = ("download", "--quiet", "--no-deps", "--progress-bar=off")
# A wheel for a platform that is named, on whatever this runs: only a file inside is wanted.
_ANY_WHEEL = ("--only-binary=:all:", "--python-version=3.11", "--implementation=cp", "--abi=cp311")


def download_package(package: str, sha256: str, platform: str | None, directory: Path) -> Path:
    """The archive of ``package`` ("name==1.2.3") with that hash, in an empty directory.

    ``platform`` is that of a wheel; None: the source archive. Raises EdgedError.
    """
    if importlib.util.find_spec("pip") is None:
        raise EdgedError(
            f"pip is needed to download {package}, and {sys.executable} has none. "
            "Install it: sudo apt install python3-pip, or in a virtual environment "
            "python -m ensurepip"
        )
    pinned = directory / "pinned.txt"
    pinned.write_text(f"{package} --hash=sha256:{sha256}\n")
    found = directory / "found"
    wheel = (*_ANY_WHEEL, f"--platform={platform}") if platform else ()
    command = (*_PIP, *_DOWNLOAD, *wheel, f"--dest={found}", f"--requirement={pinned}")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    archives = list(found.iterdir()) if found.is_dir() else []
    if done.returncode != 0 or len(archives) != 1:
        raise EdgedError(
            f"pip could not download {package}: {_told(done.stderr)}. "
            "Check the network and pip's configuration"
        )
    return archives[0]


def _told(output: str) -> str:
    """What pip says went wrong, in one line."""
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if "ERROR: " in line]
    return (
        printable(errors[-1] if errors else output.strip()[-200:]).rstrip(".") or "it says not why"
    )
