# SPDX-License-Identifier: MIT
"""The mutants of locks: each function that takes one is broken by doing without; and what is done
under a lock is done a line too late.

They are made from the sources, so that a lock which somebody adds has its mutant. tests/order finds
what is touched without its lock as a race, whatever the schedule: tests/order/layers.c has every
operation of every layer.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.mutants.table import Mutant

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = re.compile(r"^[a-z][^\n;]*\b([a-z_]+)\((?:[^;{}]*)\)\n\{\n(.*?)^\}\n", re.M | re.S)
TAKE = re.compile(r"lock_take\(&(.*)\);")
FILES = ("kernel/mm/*.c", "kernel/machine_mmu.c", "kernel/lab_events.c")


def lockers() -> Iterator[Mutant]:
    """Every function that takes a lock first and gives it back then, without it."""
    for path in sorted(path for files in FILES for path in ROOT.glob(files)):
        for name, body in ((f[1], f[0]) for f in FUNCTION.finditer(path.read_text())):
            for lock in TAKE.findall(body):
                if body.find(f"lock_take(&{lock})") > body.find(f"lock_release(&{lock})"):
                    continue          # it lets others in for a while
                owner = re.split("[.-]", lock)[0]
                yield Mutant(f"{name} does without {lock}", str(path.relative_to(ROOT)), body,
                             re.sub(rf"lock_[a-z]+\(&{lock}\);", f"(void){owner};", body), "lock")


LOCKS = (
    *lockers(),
    Mutant("what there is of early memory is looked at too late", "kernel/mm/phys.c",
           "    lock_release(&phys->lock);\n    return found;\n}\n\n/* The early",
           "    lock_release(&phys->lock);\n    return i < phys->count;\n}\n\n/* The early",
           "lock"),
    Mutant("a page of the pool is counted too late", "kernel/mm/kpool.c",
           "    pool->used--;\n    lock_release(&pool->lock);",
           "    lock_release(&pool->lock);\n    pool->used--;", "lock"),
    Mutant("a mapping is told of before it is there", "kernel/machine_mmu.c",
           "        e = arch_mmu.map(at, phys, size, attributes);\n"
           "        changes = false;\n    }\n    lock_release(&lock);",
           "        changes = false;\n    }\n    lock_release(&lock);\n"
           "    if (e == OK)\n        e = arch_mmu.map(at, phys, size, attributes);", "lock"),
    Mutant("an event is put into the queue too late", "kernel/lab_events.c",
           "    put(&(struct journal_event){ event, tag, first, pages });\n"
           "    lock_release(&queue.lock);",
           "    lock_release(&queue.lock);\n"
           "    put(&(struct journal_event){ event, tag, first, pages });", "lock"),
)
