# SPDX-License-Identifier: MIT
"""The verb of `pfnlab` that measures: bench."""
from __future__ import annotations

import argparse

from pfnlab import bench
from pfnlab.cli_common import EXIT_OK, Verb, emit, guest_name, natural
from pfnlab.progress import Progress
from pfnlab.spec import Spec


def do_bench(options: argparse.Namespace) -> int:
    """Measure guests: the start, the round trip, commands a second, operations in the guest. Of a
    file of its --json, kept over commits, `plot` makes a picture."""
    names = [guest_name(options, name=name) for name in options.names or [options.guest]]
    commit = bench.commit()
    rows = sum(bench.ROWS - bool(Spec(name).scheme) for name in names)
    with Progress("bench", rows) as progress:
        for name in names:
            for row in bench.measure(name, options.turns):
                row.commit = commit
                emit(options, row.data(), str(row))
                progress.advance(what=f"bench {name}")
    return EXIT_OK


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="GUEST", help="instead of --guest")
    parser.add_argument("--turns", type=natural, default=bench.TURNS, metavar="N",
                        help=f"of each, the median counts (default: {bench.TURNS})")


VERBS = [
    Verb("bench", do_bench, "pfnlab --json bench native s390x >>bench.jsonl; "
                            "pfnlab plot bench.jsonl -o bench.svg", _arguments),
]
