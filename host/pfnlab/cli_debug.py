# SPDX-License-Identifier: MIT
"""The verbs of `pfnlab` that look at a guest from outside: gdb, post-mortem."""
from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from pfnlab import debugger, decode_lab, doors, outside
from pfnlab.cli_common import (EXIT_FAILED, EXIT_OK, EXIT_USAGE, Verb, emit, guest_name, natural,
                               open_guest)
from pfnlab.decode_lab import Lab, Processor
from pfnlab.errors import PfnlabError
from pfnlab.guest import Guest
from pfnlab.memory_map import start_on_map
from pfnlab.spec import Spec, architectures
from pfnlab.symbols import Symbols
from pfnlab.transcript import Transcript, read_transcript


def do_gdb(options: argparse.Namespace) -> int:
    """Start a guest, and gdb on it when it is at its prompt: `help pfn` tells what can be asked.
    With --batch run commands of gdb, print what they say, and end both."""
    options.guest = options.guest_here or options.guest
    if options.json and not options.batch:
        raise ValueError("--json goes with --batch")
    return _in_gdb(options, guest_name(options), options.batch or ())


def _in_gdb(options: argparse.Namespace, name: str, commands: Sequence[str],
            transcript: Transcript | None = None) -> int:
    """Start a guest, replay a transcript, and give guest and line to gdb."""
    debugger.check(Spec(name))
    transport = debugger.SharedTransport.start(name)
    guest = Guest(name, timeout=options.timeout, transport=transport)
    try:
        if options.map:
            start_on_map(guest, options.map)
        if transcript is not None:
            transcript.replay(guest, None, False)
        guest.leave_line()
        log = transport.share()
        if not commands:
            _tell_console(transport.line, log)
        return debugger.run(guest.open_to_debugger(), commands, transport.line, options.json)
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


def do_compare(options: argparse.Namespace) -> int:
    """Replay a transcript, if one is named, and hold what the guest's memory says of its allocators
    against what it says itself. The memory is read through its process (native), through a dump, or
    by gdb."""
    transcript = read_transcript(options.file) if options.file is not None else None
    more = transcript.options if transcript is not None else ""
    if options.door == "gdb":
        return _in_gdb(options, guest_name(options, more), ["pfn compare"], transcript)
    with open_guest(options, more) as guest:
        door = options.door or ("process" if guest.spec.native else "dump")
        if door == "process" and not guest.spec.native:
            raise ValueError("only a native guest is a process: --door dump, or gdb")
        if transcript is not None:
            transcript.replay(guest, None, False)
        status = EXIT_OK
        with outside.look_at(guest, door == "dump") as look:
            for twin in outside.compare(look, outside.ask_guest(guest)):
                emit(options, {"question": twin.question, "ok": twin.same,
                               "rows": twin.outside}, str(twin))
                status = status if twin.same else EXIT_FAILED
    return status


def do_post_mortem(options: argparse.Namespace) -> int:
    """Look at a guest in a file: a dump of QEMU (dump-guest-memory, pmemsave), or a core of the
    native guest; or at a native one that runs. Without questions: its lines, areas and invariants.
    """
    if options.pid is not None and options.file is not None:
        options.question.insert(0, str(options.file))
    elif options.pid is None and options.file is None:
        raise ValueError("which file? or --pid")
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
        if options.pid is not None:
            return doors.open_process(options.pid, options.program)
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
    parser.add_argument("file", type=Path, nargs="?", help="the dump")
    parser.add_argument("question", nargs="*",
                        help=f"in quotes, one of: {' '.join(decode_lab.QUESTIONS)}")
    parser.add_argument("--pid", type=natural, help="no file, but that process, a native guest")
    parser.add_argument("--arch", help="of which guest it is, where the file does not say it")
    parser.add_argument("--program", type=Path, help="the guest's program with its symbols "
                        "(default: that in the tree)")


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", help="the transcript")
    parser.add_argument("--door", choices=["process", "dump", "gdb"],
                        help="how to look (default: process for a native guest, else dump)")


VERBS = [
    Verb("gdb", do_gdb, "pfnlab gdb s390x --batch 'pfn areas' 'pfn check'", _gdb_arguments),
    Verb("post-mortem", do_post_mortem, "pfnlab post-mortem guest.dump check 'page 0x9000000'",
         _post_mortem_arguments),
    Verb("compare", do_compare, "pfnlab --guest s390x compare tests/scenarios/S01-prefix-areas.t",
         _compare_arguments),
]
