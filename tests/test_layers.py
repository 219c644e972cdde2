# SPDX-License-Identifier: MIT
"""The house rules that reading the sources can enforce."""
from __future__ import annotations

import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Of each room, the first that fits: what its files may include, from the project.
RULES = (
    ("kernel/base.h", ("kernel/errors.def",)),
    ("kernel/error.c", ("kernel/base.h", "kernel/errors.def")),
    ("kernel/mmu.h", ("kernel/base.h",)),
    ("kernel/lock.h", ("kernel/base.h",)),
    ("kernel/lib/*", ("kernel/lib/*", "kernel/base.h")),
    ("kernel/mm/vmap*", ("kernel/base.h", "kernel/lock.h", "kernel/mmu.h", "kernel/lib/*",
                         "kernel/mm/*")),
    ("kernel/mm/attributes*", ("kernel/base.h", "kernel/lock.h", "kernel/mmu.h", "kernel/lib/*",
                               "kernel/mm/*")),
    ("kernel/mm/*", ("kernel/base.h", "kernel/lock.h", "kernel/lib/*", "kernel/mm/*")),
    ("kernel/main.c", ("*",)),
    ("kernel/*", ("kernel/*", "arch/arch.h")),
    ("arch/*", ("arch/*", "kernel/base.h", "kernel/mmu.h", "kernel/trap.h", "kernel/lib/*")),
    ("protocol/*", ("protocol/*", "kernel/base.h", "kernel/lab.h", "kernel/machine.h",
                    "kernel/mmu.h", "kernel/smp.h", "kernel/trap.h", "kernel/mm/*",
                    "kernel/lib/*")),
    ("tests/*", ("*",)),
)
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "stdatomic.h"}
HOSTED = ("arch/native/*", "tests/*")
ARCH_MACROS = re.compile(r"#\s*(?:if|elif|ifdef|ifndef)\b.*\b(__x86_64__|__i386__|__s390x?__|"
                         r"__aarch64__|__riscv|__linux__|__unix__|NATIVE|ARCH_\w+)")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
SPDX = "SPDX-License-Identifier: MIT"
WITHOUT_SPDX = ("LICENSE", "*.md", ".gitignore", "*.t", "*/packages", "*.typed", "*.patch", "*.png",
                "tests/fuzz/corpus/*", "tests/fuzz/found/*")


def tracked() -> list[str]:
    """The files of the tree, new ones included."""
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                         cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in out.splitlines() if (ROOT / name).is_file()]


FILES = tracked()
SOURCES = [name for name in FILES if name.endswith((".c", ".h", ".S", ".def"))]


def fits(name: str, patterns: tuple[str, ...]) -> bool:
    """Is the name one of these?"""
    return any(fnmatch(name, pattern) for pattern in patterns)


def offences(name: str, text: str) -> list[str]:
    """The includes of a file that its room may not have."""
    allowed = next((rule for room, rule in RULES if fnmatch(name, room)), ())
    bad = []
    for ours, system in INCLUDE.findall(text):
        if ours and not fits(ours, allowed):
            bad.append(ours)
        if system and not fits(name, HOSTED) and system not in FREESTANDING:
            bad.append(system)
    return bad


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_includes_only_what_its_room_may_see(name: str) -> None:
    assert not offences(name, (ROOT / name).read_text())


@pytest.mark.parametrize(("name", "line"), [
    ("kernel/mm/page.c", '#include "arch/arch.h"'),
    ("kernel/mm/phys.c", '#include "protocol/protocol.h"'),
    ("kernel/mm/page.c", '#include "kernel/lab.h"'),
    ("protocol/parse.c", '#include "arch/arch.h"'),
    ("arch/x86/serial.c", '#include "kernel/mm/page.h"'),
    ("kernel/lib/string.c", "#include <string.h>"),
    ("kernel/base.h", '#include "kernel/trap.h"'),
    ("kernel/mm/virt.c", '#include "kernel/mmu.h"'),
])
def test_the_rule_sees_what_it_forbids(name: str, line: str) -> None:
    assert offences(name, line)


@pytest.mark.parametrize("name", [n for n in SOURCES if not n.startswith("arch/")])
def test_no_condition_on_an_architecture_outside_arch(name: str) -> None:
    assert not ARCH_MACROS.search((ROOT / name).read_text())


@pytest.mark.parametrize("name", [n for n in FILES if not fits(n, WITHOUT_SPDX)])
def test_a_file_names_its_licence_at_its_top(name: str) -> None:
    assert SPDX in "".join((ROOT / name).read_text().splitlines(keepends=True)[:2])


@pytest.mark.parametrize("name", [n for n in FILES if n.endswith((".c", ".h", ".S", ".py", ".sh"))])
def test_a_file_is_short_and_its_lines_are_too(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    assert len(lines) < 400
    assert not [line for line in lines if len(line) > 100]
