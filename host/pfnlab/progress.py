# SPDX-License-Identifier: MIT
"""How far long work is: a bar with rate and time left on a terminal, now and then a plain line in a
log."""
from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
LINE_INTERVAL = 10.0              # seconds between two lines of a log


class Progress:
    """`total` steps of something, or as many as there are in so many seconds; `advance` for each.
    On standard error; `quiet`, nothing of it is seen: somebody else has the terminal."""

    def __init__(self, what: str, total: int | None = None, quiet: bool = False,
                 seconds: float | None = None) -> None:
        self.what = what
        self.total = total
        self.seconds = seconds
        self.done = 0
        self.quiet = quiet
        self._start = self._told = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        if sys.stderr.isatty() and not quiet:
            self._make_bar()

    def _make_bar(self) -> None:
        try:
            from rich import console, progress
        except ImportError:
            return
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"), progress.BarColumn(),
            progress.TextColumn("{task.fields[count]}"),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(), console=console.Console(stderr=True), transient=True,
            redirect_stdout=sys.stdout.isatty())      # results in a file stay there
        self._task = self._bar.add_task(self.what, total=self.total or self.seconds, rate="",
                                        count=self._count())

    def advance(self, n: int = 1, what: str | None = None, total: int | None = None) -> None:
        """So many steps more; of how many, where that was not known."""
        self.done += n
        self.what = what or self.what
        self.total = total or self.total
        now = time.monotonic()
        rate = self.done / max(1e-9, now - self._start)
        if self._bar is not None:
            by_time = self.total is None and self.seconds is not None
            self._bar.update(self._task, completed=now - self._start if by_time else self.done,
                             total=self.total or self.seconds, description=self.what,
                             rate=_spelled(rate), count=self._count())
        elif now - self._told >= LINE_INTERVAL and not self.quiet:
            self._told = now
            print(self._line(rate, now - self._start), file=sys.stderr, flush=True)

    def _count(self) -> str:
        return f"{self.done}/{self.total}" if self.total is not None else f"{self.done}"

    def _line(self, rate: float, took: float) -> str:
        count, left = f"{self.done}", ""
        if self.total is not None:
            count += f" of {self.total}"
            left = f", {(self.total - self.done) / max(1e-9, rate):.0f} s left"
        elif self.seconds is not None:
            left = f", {max(0.0, self.seconds - took):.0f} s left"
        return f"{self.what}: {count}, {_spelled(rate)}{left}"

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """The items, a step each."""
        for item in items:
            yield item
            self.advance()

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()


def _spelled(rate: float) -> str:
    return f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
