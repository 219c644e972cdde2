# SPDX-License-Identifier: MIT
"""The verbs of `pfnlab` that search: fuzz, twins."""
from __future__ import annotations

import argparse
import math
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from pfnlab.cli_common import EXIT_FAILED, EXIT_OK, Verb, emit, guest_name, natural
from pfnlab.fuzz import Figures, Limit, campaign, spread
from pfnlab.lockstep import Difference, Lockstep
from pfnlab.lockstep_findings import keep
from pfnlab.lockstep_mixture import Mixture
from pfnlab.progress import Progress
from pfnlab.spec import architectures, project_root, split_names

TIME = 60.0                       # seconds, of a campaign that nobody limits
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """`90`, `90s`, `10m`, `2h`, `1d`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"a time is 90, 90s, 10m, 2h or 1d, not {text!r}")
    return float(found[1]) * _UNITS[found[2]]


# ---- fuzz ----

def _campaign(options: argparse.Namespace) -> Callable[..., Figures]:
    if options.fast:
        return campaign
    from pfnlab.fuzz_machine import machine_campaign      # hypothesis takes a while to come
    return machine_campaign


def _limit(options: argparse.Namespace) -> Limit:
    if options.time is None and options.commands is None:
        return Limit(TIME)
    return Limit(math.inf if options.time is None else options.time,
                 math.inf if options.commands is None else options.commands)


def _directory(options: argparse.Namespace) -> Path:
    """Made beforehand: what is found after hours must not be lost for want of a place."""
    directory = Path(options.output or project_root() / "build/fuzz/found")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _no_map(options: argparse.Namespace) -> None:
    if options.map:
        raise ValueError("it takes maps of its own: no --map")


def do_fuzz(options: argparse.Namespace) -> int:
    """Send a guest commands at random, made from its own command table, and compare each answer
    with the model's. What is wrong is shrunk and kept as a transcript."""
    _no_map(options)
    name = guest_name(options, name=options.name or "")
    run = _campaign(options)
    directory = _directory(options)
    limit = _limit(options)
    emit(options, {"seed": options.seed}, f"seed {options.seed}")
    total = None if limit.commands == math.inf else int(limit.commands) * options.jobs
    with Progress("fuzz", total) as progress:
        if options.jobs > 1:
            figures = spread(run, name, options.seed, limit, directory, options.jobs,
                             lambda count: progress.advance(count - progress.done))
        else:
            figures = run(name, options.seed, limit, directory,
                          lambda figures: progress.advance(figures.commands - progress.done))
    for path in figures.found:
        _tell_kept(options, Path(path))
    emit(options, {"seed": options.seed, "commands": figures.commands, "lives": figures.lives,
                   "seconds": figures.seconds, "found": figures.found, "answers": figures.answers},
         f"{name}: {figures}")
    if figures.error is not None:
        raise figures.error
    if figures.stopped:
        raise KeyboardInterrupt
    return EXIT_FAILED if figures.found else EXIT_OK


def _tell_kept(options: argparse.Namespace, path: Path, replay: str = "") -> None:
    text = path.read_text("ascii")
    emit(options, {"file": str(path), "transcript": text, **({"replay": replay} if replay else {})},
         "\n".join([f"{path}:", text.rstrip(), *([replay] if replay else [])]))


def _fuzz_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="GUEST", help="instead of --guest")
    parser.add_argument("--time", type=seconds,
                        help=f"as 90, 10m, 2h (default: {TIME:.0f}, without --commands)")
    parser.add_argument("--commands", type=natural, metavar="N",
                        help="so many for each guest at most: the same ones on any machine")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="repeats a campaign")
    parser.add_argument("--jobs", "-j", type=natural, default=1, metavar="N", help="so many guests")
    parser.add_argument("--fast", action="store_true",
                        help="long sequences drawn beforehand, many lines under way, instead of a "
                             "hypothesis state machine")
    _output_argument(parser)


def _output_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", "-o", type=Path, metavar="DIRECTORY",
                        help="for what is found (default: build/fuzz/found)")


# ---- twins ----

class Enough(Exception):
    """So many commands were wanted, or so much time."""


def do_twins(options: argparse.Namespace) -> int:
    """Send one stream of commands to several guests: every line of every reply must be the same. A
    difference is shrunk and kept as a transcript of what the first one says."""
    _no_map(options)
    names = [name for text in options.names for name in split_names(text)] or architectures()
    if len(names) < 2:
        raise ValueError("it takes two guests to differ")
    emit(options, {"seed": options.seed}, f"seed {options.seed}")
    directory = _directory(options)
    start = time.monotonic()
    found: Difference | None = None
    stopped = False
    with Lockstep(names) as guests, Progress("twins", options.commands) as progress:
        def look() -> None:
            if guests.commands == options.commands or (
                    options.time is not None and time.monotonic() - start >= options.time):
                raise Enough
            progress.advance()
        guests.on_command = look
        try:
            Mixture(guests, options.seed).run(options.commands + 1)
        except Enough:
            found = _last_difference(guests)
        except Difference as difference:
            found = difference
        except KeyboardInterrupt:
            stopped = True
        done, took = guests.commands, time.monotonic() - start
    emit(options, {"seed": options.seed, "guests": names, "commands": done, "seconds": took,
                   **({"difference": str(found)} if found else {})},
         f"the replies differ: {found}" if found else
         f"{' '.join(names)}: {done} commands, {took:.0f} s, {done / took:.0f}/s, "
         "all replies were equal")
    if found is not None:
        _tell_kept(options, *keep(found, directory))
    if stopped:
        raise KeyboardInterrupt
    return EXIT_FAILED if found else EXIT_OK


def _last_difference(guests: Lockstep) -> Difference | None:
    try:
        guests.collect()
    except Difference as difference:
        return difference
    return None


def _twins_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="GUEST",
                        help="the first leads (default: all architectures, native first)")
    parser.add_argument("--commands", type=natural, default=10_000, metavar="N",
                        help="default: 10000")
    parser.add_argument("--time", type=seconds, help="at most so long")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="repeats a stream")
    _output_argument(parser)


VERBS = [
    Verb("fuzz", do_fuzz, "pfnlab fuzz x86_64 --time 10m --seed 7", _fuzz_arguments),
    Verb("twins", do_twins, "pfnlab twins native s390x --commands 100000", _twins_arguments),
]
