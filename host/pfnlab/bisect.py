# SPDX-License-Identifier: MIT
"""The line of a transcript after which a condition holds."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from pfnlab.transcript import Step
from pfnlab.trial import Condition, Trials


class NoSuchLine(ValueError):
    """The condition holds from the start, or not even at the end."""


def bisect(trials: Trials, steps: Sequence[Step], condition: Condition,
           on_try: Callable[[int, int], None] | None = None) -> Step:
    """The step before which the condition does not hold and after which it does. If it comes and
    goes, one such step. Each try runs a beginning of the transcript on a clean guest, without any
    question in between, and tells `on_try` after how many steps it does not hold, and does."""
    trial = trials.until(condition)

    def holds(count: int) -> bool:
        return trial(steps[:count]) is not None
    if holds(0):
        raise NoSuchLine(f"{condition.text}: holds before the first line")
    if not holds(len(steps)):
        raise NoSuchLine(f"{condition.text}: does not hold after the last line")
    low, high = 0, len(steps)
    while low + 1 < high:
        if on_try is not None:
            on_try(low, high)
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return steps[high - 1]
