# SPDX-License-Identifier: MIT
"""Examples that hosts share: PFNLAB_EXAMPLES=redis://HOST:PORT/0 (or unix:///PATH) has hypothesis
keep what it found there, too, and try what any other worker has found before it goes on."""
from __future__ import annotations

import os

from hypothesis import settings
from hypothesis.configuration import storage_directory
from hypothesis.database import DirectoryBasedExampleDatabase, MultiplexedDatabase

SHARED = "PFNLAB_EXAMPLES"


def shared(url: str) -> settings:
    """A profile with the database of that place behind the one of this tree."""
    from hypothesis.extra.redis import RedisExampleDatabase
    from redis import Redis
    return settings(database=MultiplexedDatabase(
        DirectoryBasedExampleDatabase(storage_directory("examples")),
        RedisExampleDatabase(Redis.from_url(url))))


if place := os.environ.get(SHARED):
    settings.register_profile("shared", shared(place))
    settings.load_profile("shared")
