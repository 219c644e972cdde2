# SPDX-License-Identifier: MIT
"""The smallest transcript that still shows a failure.

In this order: what is behind the failure goes; then lines, many at once, then fewer, each with
those that refer to its result; then one line takes the place of two, or of those that make a map;
then the numbers become smaller, and addresses become results; at last lines say where their results
are to be, if that spares those that put them there. The signature of the failure stays the same
throughout, each try begins on a clean guest, and the result is confirmed three times.
"""
from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pfnlab import errors
from pfnlab.transcript import Step
from pfnlab.trial import Places, Trial
from pfnlab.values import PAGE_SIZE

CONFIRMATIONS = 3
RENEW = ("map_commit", "map_machine", "reset")     # the guest forgets what was
_MAP = ("map_begin", "map_area", "map_add")


class NothingToShrink(ValueError):
    """The transcript shows no failure, or not each time."""


class Shrinker:
    """`best` is the smallest list of steps so far, at any time. `hasty` is a trial for hangs, which
    takes less time and may err. After so many `seconds`, or at `most` tries, nothing more is
    tried. `looks` are lines that show the whole state: if they show what a reply contradicts the
    model in, they are what is shrunk, as they need no address that must stay right. `places` tells
    which lines could say where their results are, and how."""

    def __init__(self, steps: Sequence[Step], trial: Trial,
                 on_try: Callable[[int, int], None] | None = None, hasty: Trial | None = None,
                 seconds: float = math.inf, looks: Sequence[str] = (),
                 most: float = math.inf, places: Places = lambda steps: {}) -> None:
        self.trial = trial
        self.places = places
        self.on_try = on_try or (lambda tries, left: None)
        self._end = time.monotonic() + seconds
        self.looks = looks
        self.most = most
        self.tries = 0
        self.best = [replace(step) for step in steps]
        signature = self._run(self.best, trial)
        if signature is None:
            raise NothingToShrink("the transcript runs through: nothing is wrong with it")
        self.signature: str = signature
        hangs = signature.startswith(errors.GuestHung.__name__)
        self._quick = hasty if hasty is not None and hangs else trial

    def _run(self, steps: Sequence[Step], trial: Trial) -> str | None:
        self.tries += 1
        self.on_try(self.tries, len(steps))
        return trial(steps)

    def _accept(self, steps: list[Step]) -> bool:
        if (steps == self.best or not steps or self.tries >= self.most
                or time.monotonic() > self._end
                or self._run(steps, self._quick) != self.signature):
            return False
        self.best = steps
        return True

    def run(self) -> list[Step]:
        """Shrink until nothing helps any more. NothingToShrink: the failure comes and goes."""
        self._drop_tail()
        self._look_instead()
        self._drop_lines()
        lines = self.best
        self._join_all()
        self._refine()
        while self._place():
            self._refine()
        certain = self._shows_again()
        if not certain and self._quick is not self.trial:
            self.best = lines         # with smaller numbers it took less time, and was no hang
            certain = self._shows_again()
        if not certain:
            raise NothingToShrink(f"the failure comes and goes: {self.signature}")
        return self.best

    def _refine(self) -> None:
        while self._shrink_numbers() | self._drop_lines() | self._join_all():
            pass

    def _place(self) -> bool:
        """Lines that say where their results are, and what they can do without then: fewer, or all
        stays as it was."""
        before, places = self.best, self.places(self.best)
        for index, step in reversed(list(enumerate(before))):
            if step.tag in places:
                self._accept([*self.best[:index], replace(step, text=places[step.tag]),
                              *self.best[index + 1:]])
        if self.best is not before and not self._drop_lines():
            self.best = before
        return self.best is not before

    def _shows_again(self) -> bool:
        return all(self._run(self.best, self.trial) == self.signature
                   for _ in range(CONFIRMATIONS))

    def _drop_tail(self) -> None:
        """The shortest beginning that fails, by bisection, if it is not all of them: a search ends
        with the line that is wrong."""
        low, high = 0, len(self.best)
        if high > 1 and not self._accept(self.best[:-1]):
            return
        high = len(self.best)
        while low + 1 < high:
            middle = (low + high) // 2
            if self._accept(self.best[:middle]):
                high = middle
            else:
                low = middle

    def _look_instead(self) -> None:
        """Was it wrong before the last line?"""
        if not self.looks or "the model says" not in self.signature or len(self.best) < 2:
            return
        last = self.best[-1]
        steps = [*self.best[:-1], *(replace(last, tag=last.tag + i, text=text)
                                    for i, text in enumerate(self.looks))]
        signature = self._run(steps, self.trial)
        if signature is not None:
            self.best, self.signature = steps, signature
            self._drop_tail()

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

    def _join_all(self) -> bool:
        """Any two lines that one can stand for, and any page that several name and a result can
        stand for, as long as there are such, then the map."""
        joins = False
        while any(self._accept(steps) for steps in (*joined(self.best), *on_results(self.best))):
            joins = True
        return self._accept(on_old_map(self.best)) or joins

    def _shrink_numbers(self) -> bool:
        shrunk = False
        for index in range(len(self.best)):
            while self._shrink_line(index):
                shrunk = True
        return shrunk

    def _shrink_line(self, index: int) -> bool:
        """The smallest that still fails of what smaller() says, or what needs no address."""
        step, tags = self.best[index], [one.tag for one in self.best[:index]]
        return any(self._accept([*self.best[:index], replace(step, text=text),
                                 *self.best[index + 1:]])
                   for text in (*smaller(step.text), *referring(step.text, tags)))


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
    out = []
    for before, key, value, after in each_word(text):
        if key and value:
            out.append(" ".join([*before, *after]))
        start, plus, number = value.rpartition("+")
        if number.isdigit():
            most = int(number)
            for less in sorted({0, 1, *(most - (most >> k) for k in range(most.bit_length()))}):
                if less < most:
                    word = f"{start}{plus}{less}" if less or not plus else start
                    out.append(" ".join([*before, key + word, *after]))
    return out


def referring(text: str, tags: Sequence[int]) -> list[str]:
    """The line with an address replaced by the result of one of these, the last one first: what
    placed it there is not needed then."""
    return [" ".join([*before, f"{key}${tag}", *after])
            for before, key, value, after in each_word(text) if value.startswith("0x")
            for tag in reversed(tags)]


def on_results(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """All ways in which a result can stand for each address in a page that several lines name: one
    of them alone would be led elsewhere."""
    users: dict[int, list[int]] = {}
    for index, step in enumerate(steps):
        for page in {page_of(value) for _, _, value, _ in each_word(step.text)}:
            if page is not None:
                users.setdefault(page, []).append(index)
    for page, lines in users.items():
        for tag in [step.tag for step in reversed(steps[:lines[0]])] if len(lines) > 1 else []:
            yield [replace(step, text=" ".join([step.name, *(
                       f"{key}${tag}" if page_of(value) == page else key + value
                       for _, key, value, _ in each_word(step.text))]))
                   if index in lines else step for index, step in enumerate(steps)]


def page_of(value: str) -> int | None:
    """Of an address as it is written."""
    return int(value, 16) // PAGE_SIZE if re.fullmatch("0x[0-9a-f]+", value) else None


def each_word(text: str) -> Iterator[tuple[list[str], str, str, list[str]]]:
    """Each argument, as "KEY=" or "", and its value, between what stands before and behind it;
    none of a line that makes the map."""
    name, *words = text.split(" ")
    if name in _MAP:
        return
    for i, word in enumerate(words):
        key, equals, value = word.rpartition("=")
        yield [name, *words[:i]], key + equals, value, words[i + 1:]


def joined(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """All ways in which a line can stand for one that refers to its result, too: as it is, or with
    one of that line's numbers in the place of its own."""
    lines = {step.tag: step for step in steps}
    for later in steps:
        for tag in dict.fromkeys(map(int, re.findall(r"\$(\d+)\b", later.text))):
            if tag not in lines or lines[tag] is later:
                continue
            for text in (lines[tag].text, *with_numbers(lines[tag].text, later.text)):
                one = replace(lines[tag], text=text)
                yield [replace(step, text=re.sub(rf"\${later.tag}\b", f"${tag}", step.text))
                       for step in (one if step.tag == tag else step for step in steps)
                       if step is not later]


def with_numbers(text: str, other: str) -> list[str]:
    """The line with one of its numbers replaced by one of the other's."""
    words, numbers = text.split(" "), [word for word in other.split(" ")[1:] if word.isdigit()]
    return [" ".join([*words[:i], number, *words[i + 1:]])
            for i, word in enumerate(words) if word.isdigit() and i > 0
            for number in dict.fromkeys(numbers) if number != word]


def on_old_map(steps: Sequence[Step]) -> list[Step]:
    """The steps with a reset in the place of what makes the first map: it begins at the same stage,
    on the map that there is."""
    commit = next((i for i, step in enumerate(steps) if step.name == "map_commit"), None)
    if commit is None:
        return list(steps)
    step = steps[commit]
    reset = replace(step, text=" ".join(["reset", *step.text.split(" ")[1:]]))
    return [*(one for one in steps[:commit] if one.name not in _MAP), reset, *steps[commit + 1:]]
