# SPDX-License-Identifier: MIT
"""Examples that hosts share: PFNLAB_EXAMPLES=redis://HOST:PORT/0 (or unix:///PATH) has hypothesis
keep what it found there, too, and try what any other worker has found before it goes on. Nothing is
shrunk meanwhile, which may take minutes: `pfnlab shrink` does that with the transcript.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis.configuration import storage_directory
from hypothesis.database import (DirectoryBasedExampleDatabase, ExampleDatabase,
                                 MultiplexedDatabase)

SHARED = "PFNLAB_EXAMPLES"


class Examples(MultiplexedDatabase):  # type: ignore[misc]
    """The database of this tree and that of all workers; `taken` is what came from there only."""

    def __init__(self, mine: ExampleDatabase, common: ExampleDatabase) -> None:
        super().__init__(mine, common)
        self.mine, self.common = mine, common
        self.taken: set[bytes] = set()

    def fetch(self, key: bytes) -> Iterator[bytes]:
        """What anybody has found."""
        mine = set(self.mine.fetch(key))
        theirs = set(self.common.fetch(key)) - mine
        self.taken |= theirs
        yield from (*mine, *theirs)


def shared(url: str, directory: Path | None = None) -> settings:
    """A profile with the database of that place behind the one of this tree, or of a directory."""
    from hypothesis.extra.redis import RedisExampleDatabase
    from redis import Redis
    return settings(
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        database=Examples(DirectoryBasedExampleDatabase(directory or storage_directory("examples")),
                          RedisExampleDatabase(Redis.from_url(url))))
