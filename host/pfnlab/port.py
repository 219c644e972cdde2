# SPDX-License-Identifier: MIT
"""Guests that somebody else started: on a socket, a serial device, a terminal server.

    unix:PATH    tcp:HOST:PORT    /dev/ttyUSB0?baud=115200    rfc2217://HOST:PORT

What is none of the first two goes to pyserial (python3-serial), with all the URLs that it knows.
"""
from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

from pfnlab.channel import Channel
from pfnlab.errors import GuestGone, GuestSilent
from pfnlab.spec import Spec

POLL = 0.1                        # seconds in which a reader of a serial device sees its end


def open_port(spec: Spec, timeout: float) -> Channel:
    """Connect. GuestGone: nobody there; ValueError: the name is not well formed."""
    try:
        if spec.scheme == "unix":
            link = socket.socket(socket.AF_UNIX)
            link.settimeout(timeout)
            link.connect(spec.place)
            link.settimeout(None)
            return Channel(link)
        if spec.scheme == "tcp":
            host, _, port = spec.place.rpartition(":")
            if not (host and port.isdigit() and 0 < int(port) < 1 << 16):
                raise ValueError(f"tcp:HOST:PORT is the form, not {spec.name!r}")
            link = socket.create_connection((host.strip("[]"), int(port)), timeout)
            link.settimeout(None)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Channel(link)
        return SerialPort(spec)
    except OSError as error:
        raise GuestGone(f"no guest at {spec.name}: {error}") from None


class SerialPort(Channel):
    """A serial device, or a URL that pyserial takes for one."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        try:
            import serial  # type: ignore[import]
        except ImportError:
            raise ValueError(f"{spec.name} needs pyserial: python3-serial") from None
        self._closed = False
        self._port: Any = serial.serial_for_url(
            spec.place, baudrate=int(spec.option("baud") or 115200), timeout=POLL)

    def send(self, data: bytes, deadline: float) -> None:
        """As Channel's."""
        try:
            with suppress(NotImplementedError):              # a device has it, a URL may not
                self._port.write_timeout = max(0.01, deadline - time.monotonic())
            self._port.write(data)
        except OSError as error:          # pyserial's are
            if "timeout" in str(error).lower():
                raise GuestSilent("the guest does not take any input") from None
            raise GuestGone(f"the serial line broke: {error}") from None

    def receive(self) -> bytes:
        """As Channel's."""
        while not self._closed:
            try:
                data = self._port.read(max(1, self._port.in_waiting))
            except (OSError, TypeError, AttributeError):     # closed, or its other end is
                break
            if data:
                return bytes(data)
        return b""

    def waiting(self) -> bool:
        """As Channel's."""
        try:
            return int(self._port.in_waiting) > 0
        except (OSError, TypeError, AttributeError):
            return False

    def end_input(self) -> None:
        """A serial line has no end."""

    def close(self) -> None:
        """As Channel's."""
        self._closed = True
        self._port.close()
