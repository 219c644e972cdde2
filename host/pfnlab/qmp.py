# SPDX-License-Identifier: MIT
"""QEMU's control socket (QMP): snapshots, a debugger's door, stop and go."""
from __future__ import annotations

import json
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

from pfnlab.errors import PfnlabError

PATIENCE = 60.0                   # seconds for one answer: a snapshot writes the whole memory


class MonitorError(PfnlabError):
    """QEMU said no, or nothing; the message is its own."""


class Monitor:
    """A connection to the control socket at `path`."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()         # one asks while another waits for a debugger
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
        with self._lock:
            return self._ask(name, request)

    def _ask(self, name: str, request: dict[str, object]) -> Any:
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

    def open_gdbstub(self, path: Path) -> None:
        """Let gdb connect to a socket there."""
        if not path.exists():
            said = self.command("human-monitor-command",
                                **{"command-line": f"gdbserver unix:{path},server=on,wait=off"})
            if not path.exists():
                raise MonitorError(f"no gdbstub: {str(said).strip()}")

    def dump(self, path: Path) -> None:
        """Write the memory as an ELF core; zeroes take no room where the file system can."""
        self.command("dump-guest-memory", paging=False, protocol=f"file:{path}")
        subprocess.run(["fallocate", "--dig-holes", path], capture_output=True, check=False)

    def in_debugger(self) -> bool:
        """Is the machine stopped, or a debugger at its door?"""
        status = self.command("query-status")
        return status["status"] in ("paused", "debug", "prelaunch") or any(
            char["label"].startswith("gdb") and not char["filename"].startswith("disconnected")
            for char in self.command("query-chardev"))

    def close(self) -> None:
        """End the connection; QEMU goes on."""
        self._lines.close()
        self._socket.close()
