# SPDX-License-Identifier: MIT
"""The verbs of `pfnlab` that look at a guest from outside: gdb, post-mortem."""
from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pfnlab import debugger, decode_lab, doors
from pfnlab.cli_common import EXIT_FAILED, EXIT_OK, EXIT_USAGE, Verb, emit, guest_name
from pfnlab.decode_lab import Lab, Processor
from pfnlab.errors import PfnlabError
from pfnlab.guest import Guest
from pfnlab.memory_map import start_on_map
from pfnlab.spec import Spec, architectures
from pfnlab.symbols import Symbols


def do_gdb(options: argparse.Namespace) -> int:
    """Start a guest, and gdb on it when it is at its prompt: `help pfn` tells what can be asked.
    With --batch run commands of gdb, print what they say, and end both."""
    options.guest = options.guest_here or options.guest
    name = guest_name(options)
    if Spec(name).scheme:
        raise ValueError("gdb is for a guest that it starts")
    if options.json and not options.batch:
        raise ValueError("--json goes with --batch")
    transport = debugger.SharedTransport.start(name)
    guest = Guest(name, timeout=options.timeout, transport=transport)
    try:
        if options.map:
            start_on_map(guest, options.map)
        guest.leave_line()
        log = transport.share()
        if not options.batch:
            _tell_console(transport.line, log)
        return debugger.run(guest.open_to_debugger(), options.batch or (), transport.line,
                            options.json)
    finally:
        guest.kill()


def _tell_console(line: Path, log: Path) -> None:
    """What the guest says is in a file, and in another pane if this is one of tmux. Whoever wants
    to type at a console does that instead of `pfn send`: it speaks with checksums."""
    print(f"pfnlab: `pfn send LINE` asks the guest; instead of that, its console is\n"
          f"  pfnlab run unix:{line}\nand what it says goes to {log}", flush=True)
    if os.environ.get("TMUX"):
        subprocess.run(["tmux", "split-window", "-d", "tail", f"--pid={os.getpid()}", "-n", "+1",
                        "-f", str(log)], check=False)


def do_post_mortem(options: argparse.Namespace) -> int:
    """Look at a guest in a file: a dump of QEMU (dump-guest-memory, pmemsave), or a core of the
    native guest. Without questions: its lines, areas and invariants."""
    dump = _opened(options)
    questions = options.question or [*(["cpus"] if dump.places else []), "ring", "areas", "check"]
    processors = list(_processors(dump)) if "cpus" in questions else []
    status = EXIT_OK
    for question in questions:
        words = question.removeprefix("pfn ").split()
        try:
            rows = list(decode_lab.ask(Lab(dump.image, processors), words))
            broken = words == ["check"] and rows != [decode_lab.WHOLE]
            ended = EXIT_FAILED if broken else EXIT_OK
        except PfnlabError as error:
            rows = [f"pfnlab: {error}"]
            ended = EXIT_USAGE if isinstance(error, decode_lab.WrongQuestion) else EXIT_FAILED
        head = [f"---- {question}"] if len(questions) > 1 else []
        emit(options, {"question": question, "ok": ended == EXIT_OK, "rows": rows},
             "\n".join([*head, *rows]))
        status = max(status, ended)
    return status


def _opened(options: argparse.Namespace) -> doors.Dump:
    """ValueError: the file is none, and nothing is wrong with a guest."""
    if options.arch is not None and options.arch not in architectures():
        raise ValueError(f"no such architecture: {options.arch}; there is: "
                         f"{' '.join(architectures())}")
    try:
        return doors.open_dump(options.file, options.arch, options.program)
    except PfnlabError as error:
        raise ValueError(str(error)) from None


def _processors(dump: doors.Dump) -> Iterator[Processor]:
    symbols = Symbols(dump.image.program.path)
    for number, place in enumerate(dump.places):
        yield Processor(str(number), place, symbols.at(place - dump.image.base))


def _gdb_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("guest_here", nargs="?", metavar="GUEST", help="as --guest")
    parser.add_argument("--batch", nargs="+", metavar="COMMAND",
                        help="commands of gdb, each in quotes; they come last")


def _post_mortem_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the dump")
    parser.add_argument("question", nargs="*",
                        help=f"in quotes, one of: {' '.join(decode_lab.QUESTIONS)}")
    parser.add_argument("--arch", help="of which guest it is, where the file does not say it")
    parser.add_argument("--program", type=Path, help="the guest's program with its symbols "
                        "(default: that in the tree)")


VERBS = [
    Verb("gdb", do_gdb, "pfnlab gdb s390x --batch 'pfn areas' 'pfn check'", _gdb_arguments),
    Verb("post-mortem", do_post_mortem, "pfnlab post-mortem guest.dump check 'page 0x9000000'",
         _post_mortem_arguments),
]
