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
    """`total` steps of something; `advance` for each. On standard error; `quiet`, nothing of it is
    seen: somebody else has the terminal."""

    def __init__(self, what: str, total: int | None = None, quiet: bool = False) -> None:
        self.what = what
        self.total = total
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
            progress.MofNCompleteColumn(), progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(), console=console.Console(stderr=True), transient=True,
            redirect_stdout=sys.stdout.isatty())      # results in a file stay there
        self._task = self._bar.add_task(self.what, total=self.total, rate="")

    def advance(self, n: int = 1, what: str | None = None, total: int | None = None) -> None:
        """So many steps more; of how many, where that was not known."""
        self.done += n
        self.what = what or self.what
        self.total = total or self.total
        now = time.monotonic()
        rate = self.done / max(1e-9, now - self._start)
        if self._bar is not None:
            self._bar.update(self._task, advance=n, total=self.total, description=self.what,
                             rate=_spelled(rate))
        elif now - self._told >= LINE_INTERVAL and not self.quiet:
            self._told = now
            print(self._line(rate), file=sys.stderr, flush=True)

    def _line(self, rate: float) -> str:
        if self.total is None:
            return f"{self.what}: {self.done}, {_spelled(rate)}"
        left = (self.total - self.done) / max(1e-9, rate)
        return f"{self.what}: {self.done} of {self.total}, {_spelled(rate)}, {left:.0f} s left"

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
