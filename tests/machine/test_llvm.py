# SPDX-License-Identifier: MIT
"""Every machine built by clang and lld boots, too: `make llvm` has built them."""
from __future__ import annotations

import os
import subprocess

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
