# SPDX-License-Identifier: MIT
"""The pytest plugin's part that makes tests of transcripts."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pfnlab.plugin_report import use
from pfnlab.spec import Spec
from pfnlab.transcript import Mismatch, Transcript, read_transcript


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Files *.t are tests."""
    if file_path.suffix != ".t":
        return None
    collector: pytest.Collector = TranscriptFile.from_parent(parent, path=file_path)
    return collector


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All transcripts of a guest in a row: one start serves them, however many guests there are."""
    places = [i for i, item in enumerate(items) if isinstance(item, TranscriptItem)]
    transcripts = [item for item in items if isinstance(item, TranscriptItem)]
    transcripts.sort(key=lambda item: item.guest_name)
    for place, item in zip(places, transcripts):
        items[place] = item


class TranscriptFile(pytest.File):
    """A transcript: one test for each guest."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its tests."""
        from pfnlab.plugin import guest_names, with_options
        transcript = read_transcript(self.path)
        names = guest_names(self.config)
        names += [name for name in transcript.also if Spec(name).arch in names]
        for name in names:
            full = with_options(name, transcript.options)
            yield TranscriptItem.from_parent(self, name=f"{self.path.stem}[{full}]",
                                             guest_name=full, transcript=transcript)


class TranscriptItem(pytest.Item):
    """A transcript on a guest."""

    def __init__(self, *, guest_name: str, transcript: Transcript, **keys: Any) -> None:
        super().__init__(**keys)
        self.guest_name = guest_name
        self.transcript = transcript

    def runtest(self) -> None:
        """Replay it."""
        from pfnlab.plugin import acquire
        guest = acquire(self.config, self.guest_name)
        use(self, guest)
        self.transcript.replay(guest)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException],
                     style: Any = None) -> Any:
        """Expected and answered, nothing of this program."""
        if isinstance(excinfo.value, Mismatch):
            return f"{self.path}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it is."""
        return self.path, 0, self.name
