# SPDX-License-Identifier: MIT
"""Address translation of the mainframe: attributes with and without facility 130, stale entries."""
from __future__ import annotations

import re

import pytest

from tests.machine.test_run_guest import ORDERLY, answers, run
from tests.machine.test_s390x import PATHS

# With the facility no-execute is an attribute; Hercules has none, QEMU can do without.
NX, NO_NX = ("direct", "iso"), ("hercules", "iep=off")
MACHINES = PATHS | {"iep=off": "s390x --cpu qemu,iep=off"}
WINDOW = 1 << 40


def ask(machine: str, *lines: str, memory: str = "256M") -> list[str]:
    given = "".join(f"{line}\n" for line in lines).encode()
    done = run(*MACHINES[machine].split(), "--memory", memory, given=given)
    assert done.returncode == ORDERLY, done.stderr
    return answers(done.stdout)


def word(line: str) -> int:
    return int(line.split()[1], 0)


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_promised_is_what_happens(machine: str) -> None:
    """The kernel's own parts, too: text, constants, data, stacks, the pages below them, page 0."""
    *rows, final = ask(machine, "truth")
    assert final.startswith("= wrong=0 "), rows
    promised = {(found[1], found[2]) for found in
                (re.match(r": (\S+) .*promised=(\S+) ", row) for row in rows) if found is not None}
    executes = "" if machine in NX else "|execute"
    assert promised >= {
        ("ro", "read|execute"), ("unmapped", "none"), ("null", "none"), ("guard", "none"),
        ("text", "read|execute"),
        ("rodata", f"read{executes}"), ("data", f"read|write{executes}"),
        ("stack", f"read|write{executes}")}
    assert ("nx" in dict(promised)) == (machine in NX)
    assert "uncached" not in dict(promised)


@pytest.mark.parametrize("machine", MACHINES)
def test_an_attribute_that_the_machine_lacks_is_refused(machine: str) -> None:
    got = ask(machine, "alloc_pages_nx 0 as=1", "probe $v1", "alloc_pages_uncached 0", "check")
    if machine in NX:
        assert got[1] == "= read=yes write=yes execute=no execute_fault=execute"
    else:
        assert got[0].startswith("? call.unsupported ")
    assert got[2].startswith("? call.unsupported ") and got[3] == "="


@pytest.mark.parametrize("machine", PATHS)
def test_no_translation_outlives_its_mapping(machine: str) -> None:
    """Nothing runs between the change and the access that could hide what a CPU still knows."""
    lines = ["alloc_page as=1", "poke $v1 1", "alloc_page as=2", "poke $v2 2"]
    rounds = 64
    for _ in range(rounds):
        lines += ["vmap $v1 4K as=3", "peek $v3", "vunmap $v3", f"peek {WINDOW:#x}",
                  "vmap $v2 4K as=3", "peek $v3", "protect $v3 1 ro", "poke $v3 3",
                  "protect $v3 1 rw", "poke $v3 2", "vunmap $v3"]
    got = ask(machine, *lines, "check")[4:-1]
    for i in range(rounds):
        at, first, _, gone, _, second, _, refused, _, poked, _ = got[11 * i:11 * i + 11]
        assert word(at) == WINDOW and word(first) == 1 and word(second) == 2
        assert gone.startswith(f"? fault.address at={WINDOW:#018x} ")
        assert refused.startswith(f"? fault.protection at={WINDOW:#018x} ")
        assert poked == "="


@pytest.mark.parametrize("machine", PATHS)
def test_each_page_of_many_is_gone_at_once(machine: str) -> None:
    """Over the end of a page table, which has 1 MiB, and of a segment table, which has 2 GiB."""
    pages, at = 300, (1 << 40) + (1 << 31) - (150 << 12)
    addresses = [at + (n << 12) for n in range(pages)]
    lines = [f"vmalloc {pages * 4096} at={at:#x} as=1"]
    lines += [f"poke {page:#x} {n + 1}" for n, page in enumerate(addresses)]
    lines += [f"peek {page:#x}" for page in addresses] + ["vfree $v1"]
    lines += [f"peek {page:#x}" for page in addresses] + ["check"]
    got = ask(machine, *lines)
    assert [word(line) for line in got[1 + pages:1 + 2 * pages]] == list(range(1, pages + 1))
    assert got[1 + 2 * pages] == f"= {pages}"
    for page, line in zip(addresses, got[2 + 2 * pages:-1]):
        assert line.startswith(f"? fault.address at={page:#018x} ")
    assert got[-1] == "="


@pytest.mark.parametrize("machine, memory", [("direct", "4G"), ("direct", "8G"), ("iso", "8G"),
                                             ("hercules", "4G")])
def test_memory_above_2g_is_mapped_where_it_is_and_elsewhere(machine: str, memory: str) -> None:
    got = ask(machine, "alloc_pages_area normal 0 as=1", "vmap $v1 4K as=2", "poke $v2 0x1234",
              "peek $v1", "translate $v2", "translate $v1", memory=memory)
    block = word(got[0])
    assert block >= 1 << 31 and word(got[1]) == WINDOW
    assert word(got[3]) == 0x1234
    assert word(got[4]) == word(got[5]) == block


@pytest.mark.parametrize("machine", PATHS)
def test_the_window_is_between_1_and_4_tib(machine: str) -> None:
    end = 4 << 40
    got = ask(machine, "alloc_vpages 1", f"alloc_vpages 1 at={WINDOW - 4096:#x}",
              f"alloc_vpages 1 at={end - 4096:#x}", f"alloc_vpages 1 at={end:#x}",
              f"peek {end:#x}", f"peek {end - 8:#x}")
    assert word(got[0]) == WINDOW and word(got[2]) == end - 4096
    assert got[1][0] == got[3][0] == "?"
    assert got[4].startswith(f"? fault.address at={end:#018x} ")
    assert got[5].startswith(f"? fault.address at={end - 8:#018x} ")
