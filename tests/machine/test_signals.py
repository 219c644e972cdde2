# SPDX-License-Identifier: MIT
"""Signals that run-guest.sh gets at a bad moment, bytes of its guest, and the guest's end."""
from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.machine.test_run_guest import ROOT, SCRIPT
from tests.processes import late_to_ask, survivors, those_late

# Where the shell begins to wait for what a guest says, which is descriptor 10 or more.
WAITS = ("break *read if $rdi >= 10 && $rdi != 255", "break *select", "break *pselect")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the host names registers otherwise")
def test_a_signal_right_before_the_shell_waits_is_heeded() -> None:
    """The guest says nothing: with a signal lost, so would the script for ever."""
    lines = ["break main", "run", "delete", *WAITS, "continue", "delete", "signal SIGTERM"]
    done = subprocess.run(
        ["gdb", "-q", "-nx", "-batch", *(word for line in lines for word in ("-ex", line)),
         "--args", "bash", SCRIPT, "native", "--gdb"], stdin=subprocess.PIPE, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert f"exited with code 0{128 + signal.SIGTERM:o}]" in done.stdout


# A shell whose time is up just when it has read a byte, each time.
LATE = """
. arch/common/pipe.sh
read() { builtin read "$@" || return; [[ ${4-} != -t ]] || return 142; }
exec {from}< <(printf '= 7\\n\\n= 8\\n')
for n in 1 2 3; do guest_line && echo "<$line>"; done
"""


def test_a_byte_that_comes_when_the_time_is_up_is_not_lost() -> None:
    done = subprocess.run(["bash", "-c", LATE], cwd=ROOT, capture_output=True, text=True,
                          timeout=60)
    assert (done.stdout, done.stderr) == ("<= 7>\n<>\n<= 8>\n", "")


# A shell that is slow where it starts a guest, which ends at once.
SLOW = """
set -uT
root=.
. arch/common/pipe.sh
say() { :; }
tell_debugger() { trap - DEBUG; }
finish() { exit "$1"; }
command=(bash -c 'echo "= 7"; exit 5')
trap 'sleep 0.1' DEBUG
run_pipe
"""


def test_a_guest_that_ends_before_the_shell_looks_is_heard_all_the_same() -> None:
    done = subprocess.run(["bash", "-c", SLOW], cwd=ROOT, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("= 7\n", "", 5)


@pytest.mark.parametrize(("options", "starts"), [
    (["x86_64", "--serial", "unix:line"], 1), (["x86_64"], 2)], ids=["socket", "pipe"])
def test_who_was_just_started_does_not_survive_the_script(options: list[str], starts: int,
                                                          tmp_path: Path) -> None:
    environment = late_to_ask(tmp_path)
    with subprocess.Popen([SCRIPT, *options], cwd=tmp_path, stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          env=environment) as script:
        while len(those_late(tmp_path)) < starts:
            assert script.poll() is None
            time.sleep(0.01)
        script.kill()
        script.wait()
        assert not survivors(tmp_path)
