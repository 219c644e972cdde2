# SPDX-License-Identifier: MIT
"""How long a guest has been silent, by a clock that goes as fast as the guest does.

A host that is busy with other things lets a guest wait for its turn; that is not the guest's
silence. So, where the guest is a process of this host, a second is a second of its own work, or of
its sleep: a guest that waits for nothing but the processor has no clock.
"""
from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from pfnlab.channel import Channel

LOOK = 0.1                        # seconds between two looks
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_ASLEEP, _ENDED = "S", "ZX"
_AT_WORK = 0.5                    # of a tick: less is no work


@dataclass
class Effort:
    """Of the threads of a guest: by number, seconds of work; whether none wants the processor."""

    work: dict[int, float] = field(default_factory=dict)
    asleep: bool = True


def _words(stat: Path) -> list[str]:
    """Of /proc/.../stat, from the state on; none of who has just ended."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _threads(process: Path) -> list[Path]:
    """Of a process; none of one that has just ended."""
    try:
        return list((process / "task").iterdir())
    except OSError:
        return []


def effort_of(session: int) -> Effort:
    """That of all processes of a session."""
    effort = Effort()
    for process in Path("/proc").glob("[0-9]*"):
        if _words(process / "stat")[3:4] != [str(session)]:
            continue
        for thread in _threads(process):
            words = _words(thread / "stat")
            if words and words[0] not in _ENDED:
                effort.work[int(thread.name)] = (int(words[11]) + int(words[12])) * _TICK
                effort.asleep &= words[0] == _ASLEEP
    return effort


class Silence:
    """The guest's silence from now on, in `seconds`."""

    def __init__(self, transport: Channel) -> None:
        self.seconds = 0.0
        self._transport = transport
        self._since: float | None = None
        self._effort = Effort()

    def go_on(self) -> None:
        """Another look; it begins with the first one."""
        now, session = self._transport.now(), self._transport.session
        effort = effort_of(session) if session is not None else Effort()
        if self._since is not None:
            self.seconds += self._passed(now - self._since, effort)
        self._since, self._effort = now, effort

    def _passed(self, seconds: float, effort: Effort) -> float:
        if effort.asleep and self._effort.asleep:
            return seconds
        worked = [work - self._effort.work.get(thread, work)
                  for thread, work in effort.work.items()]
        worked = [work for work in worked if work > _AT_WORK * _TICK]
        return min(seconds, sum(worked) / max(1, len(worked)))
