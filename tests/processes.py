# SPDX-License-Identifier: MIT
"""Processes of this host, by what /proc tells of them."""
from __future__ import annotations

import os
import shutil
import signal
import time
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


# It has asked only when the parent has ended.
LATE_TO_ASK = """\
#!/bin/sh
touch "{folder}/late.$$"
while [ -e /proc/$PPID ]; do sleep 0.05; done
exec {setpriv} "$@"
"""


def late_to_ask(folder: Path) -> dict[str, str]:
    """An environment in which whoever asks the kernel to tell of its parent's end is too late; see
    those_late()."""
    program = folder / "setpriv"
    program.write_text(LATE_TO_ASK.format(folder=folder, setpriv=shutil.which("setpriv")))
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder)}


def those_late(folder: Path) -> list[int]:
    """The processes that are about to ask."""
    return [int(path.suffix[1:]) for path in folder.glob("late.*")]


def survivors(folder: Path, seconds: float = 30) -> list[int]:
    """Those of them that are there for so long; they are ended."""
    late, deadline = those_late(folder), time.monotonic() + seconds
    while any(map(is_running, late)) and time.monotonic() < deadline:
        time.sleep(0.01)
    found = [pid for pid in late if is_running(pid)]
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return found
