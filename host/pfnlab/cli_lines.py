# SPDX-License-Identifier: MIT
"""The verbs of `pfnlab` that send lines: run, send, pipe, record, stubs."""
from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pfnlab import errors
from pfnlab.cli_common import (EXIT_FAILED, EXIT_OK, Verb, emit, guest_name, open_guest, row_data)
from pfnlab.guest import Guest, outcome
from pfnlab.request import Request
from pfnlab.spec import Spec, project_root
from pfnlab.stubs import stubs
from pfnlab.transcript import Recorder, request_words


def requests(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The requests among lines, numbered from 1 or as they are; of a transcript nothing else."""
    number = 0
    for line in lines:
        found = re.fullmatch(r"(?:>(\d*) )?\s*([^>:=?%;\s].*)", line.strip(), re.DOTALL)
        if found:
            number = int(found[1] or number + 1)
            yield number, found[2]


def run_lines(options: argparse.Namespace, guest: Guest, lines: Iterable[str],
              recorder: Recorder | None = None) -> int:
    """Send lines one by one and print the answers; whether one was an error.

    `$N` in a line is the result of the Nth of them.
    """
    status = EXIT_OK
    done: dict[int, Request] = {}
    for number, text in requests(lines):
        request = guest.submit_words(list(request_words(text, done)))
        if recorder is not None:
            recorder.asked(request)
        done[number] = guest.link.wait(request, guest.timeout)
        if recorder is not None:
            recorder.answered(request)
        tell_reply(options, number, text, request)
        try:
            outcome(request, None)
        except errors.GuestError:
            status = EXIT_FAILED
    return status


def tell_reply(options: argparse.Namespace, number: int, text: str, request: Request) -> None:
    """Print a reply."""
    final = request.final
    assert final is not None
    told = f"{final.sigil} {final.raw[1:].lstrip('0123456789').strip()}".strip()
    lines = [f": {row}" for row in request.rows]
    emit(options, {"number": number, "request": text, "ok": final.sigil == "=",
                   "rows": [row_data(row) for row in request.rows], **row_data(final.row())},
         "\n".join([*lines, told]))


def do_send(options: argparse.Namespace) -> int:
    """Start a guest, send it lines, end it."""
    for line in options.line:
        if not list(requests([line])):
            raise ValueError(f"no command: {line!r}")
    with open_guest(options) as guest:
        return run_lines(options, guest, options.line)


def do_pipe(options: argparse.Namespace) -> int:
    """The same with the lines of standard input, as they come."""
    with open_guest(options) as guest:
        return run_lines(options, guest, sys.stdin)


def do_record(options: argparse.Namespace) -> int:
    """As pipe, and write the session as a transcript, while it goes on."""
    with open_guest(options) as guest:
        before = guest.link.log.transcript() if options.map else ""
        recorder = Recorder(guest, options.file, before)
        try:
            return run_lines(options, guest, sys.stdin, recorder)
        finally:
            recorder.close()


def do_run(options: argparse.Namespace) -> int:
    """A console on a guest: history, completion, help; --raw leaves this terminal to the guest."""
    options.guest = options.guest_here or options.guest
    if options.raw or not sys.stdin.isatty() or not sys.stdout.isatty():
        return _raw(options)
    try:
        from pfnlab.console import Console
    except ImportError:
        print("pfnlab: without prompt_toolkit (python3-prompt-toolkit) the console is the guest's "
              "own", file=sys.stderr)
        return _raw(options)
    with open_guest(options) as guest:
        return Console(guest).run()


def _raw(options: argparse.Namespace) -> int:
    spec = Spec(guest_name(options))
    if spec.scheme or options.map:
        raise ValueError("--raw starts a guest of its own on its own map")
    script = str(project_root() / "run-guest.sh")
    os.execv(script, [script, spec.arch, *spec.arguments()])


def do_stubs(options: argparse.Namespace) -> int:
    """Write commands.pyi, what type checkers know of a guest's commands."""
    with open_guest(options) as guest:
        text = stubs(guest.table)
    if options.output is not None:
        options.output.write_text(text, "ascii")
    if options.json or options.output is None:
        emit(options, {"file": str(options.output)} if options.output else {"text": text},
             text.rstrip("\n"))
    return EXIT_OK


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("guest_here", nargs="?", metavar="GUEST", help="as --guest")
    parser.add_argument("--raw", action="store_true", help="the guest's own line editing")


VERBS = [
    Verb("run", do_run, "pfnlab run x86_64", _run_arguments),
    Verb("send", do_send, "pfnlab send 'alloc_pages_area low 3' 'free $1'",
         lambda p: p.add_argument("line", nargs="+", help="a command line, in quotes")),
    Verb("pipe", do_pipe, "echo 'dump areas' | pfnlab --guest s390x --json pipe"),
    Verb("record", do_record, "pfnlab record session.t <lines.txt",
         lambda p: p.add_argument("file", type=Path, help="the transcript to write")),
    Verb("stubs", do_stubs, "pfnlab stubs --output commands.pyi",
         lambda p: p.add_argument("--output", type=Path, help="the file (default: stdout)")),
]
