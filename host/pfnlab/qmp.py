# SPDX-License-Identifier: MIT
"""QEMU's control socket (QMP): snapshots, a debugger's door, stop and go."""
from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from pfnlab.errors import PfnlabError

PATIENCE = 60.0                   # seconds for one answer: a snapshot writes the whole memory


class MonitorError(PfnlabError):
    """QEMU said no, or nothing; the message is its own."""


class Monitor:
    """A connection to the control socket at `path`."""

    def __init__(self, path: Path) -> None:
        try:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(PATIENCE)
            self._socket.connect(str(path))
            self._lines = self._socket.makefile("rb")
            self._read()
            self.command("qmp_capabilities")
        except OSError as error:
            raise MonitorError(f"no control socket of QEMU: {error}") from None

    def _read(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except OSError as error:
            raise MonitorError(f"QEMU does not answer: {error}") from None
        if not line:
            raise MonitorError("QEMU has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def command(self, name: str, **arguments: object) -> Any:
        """Run a command of QMP; what it returns. Events that come in between are dropped."""
        request: dict[str, object] = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise MonitorError(f"QEMU has ended: {error}") from None
        while "return" not in (answer := self._read()):
            if "error" in answer:
                raise MonitorError(f"{name}: {answer['error']['desc']}")
        return answer["return"]

    def human(self, line: str) -> str:
        """A line as a person would type it at QEMU's monitor; it must have nothing to say."""
        said = str(self.command("human-monitor-command", **{"command-line": line})).strip()
        if said:
            raise MonitorError(f"{line}: {said}")
        return said

    def close(self) -> None:
        """End the connection; QEMU goes on."""
        self._lines.close()
        self._socket.close()
