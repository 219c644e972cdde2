# SPDX-License-Identifier: MIT
"""What no access shows, as TCG knows no caches: the memory types of each processor of a PC."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.gdb.session import ROOT, run

IA32_PAT = 0x277                  # Intel SDM volume 3, section 11.12.2


@pytest.mark.parametrize("arch", ["x86_64", "i386"])
def test_every_processor_has_the_attribute_table_that_entries_name(arch: str) -> None:
    told = run(f"{arch}?cpus=2", {"msr": [
        f"source {Path(__file__).with_name('msr.py')}", "pfn send cpu start 1",
        *(step for line in ("echo 8", "on 1 echo 8") for step in (
            "tbreak cmd_echo", f"pfn send {line}", f"python print_msr({IA32_PAT})", "continue"))]})
    value = re.search(r"PTE_PAT UINT64_C\((0x\w+)\)", (ROOT / "arch/x86/pte.h").read_text())
    assert value is not None
    assert re.findall(r"^msr (0x\w+)$", told["msr"], re.M) == 2 * [value[1]]
