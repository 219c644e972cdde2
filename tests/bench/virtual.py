# SPDX-License-Identifier: MIT
"""Instructions, page tables, frames and flushes of the virtual layer and of malloc."""
from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from engine import callgrind

WORKLOADS = {
    "vpair-page-cold": "vmalloc and vfree of a page, in an empty window",
    "vpair-page-warm": "the same, next to a page that stays",
    "vpair-page-1000": "the same, next to 1000 of them",
    "vpair-mib": "vmalloc and vfree of 1 MiB, page by page",
    "vgib-pages": "vmalloc of 1 GiB",
    "vgib-large": "vmap of 1 GiB, aligned to it",
    "vgib-odd": "vmap of 1 GiB from an odd page on",
    "vgib-pages-free": "vfree of 1 GiB",
    "vgib-large-free": "vunmap of 1 GiB, aligned to it",
    "vgib-odd-free": "vunmap of 1 GiB from an odd page on",
    "heap32-warm": "malloc and free of 32 bytes, from a slab that stays",
    "heap32-cold": "the same, its page is taken and given back each time",
    "heappage": "the same with a page for each object",
    "heappage-window": "the same with a page of the window for each",
    "heap32-1000": "malloc of 32 bytes, 1000 times",
    "heappage-1000": "the same with a page for each object",
}


@dataclass(frozen=True)
class Row:
    """A workload's figures per operation; tables are bytes and frames pages in use afterwards."""

    workload: str
    what: str
    operations: int
    instructions: float
    tables: int
    frames: int
    flushes: float


def rows(program: str) -> Iterator[Row]:
    """Every workload that the program has, one row each."""
    names = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        with tempfile.NamedTemporaryFile() as out:
            said = callgrind(program, "tree", name, out.name)
        found = re.search(r"Collected\s*:\s*(\d+)", said)
        if found is None:
            raise RuntimeError(said)
        operations, tables, frames, flushes = map(int, said.split()[:4])
        yield Row(name, WORKLOADS[name], operations, int(found.group(1)) / operations, tables,
                  frames, flushes / operations)
