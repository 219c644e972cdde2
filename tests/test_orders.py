# SPDX-License-Identifier: MIT
"""Memory orders that no run can tell from weaker ones are kept by how they are written.

Release and acquire are tested: tests/order lets ThreadSanitizer judge them. What ports do is
another pattern: a CPU stores, then looks at what another one stores, which does the same the other
way round. Only sequential consistency keeps both from missing each other; neither ThreadSanitizer
nor an emulator shows what happens without.
"""
from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WITHOUT_ORDER = re.compile(
    r"\batomic_(?!\w*_explicit)(?:load|store|exchange|fetch|compare)\w*\s*\(")
WITH_ORDER = re.compile(r"\batomic_\w+_explicit\b|\bmemory_order_(?!seq_cst)\w+")


def sources(*folders: str) -> list[Path]:
    """The C files below."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.[ch]"))]


def found(pattern: re.Pattern[str], text: str) -> list[str]:
    """Where it is."""
    return [line for line in text.splitlines() if pattern.search(line)]


@pytest.mark.parametrize("path", sources("kernel", "protocol"), ids=lambda path: path.name)
def test_the_kernel_states_each_order(path: Path) -> None:
    assert not found(WITHOUT_ORDER, path.read_text())


@pytest.mark.parametrize("path", sources("arch"), ids=lambda path: path.name)
def test_a_port_has_no_order_but_the_strongest(path: Path) -> None:
    assert not found(WITH_ORDER, path.read_text())


def test_the_rules_see_what_they_forbid() -> None:
    assert found(WITHOUT_ORDER, "x = atomic_load(&y);\natomic_compare_exchange_strong (a, b, c);")
    assert found(WITHOUT_ORDER, "atomic_fetch_add(&n, 1);")
    assert found(WITH_ORDER, "atomic_thread_fence(memory_order_acq_rel);")
    assert found(WITH_ORDER, "atomic_load_explicit(&x, memory_order_seq_cst)")
    assert not found(WITH_ORDER, "atomic_thread_fence(memory_order_seq_cst);")
