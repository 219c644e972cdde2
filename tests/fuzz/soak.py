# SPDX-License-Identifier: MIT
"""Every kind of fuzzing, one after the other: `make soak`. Each for the same time, or, with
--commands N, natively for N commands and for a tenth of them on each other guest. ^C ends it, with
what there is until then.

The table: commands, lines or operations, how many a second, how many of the answers were refusals,
resets (fresh instances of the lab), distinct states (by the totals of all areas, at the end of a
life or every thousand commands), differences, deaths of a guest; of its line the recoveries and the
bytes in both directions; and of what is fuzzed by its coverage how many edges of the code were
reached.
"""
from __future__ import annotations

import argparse
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "host"), str(ROOT)]

from pfnlab import errors  # noqa: E402
from pfnlab.findings import keep  # noqa: E402
from pfnlab.fuzz import Figures, live, new_life  # noqa: E402
from pfnlab.guest import Guest  # noqa: E402
from pfnlab.lockstep import Difference, Lockstep  # noqa: E402
from pfnlab.lockstep_findings import keep as keep_twins  # noqa: E402
from pfnlab.lockstep_mixture import Mixture  # noqa: E402
from pfnlab.pool import Pool  # noqa: E402
from pfnlab.progress import Progress  # noqa: E402
from pfnlab.spec import Spec  # noqa: E402
from pfnlab.transport import with_parent  # noqa: E402
from tests.fuzz.hostile import Attack, Hostile  # noqa: E402

FOUND = ROOT / "build/fuzz/found"
COLUMNS = ("kind", "done", "per second", "refused", "resets", "states", "differences", "deaths",
           "recoveries", "MB out", "MB in", "coverage")
SLICE = 1000                      # commands between two looks at the clock
TENTH = 10                        # of the commands, on a machine that is emulated
EXIT_INTERRUPTED = 130


@dataclass
class Result:
    """A row of the table, as far as it is."""

    kind: str
    done: int = 0
    seconds: float = 0.0
    refused: int = 0
    resets: int = 0
    differences: int = 0
    deaths: int = 0
    recoveries: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    coverage: str = ""
    states: set[int] = field(default_factory=set)

    def line_of(self, guest: Guest) -> None:
        """Add what went over the line of a guest that is used no more."""
        self.recoveries += guest.link.recoveries
        self.bytes_out += guest.link.bytes_out
        self.bytes_in += guest.link.bytes_in

    def cells(self) -> list[str]:
        """As the table has it."""
        rate = self.done / self.seconds if self.seconds else 0.0
        return [self.kind, str(self.done), f"{rate:.0f}", *map(str, (
            self.refused, self.resets, len(self.states), self.differences, self.deaths,
            self.recoveries)), *(f"{n / 1e6:.1f}" for n in (self.bytes_out, self.bytes_in)),
            self.coverage]


class Course:
    """How long a kind goes on, and how far it is."""

    def __init__(self, seconds: float, commands: int | None, seed: int, progress: Progress) -> None:
        self.seconds, self.commands, self.seed = seconds, commands, seed
        self._progress = progress
        self._end = time.monotonic() + seconds

    def reached(self, done: int) -> None:
        """So many are done."""
        self._progress.advance(done - self._progress.done)

    def slices(self, result: Result) -> Iterator[None]:
        """Until it is over, but once at least."""
        yield
        while (time.monotonic() < self._end if self.commands is None
               else result.done < self.commands):
            yield


Kind = Callable[[Result, Course], None]


def coverage_guided(target: str, result: Result, course: Course) -> None:
    """libFuzzer on a target, from a corpus of its own. It always goes by time."""
    corpus = ROOT / "build/fuzz/corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    FOUND.mkdir(parents=True, exist_ok=True)
    build = ROOT / "build/fuzz/clang-19"
    said = []
    with subprocess.Popen(
            with_parent(
                build / f"fuzz_{target}", f"-dict={build}/line.dict",
                f"-max_total_time={course.seconds:.0f}", f"-seed={course.seed % (1 << 31) or 1}",
                f"-artifact_prefix={FOUND}/{target}-", "-timeout=20", corpus,
                ROOT / "tests/fuzz/corpus" / target),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            start_new_session=True, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}) as fuzzer:
        assert fuzzer.stdout is not None
        try:
            for line in fuzzer.stdout:
                said.append(line)
                if runs := re.match(r"#(\d+)", line):
                    course.reached(int(runs[1]))
        except KeyboardInterrupt:
            fuzzer.send_signal(signal.SIGINT)
            said += fuzzer.stdout.readlines()
            _read_libfuzzer(result, "".join(said))
            raise
    _read_libfuzzer(result, "".join(said))
    result.differences = int(fuzzer.returncode != 0)
    if result.differences:
        _tell_found(target, "".join(said))


def _tell_found(target: str, said: str) -> None:
    """The input that libFuzzer kept and what it does, as `make fuzz` tells; else its last words."""
    kept = re.findall(r"Test unit written to (.+)", said)
    if not kept:
        print(f"{target}: {said[-1000:]}", flush=True)
        return
    told = subprocess.run(with_parent(ROOT / f"build/native/tests/fuzz/fuzz_{target}", kept[-1]),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", env={**os.environ, "PFNLAB_SCRIPT": "1"}, check=False)
    print(f"found: {kept[-1]}; as a test it goes to tests/fuzz/found/{target}\n{told.stdout}",
          flush=True)


def _read_libfuzzer(result: Result, said: str) -> None:
    count = re.findall(r"^(\d+) (?:operations|lines)$", said, re.MULTILINE)
    edges = re.findall(r"cov: (\d+)", said)
    all_edges = re.findall(r"\((\d+) inline 8-bit counters\)", said)
    inputs = re.findall(r"^#(\d+)", said, re.MULTILINE)             # each begins afresh
    result.done = int(count[-1]) if count else 0
    result.resets = max(map(int, inputs), default=0)
    result.coverage = f"{edges[-1]}/{all_edges[0]} edges" if edges and all_edges else ""


def state_of(guest: Guest) -> int:
    """A number for what the areas are like."""
    return hash(tuple(repr(row) for row in guest.dump("areas")))


def against_the_model(name: str, result: Result, course: Course) -> None:
    """`pfnlab fuzz --fast`, with the states counted."""
    figures, used = Figures(), []

    def on_command(figures: Figures) -> None:
        course.reached(figures.commands)
    with Pool() as pool:
        try:
            for _ in course.slices(result):
                guest = pool.acquire(name)
                if guest not in used:
                    used.append(guest)
                life = new_life(guest, random.Random(f"{course.seed}/{figures.lives}"))
                guest.link.log.clear()
                why = live(guest, life, figures, on_command=on_command)
                result.done = figures.commands
                if why is not None:
                    result.differences += 1
                    result.deaths += guest.dead or guest.link.overdue is not None
                    print(f"{name}: {why}\n  {keep(pool, name, life.steps, why, FOUND)}",
                          flush=True)
                elif guest.info().fields["stage"] != "early":
                    result.states.add(state_of(guest))
        finally:
            result.done = figures.commands
            result.refused = figures.commands - figures.answers.get("=", 0)
            result.resets = figures.lives + figures.words.get("reset", 0)
            for guest in used:
                result.line_of(guest)


def twins(names: list[str], result: Result, course: Course) -> None:
    """All machines in lockstep."""
    try:
        with Lockstep(names) as guests:
            try:
                _play(guests, result, course)
            finally:
                result.done, result.resets = guests.commands, guests.resets
                for guest in guests.guests:
                    result.line_of(guest)
    except Difference as difference:
        result.differences = 1
        path, replay = keep_twins(difference, FOUND)
        print(f"seed {course.seed}: {difference}\n  {path}\n  {replay}", flush=True)
    except errors.PfnlabError as gone:
        print(f"seed {course.seed}: {gone}", flush=True)
        result.deaths = 1


def _play(guests: Lockstep, result: Result, course: Course) -> None:
    mixture = Mixture(guests, course.seed)
    guests.on_command = lambda: course.reached(guests.commands)
    for _ in course.slices(result):
        mixture.run(SLICE)
        rows = guests.send("dump areas").rows
        result.states.add(hash(tuple(map(repr, rows))))
        result.done = guests.commands


def hostile(name: str, result: Result, course: Course) -> None:
    """Lines that nobody should send."""
    with Guest(name) as guest:
        attack = Attack(guest, course.seed)
        try:
            for _ in course.slices(result):
                attack.run(attack.sent + SLICE)
                result.done = attack.sent
                course.reached(attack.sent)
        except (Hostile, errors.PfnlabError) as error:
            print(f"{name}, seed {course.seed}: {error}", flush=True)
            result.differences, result.deaths = 1, int(guest.dead)
        finally:
            result.done, result.resets = attack.sent, attack.resets
            result.refused = attack.answers.total() - attack.answers["="]
            result.line_of(guest)


def table(results: list[Result]) -> str:
    """The rows, aligned."""
    rows = [list(COLUMNS), *(one.cells() for one in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.ljust(widths[i]) if i == 0 else cell.rjust(widths[i])
                               for i, cell in enumerate(row)) for row in rows)


def kinds(guests: list[str]) -> Iterator[tuple[str, str, Kind]]:
    """The name of each, the guest that sets its pace, and what it does."""
    for target in ("line", "ops"):
        yield f"coverage-guided {target}", "", partial(coverage_guided, target)
    for name in guests:
        yield f"model {name}", name, partial(against_the_model, name)
    for name in guests:
        yield f"hostile {name}", name, partial(hostile, name)
    if len(guests) > 1:
        yield f"twins x{len(guests)}", guests[-1], partial(twins, guests)


def run(kind: Kind, result: Result, seconds: float, commands: int | None, seed: int) -> None:
    """One kind, to its end or to ^C."""
    start = time.monotonic()
    try:
        with Progress(result.kind, commands, seconds=seconds) as progress:
            kind(result, Course(seconds, commands, seed, progress))
    finally:
        result.seconds = time.monotonic() - start


def main() -> int:
    """0: nothing was found; 1: something was; 130: nothing until ^C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time", type=float, default=60.0, help="seconds for each kind")
    parser.add_argument("--commands", type=int, help="so many natively, a tenth elsewhere")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("guests", nargs="+")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    results: list[Result] = []
    stopped = False
    for title, pace, kind in kinds(options.guests):
        commands = options.commands if pace else None
        if commands is not None and not Spec(pace).native:
            commands //= TENTH
        results.append(Result(title))
        try:
            run(kind, results[-1], options.time, commands, options.seed)
        except KeyboardInterrupt:
            stopped = True
            break
    print(table(results) + ("\nstopped by ^C" if stopped else ""))
    found = any(one.differences or one.deaths for one in results)
    return 1 if found else EXIT_INTERRUPTED if stopped else 0


if __name__ == "__main__":
    sys.exit(main())
