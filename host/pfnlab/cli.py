# SPDX-License-Identifier: MIT
# PYTHON_ARGCOMPLETE_OK
"""The command `pfnlab`.

Exit status: 0 well, 1 an error of the guest or a mismatch, 2 wrong usage, 3 no guest or its line
broke, 4 the guest panicked, 124 no answer in time, 130 stopped by ^C.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

from pfnlab import (cli_bench, cli_debug, cli_fuzz, cli_lines, cli_scripts, cli_setup, cli_views,
                    doctor, errors)
from pfnlab.cli_common import (EXIT_FAILED, EXIT_INTERRUPTED, EXIT_LINK, EXIT_PANIC, EXIT_TIMEOUT,
                               EXIT_USAGE, Verb)
from pfnlab.memory_map import zoo
from pfnlab.spec import architectures

VERBS: list[Verb] = [*cli_lines.VERBS, *cli_scripts.VERBS, *cli_fuzz.VERBS, *cli_views.VERBS,
                     *cli_bench.VERBS, *cli_debug.VERBS, *cli_setup.VERBS]


def _guests(**_: Any) -> list[str]:
    try:
        return architectures()
    except errors.PfnlabError:
        return []


def _seconds(text: str) -> float:
    try:
        if 0 < float(text) < 1e9:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"seconds, more than none, not {text!r}")


class Parser(argparse.ArgumentParser):
    """Tells a mistake in one line, `as_json` in one more for programs."""

    as_json = False

    def error(self, message: str) -> NoReturn:
        """As argparse's."""
        print(f"{self.prog}: {message}; {self.prog} --help tells", file=sys.stderr)
        if Parser.as_json:
            _tell_json(EXIT_USAGE, "usage", message)
        sys.exit(EXIT_USAGE)


def _common(default: bool) -> Parser:
    """The options of every verb, in front of it or behind it."""
    def value(what: Any) -> Any:
        return what if default else argparse.SUPPRESS
    parent = Parser(add_help=False)
    group = parent.add_argument_group("the guest")
    guest: Any = group.add_argument(
        "--guest", "-g", default=value("native"), metavar="GUEST",
        help="native, 'x86_64?memory=6G&boot=iso', unix:PATH, tcp:HOST:PORT, rfc2217://HOST:PORT, "
             "/dev/ttyUSB0?baud=115200 (default: native)")
    guest.completer = _guests
    group.add_argument("--memory", metavar="SIZE", default=value(None), help="of the guest")
    maps: Any = group.add_argument(
        "--map", metavar="NAME", default=value(None),
        help="put this memory map in the place of the guest's own: one of `pfnlab zoo`, or a file")
    maps.completer = lambda **_: zoo()
    group.add_argument("--timeout", type=_seconds, metavar="SECONDS", default=value(None),
                       help="for one answer (default: 20, more on a slow machine)")
    parent.add_argument("--json", action="store_true", default=value(False),
                        help="tell results as lines of JSON")
    return parent


def parser() -> Parser:
    """The command line."""
    examples = "".join(f"  {verb.example}\n" for verb in VERBS)
    top = Parser(
        prog="pfnlab", description="Drives the pfnlab guest, a laboratory for memory allocators.",
        parents=[_common(True)], formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"examples:\n{examples}\n{(__doc__ or '').partition(chr(10) * 2)[2]}")
    verbs = top.add_subparsers(required=True, metavar="VERB")
    for verb in VERBS:
        text = " ".join((verb.do.__doc__ or "").split())
        sub = verbs.add_parser(
            verb.name, help=text.rstrip("."), description=text, parents=[_common(False)],
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=f"example:\n  {verb.example}")
        verb.arguments(sub)
        sub.set_defaults(do=verb.do)
    return top


def _complete(top: argparse.ArgumentParser) -> None:
    """Answer the shell, if it is the shell that asks (`pfnlab completion`)."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete  # type: ignore[import]
        argcomplete.autocomplete(top)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; its exit status."""
    top = parser()
    _complete(top)
    Parser.as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    options = top.parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _tell_warning
            status: int = options.do(options)
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        return _fail(EXIT_INTERRUPTED, "stopped")
    except errors.GuestPanic as error:
        return _fail(EXIT_PANIC, error, lines=error.lines, backtrace=error.frames)
    except errors.GuestSilent as error:
        return _fail(EXIT_TIMEOUT, error)
    except OSError as error:
        return _fail(EXIT_USAGE, error if error.filename is None else
                     type(error)(f"{error.filename}: {error.strerror}"))
    except ModuleNotFoundError as missing:
        return _fail(EXIT_USAGE, type(missing)(doctor.how_to_get(missing.name or "")))
    except (ValueError, errors.GuestRefused, errors.CallError) as error:
        return _fail(EXIT_USAGE, error)
    except (errors.MemError, errors.FaultError, errors.BugError, errors.StopError) as error:
        return _fail(EXIT_FAILED, error)
    except errors.PfnlabError as error:
        return _fail(EXIT_LINK, error)


def _tell_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int,
                  file: TextIO | None = None, line: str | None = None) -> None:
    """What a guest did not take of its command line, for example."""
    print(f"pfnlab: {message}", file=sys.stderr)


def _fail(status: int, error: Exception | str, lines: Sequence[str] = (),
          backtrace: Sequence[str] = ()) -> int:
    """The message of a panic has the first one of its lines."""
    print(f"pfnlab: {error}", *lines[1:], *backtrace, sep="\n", file=sys.stderr)
    if Parser.as_json:
        kind = "stopped" if isinstance(error, str) else type(error).__name__
        _tell_json(status, kind, str(error), lines=lines, backtrace=backtrace)
    return status


def _tell_json(status: int, kind: str, message: str, **more: Sequence[str]) -> None:
    print(json.dumps({"error": message, "kind": kind, "status": status,
                      **{name: lines for name, lines in more.items() if lines}}), flush=True)
