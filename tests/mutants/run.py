# SPDX-License-Identifier: MIT
"""Breaks a copy of the tree, one line at a time, and demands that a test turns red.

    run.py [--scenarios] [NAME...]

NAME: only the mutants whose name holds one of these texts. --scenarios: without the unit tests, to
see whether the second ring would have noticed.

Status 0: every mutant was killed. A mutant that does not apply, does not compile, or cannot be told
from a tree that is red without it is an error.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.mutants.table import MUTANTS, Mutant  # noqa: E402

TREE = ROOT / "build/mutants"
TIMEOUT = 150.0
HANGS = "it hangs"
SCENARIOS_ONLY = "--scenarios" in sys.argv[1:]
SCENARIOS = ["tests/scenarios", "tests/fuzz/test_stream.py",
             "tests/fuzz/test_early_stream.py", "tests/host/test_model.py",
             "--guest", "native", "--ignore", "tests/scenarios/test_console.py", "-x", "-q",
             "-p", "no:cacheprovider", "--timeout", "60"]


class Broken(Exception):
    """The mutant is no mutant."""


def copy_tree() -> None:
    """The sources, and what is built of them, with their times: so little is built anew."""
    shutil.rmtree(TREE, ignore_errors=True)
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                           cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if (ROOT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, TREE / name)
    if (ROOT / "build/native").is_dir():
        shutil.copytree(ROOT / "build/native", TREE / "build/native")


def run(*command: str) -> tuple[bool, str]:
    """Run a command in the copy: is it green, and what it said. A hang is red."""
    environment = {**os.environ, "PFNLAB_HOME": str(TREE)}
    with subprocess.Popen(command, cwd=TREE, env=environment, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as process:
        try:
            out, _ = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return False, HANGS
        return process.returncode == 0, out


def make(*words: str) -> tuple[bool, str]:
    """make in the copy, for the native guest."""
    return run("make", "-s", "ARCH=native", *words)


def build() -> None:
    """Broken: the copy does not compile."""
    green, out = make("image")
    if not green:
        raise Broken("it does not compile:\n" + out[-2000:])


def killer(tests: str) -> str:
    """Which ring turns red: the unit tests, the scenarios, or none ("")."""
    green, out = make("unit-run", f"TEST={tests}") if not SCENARIOS_ONLY else (True, "")
    if not green and "unit tests FAILED" not in out and out != HANGS:
        raise Broken("the unit tests do not compile:\n" + out[-2000:])
    if not green:
        return "unit"
    if not run(sys.executable, "-m", "pytest", *SCENARIOS)[0]:
        return "scenarios"
    return ""


def attempt(mutant: Mutant) -> str:
    """Apply it to the copy, see who notices, take it back."""
    path = TREE / mutant.file
    text = path.read_text()
    if text.count(mutant.old) != 1:
        raise Broken(f"{text.count(mutant.old)} places in {mutant.file} fit instead of 1")
    path.write_text(text.replace(mutant.old, mutant.new))
    try:
        build()
        return killer(mutant.tests)
    finally:
        path.write_text(text)


def main() -> int:
    """The table; its verdict."""
    names = [word for word in sys.argv[1:] if word != "--scenarios"]
    wanted = [m for m in MUTANTS if not names or any(text in m.name for text in names)]
    copy_tree()
    build()
    red = killer("*")
    if red:
        print(f"the tree is red as it is: {red}")
        return 1
    failures = 0
    for mutant in wanted:
        start = time.monotonic()
        try:
            by = attempt(mutant)
            verdict = f"killed by {by}" if by else "SURVIVED"
        except Broken as error:
            by, verdict = "", f"BROKEN: {error}"
        failures += not by
        print(f"{mutant.name:45} {verdict:22} {time.monotonic() - start:6.1f} s", flush=True)
    print(f"{len(wanted) - failures} of {len(wanted)} mutants killed")
    return 1 if failures or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
