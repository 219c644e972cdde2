# SPDX-License-Identifier: MIT
"""Results as TAP version 13, written by the host: nothing that a guest says can get in between."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class TapFile:
    """A plugin of pytest that writes a line for each test, and the plan at the end."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "w", encoding="utf-8")
        self._count = 0
        self._say("TAP version 13")

    def _say(self, line: str) -> None:
        print(line, file=self._file, flush=True)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A test's outcome: that of its call, or of what went wrong around it."""
        if report.when != "call" and report.passed or report.when == "teardown" and report.skipped:
            return
        self._count += 1
        # A # would begin a directive, and a test's name may hold one.
        name = report.nodeid.replace("#", "\\#").replace("\n", " ")
        if report.skipped:
            why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.wasxfail
            self._say(f"ok {self._count} - {name} # SKIP {str(why).removeprefix('Skipped: ')}")
            return
        self._say(f"{'not ok' if report.failed else 'ok'} {self._count} - {name}")
        if report.failed:
            self._diagnose(report)

    def _diagnose(self, report: Any) -> None:
        """A YAML block; JSON strings are YAML."""
        self._say("  ---")
        self._say(f"  duration_ms: {report.duration * 1000:.0f}")
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = str(crash.message if crash is not None else report.longrepr).strip()
        self._say(f"  message: {json.dumps(reason.splitlines()[:1])}")
        self._say("  report: |")
        for line in report.longreprtext.splitlines():
            self._say(f"    {line}")
        self._say("  ...")

    def pytest_sessionfinish(self) -> None:
        """The plan."""
        self._say(f"1..{self._count}")
        self._file.close()
