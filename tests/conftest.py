# SPDX-License-Identifier: MIT
"""Runs from the source tree: the package need not be installed."""
from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "host"))
sys.path.insert(0, str(ROOT))

installed = [entry.name for entry in entry_points(group="pytest11")]
pytest_plugins = [] if "pfnlab" in installed else ["pfnlab.plugin"]
