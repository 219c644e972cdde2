# SPDX-License-Identifier: MIT
"""pfnlab: drives the guest of the memory-allocator laboratory.

    with pfnlab.Guest("x86_64") as guest:
        block = guest.alloc_pages_area("low", 3)
        guest.free(block)
"""
from pfnlab import errors
from pfnlab.guest import Guest, Pending, Pipeline
from pfnlab.values import Address, Row, Rows

__all__ = ["Address", "Guest", "Pending", "Pipeline", "Row", "Rows", "errors"]
