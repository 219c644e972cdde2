# SPDX-License-Identifier: MIT
"""For gdb: go through a command instruction by instruction, and see where each backtrace ends."""
from __future__ import annotations

import gdb  # type: ignore[import]


def outermost() -> str:
    """The function with which the machine began, if gdb finds the way there, or what is wrong."""
    try:
        frame = gdb.newest_frame()
        while frame.older() is not None:
            frame = frame.older()
        name = str(frame.name())
        why = frame.unwind_stop_reason()
    except gdb.error as error:
        return str(error)
    ended = why == gdb.FRAME_UNWIND_OUTERMOST
    return name if ended else f"{name}: {gdb.frame_stop_reason_string(why)}"


def walk(line: str, *parts: tuple[str, int]) -> None:
    """Send a line; from each of these places on go so many instructions."""
    gdb.execute(f"tbreak {parts[0][0]}", to_string=True)
    gdb.execute(f"pfn send {line}", to_string=True)
    ends: set[str] = set()
    for i, (_, steps) in enumerate(parts):
        for _ in range(steps):
            ends.add(outermost())
            gdb.execute("stepi", to_string=True)
        for following, _ in parts[i + 1:i + 2]:
            gdb.execute(f"tbreak {following}", to_string=True)
            gdb.execute("continue", to_string=True)
    gdb.execute("continue", to_string=True)
    print(f"\nwalked {sum(steps for _, steps in parts)}: {', '.join(sorted(ends))}")
