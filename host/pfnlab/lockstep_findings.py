# SPDX-License-Identifier: MIT
"""What guests in lockstep do not agree on, kept: as few lines as show it, each with what the first
one says, so that a replay fails on the other one."""
from __future__ import annotations

import re
import shlex
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
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
NO_LINE = "(no such line)"


@dataclass(frozen=True)
class Odd:
    """What is odd about the last line that was played: `how`, by which two are the same, without
    addresses, and what each says of it, if both do. `writer` is whose reply, written down, fails on
    the other one, an index; None where a replay looks at no such thing: how it is spelled."""

    how: str
    said: Sequence[str]
    writer: int | None = 0


def keep(difference: Difference, directory: Path) -> tuple[Path, str]:
    """Shrink a difference and save it with what the first guest says; the file, and the command
    that shows it. A replay looks for what is written only: where the other one says all that and
    more, the last line has what that one says, and the first one is replayed. ^C ends the
    shrinking only."""
    first, other = difference.names
    with Pair(first, other) as pair:
        steps, note = shrunk(difference.steps, pair.failure, most=TRIES)
        if note.startswith("not shrunk"):          # a reset does not clean all of a machine
            pair.afresh = True
            steps, note = shrunk(difference.steps, pair.failure, most=TRIES)
        transcript = Transcript("")
        transcript.options = WINDOW
        transcript.steps, odd = pair.play(renumbered(steps))
    remarks = [f"found by pfnlab twins: {note}", str(difference), f"the file has what {first} says"]
    if odd is not None and odd.writer == 1:
        remarks[-1] += f", and of the last line what {other} says, which is more"
    if odd is not None:
        remarks += [f"of the last line {name} says: {said}"
                    for name, said in zip(difference.names, odd.said)]
    path = save(transcript, remarks, directory)
    quoted = shlex.quote(str(path))
    if odd is not None and odd.writer is None:     # to be seen by eye
        return path, f"pfnlab --guest {shlex.quote(with_window(other))} pipe <{quoted}"
    failing = first if odd is not None and odd.writer == 1 else other
    return path, f"pfnlab --guest {shlex.quote(failing)} replay {quoted}"


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
        odd = self.play(steps)[1]
        return None if odd is None else odd.how

    def play(self, steps: Sequence[Step]) -> tuple[list[Step], Odd | None]:
        """The steps with what is to be written of each, up to the one where the other one says
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
                requests = request, next(other)
            except errors.GuestPanic as panic:     # in this line or one behind it
                end = " ".join([PANIC, *re.findall(r"(?:kind|at)=\S+", str(panic))])
                return told, Odd(end, (_final(request), end))
            except errors.PfnlabError as error:
                return told, Odd(self._how(type(error).__name__, step, request),
                                 (_final(request), f"{type(error).__name__} {error}"))
            told[-1], odd = self._compare(step, runs, requests, own)
            if odd is not None:
                return told, odd
            if step.name in ("map_commit", "map_machine") and not _refused(request):
                own = step.name == "map_machine"
        return told, None

    def _compare(self, step: Step, runs: Sequence[Run], requests: Sequence[Request], own: bool
                 ) -> tuple[Step, Odd | None]:
        """The step with a reply that fails on one of them, the first one's if there is none."""
        ways = [expecting(step, *one, own) for one in zip(runs, requests)]
        lines = [spelled(*one) for one in zip(runs, requests)]
        said = next((pair for pair in zip_longest(*lines, fillvalue=NO_LINE)
                     if pair[0] != pair[1]), ())
        for writer, run, request in ((0, runs[1], requests[1]), (1, runs[0], requests[0])):
            try:
                run.compare(ways[writer], request)
            except Mismatch:
                outcomes = [_outcome(_final(one)) for one in requests]
                what = outcomes[1] if outcomes[0] != outcomes[1] else \
                    "something else" if said == (lines[0][-1], lines[1][-1]) else "other rows"
                return ways[writer], Odd(self._how(what, step, requests[0]), said, writer)
        if said and not (own and step.name not in SAME):
            return ways[0], Odd(f"spelled otherwise than by {self.names[0]}, in {step.name}", said,
                                None)
        return ways[0], None

    def _how(self, what: str, step: Step, request: Request) -> str:
        return f"{what}, where {self.names[0]} says {_outcome(_final(request))}, in {step.name}"


def expecting(step: Step, run: Run, request: Request, own: bool) -> Step:
    """The step with a reply that it is to have elsewhere: all of it; on each machine's `own` map,
    where addresses are its own, whether it is refused, of what depends on them."""
    *rows, final = reply_lines(run, request)
    sigil, *words = final.split(" ")
    if own and step.name not in SAME:
        rows, words = [], words[:1] if _refused(request) else []
    return replace(step, rows=[row.split(" ")[1:] for row in rows],
                   final=wire.parse(" ".join([f"{sigil}{step.tag}", *words]).encode()))


def spelled(run: Run, request: Request) -> list[str]:
    """A reply, line by line, without its tag, as pfnlab.lockstep compares it: with the text for
    people, but that of a fault, which tells where in the program."""
    lines = reply_lines(run, request)
    if lines[-1].startswith("? fault."):
        return lines[-1:]
    assert request.final is not None
    texts = [row.text for row in (*request.rows, request.final.row())]
    return [f"{line} ; {text}" if text else line for line, text in zip(lines, texts)]


def _refused(request: Request) -> bool:
    return request.final is not None and request.final.sigil == "?"


def _final(request: Request) -> str:
    assert request.final is not None
    return " ".join([request.final.sigil, *request.final.words])


def _outcome(final: str) -> str:
    """Success, or an error's word."""
    sigil, *words = final.split(" ")
    return words[0] if sigil == "?" and words else "success"
