# SPDX-License-Identifier: MIT
"""What guests in lockstep do not agree on, kept: as few lines as show it, each with what the first
one says, so that a replay fails on the other one."""
from __future__ import annotations

import re
import shlex
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pfnlab import errors, wire
from pfnlab.findings import renumbered, save, shrunk
from pfnlab.lockstep import WINDOW, Difference, with_window
from pfnlab.lockstep_memory import SAME
from pfnlab.pool import Pool
from pfnlab.request import Request
from pfnlab.transcript import Mismatch, Run, Step, Transcript
from pfnlab.trial import LONGEST, answers, reply_lines

TRIES = 2000                      # of shrinking; what is smallest then has to do
PANIC = "panic"


def keep(difference: Difference, directory: Path) -> tuple[Path, str]:
    """Shrink a difference and save it with what the first guest says; the file, and the command
    that replays it on the other one. ^C ends the shrinking only."""
    first, other = difference.names
    with Pair(first, other) as pair:
        steps, note = shrunk(difference.steps, pair.failure, most=TRIES)
        if note.startswith("not shrunk"):          # a reset does not clean all of a machine
            pair.afresh = True
            steps, note = shrunk(difference.steps, pair.failure, most=TRIES)
        transcript = Transcript("")
        transcript.options = WINDOW
        transcript.steps, got = pair.play(renumbered(steps))
    remarks = [f"found by pfnlab twins: {note}", str(difference), f"the file has what {first} says"]
    if got:
        remarks.append(f"of the last line {other} says: {got}")
    path = save(transcript, remarks, directory)
    return path, f"pfnlab --guest {shlex.quote(other)} replay {shlex.quote(str(path))}"


class Pair:
    """The guest that leads and one that differs; clean ones for each trial, `afresh` if they are
    to be started for it."""

    def __init__(self, first: str, other: str) -> None:
        self.names = first, other
        self.afresh = False
        self._pools = Pool(1), Pool(1)             # they may be of one name

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def close(self) -> None:
        """End both guests; a trial starts them again."""
        for pool in self._pools:
            pool.close()

    def failure(self, steps: Sequence[Step]) -> str | None:
        """How the last line that they answered differs, without addresses. A Trial."""
        told, got = self.play(steps)
        if got is None or got.startswith(PANIC):
            return got
        wanted = told[-1].final
        assert wanted is not None
        return f"{_outcome(got)}, where {self.names[0]} says {_outcome(wanted.raw)}, " \
               f"in {told[-1].name}"

    def play(self, steps: Sequence[Step]) -> tuple[list[Step], str | None]:
        """The steps with what the first one answers, up to the one where the other one says
        something else, and that."""
        if self.afresh:
            self.close()
        runs = [Run(pool.acquire(with_window(name)), LONGEST)
                for pool, name in zip(self._pools, self.names)]
        first, other = (answers(run, steps, deque()) for run in runs)
        told: list[Step] = []
        own = True                    # is it each machine's own map?
        for step in steps:
            try:
                request = next(first)
            except errors.PfnlabError:             # that is no difference
                return [*told, *steps[len(told):]], None
            told.append(expecting(step, runs[0], request, own))
            try:
                runs[1].compare(told[-1], next(other))
            except Mismatch as error:
                return told, error.got
            except errors.GuestPanic as panic:     # in this line or one behind it
                return told, " ".join([PANIC, *re.findall(r"(?:kind|at)=\S+", str(panic))])
            except errors.PfnlabError as error:
                return told, f"{type(error).__name__} {error}"
            if step.name in ("map_commit", "map_machine") and not _refused(request):
                own = step.name == "map_machine"
        return told, None


def expecting(step: Step, run: Run, request: Request, own: bool) -> Step:
    """The step with a reply that it is to have elsewhere: all of it; on each machine's `own` map,
    where addresses are its own, whether it is refused, of what depends on them."""
    *rows, final = reply_lines(run, request)
    sigil, *words = final.split(" ")
    if own and step.name not in SAME:
        rows, words = [], words[:1] if _refused(request) else []
    return replace(step, rows=[row.split(" ")[1:] for row in rows],
                   final=wire.parse(" ".join([f"{sigil}{step.tag}", *words]).encode()))


def _refused(request: Request) -> bool:
    return request.final is not None and request.final.sigil == "?"


def _outcome(final: str) -> str:
    """Success, an error's word, or how the guest ended."""
    head, _, rest = final.partition(" ")
    return rest.partition(" ")[0] if head[0] == "?" else "success" if head[0] in "=:" else head
