# SPDX-License-Identifier: MIT
"""The command `pfnlab`.

Exit status: 0 well, 1 an error of the guest or a mismatch, 2 wrong usage, 3 no guest or its line
broke, 4 the guest panicked, 124 no answer in time.
"""
from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pfnlab import errors
from pfnlab.guest import Guest, outcome
from pfnlab.report import sections
from pfnlab.request import Request
from pfnlab.stubs import stubs
from pfnlab.transcript import Mismatch, Transcript, request_words
from pfnlab.spec import Spec, project_root

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_LINK, EXIT_PANIC, EXIT_TIMEOUT = 0, 1, 2, 3, 4, 124


def requests(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The requests among lines, numbered from 1 or as they are; of a transcript nothing else."""
    number = 0
    for line in lines:
        found = re.fullmatch(r"(?:>(\d*) )?\s*([^>:=?%;\s].*)", line.strip(), re.DOTALL)
        if found:
            number = int(found[1] or number + 1)
            yield number, found[2]


def run_lines(guest: Guest, lines: Iterable[str]) -> int:
    """Send lines one by one and print the answers; whether one was an error.

    `$N` in a line is the result of the Nth of them.
    """
    status = EXIT_OK
    done: dict[int, Request] = {}
    for number, text in requests(lines):
        request = guest.submit_words(list(request_words(text, done)))
        done[number] = guest.link.wait(request, guest.timeout)
        assert request.final is not None
        for row in request.rows:
            print(":", row)
        print(request.final.sigil, *request.final.words,
              *([";", request.final.text] if request.final.text else []), flush=True)
        try:
            outcome(request, None)
        except errors.GuestError:
            status = EXIT_FAILED
    return status


def do_send(options: argparse.Namespace) -> int:
    """Start a guest, send it lines, end it."""
    with Guest(options.guest, timeout=options.timeout) as guest:
        return run_lines(guest, options.line)


def do_pipe(options: argparse.Namespace) -> int:
    """The same with the lines of standard input, as they come."""
    with Guest(options.guest, timeout=options.timeout) as guest:
        return run_lines(guest, sys.stdin)


def do_record(options: argparse.Namespace) -> int:
    """As pipe, and write the session as a transcript."""
    with Guest(options.guest, timeout=options.timeout) as guest:
        guest.link.log.clear()
        status = run_lines(guest, sys.stdin)
        options.file.write_text(guest.transcript(), "ascii")
    return status


def do_replay(options: argparse.Namespace) -> int:
    """Replay transcripts and compare."""
    status = EXIT_OK
    for path in options.file:
        transcript = Transcript(path.read_text("ascii"), str(path))
        mark = "&" if "?" in options.guest else "?"
        name = options.guest + (mark + transcript.options if transcript.options else "")
        with Guest(name, timeout=options.timeout) as guest:
            try:
                print(f"{path}: {transcript.replay(guest)} requests, as written")
            except Mismatch as error:
                print(f"{path}: {error}")
                for title, text in sections(guest):
                    print(f"---- {title}\n{text}", file=sys.stderr)
                status = EXIT_FAILED
    return status


def do_run(options: argparse.Namespace) -> int:
    """Boot a guest and leave this terminal to it."""
    spec = Spec(options.guest)
    script = str(project_root() / "run-guest.sh")
    os.execv(script, [script, spec.arch, *spec.arguments()])


def do_stubs(options: argparse.Namespace) -> int:
    """Write commands.pyi."""
    with Guest(options.guest, timeout=options.timeout) as guest:
        text = stubs(guest.table)
    if options.output is None:
        print(text, end="")
    else:
        options.output.write_text(text, "ascii")
    return EXIT_OK


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="pfnlab", description="Drives the pfnlab guest.",
                                  epilog=(__doc__ or "").partition("\n\n")[2])
    top.add_argument("--guest", default="native", metavar="NAME",
                     help="as in native or 'x86_64?memory=6G&boot=iso' (default: native)")
    top.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS",
                     help="for one answer (default: 60)")
    verbs = top.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, do: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=(do.__doc__ or "").rstrip("."), description=do.__doc__)
        sub.set_defaults(do=do)
        return sub

    verb("run", do_run)
    verb("send", do_send).add_argument("line", nargs="+", help="a command line, in quotes")
    verb("pipe", do_pipe)
    verb("record", do_record).add_argument("file", type=Path, help="the transcript to write")
    verb("replay", do_replay).add_argument("file", type=Path, nargs="+", help="a transcript")
    verb("stubs", do_stubs).add_argument("--output", type=Path, help="the file (default: stdout)")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; its exit status."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.do(options)
        return status
    except errors.GuestPanic as error:
        print(f"pfnlab: {error}", *error.lines, sep="\n", file=sys.stderr)
        return EXIT_PANIC
    except errors.GuestSilent as error:
        print(f"pfnlab: {error}", file=sys.stderr)
        return EXIT_TIMEOUT
    except (ValueError, OSError) as error:
        print(f"pfnlab: {error}", file=sys.stderr)
        return EXIT_USAGE
    except errors.PfnlabError as error:
        print(f"pfnlab: {error}", file=sys.stderr)
        return EXIT_LINK
