# SPDX-License-Identifier: MIT
"""The verbs of `pfnlab` that show memory: map, plot, top."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pfnlab import load
from pfnlab.bench import read_rows
from pfnlab.cli_common import EXIT_OK, Verb, emit, open_guest
from pfnlab.guest import Guest
from pfnlab.progress import Progress
from pfnlab.report import map_text
from pfnlab.transcript import Transcript, read_transcript

if TYPE_CHECKING:
    from pfnlab.sampling import Sample

JSON_INTERVAL = 1.0               # seconds between two lines of top
SUFFIXES = (".png", ".svg", ".html")


def _sampled(options: argparse.Namespace, guest: Guest, transcript: Transcript | None
             ) -> list[Sample]:
    from pfnlab.sampling import fill_windows, sample, sample_run
    if transcript is None:
        samples = [sample(guest)]
        fill_windows(samples)
        return samples
    with Progress("run", len(transcript.steps)) as progress:
        return sample_run(guest, transcript, lambda step: progress.advance(), options.upto)


def _output(options: argparse.Namespace) -> Path:
    path: Path = options.output
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: the name ends in one of {', '.join(SUFFIXES)}")
    return path


def _modules(*names: str) -> list[Any]:
    """Those that need matplotlib."""
    try:
        return [import_module(f"pfnlab.{name}") for name in names]
    except ImportError as missing:
        raise ValueError(f"pictures need matplotlib: python3-matplotlib ({missing})") from None


def _drawing(options: argparse.Namespace) -> int:
    """map and plot differ in what a picture shows; a page shows all of it."""
    output = _output(options)
    transcript = read_transcript(options.file) if options.file else None
    page, picture = _modules("page", "picture")
    with open_guest(options, transcript.options if transcript else "") as guest:
        samples = _sampled(options, guest, transcript)
    if not samples:
        raise ValueError("nothing to show: the transcript ends without a page allocator")
    title = options.file.name if options.file else options.map or "memory"
    if output.suffix == ".html":
        output.write_text(page.html_page(samples, title, _subtitle(options, samples), transcript),
                          "utf-8")
    else:
        picture.save(options.figure(picture, samples, options.upto is not None), output)
    emit(options, {"file": str(output), "samples": len(samples)}, f"{output}: made")
    return EXIT_OK


def _subtitle(options: argparse.Namespace, samples: list[Sample]) -> str:
    where = f"on the map {options.map}, " if options.map else ""
    return f"{samples[-1].step} requests on {options.guest}, {where}{len(samples)} samples"


def do_map(options: argparse.Namespace) -> int:
    """Draw memory by state and owner, as it is at first or after a transcript (which frees all that
    it has: at its fullest): a picture, a page to step through, or, without --output, letters."""
    if options.output is None:
        return _letters(options)
    options.figure = _figure_map
    return _drawing(options)


def _figure_map(picture: Any, samples: list[Sample], exactly: bool) -> Any:
    from pfnlab.sampling import worth_seeing
    one = samples[-1] if exactly else worth_seeing(samples)
    return picture.figure_map(one, "" if one is samples[-1] else
                              f"memory after {one.step} of {samples[-1].step} requests, when most "
                              "was allocated: at the end nothing is")


def _letters(options: argparse.Namespace) -> int:
    transcript = read_transcript(options.file) if options.file else None
    with open_guest(options, transcript.options if transcript else "") as guest:
        if transcript is not None:
            transcript.steps = [s for s in transcript.steps if s.tag <= (options.upto or s.tag)]
            transcript.replay(guest, compare=False)
        rows = guest.call("dump", "map")
        emit(options, {"rows": [row.words for row in rows]}, map_text(rows))
    return EXIT_OK


FIGURES = ("history", "fragmentation", "largest")
BENCHES = (".json", ".jsonl")     # names of files of `pfnlab --json bench`


def _benches(options: argparse.Namespace) -> int:
    output = _output(options)
    if output.suffix == ".html":
        raise ValueError(f"{output}: a benchmark's picture is a .png or .svg")
    rows = read_rows(options.file.read_text("utf-8"), str(options.file))
    picture, picture_bench = _modules("picture", "picture_bench")
    picture.save(picture_bench.figure_bench(rows), output)
    emit(options, {"file": str(output), "rows": len(rows)}, f"{output}: made")
    return EXIT_OK


def do_plot(options: argparse.Namespace) -> int:
    """Draw what a transcript does to memory over time: the map, the largest free block,
    fragmentation; a page has all of them. Or draw what `bench` measured, over commits."""
    if options.file.suffix in BENCHES:
        return _benches(options)

    def figure(picture: object, samples: list[Sample], exactly: bool) -> object:
        return getattr(picture, f"figure_{options.what}")(samples)
    options.figure = figure
    return _drawing(options)


def do_top(options: argparse.Namespace) -> int:
    """Watch a guest at work, on a load at random or a transcript; --json tells it each second."""
    transcript = read_transcript(options.file) if options.file else None
    with open_guest(options, transcript.options if transcript else "") as guest:
        work = (load.transcript_load(guest, transcript) if transcript
                else load.random_load(guest, options.seed))
        try:
            _watch(options, guest, work)
        except KeyboardInterrupt:
            guest.link.drain(guest.timeout)
            print(f"pfnlab: {guest.link.next_tag - 1} requests", file=sys.stderr)
    return EXIT_OK


def _watch(options: argparse.Namespace, guest: Guest, work: Iterator[None]) -> None:
    if options.json:
        watch = load.Watch(guest)
        load.work(work, lambda: emit(options, watch.data(), ""), JSON_INTERVAL, options.seconds)
        return
    try:
        from pfnlab import top
    except ImportError:
        raise ValueError("top needs rich: python3-rich") from None
    top.Top(guest).run(work, options.seconds)


def _map_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", help="a transcript to run first")
    parser.add_argument("--output", "-o", type=Path, help="a .png, .svg or .html")
    parser.add_argument("--upto", type=int, metavar="TAG", help="the last request to run")


def _plot_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a transcript, or a .jsonl of `bench`")
    parser.add_argument("--output", "-o", type=Path, required=True, help="a .png, .svg or .html")
    parser.add_argument("--what", choices=FIGURES, default="history",
                        help="what a .png or .svg shows (default: history, the map over time)")
    parser.add_argument("--upto", type=int, metavar="TAG", help="the last request to run")


def _top_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", help="a transcript to run")
    parser.add_argument("--seed", type=int, default=1, help="of the load at random (default: 1)")
    parser.add_argument("--seconds", type=float, help="how long (default: until ^C)")


VERBS = [
    Verb("map", do_map, "pfnlab --map laptop map -o laptop.png", _map_arguments),
    Verb("plot", do_plot, "pfnlab plot session.t -o session.html", _plot_arguments),
    Verb("top", do_top, "pfnlab --guest s390x top", _top_arguments),
]
