# SPDX-License-Identifier: MIT
"""Every machine built by clang and lld boots, too: `make llvm` has built them."""
from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.machine.test_run_guest import ORDERLY, ROOT, SCRIPT, answers

ARCHES = sorted(file.parent.name for file in ROOT.glob("arch/*/arch.mk"))


@pytest.mark.parametrize("arch", ARCHES)
def test_a_kernel_of_the_other_compiler_boots_and_allocates(arch: str) -> None:
    done = subprocess.run([SCRIPT, arch], input="sync 7\nalloc_pages 3\nstress 2000 check=1\n"
                          "peek 0xb0000000\ncheck\n", capture_output=True, text=True, timeout=120,
                          env={**os.environ, "LLVM": "1"})
    assert done.returncode == ORDERLY, done.stderr
    got = answers(done.stdout)
    assert got[0].startswith("= 7 ") and f" arch={arch} " in got[0]
    assert [line.split()[0] for line in got[1:]] == ["=", "=", "?", "="]
    assert got[3].startswith("? fault.address ")
    built = (ROOT / "build/llvm" / arch / "flags").read_text()
    assert built.startswith("clang-19 ")


def test_gdb_walks_through_an_exception_of_such_a_kernel_and_reads_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pfnlab", "gdb", "s390x", "--batch", "break kernel_fault",
         "pfn send peek 0x7000000000", "bt", "delete", "continue", "pfn compare"],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, "LLVM": "1", "PYTHONPATH": str(ROOT / "host")})
    frames = [line for line in done.stdout.splitlines() if line.startswith("#")]
    assert "<signal handler called>" in done.stdout and " in start (" in frames[-1]
    assert "pages: the same, " in done.stdout and done.returncode == 0, done.stdout
