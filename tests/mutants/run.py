# SPDX-License-Identifier: MIT
"""Breaks a copy of the tree, one line at a time, and demands that a test turns red.

    run.py [--scenarios] [--jobs N] [NAME...]

NAME: only the mutants whose name or file holds one of these texts. --scenarios: without the unit
tests, to see whether the second ring would have noticed. Each of N workers has a copy of its own.

Status 0: every mutant was killed. A mutant that does not apply, does not compile, or cannot be told
from a tree that is red without it is an error.
"""
from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.mutants.table import MUTANTS, Mutant  # noqa: E402
from tests.mutants.table_around import AROUND  # noqa: E402
from tests.mutants.table_locks import LOCKS  # noqa: E402
from tests.mutants.table_orders import ORDERS  # noqa: E402

TREES = ROOT / "build/mutants"
CPU_SECONDS = 150                 # of any program of a run: what takes longer hangs, on any machine
TIMEOUT = 900.0                   # what sleeps for so long hangs, too
HANGS = "it hangs"
SCENARIOS = ["tests/scenarios", "tests/fuzz/test_stream.py", "tests/protocol/test_stress.py",
             "tests/fuzz/test_early_stream.py", "tests/host/test_model.py", "tests/test_orders.py",
             "--guest", "native", "--ignore", "tests/scenarios/test_console.py", "-x", "-q",
             "-p", "no:cacheprovider", "--timeout", "300"]


class Broken(Exception):
    """The mutant is no mutant."""


class Copy:
    """A copy of the tree, for one mutant at a time."""

    def __init__(self, number: int, scenarios_only: bool) -> None:
        self.tree = TREES / str(number)
        self.scenarios_only = scenarios_only
        self._make()
        self.build()

    def _make(self) -> None:
        """The sources, and what is built of them, with their times: so little is built anew."""
        shutil.rmtree(self.tree, ignore_errors=True)
        names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                               cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in names.splitlines():
            if (ROOT / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.tree / name)
        if (ROOT / "build/native").is_dir():
            shutil.copytree(ROOT / "build/native", self.tree / "build/native")

    def run(self, *command: str) -> tuple[bool, str]:
        """Run a command in the copy: is it green, and what it said. A hang is red."""
        environment = {**os.environ, "PFNLAB_HOME": str(self.tree)}
        with subprocess.Popen(["prlimit", f"--cpu={CPU_SECONDS}", *command], cwd=self.tree,
                              env=environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, start_new_session=True) as process:
            try:
                out, _ = process.communicate(timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                return False, HANGS
            return process.returncode == 0, out

    def make(self, *words: str) -> tuple[bool, str]:
        """make in the copy, for the native guest."""
        return self.run("make", "-s", "ARCH=native", *words)

    def build(self) -> None:
        """Broken: the copy does not compile."""
        green, out = self.make("image")
        if not green:
            raise Broken("it does not compile:\n" + out[-2000:])

    def killer(self, tests: str) -> str:
        """What turns red: the fuzzers' corpus, the unit tests, a hang in one of these, the
        scenarios; nothing ("")."""
        green, out = (True, "") if self.scenarios_only else self.make("unit-run", f"TEST={tests}")
        if not green and re.search(r"^fuzz: |fuzz-replay-[a-z]+\] Error", out, re.MULTILINE):
            return "corpus"
        if not green and "unit tests FAILED" in out:
            return "unit"
        if not green and re.search(r"(?<!runtime) error: ", out):
            raise Broken("the unit tests do not compile:\n" + out[-2000:])
        if not green:
            return "a hang"
        if not self.run(sys.executable, "-m", "pytest", *SCENARIOS)[0]:
            return "scenarios"
        return ""

    def attempt(self, mutant: Mutant) -> str:
        """Apply it to the copy, see who notices, take it back."""
        path = self.tree / mutant.file
        text = path.read_text()
        if text.count(mutant.old) != 1:
            raise Broken(f"{text.count(mutant.old)} places in {mutant.file} fit instead of 1")
        path.write_text(text.replace(mutant.old, mutant.new))
        try:
            self.build()
            return self.killer(mutant.tests)
        finally:
            path.write_text(text)


def stale(mutants: list[Mutant]) -> list[str]:
    """The rows whose line has moved, so that they do not apply: told before an hour has gone."""
    return [f"{m.name}: {count} places in {m.file} fit instead of 1" for m in mutants
            if (count := (ROOT / m.file).read_text().count(m.old)) != 1]


def try_mutant(mutant: Mutant, copies: SimpleQueue[Copy]) -> bool:
    """One row of the table: was it killed?"""
    copy = copies.get()
    start = time.monotonic()
    try:
        by = copy.attempt(mutant)
        verdict = f"killed by {by}" if by else "SURVIVED"
    except Broken as error:
        by, verdict = "", f"BROKEN: {error}"
    copies.put(copy)
    print(f"{mutant.name:45} {mutant.file:26} {verdict:22} {time.monotonic() - start:6.1f} s",
          flush=True)
    return bool(by)


def main() -> int:
    """The table; its verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenarios", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    wanted = [m for m in (*MUTANTS, *AROUND, *ORDERS, *LOCKS) if not options.names
              or any(text in m.name or text in m.file for text in options.names)]
    if moved := stale(wanted):
        print("\n".join(moved))
        return 1
    copies: SimpleQueue[Copy] = SimpleQueue()
    for number in range(min(options.jobs, len(wanted))):
        copy = Copy(number, options.scenarios)
        if number == 0 and (red := copy.killer("*")):
            print(f"the tree is red as it is: {red}")
            return 1
        copies.put(copy)
    with ThreadPoolExecutor(options.jobs) as workers:
        killed = sum(workers.map(lambda mutant: try_mutant(mutant, copies), wanted))
    print(f"{killed} of {len(wanted)} mutants killed")
    return 0 if wanted and killed == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
