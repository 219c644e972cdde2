# SPDX-License-Identifier: MIT
"""What a failed test leaves: its session, and the lines that show the failure again."""
from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host.suite import FAILING, HOST, Suite

pytestmark = pytest.mark.only("native")


@pytest.fixture
def suite(tmp_path: Path, guest_name: str) -> Suite:
    path = tmp_path / "suite"
    path.mkdir()
    return Suite(path)


def test_what_a_session_began_with_and_mended_replays(suite: Suite) -> None:
    suite.write("test_it.py", """
def test_it(guest):
    guest.alloc_page()
    guest.link._recover("for a test")
    guest.free(0xa0000)
""")
    suite.run("--artifacts", "kept")
    session, = (suite.path / "kept").rglob("session.t")
    done = subprocess.run([sys.executable, "-m", "pfnlab", "replay", str(session)], cwd=suite.path,
                          env={**os.environ, "PYTHONPATH": str(HOST)}, capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_each_line_to_copy_shows_the_failure_again(suite: Suite) -> None:
    suite.write("test_it.py", FAILING)
    said = suite.run("--artifacts", "here").stdout.splitlines()
    again = next(line for line in said if " -m pytest " in line)
    assert shlex.split(again)[0] == f"PYTHONPATH={HOST}"
    bare = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(again, shell=True, cwd=suite.path, env=bare, capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 1 and "MemUnmanaged" in done.stdout
    replays = [line for line in said if " replay " in line and "-m pfnlab" in line]
    assert len(replays) == 3 and "--map" in replays[1] and "--gdb" in replays[2]
    for line in replays:
        done = subprocess.run(line, shell=True, cwd=suite.path, env=bare, capture_output=True,
                              text=True, timeout=60, check=False, input="\n")
        assert "2 requests, as written" in done.stdout, done.stdout + done.stderr
    assert re.search(r"pfnlab: gdb.* -p \d+ ", done.stderr)
    directory = suite.path / "here/test_it.py-test_it-native"
    assert {p.name for p in directory.iterdir()} == {
        "report.txt", "session.t", "session.log", "machine.map", "map-before.txt", "map-after.txt"}
    assert directory.stat().st_mode & 0o077 == 0


def replays(said: str) -> list[str]:
    """The lines to copy that a report shows."""
    return [line for line in said.splitlines() if " replay " in line and "-m pfnlab" in line]


@pytest.mark.parametrize(("name", "text", "expected"), [
    ("refers.t", ">1 alloc_page\n>9 alloc_page\n=9 $1\n", r"expected: =\d+ 0x\w{16}$"),
    ("rows.t", ">1 alloc_page\n>4 dump pages $1 1\n:4 $1 2 allocated owner=1\n=4 n=1\n",
     r"expected: 0x\w{16} 2 allocated owner=\d+$"),
    ("behind.t", ">1 alloc_page\n>4 free $1+8\n?4 mem.unaligned at=$1+9\n",
     r"expected: \?\d+ mem.unaligned at=0x\w{15}9$"),
    ("test_inside.py", """
def test_it(guest, transcript):
    guest.alloc_page()
    transcript(">5 alloc_page\\n=5 _\\n>6 free $5\\n=6 7\\n")
""", r"expected: =\d+ 7$"),
    ("test_broken.py", """
def test_it(fresh_guest):
    guest = fresh_guest()
    guest.corrupt("count")
    guest.check()
""", r"expected: =\d+$")], ids=lambda word: word if word.endswith((".t", ".py")) else "")
def test_the_lines_to_copy_of_a_wrong_reply_fail_as_the_test_did(
        suite: Suite, name: str, text: str, expected: str) -> None:
    suite.write(name, text)
    lines = replays(suite.run("--memory", "64M").stdout)
    assert len(lines) == 3
    for line in lines:
        done = subprocess.run(line, shell=True, cwd=suite.path, capture_output=True, text=True,
                              timeout=60, check=False, input="\n")
        assert done.returncode == 1 and re.search(expected, done.stdout, re.M), done.stdout
