# SPDX-License-Identifier: MIT
"""A scenario again and again, with the 1st, 2nd, 3rd, ... attempt to get memory refused on purpose
(the guest's `fail`), until it runs through untouched.

A refused command must have changed nothing: the pages and the window are then as they were before
it, in the run without refusals. At the end nothing may belong to a request that failed, and every
invariant holds. What does not is named, with the command whose way back it is.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pfnlab import errors
from pfnlab.guest import Guest
from pfnlab.shrink import RENEW
from pfnlab.transcript import Run, Step
from pfnlab.trial import Trials
from pfnlab.values import PAGE_SIZE, Address, Row, Value

REFUSED = ("mem.injected", "mem.metadata")
PARTS = ("run", "stress")         # stop at the first failure, with what was done before it
NEVER = (1 << 64) - 1             # the number of an attempt that nobody lives to see
State = list[tuple[str, int, int, Value]]


@dataclass
class Finding:
    """A way back that leaves something: the number of the attempt, its step, and what is wrong."""

    attempt: int
    step: Step
    what: str

    def __str__(self) -> str:
        return (f"attempt {self.attempt} refused in line {self.step.line}: >{self.step.tag} "
                f"{self.step.text}\n  {self.what}")


def state_of(guest: Guest) -> State:
    """All that a refused command may not change: pages without freshness and owners, the window."""
    state: State = []
    for what in ("pages", "virt"):
        start: int | None = 0
        while start is not None:
            rows = guest.call("dump", what, start)
            for row in rows:
                _append(state, what, row)
            more = rows.fields.get("more")
            start = int(more) if more is not None else None
    return state


def _append(state: State, what: str, row: Row) -> None:
    """Add a row; free pages that differ by freshness only are one run."""
    address, pages, kind = int(row.values[0]), int(row.values[1]), row.values[2]
    if state and kind == "free" == state[-1][3] and (
            state[-1][1] + state[-1][2] * PAGE_SIZE == address):
        _, address, before, _ = state.pop()
        pages += before
    state.append((what, Address(address), pages, kind))


class Sweep:
    """`findings` so far, at any time; `attempts` that were refused, of `total` if nothing that was
    refused made more necessary."""

    def __init__(self, trials: Trials, steps: Sequence[Step], what: str = "") -> None:
        self.trials = trials
        self.steps = [s for s in steps if s.text.split(" ")[0] not in ("poweroff", "fail")]
        self.what = what
        self.findings: list[Finding] = []
        self.attempts = self.total = 0
        self._before: list[State] = []

    def run(self, on_attempt: Callable[[int], None] | None = None) -> list[Finding]:
        """All of it. AttributeError: the guest has no `fail`."""
        self._before = self._untouched()
        while self._attempt(self.attempts + 1):
            self.attempts += 1
            if on_attempt is not None:
                on_attempt(self.attempts)
        return self.findings

    def _untouched(self) -> list[State]:
        """The state in front of each step; the attempts are counted."""
        guest = self.trials.guest()
        guest.command("fail")
        run, states = Run(guest), []
        self._refuse(guest, NEVER)
        for step in self.steps:
            states.append(state_of(guest))
            renews = step.text.split(" ")[0] in RENEW
            self.total += guest.call("failures").fields["attempts"] if renews else 0
            run.wait(run.submit(step))
            if renews:
                self._refuse(guest, NEVER)
        self.total += guest.call("failures").fields["attempts"]
        self._refuse(guest, 0)
        return states

    def _attempt(self, number: int) -> bool:
        """Refuse attempt `number`; False if there is none."""
        guest = self.trials.guest()
        run = Run(guest)
        refused: Step | None = None
        refusals, left = 0, number
        self._refuse(guest, left)
        for index, step in enumerate(self.steps):
            renews = step.text.split(" ")[0] in RENEW
            if renews:
                counted = guest.call("failures").fields
                refusals, left = refusals + counted["refusals"], left - counted["attempts"]
            final = run.wait(run.submit(step)).final
            if renews and not refusals:
                self._refuse(guest, left)
            if refused is None and final is not None and final.words[:1] and (
                    final.sigil == "?" and final.words[0] in REFUSED):
                refused = step
                self._compare(number, index, guest)
        if not refusals + guest.call("failures").fields["refusals"]:
            return False
        self._verify_end(number, refused or self.steps[-1], guest, run)
        return True

    def _refuse(self, guest: Guest, number: int) -> None:
        keys: dict[str, Any] = {"nth": number, "what": self.what or None} if number else {}
        guest.call("fail", **keys)

    def _compare(self, number: int, index: int, guest: Guest) -> None:
        step = self.steps[index]
        if step.text.split(" ")[0] in PARTS:
            return
        before, after = self._before[index], state_of(guest)
        if before != after:
            lost = [row for row in before if row not in after][:2]
            new = [row for row in after if row not in before][:2]
            self.findings.append(Finding(number, step, f"was {lost}\n  is {new}"))

    def _verify_end(self, number: int, step: Step, guest: Guest, run: Run) -> None:
        """Nothing belongs to a request that failed; every invariant holds."""
        failed = {one.tag: tag for tag, one in run.done.items()
                  if one.final is not None and one.final.sigil == "?"
                  and one.words[0] not in PARTS}
        for row in guest.call("leaks"):
            if row.owner in failed:
                self.findings.append(Finding(number, step, f"left behind: {row}"))
        try:
            guest.call("check")
        except errors.BugCheck as error:
            self.findings.append(Finding(number, step, str(error)))
