# SPDX-License-Identifier: MIT
"""What the decoder knows of the program's records it has from the program's debug information."""
from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from pfnlab.doors import program_of
from pfnlab.dwarf import DebugError, open_program

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "host" / "pfnlab"
# Bits and bytes of a word of the machine, and the six halvings of it; a shift or mask of 32 and 64
# bits; pages, whose size is the protocol's; more than there can be of anything.
WORDS = {0, 1, 2, 3, 4, 6, 7, 8, 63, 64, 0xff, 0xffffffff, 12, 16, 24, 4096, 256}
BROKEN = ("Violation", "broken", "_broken", "self._broken")
FOLDS = {0x5555555555555555, 0x1111111111111111, 0x0101010101010101, 0x0001000100010001,
         0x0000000100000001}


def numbers(node: ast.AST) -> Iterator[ast.Constant]:
    """Those of a module, but for the numbers of invariants."""
    parts = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield node
    elif isinstance(node, ast.Dict):
        parts = list(node.values)
    elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "TEXT":
        parts = []
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in BROKEN:
        parts = list(node.args[1:])
    yield from (number for part in parts for number in numbers(part))


@pytest.mark.parametrize("module", sorted(HOST.glob("decode*.py")), ids=lambda path: path.stem)
def test_no_number_of_the_program_is_copied(module: Path) -> None:
    found = [f"line {number.lineno}: {number.value}"
             for number in numbers(ast.parse(module.read_text()))
             if number.value not in WORDS | FOLDS]
    assert found == []


def test_what_is_no_constant_is_refused() -> None:
    program = open_program(program_of("native"))
    assert program.constant("HASH_FACTOR", "kernel/mm/lookup.c") > 1 << 63
    with pytest.raises(DebugError, match=re.escape("kernel/mm/lookup.c uses no constant NOWHERE")):
        program.constant("NOWHERE", "kernel/mm/lookup.c")


@pytest.mark.parametrize("arch", ["x86_64", "i386", "s390x"])
def test_what_boots_has_no_symbols_and_they_are_beside_it(arch: str) -> None:
    told = subprocess.run([ROOT / "run-guest.sh", arch, "--print"], capture_output=True, text=True,
                          check=True).stdout
    booted = re.search(r"-kernel (\S+)", told)
    assert booted is not None and Path(booted[1]).parent == program_of(arch).parent
    sections = [section.name for section in ELFFile(open(booted[1], "rb")).iter_sections()]
    assert not [name for name in sections if name == ".symtab" or name.startswith(".debug")]
    assert open_program(program_of(arch)).symbol("kernel_main") is not None
