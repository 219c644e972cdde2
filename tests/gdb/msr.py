# SPDX-License-Identifier: MIT
"""For gdb on a PC: a register of the processor that gdb has no name for."""
from __future__ import annotations

import gdb  # type: ignore[import]

RDMSR = b"\x0f\x32"
NEAR = 1 << 14                    # bytes in which there is such an instruction


def print_msr(number: int) -> None:
    """What RDMSR reads: one of the kernel's own is run."""
    saved = {name: int(gdb.parse_and_eval(f"${name}")) for name in ("pc", "ecx", "eax", "edx")}
    where = int(gdb.parse_and_eval("(unsigned long)&paging_open_cpu"))
    code = bytes(gdb.selected_inferior().read_memory(where, NEAR))
    gdb.execute(f"set $pc = {where + code.index(RDMSR)}")
    gdb.execute(f"set $ecx = {number}")
    gdb.execute("stepi", to_string=True)
    high, low = (int(gdb.parse_and_eval(f"${name}")) & 0xffffffff for name in ("edx", "eax"))
    for name, value in saved.items():
        gdb.execute(f"set ${name} = {value}")
    print(f"msr {high << 32 | low:#018x}")
