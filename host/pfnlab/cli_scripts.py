# SPDX-License-Identifier: MIT
"""The verbs of `pfnlab` that work on transcripts: replay, shrink, bisect, sweep, import."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pfnlab import debugger
from pfnlab.bisect import bisect
from pfnlab.cli_common import (EXIT_FAILED, EXIT_OK, Verb, emit, guest_name, open_guest,
                               option_map)
from pfnlab.guest import Guest
from pfnlab.kmem import import_trace, transcript_text
from pfnlab.pool import Pool
from pfnlab.progress import Progress
from pfnlab.report import sections
from pfnlab.shrink import Shrinker, with_checks
from pfnlab.spec import Spec, split_names
from pfnlab.sweep import Sweep
from pfnlab.transcript import Mismatch, Run, Step, Transcript, read_transcript
from pfnlab.trial import Condition, Trial, Trials, common_map, first_difference


@contextmanager
def trials_for(options: argparse.Namespace, transcript: Transcript) -> Iterator[Trials]:
    """Clean guests for tries of a transcript."""
    with Pool() as pool:
        yield Trials(pool, guest_name(options, transcript.options), option_map(options))


# ---- replay ----

def do_replay(options: argparse.Namespace) -> int:
    """Replay transcripts and compare what is written in them, or several guests."""
    if options.stop is not None and not (options.gdb or options.batch):
        raise ValueError("--stop goes with --gdb")
    if options.json and options.gdb and not options.batch:
        raise ValueError("--json goes with --batch")
    if options.gdb or options.batch:
        debugger.check(Spec(guest_name(options)))
    status = EXIT_OK
    for path in options.file:
        transcript = read_transcript(path)
        in_gdb = bool(options.gdb or options.batch)
        with Progress(path.name, len(transcript.steps), quiet=in_gdb) as progress:
            try:
                how = _replay_many if options.diff else _replay_one
                found = how(options, transcript, progress)
            except KeyboardInterrupt:
                emit(options, {"file": str(path), "requests": progress.done, "stopped": True},
                     f"{path}: so far: {_success(options, progress.done)}")
                raise
        emit(options, {"file": str(path), "requests": len(transcript.steps), "ok": found is None,
                       **({"reason": found} if found else {})},
             f"{path}: {found or _success(options, len(transcript.steps))}")
        status = EXIT_FAILED if found else status
    return status


def _success(options: argparse.Namespace, requests: int) -> str:
    how = "the same on all" if options.diff else "run" if options.no_compare else "as written"
    return f"{requests} requests, {how}"


def _replay_one(options: argparse.Namespace, transcript: Transcript, progress: Progress
                ) -> str | None:
    with open_guest(options, transcript.options) as guest:
        try:
            if options.gdb or options.batch:
                _replay_in_gdb(options, transcript, guest)
            else:
                transcript.replay(guest, lambda step: progress.advance(), not options.no_compare)
        except Mismatch as error:
            for title, text in sections(guest):
                print(f"---- {title}\n{text}", file=sys.stderr)
            return str(error)
    return None


def _replay_in_gdb(options: argparse.Namespace, transcript: Transcript, guest: Guest) -> None:
    """Replay up to a request; then gdb, while the rest goes on as far as gdb lets it."""
    run = Run(guest)

    def play(steps: list[Step]) -> None:
        for step in steps:
            request = run.wait(run.submit(step))
            if not options.no_compare:
                run.compare(step, request)
    steps = [step for step in transcript.steps if step.text != "poweroff"]
    at = options.stop or steps[-1].tag
    play([step for step in steps if step.tag < at])
    argv = guest.open_to_debugger()
    tag = guest.link.next_tag
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(play, [step for step in steps if step.tag >= at])
        debugger.hold([*argv, "-ex", f"pfn break-tag {tag}"], options.batch or (), sys.stderr,
                      options.json)
        guest.close_to_debugger()
        rest.result()


def _replay_many(options: argparse.Namespace, transcript: Transcript, progress: Progress
                 ) -> str | None:
    with trials_for(options, transcript) as trials:
        others = _others(options, trials, transcript)
        trials.memory_map = trials.memory_map or common_map(trials, transcript)
        found = first_difference(trials, [trials.name, *others], transcript.steps,
                                 lambda step: progress.advance())
    return str(found) if found else None


def _others(options: argparse.Namespace, trials: Trials, transcript: Transcript) -> list[str]:
    """The guests that --diff names, each once, besides that of the trials."""
    names = [guest_name(options, transcript.options, name)
             for text in options.diff for name in split_names(text)]
    others = [name for name in dict.fromkeys(names) if name != trials.name]
    if not others:
        raise ValueError(f"it takes two guests to differ, and {trials.name} is the only one")
    return others


# ---- shrink, bisect ----

def _criterion(options: argparse.Namespace, trials: Trials, transcript: Transcript) -> Trial:
    if options.until:
        return trials.until(Condition(options.until))
    if options.diff:
        others = _others(options, trials, transcript)
        trials.memory_map = trials.memory_map or common_map(trials, transcript)
        return trials.difference(others)
    return trials.failure


def do_shrink(options: argparse.Namespace) -> int:
    """Find the smallest transcript that shows the same failure: a panic, a broken invariant, an
    answer that is not the model's, a difference of guests, or a condition at its end."""
    transcript = read_transcript(options.file)
    output = options.output or options.file.with_suffix(".min.t")
    steps = transcript.steps if options.until or options.diff else with_checks(transcript.steps)
    with trials_for(options, transcript) as trials, Progress("shrink") as progress:
        shrinker = Shrinker(steps, _criterion(options, trials, transcript),
                            lambda tries, left: progress.advance(1, f"shrink, {left} lines"),
                            places=trials.places)
        try:
            print(f"pfnlab: {len(shrinker.best)} lines show: {shrinker.signature}",
                  file=sys.stderr, flush=True)
            shrinker.run()
        finally:                  # after ^C, what was found so far
            _write(output, transcript, shrinker.best, shrinker.signature)
    emit(options, {"file": str(output), "requests": len(shrinker.best), "tries": shrinker.tries,
                   "signature": shrinker.signature},
         f"{output}: {len(transcript.steps)} requests became {len(shrinker.best)} in "
         f"{shrinker.tries} tries: {shrinker.signature}")
    return EXIT_OK


def _write(path: Path, transcript: Transcript, steps: list[Step], why: str) -> None:
    small = Transcript("", str(path))
    small.options, small.also = transcript.options, transcript.also
    for step in steps:
        small.steps.append(Step(step.tag, step.text, step.line))
    path.write_text(f"; {why}\n{small.text()}", "ascii")


def do_bisect(options: argparse.Namespace) -> int:
    """Find the line of a transcript after which a condition holds."""
    transcript = read_transcript(options.file)
    condition = Condition(options.until)
    steps, bounds = transcript.steps, [0, len(transcript.steps)]
    with trials_for(options, transcript) as trials, Progress("bisect") as progress:
        def on_try(low: int, high: int) -> None:
            bounds[:] = low, high
            progress.advance(what=f"bisect, {high - low} lines")
        try:
            step = bisect(trials, steps, condition, on_try)
        except KeyboardInterrupt:
            low, high = (steps[bound - 1].line if bound else 0 for bound in bounds)
            emit(options, {"file": str(options.file), "after": low, "upto": high},
                 f"{options.file}: so far: after line {low}, in line {high} at the latest")
            raise
    emit(options, {"file": str(options.file), "line": step.line, "tag": step.tag,
                   "request": step.text, "condition": condition.text},
         f"{options.file}:{step.line}: >{step.tag} {step.text}\n  after it: {condition.text}")
    return EXIT_OK


def do_import(options: argparse.Namespace) -> int:
    """Make a transcript of a Linux trace, of kmem:mm_page_alloc and kmem:mm_page_free in the text
    of trace-cmd report or tracefs; it replays without a leak."""
    imported = import_trace(options.file.read_text("utf-8", "replace"))
    output = options.output or options.file.with_suffix(".t")
    output.write_text(transcript_text(imported, options.file.name), "utf-8")
    told = ", ".join(f"{n} {name}" for name, n in sorted(imported.counts.items()))
    emit(options, {"file": str(output), "counts": imported.counts, "peak": imported.peak},
         f"{output}: {told}")
    return EXIT_OK


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the trace's text")
    parser.add_argument("--output", "-o", type=Path, help="the transcript (default: FILE.t)")


def do_sweep(options: argparse.Namespace) -> int:
    """Run a transcript with the 1st, 2nd, 3rd, ... attempt to get memory refused, until it runs
    through, and name every refused command that leaves something behind."""
    transcript = read_transcript(options.file)
    with trials_for(options, transcript) as trials, Progress("sweep") as progress:
        sweep = Sweep(trials, transcript.steps, options.what or "")
        try:
            sweep.run(lambda attempt: progress.advance(total=sweep.total))
        except AttributeError as error:
            raise ValueError(str(error)) from None
        except KeyboardInterrupt:
            _tell_sweep(options, sweep)           # what was found so far
            raise
    _tell_sweep(options, sweep)
    return EXIT_FAILED if sweep.findings else EXIT_OK


def _tell_sweep(options: argparse.Namespace, sweep: Sweep) -> None:
    for finding in sweep.findings:
        emit(options, {"attempt": finding.attempt, "line": finding.step.line,
                       "request": finding.step.text, "what": finding.what}, str(finding))
    emit(options, {"attempts": sweep.attempts, "findings": len(sweep.findings)},
         f"{options.file}: {sweep.attempts} attempts refused one by one, "
         f"{len(sweep.findings)} left something behind")


def _sweep_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a transcript")
    parser.add_argument("--what", metavar="SET",
                        help="of what: frames, tables, pool, joined by | (default: the guest's)")


def _replay_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="+", help="a transcript")
    parser.add_argument("--diff", action="append", metavar="GUEST[,GUEST]",
                        help="run it on these, too, and tell the first line on which they differ; "
                             "all on the map of the first, unless the transcript makes its own")
    parser.add_argument("--no-compare", action="store_true", help="only run it")
    parser.add_argument("--gdb", action="store_true",
                        help="gdb before the last line: `continue` stops where it begins")
    parser.add_argument("--batch", nargs="+", metavar="COMMAND",
                        help="--gdb with these commands only; they come last")
    parser.add_argument("--stop", type=int, metavar="TAG", help="with --gdb: before this request")


def _criterion_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a transcript")
    parser.add_argument("--output", "-o", type=Path, help="the file (default: FILE.min.t)")
    parser.add_argument("--until", metavar="CONDITION", help="as in 'largest_order low < 9'")
    parser.add_argument("--diff", action="append", metavar="GUEST[,GUEST]",
                        help="these answer otherwise than --guest")


def _bisect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a transcript")
    parser.add_argument("--until", metavar="CONDITION", required=True,
                        help="as in 'largest_order low < 9'")


VERBS = [
    Verb("replay", do_replay, "pfnlab replay session.t --diff x86_64,s390x", _replay_arguments),
    Verb("shrink", do_shrink, "pfnlab --guest x86_64 shrink crash.t", _criterion_arguments),
    Verb("bisect", do_bisect, "pfnlab bisect session.t --until 'largest_order low < 9'",
         _bisect_arguments),
    Verb("sweep", do_sweep, "pfnlab sweep session.t --what 'frames|tables'", _sweep_arguments),
    Verb("import", do_import, "pfnlab import trace.txt; pfnlab plot trace.t -o trace.html",
         _import_arguments),
]
