# SPDX-License-Identifier: MIT
"""The README's session is a real one, and its other commands answer as it says."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).resolve().parents[2]


def block(start: str) -> list[str]:
    """The indented lines of the README that begin with this one."""
    lines = (ROOT / "README.md").read_text().splitlines()
    found = lines.index("    " + start)
    end = next(i for i in range(found, len(lines)) if lines[i] and not lines[i].startswith("    "))
    return [line[4:] for line in lines[found:end] if line]


def steady(line: str) -> str:
    """The line without what each build may change."""
    return re.sub(r"(?<=pc )0x[0-9a-f]+|schema=0x[0-9a-f]+| \*[0-9a-f]{4}$", "...", line)


@pytest.mark.parametrize("start", ["$ ./run-guest.sh", "> vmalloc 10000 guard=both redzone=1",
                                   "> reset stage=early"])
def test_a_session_is_real(start: str) -> None:
    session = block(start)
    requests = [line[2:] for line in session if line.startswith("> ")]
    done = subprocess.run(["./run-guest.sh"], cwd=ROOT, input="\n".join(requests), text=True,
                          capture_output=True, timeout=120, check=True)
    shown = [steady(line) for line in session if line[:1] in ":=?"]
    said = [steady(line) for line in done.stdout.splitlines()]
    assert shown == [line for line in said if line[:1] in ":=?"]
    assert {steady(line) for line in session if line[:1] in "%;" and line != "; ..."} <= set(said)


def test_the_session_of_processors_is_real() -> None:
    """Addresses too; but for the refusals, of which nobody can say how many there are."""
    session = block("$ ./run-guest.sh s390x --cpus 4")
    requests = [line[2:] for line in session if line.startswith("> ")]
    done = subprocess.run(session[0].split()[1:], cwd=ROOT, input="\n".join(requests), text=True,
                          capture_output=True, timeout=120, check=True)

    def told(lines: list[str]) -> list[str]:
        return [re.sub(r"fails=\d+", "fails=...", line) for line in lines if line[:1] in ":=?"]
    assert told(session) == told(done.stdout.splitlines()) and len(requests) == 6


# The session is one of s390x. Elsewhere the machine begins under another name.
ELSEWHERE = {"s390x": {}, "x86_64": {"start ()": "start64 ()", "s390x": "x86_64"}}
PROMPT = "(gdb) "


def typed(line: str, commands: list[str]) -> list[list[str]]:
    """What a terminal shows after each command, lines without anything left out."""
    said = []
    with pexpect.spawn(sys.executable, ["-m", *line.split()], timeout=200, encoding="utf-8",
                       env={**os.environ, "PYTHONPATH": str(ROOT / "host"), "TERM": "dumb"},
                       dimensions=(1000, 400)) as gdb:
        gdb.expect_exact(PROMPT)
        for command in commands:
            gdb.sendline(command)
            gdb.expect_exact(PROMPT)
            said.append([text for text in gdb.before.splitlines()[1:] if text])
    return said


def pattern(shown: list[str]) -> str:
    """Of the lines of an answer; `...` is any lines, or the rest of one."""
    return "".join(r"(.*\n)*" if line == "..." else
                   re.escape(line).replace(r"\.\.\.", ".*") + "\n" for line in shown)


@pytest.mark.parametrize("arch", ELSEWHERE)
def test_a_planted_corruption_is_found_with_the_readme_alone(arch: str) -> None:
    """As it stands there, word by word, typed."""
    text = "\n".join(block("$ pfnlab gdb s390x") + block("(gdb) pfn send reset"))
    for theirs, ours in ELSEWHERE[arch].items():
        text = text.replace(theirs, ours)
    start, *steps = text.split(PROMPT)
    shown = [step.splitlines() for step in steps]
    said = typed(start.strip("$ \n"), [step[0] for step in shown])
    for step, lines in zip(shown, said, strict=True):
        assert re.fullmatch(pattern(step[1:]), "".join(f"{line}\n" for line in lines)), step[0]


def test_the_python_example_prints_what_it_says() -> None:
    example = block("import pfnlab")
    printed = example[-1].partition("# ")[2]
    done = subprocess.run([sys.executable, "-c", "\n".join(example)], cwd=ROOT / "host", text=True,
                          capture_output=True, timeout=120, check=True)
    assert done.stdout == printed + "\n"
