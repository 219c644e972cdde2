# SPDX-License-Identifier: MIT
"""Fuzzing a guest against the model, from the host.

A *life* is a map at random, or the machine's own, which has memory, and lines at random on it,
drawn before the first answer is there, so that the line is never idle. Each reply must be the
model's, or, where the model does not know the command, no `bug.*`; `check` comes after every few
lines. What goes wrong is shrunk to a transcript, which shows the same on a guest that has just
started, or it is not kept.
"""
from __future__ import annotations

import math
import os
import random
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from pfnlab import errors
from pfnlab.findings import LOOKS, keep
from pfnlab.fuzz_choices import Dice, Habits
from pfnlab.fuzz_lines import Lines
from pfnlab.guest import Guest
from pfnlab.interrupts import ignore_interrupts, interrupts_wait, on_interrupt
from pfnlab.memory_map import MemoryMap, map_of
from pfnlab.pool import Pool
from pfnlab.replica import Exchange, Lost, Replica, replica_of, replica_on
from pfnlab.request import Request
from pfnlab.stream import random_map
from pfnlab.transcript import Run, Step
from pfnlab.twin import window
from pfnlab.trial import LONGEST, UNDER_WAY

LIFE = 400                        # lines of one
PAGES = 3000                      # of a map: the model goes over them one by one
SMALL = 0.25                      # of the maps at random have ranges of a few pages only,
FEW_PAGES = 24                    # each
CHECK_EVERY = 25
OWN = 0.25                        # of the lives are on the machine's own map
OWN_PAGES = 100_000               # if it has no more of them
LOOK = 0.2                        # seconds between two looks at how far the workers are


@dataclass
class Figures:
    """What a campaign did; `stopped` by ^C, or by the `error` of a worker."""

    commands: int = 0
    lives: int = 0
    seconds: float = 0.0
    stopped: bool = False
    error: Exception | None = None
    found: list[str] = field(default_factory=list)
    words: dict[str, int] = field(default_factory=dict)      # commands, by name
    answers: dict[str, int] = field(default_factory=dict)    # `=`, or an error's word

    def add(self, other: Figures) -> None:
        """Those of another worker, which ran at the same time."""
        self.commands += other.commands
        self.lives += other.lives
        self.seconds = max(self.seconds, other.seconds)
        self.stopped |= other.stopped
        self.found += other.found
        for mine, theirs in ((self.words, other.words), (self.answers, other.answers)):
            for key, n in theirs.items():
                mine[key] = mine.get(key, 0) + n

    def note(self, request: Request) -> None:
        """Another reply."""
        assert request.final is not None
        self.commands += 1
        name = str(request.words[0])
        self.words[name] = self.words.get(name, 0) + 1
        answer = request.final.words[0] if request.final.sigil == "?" else "="
        self.answers[answer] = self.answers.get(answer, 0) + 1

    def __str__(self) -> str:
        rate = self.commands / self.seconds if self.seconds else 0
        return (f"{self.commands} commands in {self.lives} lives, {self.seconds:.0f} s, "
                f"{rate:.0f}/s, {len(self.found)} found")


@dataclass(frozen=True)
class Limit:
    """When a campaign ends: at whatever comes first. With commands alone it does the same each
    time, on any machine."""

    seconds: float = math.inf
    commands: float = math.inf

    def reached(self, figures: Figures) -> bool:
        """Is it time?"""
        return figures.seconds >= self.seconds or figures.commands >= self.commands


class Wrong(Exception):
    """A reply that must not be."""


@dataclass
class Life:
    """The lines of one, made as they are needed."""

    memory_map: MemoryMap
    stage: str                    # at which it begins
    lines: Lines
    choose: Dice
    model: Replica
    own: bool = False             # on the machine's own map
    steps: list[Step] = field(default_factory=list)

    @property
    def beginning(self) -> list[str]:
        """The lines that make the map."""
        if self.own:
            return [f"map_machine stage={self.stage}"]
        return ["map_begin", *self.memory_map.lines(), f"map_commit stage={self.stage}"]

    def make(self, count: int) -> Iterator[Step]:
        """So many lines behind those that make the map."""
        for text in self.beginning:
            yield self.add(text)
        for i in range(count):
            self.lines.tag = len(self.steps)
            yield self.add(_look(i, count) or self.lines.line(self.choose))

    def add(self, text: str) -> Step:
        """Another line."""
        self.steps.append(Step(len(self.steps) + 1, text, len(self.steps) + 1))
        return self.steps[-1]

    def answered(self, step: Step, request: Request) -> None:
        """There is a reply to a line."""
        if request.final is not None and request.final.sigil == "=":
            self.lines.worked(step.tag)
        if request.final is not None and request.final.sigil == "?":
            self.lines.gone(step.tag)
        elif request.final is not None:
            address = next(iter(request.final.row().values), None)
            if isinstance(address, int):
                self.lines.placed(step.tag, address)


def _look(i: int, count: int) -> str | None:
    """What line `i` of a life looks at, if it is to look at all: one of LOOKS before each check,
    all at the end."""
    if i >= count - 1 - len(LOOKS):
        return (*LOOKS, "check")[i - count]
    if i % CHECK_EVERY == CHECK_EVERY - 2:
        return LOOKS[i // CHECK_EVERY % len(LOOKS)]
    return "check" if i % CHECK_EVERY == CHECK_EVERY - 1 else None


def new_life(guest: Guest, rng: random.Random, habits: Habits | None = None) -> Life:
    """On some map. `habits` are those of the lives before, and of this one."""
    model = own_model(guest) if rng.random() < OWN else None
    own = model is not None
    if model is None:
        areas, ranges = random_map(rng, most_pages=PAGES)
        most = rng.randrange(2, FEW_PAGES) if rng.random() < SMALL else PAGES
        model = replica_on(guest, MemoryMap(areas, [
            (base, size if kind == "reserved" else min(size, most << 12), kind)
            for base, size, kind in ranges if size >> 12 < PAGES or kind == "reserved"]))
    stages = guest.table.types["stage"].words
    lines = Lines(guest.table, model.memory_map, window(guest),
                  habits={} if habits is None else habits)
    life = Life(model.memory_map, rng.choice((*stages, stages[-1])), lines, Dice(rng), model, own)
    lines.narrow_down(life.choose)
    return life


def own_model(guest: Guest) -> Replica | None:
    """Of the machine's own map, which is in force then; None if that is too large."""
    guest.call("map_machine")
    memory_map = map_of(guest)
    return replica_of(guest, memory_map) if memory_map.usable >> 12 <= OWN_PAGES else None


def judge(request: Request, model: Replica | None) -> None:
    """Wrong: neither the model nor anybody expects such a reply. Lost: as Replica's."""
    assert request.final is not None
    word = request.final.words[0] if request.final.sigil == "?" else "="
    if word.startswith("bug.") and word != "bug.dead" or word.startswith("link."):
        raise Wrong(f"{request.text()}: {request.final.raw}")
    if model is not None:
        told = model.follow(Exchange(request.tag, request.text(), request.final, request.rows))
        if told is not None:
            raise Wrong(f"{request.text()}: {request.final.raw}, the model says {told}")


def live(guest: Guest, life: Life, figures: Figures, lines: int = LIFE,
         on_command: Callable[[Figures], None] = lambda figures: None) -> str | None:
    """Run a life; what is wrong with it, None if nothing is."""
    run = Run(guest, LONGEST)
    model: Replica | None = life.model
    posted: deque[tuple[Step, Request]] = deque()

    def settle(leave: int) -> None:
        nonlocal model
        while len(posted) > leave:
            step, request = posted.popleft()
            try:
                run.wait(request)
            except errors.LinkLost:       # of a query, on a slow machine: nobody knows what it was
                continue
            figures.note(request)
            on_command(figures)
            life.answered(step, request)
            try:
                judge(request, model)
            except Lost:
                model = None
    figures.lives += 1
    try:
        for step in life.make(lines):
            try:
                posted.append((step, run.submit(step)))
            except errors.GuestGone:      # what it answered before that may be wrong
                settle(0)
                raise
            settle(UNDER_WAY)
        settle(0)
        return model.compare_state(guest) if model is not None else None
    except Wrong as wrong:
        return str(wrong)
    except (errors.GuestGone, errors.GuestSilent) as error:
        return str(error)


# ---- campaigns ----

Campaign = Callable[[str, int, Limit, Path, Callable[[Figures], None]], Figures]


def campaign(name: str, seed: int, limit: Limit, directory: Path,
             on_command: Callable[[Figures], None] = lambda figures: None) -> Figures:
    """Lives one after another until the limit is reached, something is found, or ^C. The same seed
    makes the same lives."""
    figures = Figures()
    habits: Habits = {}
    start = time.monotonic()
    with Pool() as pool:
        try:
            while not limit.reached(figures) and not figures.found:
                guest = pool.acquire(name)
                life = new_life(guest, random.Random(f"{seed}/{figures.lives}"), habits)
                why = live_to(limit, guest, life, figures, on_command)
                if why is not None:
                    figures.found.append(str(keep(pool, name, life.steps, why, directory)))
                figures.seconds = time.monotonic() - start
        except KeyboardInterrupt:
            figures.stopped = True
            figures.seconds = time.monotonic() - start
    return figures


def live_to(limit: Limit, guest: Guest, life: Life, figures: Figures,
            on_command: Callable[[Figures], None]) -> str | None:
    """A whole life, or as much of it as the limit leaves: as live()."""
    guest.link.log.clear()
    left = limit.commands - figures.commands - len(life.beginning)
    return live(guest, life, figures, int(max(1, min(LIFE, left))), on_command)


@dataclass(frozen=True)
class _Shared:
    """What the processes of a campaign share, without any lock: who holds one may be killed."""

    counts: Any                   # of commands, one for each worker, which alone writes it
    stop: Any                     # shall they end?


def _work(told: Connection, shared: _Shared, number: int, run: Campaign, name: str, seed: int,
          limit: Limit, directory: Path) -> None:
    """The main function of a worker, which tells its figures at the end, or what went wrong."""
    ignore_interrupts()

    def count(figures: Figures) -> None:
        shared.counts[number] = figures.commands
        if shared.stop.value:
            raise KeyboardInterrupt
    threading.Thread(target=_end_with_owner, daemon=True).start()
    try:
        told.send(run(name, seed, limit, directory, count))
    except Exception as error:
        error.add_note("".join(traceback.format_exception(error)))
        told.send(error)


def _end_with_owner() -> None:
    """Whoever started a worker may be killed at any time; nobody would hear of what it finds. Its
    guest ends with it."""
    owner = parent_process()
    assert owner is not None
    owner.join()
    os._exit(1)


def spread(run: Campaign, name: str, seed: int, limit: Limit, directory: Path, workers: int,
           on_commands: Callable[[int], None] = lambda count: None) -> Figures:
    """So many campaigns at once, each in a process of its own with the next seed. `on_commands` now
    and then hears of all their commands. The processes do not hear ^C, whatever they are at: they
    end behind the next command, and also if one of them fails or is killed, which is the `error`
    of what the others did. A second ^C ends them as they are."""
    total, context = Figures(), get_context("spawn")
    shared = _Shared(context.RawArray("Q", workers), context.RawValue("b", 0))
    working: dict[Any, tuple[Any, int]] = {}       # a process and its seed, by what it tells

    def stop(*signal_and_frame: object) -> None:
        if total.stopped:
            raise KeyboardInterrupt
        shared.stop.value, total.stopped = 1, True
    resource_tracker.ensure_running()              # the first process would, and ^C not wait then
    try:
        with on_interrupt(stop):      # no exception, which may come between any two
            with interrupts_wait():
                for number in range(workers):
                    hears, tells = context.Pipe(duplex=False)
                    worker = context.Process(target=_work, daemon=True, args=(
                        tells, shared, number, run, name, seed + number, limit, directory))
                    worker.start()
                    tells.close()     # or its end would not be heard
                    working[hears] = worker, seed + number
            while working:
                for one in wait(list(working), LOOK):
                    told = _told(one, *working.pop(one))
                    if isinstance(told, Figures):
                        total.add(told)
                    else:
                        shared.stop.value, total.error = 1, total.error or told
                try:
                    if not shared.stop.value:
                        on_commands(sum(shared.counts))
                except KeyboardInterrupt:
                    stop()
    finally:
        for worker, _ in working.values():
            worker.kill()
    return total


def _told(hears: Any, worker: Any, seed: int) -> Figures | Exception:
    """What a worker has to tell, or how it ended without that."""
    try:
        told: Figures | Exception = hears.recv()
    except (EOFError, OSError):       # nothing, or less than all of it
        worker.join()
        how = f"with status {worker.exitcode}"
        if worker.exitcode < 0:
            how = f"by {signal.Signals(-worker.exitcode).name}"
        told = errors.WorkerGone(f"the worker with seed {seed} ended {how}, "
                                 "before it could tell what it did")
    worker.join()
    return told
