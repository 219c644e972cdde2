# SPDX-License-Identifier: MIT
"""Attributes follow the processor: what it lacks is not promised, what it has is kept."""
from __future__ import annotations

import re

import pytest

from tests.machine.test_run_guest import BOOTS, ORDERLY, answers, run

PARTS = {"text": {"read", "execute"}, "rodata": {"read"}, "data": {"read", "write"},
         "stack": {"read", "write"}, "guard": set(), "null": set(),
         "unmapped": set()}


def truth(*options: str) -> tuple[dict[str, str], list[tuple[str, set[str]]]]:
    """Of each set of attributes what was observed, and of each part; all is as promised."""
    done = run(*options, given=b"truth\n")
    assert done.returncode == ORDERLY, done.stderr
    assert re.search(r"^= wrong=0 ", done.stdout, re.M), done.stdout
    rows = re.findall(r"^: (\S+) (first=\S+ )?promised=(\S+) observed=(\S+)", done.stdout, re.M)
    assert all(promised == observed for _, _, promised, observed in rows)
    return ({name: observed for name, first, _, observed in rows if not first},
            [(name, set(observed.split("|")) - {"none"}) for name, first, _, observed in rows
             if first])


@pytest.mark.parametrize("options", ["i386 --cpu qemu32", "x86_64 --cpu qemu64,-nx"])
def test_without_no_execute_data_can_be_executed_and_it_is_said(options: str) -> None:
    sets, parts = truth(*options.split())
    assert "nx" not in " ".join(sets)
    assert sets["rw"] == "read|write|execute" and sets["ro"] == "read|execute"
    for name, seen in parts:
        assert seen == PARTS[name] | ({"execute"} if PARTS[name] else set())


@pytest.mark.parametrize("options, has", [
    ("x86_64 --cpu qemu64,-pat", False), ("i386 --cpu coreduo,-pat", False), ("x86_64", True)])
def test_write_combining_needs_the_attribute_table(options: str, has: bool) -> None:
    sets, _ = truth(*options.split())
    assert ("wc" in sets) == has
    assert "uncached" in sets


@pytest.mark.parametrize("machine", ["pc", "microvm", "iso", "uefi", "bochs", "i386", "i386-iso",
                                     "i386-uefi", "i386-bochs"])
def test_however_it_was_booted_the_kernel_keeps_its_rules(machine: str) -> None:
    sets, parts = truth(*BOOTS[machine].split())
    assert sets["ro|nx"] == "read" and sets["nx"] == "read|write"
    assert {name for name, _ in parts} == set(PARTS)
    for name, seen in parts:
        assert seen == PARTS[name], name


@pytest.mark.parametrize("processor, unit", [("max", 1 << 30), ("qemu64", 2 << 20)])
def test_memory_is_mapped_in_the_largest_units_there_are(processor: str, unit: int) -> None:
    done = run("x86_64", "--cpu", processor, "--memory", "6G", given=b"translate 0x140000000\n")
    assert answers(done.stdout) == [
        f"= 0x0000000140000000 size={unit} attributes=nx level={3 if unit >> 30 else 2}"]


@pytest.mark.parametrize("options, bits", [
    ("i386 --cpu qemu32", 32), ("i386", 36), ("x86_64 --cpu qemu64,phys-bits=38", 38)])
def test_an_address_that_no_entry_can_name_is_not_mapped(options: str, bits: int) -> None:
    """It would be a reserved bit, a fault that tells nobody anything."""
    end = 1 << bits
    done = run(*options.split(), given=f"vmap {end - 4096:#x} 4K\nvmap {end:#x} 4K\n"
               f"ioremap {end - 4096:#x} 8K\ncheck\n".encode())
    assert [line.split(" ; ")[0].partition(" at=")[0] for line in answers(done.stdout)] == [
        "= 0x" + answers(done.stdout)[0][4:], "? call.unsupported", "? call.unsupported", "="]
