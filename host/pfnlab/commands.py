# SPDX-License-Identifier: MIT
"""The guest's commands as methods. At run time they are made from the guest's `help`; what a type
checker and an editor know of them is commands.pyi, generated from the same (`pfnlab stubs`)."""
from __future__ import annotations


class Commands:
    """Base of what has the guest's commands as methods."""
