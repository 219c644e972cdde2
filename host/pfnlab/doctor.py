# SPDX-License-Identifier: MIT
"""What there is to work with, what is missing and how to get it."""
from __future__ import annotations

import glob
import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pfnlab import errors
from pfnlab.spec import architectures, project_root

GOOD, MISSING, BROKEN, LEFT = "ok", "missing", "broken", "left"
_MARKS = {GOOD: "+", MISSING: "-", BROKEN: "!", LEFT: "~"}

_MODULES = (
    ("pytest", "python3-pytest", "the pytest plugin"),
    ("pexpect", "python3-pexpect", "the fixture `console`"),
    ("xdist", "python3-pytest-xdist", "pytest -n auto"),
    ("hypothesis", "python3-hypothesis", "tests by properties"),
    ("serial", "python3-serial", "guests behind serial devices and rfc2217://"),
    ("prompt_toolkit", "python3-prompt-toolkit", "the console of `run`"),
    ("rich", "python3-rich", "`top` and progress bars"),
    ("matplotlib", "python3-matplotlib", "the pictures of `map` and `plot`"),
    ("elftools", "python3-pyelftools", "source lines in backtraces"),
    ("argcomplete", "python3-argcomplete", "completion in shells"),
)


def how_to_get(module: str) -> str:
    """What to say where a module of Python is missing."""
    module = module.partition(".")[0]
    packages = {name: package for name, package, _ in _MODULES}
    return f"this needs {module}: apt install {packages[module]}" if module in packages else \
        f"no module {module}"


@dataclass
class Finding:
    """One thing: its name, how it is, what it is for or what to do."""

    what: str
    state: str
    text: str

    def __str__(self) -> str:
        return f"{_MARKS[self.state]} {self.what:26} {self.text}"

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"what": self.what, "state": self.state, "text": self.text}


def examine(clean: bool = False) -> Iterator[Finding]:
    """Look at everything. BROKEN is what nothing works without."""
    yield _python()
    for module, package, use in _MODULES:
        there = importlib.util.find_spec(module) is not None
        yield Finding(module, GOOD if there else MISSING,
                      use if there else f"{use}: apt install {package}")
    try:
        root = project_root()
    except errors.PfnlabError as error:
        yield Finding("the guests", BROKEN, str(error))
        return
    yield Finding("the guests", GOOD, str(root))
    for arch in architectures():
        yield _guest(root, arch)
    yield from packages(root)
    yield _accelerator()
    yield from _left_behind(clean)


def _python() -> Finding:
    version = platform.python_version_tuple()
    good = tuple(map(int, version[:2])) >= (3, 11)
    return Finding("python", GOOD if good else BROKEN, f"{platform.python_version()}"
                   + ("" if good else ": 3.11 or later is needed"))


def _guest(root: Path, arch: str) -> Finding:
    program = root / "build" / arch / ("pfnlab" if arch == "native" else "kernel.elf")
    return Finding(f"guest {arch}", GOOD,
                   "built" if program.exists() else "is built at its first start")


def packages(root: Path) -> Iterator[Finding]:
    """The lists that arch/deps.sh installs from, group by group: what is there in one line."""
    lines = [line.split(None, 3) for path in sorted([*root.glob("arch/*/packages"),
                                                     root / "tests/packages"])
             for line in path.read_text().splitlines() if not line.startswith("#")]
    listed = [words for words in lines if len(words) == 4 and not words[2].startswith("python:")]
    for marked in dict.fromkeys(words[0] for words in listed):
        group, there = marked.rstrip("?+"), []
        for _, package, probe, use in (words for words in listed if words[0] == marked):
            if _is_there(probe):
                there.append(package)
            else:
                yield Finding(package, MISSING, f"{use} ({marked}): ./arch/deps.sh {group}")
        if there:
            yield Finding(f"packages, {group}", GOOD, " ".join(there))


def _is_there(probe: str) -> bool:
    """As arch/deps.sh asks: a program, or a pattern of a path."""
    if probe.startswith("/"):
        return bool(glob.glob(probe))
    return shutil.which(probe, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def _accelerator() -> Finding:
    if os.access("/dev/kvm", os.W_OK):
        return Finding("/dev/kvm", GOOD, "there, and untested with the guests: accel=kvm")
    return Finding("/dev/kvm", MISSING, "emulators go without it")


def _left_behind(clean: bool) -> Iterator[Finding]:
    """Private directories of guests whose owner is gone: a process that was killed by force."""
    found = list(_of_the_dead())
    for path in found if clean else []:
        shutil.rmtree(path, ignore_errors=True)
    if found:
        number = f"{len(found)} of runs that were killed" if len(found) > 1 else \
            "of a run that was killed"
        yield Finding(str(found[0]), LEFT, number + (", removed" if clean
                                                     else ": pfnlab doctor --clean"))


def _of_the_dead() -> Iterator[Path]:
    for path in sorted(Path(tempfile.gettempdir()).glob("pfnlab-*-*")):
        pid = path.name.split("-")[1]
        if not pid.isdigit() or Path(f"/proc/{pid}").exists():
            continue
        with suppress(FileNotFoundError):              # its owner ended just now, and took it along
            if path.stat().st_uid == os.getuid():
                yield path
