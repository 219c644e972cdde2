# SPDX-License-Identifier: MIT
"""Running a list of steps to see whether it still shows the same failure.

A trial is called with steps and answers a *signature*, by which two failures count as the same one,
or None if nothing is wrong. Addresses are no part of it: they move when lines are left out.
"""
from __future__ import annotations

import operator
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from pfnlab import errors
from pfnlab.guest import Guest
from pfnlab.memory_map import MemoryMap, map_of
from pfnlab.pool import Pool
from pfnlab.replica import Exchange, Lost, Replica, replica_of
from pfnlab.request import Request
from pfnlab.table import ADDRESS_TYPES
from pfnlab.transcript import Run, Step, Transcript

_OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
              "==": operator.eq, "!=": operator.ne}


LONGEST = 3.0                     # seconds of work: no line of a search takes that; it hangs
UNDER_WAY = 20                    # lines that are not answered yet
HASTY = 0.3                       # the same, where one that hangs is expected
OF_THE_MOMENT = ("call.reference", "call.state", "call.unsupported")   # not mistakes in the line


class Trial(Protocol):
    """Runs steps on a clean guest."""

    def __call__(self, steps: Sequence[Step]) -> str | None:
        """The signature of the failure that they show."""


# By the tag of a step, what says the same and where its result is to be.
Places = Callable[[Sequence[Step]], dict[int, str]]


class Condition:
    """`LINE OP VALUE`: a command of the guest, and what its result is compared to.

    The result is the first field of the reply, `ok` if there is none, the error's word if it
    failed, which as a number is less than any.
    """

    def __init__(self, text: str) -> None:
        found = re.fullmatch(r"\s*(.+?)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*", text)
        if not found:
            raise ValueError(f"a condition is COMMAND < VALUE, as in 'largest_order low < 9', "
                             f"not {text!r}")
        self.text = text.strip()
        self.line, self._operator, self._wanted = found[1], _OPERATORS[found[2]], found[3]
        self._number = _number(self._wanted)
        if self._number is None and found[2] not in ("==", "!="):
            raise ValueError(f"{self._wanted!r} is no number: only == and != compare words")

    def holds(self, guest: Guest) -> bool:
        """Ask the guest."""
        pending = guest.submit_line(self.line)
        final = guest.link.wait(pending.request, guest.timeout).final
        assert final is not None
        word = next((w for w in final.words if "=" not in w), "ok")
        if word.startswith("call.") and word not in OF_THE_MOMENT:
            raise ValueError(f"{self.line}: {final.raw[1:].lstrip('0123456789 ')}")
        if self._number is None:
            return bool(self._operator(word, self._wanted))
        number = -1 if final.sigil == "?" else _number(word)
        if number is None:
            raise ValueError(f"{self.line}: its result is no number: {word}")
        return bool(self._operator(number, self._number))


def _number(word: str) -> int | None:
    try:
        return int(word, 0)
    except ValueError:
        return None


class Trials:
    """Makes clean guests for trials, on a map if one is given."""

    def __init__(self, pool: Pool, name: str, memory_map: MemoryMap | None = None) -> None:
        self.pool = pool
        self.name = name
        self.memory_map = memory_map

    def guest(self, name: str | None = None) -> Guest:
        """A clean one."""
        guest = self.pool.acquire(name or self.name)
        if self.memory_map is not None:
            self.memory_map.inject(guest)
        return guest

    def failure(self, steps: Sequence[Step]) -> str | None:
        """A panic, an end, silence, a broken invariant or assertion, a reply that the model
        contradicts, or pages at the end that are not as it says. What the file expects does not
        count: with lines left out, other replies are right."""
        return self._failure(steps, LONGEST)

    def hasty(self, steps: Sequence[Step]) -> str | None:
        """The same, for a failure that is a hang: it is presumed as soon as a line takes long."""
        return self._failure(steps, HASTY)

    def _failure(self, steps: Sequence[Step], work: float) -> str | None:
        guest = self.guest()
        run, model = Run(guest, work), self.model(guest)
        posted: deque[tuple[Step, Request]] = deque()      # the first one is waited for
        try:
            for request in answers(run, steps, posted):
                try:
                    wrong = _wrong(request, model)
                except Lost:
                    wrong = model = None
                if wrong is not None:
                    return f"{wrong} in {posted[0][0].name}"
        except errors.GuestPanic as panic:
            return " ".join(["panic", *re.findall(r"(?:kind|at)=\S+", str(panic))])
        except errors.PfnlabError as error:
            return f"{type(error).__name__} in {posted[0][0].name if posted else 'nothing'}"
        if model is not None and model.compare_state(guest) is not None:
            return "the pages at the end are not as the model says"
        return None

    def model(self, guest: Guest) -> Replica | None:
        """Of a clean guest; None if its map is too large for it."""
        try:
            return replica_of(guest, self.memory_map or map_of(guest))
        except Lost:
            return None

    def places(self, steps: Sequence[Step]) -> dict[int, str]:
        """By tag, those of the steps that could say at which address their results are, saying it.
        """
        guest = self.guest()
        told: dict[int, str] = {}
        posted: deque[tuple[Step, Request]] = deque()
        try:
            for request in answers(Run(guest, LONGEST), steps, posted):
                step, command = posted[0][0], guest.table.commands.get(posted[0][0].name)
                assert request.final is not None
                if (command is not None and command.result in ADDRESS_TYPES
                        and request.final.sigil == "=" and " at=" not in step.text
                        and any((a.role, a.name) == ("key", "at") for a in command.arguments)):
                    told[step.tag] = f"{step.text} at={request.final.words[0]}"
        except errors.PfnlabError:        # it shows what it is to show; the rest stays as it is
            pass
        return told

    def until(self, condition: Condition) -> Trial:
        """Does the condition hold at the end?"""
        def trial(steps: Sequence[Step]) -> str | None:
            guest = self.guest()
            run_all(guest, steps)
            return condition.text if condition.holds(guest) else None
        return trial

    def difference(self, others: Sequence[str]) -> Trial:
        """Do other guests answer otherwise?"""
        def trial(steps: Sequence[Step]) -> str | None:
            found = first_difference(self, [self.name, *others], steps)
            return f"the guests differ in {found.step.text.split(' ')[0]}" if found else None
        return trial


def answers(run: Run, steps: Sequence[Step], posted: deque[tuple[Step, Request]]
            ) -> Iterator[Request]:
    """The answered requests, of which many are under way: a search has no time for round trips."""
    def settled(leave: int) -> Iterator[Request]:
        while len(posted) > leave:
            yield run.wait(posted[0][1])
            posted.popleft()
    for step in steps:
        if step.name == "poweroff":
            continue
        try:
            posted.append((step, run.submit(step)))
        except errors.PfnlabError:        # one of those under way was the last
            yield from settled(0)
            raise
        yield from settled(UNDER_WAY)
    yield from settled(0)


def _wrong(request: Request, model: Replica | None) -> str | None:
    """What is wrong with a reply, without addresses. Lost: as Replica's."""
    assert request.final is not None
    got = request.final.words[0] if request.final.sigil == "?" else "success"
    if got.startswith("bug.") and got != "bug.dead":
        fields = request.final.row().fields
        place = [f"{key}={fields[key]}" for key in ("invariant", "class") if key in fields]
        return " ".join([got, *place, *(f"at={fields['at']}" for _ in [0] if "assert" in got)])
    if model is None:
        return None
    told = model.follow(Exchange(request.tag, request.text(), request.final, request.rows))
    if told is None:
        return None
    model_says = told.split(" ")[1] if told.startswith("?") else "success"
    if model_says == got:
        model_says = "something else"
    return f"{got}, where the model says {model_says},"


def run_all(guest: Guest, steps: Sequence[Step]) -> Run:
    """Run them as fast as the line allows, whatever is answered."""
    run = Run(guest)
    for step in steps:
        if step.text != "poweroff":
            run.submit(step)
    guest.link.drain(guest.timeout)
    return run


class Difference:
    """Guests that do not answer the same: the step, and what each said, by name."""

    def __init__(self, step: Step, said: dict[str, str]) -> None:
        self.step = step
        self.said = said

    def __str__(self) -> str:
        each = "\n".join(f"  {name}: {line}" for name, line in self.said.items())
        return f"line {self.step.line}: >{self.step.tag} {self.step.text}\n{each}"


NOT_COMPARED = ("sync", "info", "help")      # a machine's own


def first_difference(trials: Trials, names: Sequence[str], steps: Sequence[Step],
                     on_step: Callable[[Step], None] | None = None) -> Difference | None:
    """Run the steps on all of these at once; the first step on whose reply they do not agree, by
    any of its lines."""
    runs = [Run(trials.guest(name)) for name in names]
    for step in steps:
        name = step.text.split(" ")[0]
        if name == "poweroff":
            continue
        requests = [run.submit(step) for run in runs]
        replies = [_reply(run, request) for run, request in zip(runs, requests)]
        if name not in NOT_COMPARED:
            for lines in _rows(replies):
                if any(line != lines[0] for line in lines):
                    return Difference(step, dict(zip(names, lines)))
        if on_step is not None:
            on_step(step)
    return None


def _rows(replies: list[list[str]]) -> list[tuple[str, ...]]:
    longest = max(map(len, replies))
    return list(zip(*(reply + ["(no such line)"] * (longest - len(reply)) for reply in replies)))


def _reply(run: Run, request: Request) -> list[str]:
    """All its lines, with the tags of the file in the place of the line's."""
    try:
        run.wait(request)
    except errors.PfnlabError as error:
        return [str(error)]
    return reply_lines(run, request)


def reply_lines(run: Run, request: Request) -> list[str]:
    """All lines of a reply, without tag and text; an owner is as in the file."""
    assert request.final is not None
    tags = {one.tag: tag for tag, one in run.done.items()}
    lines = [" ".join([":", *row.words]) for row in request.rows]
    lines.append(" ".join([request.final.sigil, *request.final.words]))
    return [re.sub(r"(?<=owner=)\d+", lambda m: str(tags.get(int(m[0]), int(m[0]))), line)
            for line in lines]


def common_map(trials: Trials, transcript: Transcript) -> MemoryMap | None:
    """The map for guests that shall agree: that of the first one, unless the script makes its
    own."""
    if any(step.text.split(" ")[0] == "map_begin" for step in transcript.steps):
        return None
    return map_of(trials.guest())
