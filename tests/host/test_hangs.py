# SPDX-License-Identifier: MIT
"""A test that never ends: it fails, its processes end, and the others run."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.processes import is_running

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
import pytest, queue, subprocess
from tests import hangs
hangs.PATIENCE = 0.1

@pytest.mark.timeout(60)                # however long it takes to tell and to end it
def test_process():                     # its output stays open as long as anybody has it
    subprocess.run(["sh", "-c", "echo $$ >pids; sleep 1000 & echo $! >>pids; wait"],
                   stdout=subprocess.PIPE, check=True)

@pytest.mark.timeout(3)
def test_itself():
    queue.SimpleQueue().get()

def test_other():
    pass
"""

DEBUGGED = """
import signal, subprocess
from tests import hangs

def test_process():
    with subprocess.Popen(["sleep", "1000"]) as process:
        breakpoint()
        hangs._end_processes()
        process.terminate()
    assert process.returncode == -signal.SIGTERM
"""


def test_a_test_that_hangs_fails_and_the_others_run(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.hangs", "-p", "no:cacheprovider", "-n", "2",
         "--timeout-method", "thread", "test_it.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=100)
    said = done.stdout + done.stderr
    assert "it hangs; ended is what its worker has started:\n" in said and "sleep 1000\n" in said
    assert "died with <Signals.SIGKILL: 9>" in said and "2 failed, 1 passed" in said
    assert not any(is_running(int(pid)) for pid in (tmp_path / "pids").read_text().split())
    assert "queue.SimpleQueue().get()" in said          # where it was
    assert "crashed while running 'test_it.py::test_itself'" in said


def test_a_test_at_which_a_person_looks_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(DEBUGGED)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.hangs", "-p", "no:cacheprovider",
         "--timeout", "60", "test_it.py"], cwd=tmp_path, input="continue\n",
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=100)
    assert "(Pdb) " in done.stdout and "1 passed" in done.stdout, done.stdout
