# SPDX-License-Identifier: MIT
"""Runs from the source tree: the package need not be installed."""
from __future__ import annotations

import signal
import sys
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "host"))
sys.path.insert(0, str(ROOT))

installed = [entry.name for entry in entry_points(group="pytest11")]
pytest_plugins = ["tests.hangs", *([] if "pfnlab" in installed else ["pfnlab.plugin"])]

# What a shell runs in the background has ^C ignored, and so have its children: ours shall heed it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
