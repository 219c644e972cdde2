# SPDX-License-Identifier: MIT
"""Every claim, proven for all values: prove.py [--only CLAIM] FOLDER TARGET...

FOLDER/TARGET-wrong.ll holds the claims that must be refuted (or refused, if so named) before those
of FOLDER/TARGET-claims.ll are believed. A claim is proven case by case, one for each of its first
choices, each in a process of its own; all of a claim have so many seconds of a processor. Status 0:
all are proven; 1: one is refuted, or something is broken; 3: neither, but a claim's time was over.
"""
from __future__ import annotations

import argparse
import multiprocessing
import resource
import signal
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.pool import ThreadPool
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from tests.proof.llvm import Module, Unknown, read  # noqa: E402
from tests.proof.symbolic import Choice, Choices, Machine  # noqa: E402
from tests.proof.values import Refuted  # noqa: E402

PREFIX, REFUSED_PREFIX = "claim_", "refused_"
DEPTH = 2                  # so many choices of a claim are made apart
PROVEN, REFUTED, REFUSED, LATE = "proven", "refuted", "refused", "out of time"
Case = tuple[Choice, ...]


@dataclass
class Answer:
    """To one case: a word, what is told of it, and which cases it falls into."""

    word: str
    why: str = ""
    limit: int = 0
    questions: int = 0
    seconds: float = 0


@dataclass
class Claim:
    """What has come of its cases so far."""

    module: Module
    name: str
    seconds: float                                    # of a processor, for all cases
    answers: list[Answer] = field(default_factory=list)

    def answer(self, case: Case) -> Answer:
        """In a process of its own, as far as there is time."""
        left = int(self.seconds - sum(answer.seconds for answer in self.answers))
        if left <= 0:
            return Answer(LATE)
        end, other = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.Process(target=work, args=(self.module, self.name, case, left,
                                                             other))
        process.start()
        other.close()
        try:
            answer: Answer = end.recv()
        except EOFError:
            process.join()
            if process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL):
                return Answer(LATE, seconds=left)
            return Answer(REFUSED, f"the prover ended with {process.exitcode}")
        process.join()
        return answer

    def prove(self, pool: ThreadPool) -> None:
        """Case by case."""
        cases: list[Case] = [()]
        while cases:
            following: list[Case] = []
            for case, answer in zip(cases, pool.imap(self.answer, cases), strict=True):
                self.answers.append(answer)
                following += [(*case, (number, answer.limit)) for number in range(answer.limit)]
            cases = following

    @property
    def word(self) -> str:
        """The worst of all."""
        words = {answer.word for answer in self.answers}
        return next(word for word in (REFUTED, REFUSED, LATE, PROVEN) if word in words)

    def told(self) -> str:
        """The word, how many cases, questions and seconds."""
        ends = [answer for answer in self.answers if answer.limit == 0]
        good = sum(answer.word == PROVEN for answer in ends)
        asked = sum(answer.questions for answer in self.answers)
        why = next((f": {' '.join(answer.why.split())}" for answer in ends if answer.why), "")
        return f"{self.word}, {good} of {len(ends)} cases, {asked} questions, " \
            f"{sum(answer.seconds for answer in self.answers):.0f} s{why}"


def work(module: Module, name: str, case: Case, seconds: int, answers: Connection) -> None:
    """What the process of a case does."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    sys.setrecursionlimit(100_000)
    machine, answer = Machine(module, case, len(case) < DEPTH), Answer(PROVEN)
    try:
        machine.prove(PREFIX + name)
    except Choices as choices:
        answer.limit = choices.limit
    except Refuted as why:
        answer = Answer(REFUTED, str(why))
    except Unknown as why:
        answer = Answer(REFUSED, str(why))
    except Exception as why:             # nothing but "proven" is believed
        answer = Answer(REFUSED, f"the prover ends with {type(why).__name__}: {why}")
    answer.questions, answer.seconds = machine.asked, time.process_time()
    answers.send(answer)


def claims(path: Path, seconds: int) -> list[Claim]:
    """All of a file."""
    module = read(path.read_text())
    return [Claim(module, name.removeprefix(PREFIX), seconds)
            for name in module.functions if name.startswith(PREFIX)]


def believed(path: Path, pool: ThreadPool, seconds: int) -> bool:
    """Is none of the wrong claims proven, and each for the reason that is due?"""
    wrong = claims(path, seconds)
    for claim in wrong:
        claim.prove(pool)
    amiss = [claim for claim in wrong if claim.word != (
        REFUSED if claim.name.startswith(REFUSED_PREFIX) else REFUTED)]
    for claim in amiss:
        print(f"  wrong, and yet not refuted: {claim.name}: {claim.told()}")
    print(f"{path.name}: {len(wrong) - len(amiss)} of {len(wrong)} wrong claims not believed",
          flush=True)
    return bool(wrong) and not amiss


def table(rows: dict[str, dict[str, Claim]]) -> None:
    """A line for each claim, a column for each target."""
    names = dict.fromkeys(name for target in rows.values() for name in target)
    wide = max((len(name) for name in names), default=0)
    print(f"{'':{wide}}", *(f"{target:<12}" for target in rows))
    for name in names:
        print(f"{name:{wide}}", *(f"{claims[name].word if name in claims else '-':<12}"
                                  for claims in rows.values()))


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600, help="of a processor, for a claim")
    parser.add_argument("-j", "--jobs", type=int, default=multiprocessing.cpu_count(),
                        help="processes at a time")
    parser.add_argument("--only", action="append", metavar="CLAIM", help="no other claim")
    parser.add_argument("folder", type=Path)
    parser.add_argument("targets", nargs="+")
    options = parser.parse_args()
    rows: dict[str, dict[str, Claim]] = {}
    with ThreadPool(options.jobs) as pool:
        for target in options.targets:
            if not believed(options.folder / f"{target}-wrong.ll", pool, options.seconds):
                return 1
            rows[target] = {}
            for claim in claims(options.folder / f"{target}-claims.ll", options.seconds):
                if not options.only or claim.name in options.only:
                    claim.prove(pool)
                    rows[target][claim.name] = claim
                    print(f"  {target} {claim.name}: {claim.told()}", flush=True)
    table(rows)
    words = {claim.word for target in rows.values() for claim in target.values()}
    if not words or words & {REFUTED, REFUSED}:
        return 1
    return 3 if LATE in words else 0


if __name__ == "__main__":
    sys.exit(main())
