# SPDX-License-Identifier: MIT
"""The fuzzer as a hypothesis state machine: a rule for each command of the guest's table, and every
invariant verified after each; in turn with longer lives. What is found is shrunk as lines
(pfnlab.shrink), which is quicker than to shrink what was drawn for them."""
from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, seed as seeded, settings
from hypothesis import strategies as st
from hypothesis.stateful import (RuleBasedStateMachine, initialize, invariant, rule,
                                 run_state_machine_as_test)

from pfnlab import errors
from pfnlab.findings import LOOKS, keep
from pfnlab.fuzz import Figures, Life, Limit, Wrong, judge, live_to, new_life
from pfnlab.fuzz_choices import Habits
from pfnlab.guest import Guest
from pfnlab.pool import Pool
from pfnlab.replica import Lost, Replica
from pfnlab.table import Command
from pfnlab.transcript import Run, Step
from pfnlab.trial import LONGEST

T = TypeVar("T")
Finding = tuple[Sequence[Step], str]      # the lines, and what is wrong
EXAMPLES = 20                     # of one run of hypothesis
STEPS = 40
LONG_LIVES = 30                   # behind each: a line of theirs takes less time
MANY = 3                          # rules for a command that gives or takes pages


class Drawn:
    """A Chooser by hypothesis."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def number(self, low: int, high: int) -> int:
        """Shrinks to the low end."""
        return int(self.data.draw(st.integers(low, high)))

    def pick(self, items: Sequence[T]) -> T:
        """Shrinks to the first."""
        chosen: T = self.data.draw(st.sampled_from(list(items)))
        return chosen

    def chance(self, percent: int) -> bool:
        """Shrinks to False."""
        return self.number(0, 99) >= 100 - percent


class Enough(BaseException):
    """The limit is reached, or something is found. No error: hypothesis would run it once more, on
    a guest that may be gone."""


class Machine(RuleBasedStateMachine):
    """Guest and model, led by the rules that `machine_for` adds. `why` tells what is wrong first,
    and `culprit` holds the steps that show it."""

    guest: Guest
    habits: Habits
    figures: Figures
    limit: Limit
    tell: Callable[[Figures], None]          # of each command; Enough: no more of them
    culprit: list[Step] = []
    why = ""

    def __init__(self) -> None:
        super().__init__()
        self.run = Run(self.guest, LONGEST)
        self.model: Replica | None = None
        self.life: Life | None = None

    @initialize(number=st.integers(0, 1 << 16))
    def begin(self, number: int) -> None:
        """A map."""
        self.guest.link.log.clear()
        self.life = new_life(self.guest, random.Random(number), self.habits)
        self.figures.lives += 1
        self.model = self.life.model
        for step in self.life.make(0):
            self.ask(step)

    def ask(self, step: Step) -> None:
        """A line to both."""
        try:
            request = self.run.wait(self.run.submit(step))
            self.figures.note(request)
            if self.life is not None:
                self.life.answered(step, request)
            judge(request, self.model)
        except errors.LinkLost:           # of a query, on a slow machine: nobody knows what it was
            pass
        except Lost:
            self.model = None
        except (Wrong, errors.GuestGone, errors.GuestSilent) as error:
            self._blame(str(error))
        type(self).tell(self.figures)

    def _blame(self, why: str) -> NoReturn:
        assert self.life is not None
        type(self).why, type(self).culprit = why, self.life.steps
        raise Enough

    def command(self, command: Command, data: Any) -> None:
        """Any arguments for it."""
        assert self.life is not None
        self.life.lines.tag = len(self.life.steps)
        self.ask(self.life.add(self.life.lines.line(Drawn(data), command)))

    @invariant()
    def check(self) -> None:
        """The guest finds itself whole."""
        if self.life is not None:
            self.ask(self.life.add("check"))

    def teardown(self) -> None:
        """The whole state, if the life has begun."""
        if self.model is None or self.why or self.life is None or (
                len(self.life.steps) < len(self.life.beginning)):
            return
        for look in LOOKS:
            if not self.limit.reached(self.figures):
                self.ask(self.life.add(look))
        told = self.model.compare_state(self.guest) if self.model is not None else None
        if told is not None:
            self._blame(told)


def machine_for(guest: Guest, habits: Habits, figures: Figures, limit: Limit,
                tell: Callable[[Figures], None]) -> type[Machine]:
    """The machine with a rule for each command that the guest knows."""
    life = new_life(guest, random.Random(0))
    rules: dict[str, Any] = {}
    for command in life.lines.commands:
        for i in range(MANY if command in life.lines.busy else 1):
            rules[f"{command.name}_{i}"] = _rule_for(command)
    return type("GuestMachine", (Machine,), {
        "guest": guest, "habits": habits, "figures": figures, "limit": limit,
        "tell": staticmethod(tell), **rules})


def _rule_for(command: Command) -> Any:
    def run(self: Machine, data: Any) -> None:
        self.command(command, data)
    run.__name__ = command.name
    return rule(data=st.data())(run)


def _short_lives(machine: type[Machine], seed: int) -> Finding | None:
    """One run of hypothesis."""
    how = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None,
                   suppress_health_check=list(HealthCheck), verbosity=Verbosity.quiet,
                   phases=[Phase.generate])
    try:
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            seeded(seed)(machine), settings=how)
    except Enough:
        pass
    return (machine.culprit, machine.why) if machine.why else None


def _long_lives(pool: Pool, name: str, machine: type[Machine], seed: int) -> Finding | None:
    """Some of those of pfnlab.fuzz: what takes many lines to come about shows in them."""
    for number in range(LONG_LIVES):
        guest = pool.acquire(name)
        life = new_life(guest, random.Random(f"{seed}/{number}"), machine.habits)
        try:
            why = live_to(machine.limit, guest, life, machine.figures, machine.tell)
        except Enough:
            return None
        if why is not None:
            return life.steps, why
    return None


def machine_campaign(name: str, seed: int, limit: Limit, directory: Path,
                     on_command: Callable[[Figures], None] = lambda figures: None) -> Figures:
    """As pfnlab.fuzz.campaign, with the machine in turn."""
    figures = Figures()
    habits: Habits = {}
    start = time.monotonic()

    def tell(figures: Figures) -> None:
        figures.seconds = time.monotonic() - start
        on_command(figures)
        if limit.reached(figures):
            raise Enough
    with Pool() as pool:
        try:
            while not limit.reached(figures) and not figures.found:
                machine = machine_for(pool.acquire(name), habits, figures, limit, tell)
                found = _short_lives(machine, seed)
                if found is None and not limit.reached(figures):
                    found = _long_lives(pool, name, machine, seed)
                if found is not None:
                    figures.found.append(str(keep(pool, name, *found, directory)))
                seed += 1_000_003
        except KeyboardInterrupt:
            figures.stopped = True
    return figures
