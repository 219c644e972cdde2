# SPDX-License-Identifier: MIT
"""How gdb prints frames, addresses, areas and blocks of the guest."""
from __future__ import annotations

from typing import Any

from gdb.printing import (  # type: ignore[import]
    RegexpCollectionPrettyPrinter, register_pretty_printer)


def _number(value: Any, name: str) -> int:
    return int(value[name])


class UnitPrinter:
    """pfn_t, phys_t, virt_t."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def to_string(self) -> str:
        """The number, and of a frame its address."""
        if self._value.type.name == "pfn_t":
            frame = _number(self._value, "n")
            return f"pfn {frame:#x} ({frame << 12:#018x})"
        return f"{self._value.type.name[:4]} {_number(self._value, 'a'):#018x}"


class AreaPrinter:
    """struct page_area, struct list_area: of the engines."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def to_string(self) -> str:
        """In one line."""
        first, limit, managed, free, reserved = (
            _number(self._value, name) for name in ("first", "limit", "managed", "free",
                                                    "reserved"))
        return (f"area {self._value['name'].string()} {first << 12:#018x}..{limit << 12:#018x} "
                f"managed={managed} free={free} reserved={reserved}")


class LimitPrinter:
    """struct area_limit: an area of the table in force, of which the limit is all that is fixed."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def to_string(self) -> str:
        """In one line."""
        limit = _number(self._value["limit"], "n") << 12
        return f"area {self._value['name'].string()} up to {limit:#018x}"


class BlockPrinter:
    """struct page_info: what is known of a frame."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def to_string(self) -> str:
        """In one line."""
        state = str(self._value["state"]).removeprefix("PAGE_").lower()
        return (f"{state} block {_number(self._value['block'], 'n') << 12:#018x} "
                f"pages={_number(self._value, 'pages')} fresh={int(self._value['fresh'])}")


def register_printers() -> None:
    """All of them."""
    found = RegexpCollectionPrettyPrinter("pfnlab")
    found.add_printer("units", "^(pfn_t|phys_t|virt_t)$", UnitPrinter)
    found.add_printer("areas", "^(page|list)_area$", AreaPrinter)
    found.add_printer("limits", "^area_limit$", LimitPrinter)
    found.add_printer("blocks", "^page_info$", BlockPrinter)
    register_pretty_printer(None, found, replace=True)
