# SPDX-License-Identifier: MIT
"""Processes of this host, by what /proc tells of them."""
from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, by whatever thread of it, and theirs."""
    children: list[int] = []
    with suppress(OSError):           # whatever ends meanwhile has none
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                told = Path(f"/proc/{pid}/task/{thread}/children").read_text()
                children += map(int, told.split())
    return [found for child in children for found in [child, *descendants(child)]]


def is_running(pid: int) -> bool:
    """Does it do anything? An orphan that has ended may wait for somebody to ask why."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):    # the latter between opening and reading it
        return False
