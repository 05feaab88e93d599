"""``edged run``: from the configuration's file to a daemon that serves.

The start is short where as little as possible is done one after the other. What costs most of it
are imports; a model that has never been tried here is tried meanwhile, by another process.
"""

from __future__ import annotations

import gc
import os
from collections.abc import MutableMapping
from pathlib import Path

from . import config as configuration
from .engine import ahead
from .service.notify import Notifier
from .store.ledger import PLACE, Ledger, decode


def run_daemon(path: Path, environ: MutableMapping[str, str], is_root: bool) -> None:
    """Takes from ``environ`` what is for this process alone. Raises ConfigError, EdgedError."""
    notifier = Notifier.taken_from(environ)
    config = configuration.load_config(path)
    state_dir = configuration.state_dir(config, environ, is_root)
    models_dir = configuration.models_dir(config, environ, is_root)
    # NumPy would start a thread a core, and pipelines are the unit of parallel work.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _try_ahead(config, state_dir, models_dir)

    # Nothing of what is imported becomes rubbish, and looking for some takes a tenth of the time.
    gc.disable()
    from .build import mqtt_settings
    from .daemon import Daemon

    gc.freeze()
    gc.enable()
    Daemon(
        config,
        lambda: configuration.load_config(path),
        mqtt_settings(config.mqtt, config.device.id, environ),
        state_dir,
        models_dir,
        notifier=notifier,
    ).run()


def _try_ahead(config: configuration.Config, state_dir: Path, models_dir: Path) -> None:
    """The first pipeline's model, if none is known to be good for it: it will be tried first.

    Not where models must be signed, for what is not signed must not run at all; nor with a
    delegate, whose device may still be another's.
    """
    first = config.pipelines[0]
    if config.models.require_signature or first.delegate is not None:
        return
    try:
        known = decode((state_dir / PLACE).read_bytes())
    except (OSError, ValueError):  # the vault tells of it
        known = Ledger()
    if known.standing(first.name, first.model).good is None:
        ahead.begin(models_dir / f"{first.model}.tflite", threads=first.threads, delegate=None)
