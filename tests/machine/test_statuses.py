# SPDX-License-Identifier: MIT
"""What each port's script makes of an emulator's exit status: run-guest.sh says no other."""
from __future__ import annotations

import subprocess

import pytest

from tests.machine.test_run_guest import EMULATOR, ORDERLY, PANIC, SCRIPT, USAGE

# As QEMU ends by isa-debug-exit; without a trace of its own an orderly end is none.
OF_PC = {33: ORDERLY, 35: PANIC}


@pytest.mark.parametrize("arch, known", [
    ("native", {0: ORDERLY, 2: USAGE, 4: PANIC}), ("x86_64", OF_PC), ("i386", OF_PC),
    ("s390x", {})])
def test_an_emulators_status_is_told_in_ours(arch: str, known: dict[int, int]) -> None:
    script = (f"root={SCRIPT.removesuffix('/run-guest.sh')} emulator=qemu temporary=/nowhere\n"
              f". $root/arch/{arch}/machine.sh\n"
              "for status; do machine_status $status; echo $?; done\n")
    statuses = dict.fromkeys((0, 1, 2, 3, 4, 33, 35, 134, 139), EMULATOR) | known
    done = subprocess.run(["bash", "-c", script, "-", *map(str, statuses)], capture_output=True,
                          text=True, check=True)
    assert dict(zip(statuses, map(int, done.stdout.split()))) == statuses
