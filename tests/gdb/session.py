# SPDX-License-Identifier: MIT
"""One session of gdb in batch mode with a guest of each machine, told apart into its steps:
starting a guest and gdb costs more than all that is asked of them."""
from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARK = "=== step "
FLIP = ("python place = lab().places(0x3000000 >> 12)[0]; "
        "gdb.execute(f'set var *(unsigned char *) {place.address:#x} ^= {place.mask}')")

# What the serial line has, too: the question to gdb, and the command.
TWINS = {
    "areas": "dump areas", "pages": "dump pages", "map": "dump map", "phys": "dump phys",
    "virt": "dump virt", "pages 48M 600": "dump pages 48M 600", "freelist low": "dump free",
    "pagetable 0x3000000 600": "dump pagetables 0x3000000 600",
    "translate 0x3001234": "translate 0x3001234", "heap": "dump heap",
}

STEPS: dict[str, list[str]] = {
    "prompt": ["thread apply all bt", "pfn cpus"],
    "arrange": ["pfn send >1 owner tests", "pfn send >2 alloc_pages 3 at=48M",
                "pfn send >3 alloc_pages_exact 5 at=49M", "pfn send >4 alloc_pages 2 at=50M",
                "pfn send reserve 51M 7", "pfn send >5 vmalloc 10000 guard=both redzone=1",
                "pfn send >6 malloc 100", "pfn send >7 malloc 5000", "pfn send free 50M",
                "pfn send >8 cpu start 1"],
    **{f"gdb {question}": [f"pfn {question}"] for question in TWINS},
    **{f"line {question}": [f"pfn send {line}"] for question, line in TWINS.items()},
    "totals": ["pfn send heap"],
    "cpus": ["pfn cpus", "thread apply 2 bt"],
    "compare": ["pfn compare"],
    "astray": ["set $before = $pc", "set var $pc = 0x7f00000", "pfn cpus", "pfn areas",
               "set var $pc = $before"],
    "check": ["pfn check", "pfn send check"],
    "page": ["pfn page 0x3002000"], "free page": ["pfn page 50M"],
    "free pages": ["pfn page 0x3150000"],
    "owner": ["pfn owner 2"], "virtual owner": ["pfn owner 5"],
    "way": ["pfn pagetable 0x3002000"],
    "ring": ["pfn ring"],
    "printers": ["print lab.areas[0].limit", "print $pfn_tree()->area[1]", "print lab.areas[0]"],
    "expression": ["set $frame = 0x3000", "pfn page $frame * 4096", "pfn page lab.areas[0].limit"],
    "wrong": ["pfn freelist nowhere", "pfn map nowhere", "pfn freelist low 99",
              "pfn break-alloc order=99", "pfn compare now",
              "pfn page banana", "pfn page", "pfn page lab",
              "pfn break-alloc colour=red", "pfn break-alloc area=nowhere", "pfn translate 0",
              "pfn pages 4096T 1", "pfn pages 0 2T", "pfn page -1", "pfn page 1.5", "pfn check now",
              "pfn break-tag", "pfn watch-page", "pfn break-alloc area", "pfn bananas",
              f"pfn send {'x' * 1024}",
              "pfn send \u00e9"],
    "overtake": ["tbreak dispatch", "pfn send echo 4", "pfn send echo 5"],
    "help": ["help pfn page", "complete pfn c", "complete pfn freelist l",
             "complete pfn break-alloc area=l", "pfn"],
    "break": ["break cmd_echo", "pfn send echo 7", "next", "finish", "delete", "continue"],
    "tag": ["pfn break-tag 21", "pfn send >20 echo 1", "pfn send >21 echo 2", "print reply->tag",
            "delete", "continue"],
    "alloc": ["pfn break-alloc area=low order=4", "pfn send alloc_page area=low",
              "pfn send alloc_pages 4 area=low", "bt", "delete", "continue"],
    "address": ["pfn break-alloc address=52M", "pfn send alloc_pages 0 at=53M",
                "pfn send alloc_pages 0 at=52M", "print first", "delete", "continue"],
    "fault": ["break kernel_fault", "pfn send peek 0x7000000000", "bt", "delete", "continue"],
    "watch": ["pfn watch-page 48M", "pfn send free 48M", "bt", "delete", "continue"],
    "planted": ["watch -l $pfn_tree()->area[lab.nareas - 1].reserved", "pfn send corrupt count",
                "bt", "pfn ring", "delete", "continue", "pfn check", "pfn send check",
                "pfn send reset"],
    "flip": ["pfn send >30 alloc_pages 3 at=48M", FLIP, "pfn check", "pfn send check"],
    "panic": ["pfn send panic", "bt", "pfn areas"],
    "end": ["continue", "pfn areas", "pfn send echo 1"],
}

# On s390x external interrupts have a symbol of their own.
INTERRUPT = {"interrupt": ["break *&external_entry", "pfn send echo 8", "bt", "delete", "continue"]}


# Through assembly: into a guard, an access that faults, and back. A process has its C library.
WALK = {"walk": [f"source {Path(__file__).with_name('walk.py')}",
                 "python walk('peek 0x7000000000', ('arch_guard', 80), ('arch_load', 80), "
                 "('arch_unwind', 50))"]}
# A stack that overflows ends in a double fault on x86, on i386 in a task of its own.
OVERFLOW = {"x86_64": {"panic": ["pfn send panic overflow", *STEPS["panic"][1:]]},
            "i386": {"panic": ["break *double_fault_entry", "pfn send panic overflow", "bt -1",
                               "delete", "continue", *STEPS["panic"][1:]]}}
# What another engine than the tree is asked.
ENGINE_STEPS = {name: step for name, step in STEPS.items() if name.partition(" ")[0] in (
    "arrange", "gdb", "line", "totals", "check", "page", "owner", "watch")} | {
    "tree": ["print $pfn_tree()", "print ((struct list_engine *)lab.pages.state)->area[1]"],
    "flip": [step.replace("{place.mask}", "0x20") for step in STEPS["flip"]]}    # its kind


@functools.cache
def engine_session(guest: str) -> dict[str, str]:
    """The same, in part, of the reference engine."""
    return run(f"{guest}&engine=list", ENGINE_STEPS)


@functools.cache
def session(arch: str) -> dict[str, str]:
    """What gdb printed in each step, and as `status` its exit status, as `errors` its complaints.
    """
    return run(f"{arch}?cpus=2", {**(INTERRUPT if arch == "s390x" else {}),
                                  **(WALK if arch != "native" else {}), **STEPS,
                                  **OVERFLOW.get(arch, {})})


def run(guest: str, steps: dict[str, list[str]]) -> dict[str, str]:
    """A session with a guest."""
    commands = []
    for name, step in steps.items():
        commands += [f"python print('{MARK}{name}', flush=True)", *step]
    with subprocess.Popen(
            [sys.executable, "-m", "pfnlab", "gdb", guest, "--batch", *commands],
            env={**os.environ, "PYTHONPATH": str(ROOT / "host")},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True) as process:
        try:
            out, errors = process.communicate(timeout=200)
        except subprocess.TimeoutExpired:      # gdb too, else its output would never end
            os.killpg(process.pid, signal.SIGKILL)
            out, errors = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    parts = [part.partition("\n")[::2] for part in out.split(MARK)[1:]]
    return {**dict(parts), "status": str(process.returncode), "errors": errors}
