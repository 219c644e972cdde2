# SPDX-License-Identifier: MIT
"""The smallest transcript that still shows a failure.

In this order: what is behind the failure goes; then lines, many at once, then fewer, each with
those that refer to its result; then the numbers become smaller. The signature of the failure stays
the same throughout, each try begins on a clean guest, and the result is confirmed three times.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from pfnlab.transcript import Step
from pfnlab.trial import Trial

CONFIRMATIONS = 3
RENEW = ("map_commit", "map_machine", "reset")     # the guest forgets what was
_MAP = ("map_begin", "map_area", "map_add", "map_commit")


class NothingToShrink(ValueError):
    """The transcript shows no failure, or not each time."""


class Shrinker:
    """`best` is the smallest list of steps so far, at any time."""

    def __init__(self, steps: Sequence[Step], trial: Trial,
                 on_try: Callable[[int, int], None] | None = None) -> None:
        self.trial = trial
        self.on_try = on_try or (lambda tries, left: None)
        self.tries = 0
        self.best = [replace(step) for step in steps]
        signature = self._run(self.best)
        if signature is None:
            raise NothingToShrink("the transcript runs through: nothing is wrong with it")
        self.signature: str = signature

    def _run(self, steps: Sequence[Step]) -> str | None:
        self.tries += 1
        self.on_try(self.tries, len(steps))
        return self.trial(steps)

    def _accept(self, steps: list[Step]) -> bool:
        if steps == self.best or not steps or self._run(steps) != self.signature:
            return False
        self.best = steps
        return True

    def run(self) -> list[Step]:
        """Shrink until nothing helps any more. NothingToShrink: the failure comes and goes."""
        self._drop_tail()
        while self._drop_lines() | self._shrink_numbers():
            pass
        for _ in range(CONFIRMATIONS):
            if self._run(self.best) != self.signature:
                raise NothingToShrink(f"the failure comes and goes: {self.signature}")
        return self.best

    def _drop_tail(self) -> None:
        """The shortest beginning that fails, by bisection."""
        low, high = 0, len(self.best)
        while low + 1 < high:
            middle = (low + high) // 2
            if self._accept(self.best[:middle]):
                high = middle
            else:
                low = middle

    def _drop_lines(self) -> bool:
        """Chunks of half of it, a quarter, ... single lines."""
        dropped = False
        size = max(1, len(self.best) // 2)
        while True:
            at = len(self.best) - size
            while at > -size:
                if self._accept(without(self.best, max(0, at), at + size)):
                    dropped = True
                at = min(at - size, len(self.best) - size)
            if size == 1:
                return dropped
            size //= 2

    def _shrink_numbers(self) -> bool:
        shrunk = False
        for index in range(len(self.best)):
            while self._shrink_line(index):
                shrunk = True
        return shrunk

    def _shrink_line(self, index: int) -> bool:
        """The smallest that still fails of what smaller() says."""
        return any(self._accept([*self.best[:index], replace(self.best[index], text=text),
                                 *self.best[index + 1:]])
                   for text in smaller(self.best[index].text))


def with_checks(steps: Sequence[Step]) -> list[Step]:
    """The steps, with a `check` at the end and in front of whatever makes all new: a broken
    invariant that no line asks for shows, too. Shrinking leaves out those that show nothing."""
    tag = max((step.tag for step in steps), default=0)
    kept: list[Step] = []
    for step in steps:
        if step.text.split(" ")[0] in RENEW:
            tag += 1
            kept.append(Step(tag, "check", step.line))
        kept.append(step)
    return [*kept, Step(tag + 1, "check", kept[-1].line if kept else 0)]


def without(steps: Sequence[Step], first: int, end: int) -> list[Step]:
    """The steps but those of [first, end), and what refers to one that is gone."""
    gone = {step.tag for step in steps[first:end]}
    kept = []
    for index, step in enumerate(steps):
        refers = {int(tag) for tag in re.findall(r"\$(\d+)", step.text)}
        if first <= index < end or refers & gone:
            gone.add(step.tag)
        else:
            kept.append(step)
    return kept


def smaller(text: str) -> list[str]:
    """The line with a key left out, or a number that is smaller, the smallest first: less by a
    half, a quarter, ... one, so that no edge takes more than a few tries."""
    name, *words = text.split(" ")
    if name in _MAP:
        return []
    out = []
    for i, word in enumerate(words):
        key, equals, value = word.rpartition("=")
        if equals and value:
            out.append(" ".join([name, *words[:i], *words[i + 1:]]))
        if value.isdigit():
            most = int(value)
            for number in sorted({0, 1, *(most - (most >> k) for k in range(most.bit_length()))}):
                if number < most:
                    out.append(" ".join([name, *words[:i], f"{key}{equals}{number}",
                                         *words[i + 1:]]))
    return out
