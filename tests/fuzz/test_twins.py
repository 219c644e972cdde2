# SPDX-License-Identifier: MIT
"""The machines in lockstep: one stream of commands, on one injected map or in memory, and equal
replies."""
from __future__ import annotations

import random
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from pfnlab import wire
from pfnlab.cli import main
from pfnlab.guest import Guest
from pfnlab.link import Link
from pfnlab.lockstep import Difference, Lockstep
from pfnlab.lockstep_memory import Memory
from pfnlab.lockstep_mixture import Mixture
from pfnlab.plugin import guest_names
from pfnlab.request import Request
from pfnlab.transcript import read_transcript

COMMANDS = 3000
SEED = 1
OTHER = "native?engine=tree"


def test_all_machines_give_the_same_replies(pytestconfig: pytest.Config) -> None:
    names = guest_names(pytestconfig)
    if len(names) < 2:
        pytest.skip("it takes two guests to differ")
    with Lockstep(names) as guests:
        Mixture(guests, SEED).run(COMMANDS)


@pytest.mark.only("native")
def test_what_a_processor_does_otherwise_is_a_difference() -> None:
    """One of two machines misses that a page was made read-only."""
    with Lockstep(["native", OTHER]) as guests:
        guests.send("map_machine")
        memory = Memory(guests, random.Random(SEED))
        while guests.commands < 500:
            memory.step()
        at = int(str(guests.post("vmalloc", 4096)), 0)
        guests.collect()
        guests.guests[0].call("protect", at, 1, "ro")
        guests.guests[1].call("check")
        with pytest.raises(Difference, match="fault.protection"):
            guests.send(f"poke {at:#x} 1")
            guests.collect()


@pytest.mark.only("native")
@pytest.mark.parametrize("line, right, wrong", [
    ("protect", "ro", "rw"),                       # what a processor does, on the machine's own map
    ("alloc_pages", "2", "3"),                     # what an allocator does, on an injected one
    ("scan_order", "scan_order", "panic"),         # it ends
])
def test_a_difference_is_shrunk_and_kept(line: str, right: str, wrong: str, tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """One of two machines does something else in one command."""
    def submit(guest: Guest, words: list[Any]) -> Request:
        whole = " ".join(map(str, words)).split(" ") if len(words) == 1 else words
        if guest.spec.option("engine") and whole[0] == line:
            whole = [wrong if word == right else word for word in whole][:1 if wrong == "panic"
                                                                         else None]
            words = [" ".join(whole)] if len(words) == 1 else whole
        return as_ever(guest, words)
    as_ever = Guest.submit_words
    monkeypatch.setattr(Guest, "submit_words", submit)
    assert main(["twins", "native", OTHER, "--seed", str(SEED), "-o", str(tmp_path)]) == 1
    path, = tmp_path.iterdir()
    kept = read_transcript(path)
    assert len(kept.steps) <= 6, path.read_text()
    told = capsys.readouterr().out
    assert told.endswith(f"pfnlab --guest '{OTHER}' replay {path}\n") and f"{OTHER}: " in told
    assert main(["--guest", "native", "replay", str(path)]) == 0
    assert main(["--guest", OTHER, "replay", str(path)]) == (4 if wrong == "panic" else 1)
    assert f"line {kept.steps[-1].line}: " in capsys.readouterr().out or wrong == "panic"


@pytest.mark.only("native")
@pytest.mark.parametrize("line, right, wrong, fails", [
    ("dump", r"^: 0x0", ": 0xf", OTHER),           # an address in a row
    ("areas", r"^: .*", "", OTHER),                # no rows at all
    ("malloc", r"^(=\d+ \S+)", r"\1 more=1", "native"),         # more than is asked for
    ("free", "is free", "was free", ""),           # what no replay looks at
])
def test_what_differs_in_words_only_is_shrunk_and_kept(
        line: str, right: str, wrong: str, fails: str, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """One of two machines says the same otherwise."""
    def submit(guest: Guest, words: list[Any]) -> Request:
        request = submitted(guest, words)
        if guest.spec.option("engine") and str(words[0]).split(" ")[0] == line:
            wrongly[id(request)] = request
        return request

    def wait(link: Link, request: Request, *args: Any) -> Request:
        waited(link, request, *args)
        if wrongly.pop(id(request), None) is not None:
            said = [re.sub(right, wrong, one)
                    for one in (*(f": {row!r}" for row in request.rows), request.final.raw)]
            lines = [wire.parse(one.encode()) for one in said if one]
            request.rows, request.final = [one.row() for one in lines[:-1]], lines[-1]
        return request
    submitted, waited, wrongly = Guest.submit_words, Link.wait, {}
    monkeypatch.setattr(Guest, "submit_words", submit)
    monkeypatch.setattr(Link, "wait", wait)
    assert main(["twins", "native", OTHER, "--seed", str(SEED), "-o", str(tmp_path)]) == 1
    path, = tmp_path.iterdir()
    text, kept = path.read_text(), read_transcript(path)
    assert len(kept.steps) <= 6 and kept.steps[-1].name == line, text
    told = capsys.readouterr().out
    assert told.endswith(f"pfnlab --guest {shlex.quote(fails)} replay {path}\n" if fails else
                         f" pipe <{path}\n")
    assert f"of the last line {OTHER} says: " in text and not re.search("twins: .*0x", text)
    for name in ("native", OTHER):
        assert main(["--guest", name, "replay", str(path)]) == (name == fails)
