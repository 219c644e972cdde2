# SPDX-License-Identifier: MIT
"""Clean guests, each by the cheapest way that is right: `reset`, a snapshot, a new process."""
from __future__ import annotations

from types import TracebackType

from pfnlab import errors
from pfnlab.guest import Guest

CLEAN = "clean"                   # the snapshot of a guest that nobody has used yet


class Pool:
    """Guests that stay between their uses, `size` of them at most: they hold memory."""

    def __init__(self, size: int = 4) -> None:
        self.size = size
        self.how = ""                 # by which way the last one was made clean
        self._guests: dict[str, Guest] = {}

    def acquire(self, name: str) -> Guest:
        """A guest of that name, nothing allocated, on its own map. It stays the pool's."""
        guest = self._guests.pop(name, None)
        if guest is not None:
            self.how = "reset" if _reset(guest) else "snapshot" if _restore(guest) else ""
            if not self.how:
                guest.kill()
                guest = None
        if guest is None:
            self.how = "process"
            while len(self._guests) >= self.size:
                self._guests.pop(next(iter(self._guests))).close()
            guest = Guest(name)
            if guest.spec.option("snapshots") is not None:
                guest.save(CLEAN)
        self._guests[name] = guest    # the one used last is ended last
        return guest

    def drop(self, guest: Guest) -> None:
        """Forget a guest: whoever asks next gets another one."""
        self._guests.pop(guest.name, None)

    def close(self) -> None:
        """End them all."""
        for guest in self._guests.values():
            guest.close()
        self._guests.clear()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def _reset(guest: Guest) -> bool:
    """Microseconds; needs a guest that answers."""
    if guest.dead or guest.link.overdue:
        return False
    try:
        guest.link.drain()
        guest.call("map_machine")
        guest.call("trace", 0)
    except errors.PfnlabError:
        return False
    return True


def _restore(guest: Guest) -> bool:
    """Milliseconds; needs a machine that has a snapshot, and runs."""
    if guest.transport.status() is not None or guest.spec.option("snapshots") is None:
        return False
    try:
        guest.load(CLEAN)
    except errors.PfnlabError:
        return False
    return _reset(guest)
