# SPDX-License-Identifier: MIT
"""What can go wrong: one class for each error word of the guest, and the ends of a guest.

The classes of words are made when they are first named: `errors.MemNone` is the class of
"mem.none". The guest's table of errors (kernel/errors.def) is thereby written once, in the guest.
"""
from __future__ import annotations

from typing import Any

from pfnlab.values import Value


class PfnlabError(Exception):
    """Base of everything that this package raises on its own account."""


class GuestError(PfnlabError):
    """The guest answered with an error."""

    code = ""

    def __init__(self, message: str = "", fields: dict[str, Value] | None = None,
                 text: str = "", request: str = "", values: tuple[Value, ...] = ()) -> None:
        super().__init__(message or self.code)
        self.fields = fields or {}
        self.values = values
        self.text = text
        self.request = request

    @property
    def at(self) -> Any:
        """The field `at`: the address, page or place that the error names; None without one."""
        return self.fields.get("at")


class LinkError(GuestError):
    """The line was damaged or refused; nothing ran."""


class CallError(GuestError):
    """The caller's mistake; nothing ran."""


class MemError(GuestError):
    """The allocator said no; nothing changed."""


class FaultError(GuestError):
    """Touching memory faulted."""


class BugError(GuestError):
    """The guest found itself broken."""


class StopError(GuestError):
    """Cut short by ^C or by a limit."""


class GuestGone(PfnlabError):
    """The guest is not there any more: the reason is the message."""


class GuestRefused(GuestGone):
    """run-guest.sh would not start such a machine: the message is its complaint."""


class GuestPanic(GuestGone):
    """The guest panicked; `lines` are its panic lines, `frames` its backtrace in source lines, if
    somebody has looked them up."""

    def __init__(self, message: str, lines: list[str]) -> None:
        super().__init__(message)
        self.lines = lines
        self.frames: list[str] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.lines), vars(self)     # on its way from a worker


class GuestSilent(PfnlabError, TimeoutError):
    """No answer in time, from a guest that shows no sign of having died."""


class GuestHung(GuestSilent):
    """The guest says nothing at all, in a request that would show that it is at work; or it says
    so for longer than anything takes."""


class LinkLost(PfnlabError):
    """The reply to a query was damaged, and asking again could give another answer."""


class ProtocolMismatch(PfnlabError):
    """The guest speaks a version of the protocol that this package does not know."""


class WorkerGone(PfnlabError):
    """A process that searched was killed, or died: nothing is known of what it did."""


_CATEGORIES: dict[str, type[GuestError]] = {
    "link": LinkError, "call": CallError, "mem": MemError,
    "fault": FaultError, "bug": BugError, "stop": StopError,
}
_classes: dict[str, type[GuestError]] = {}


def class_for(code: str) -> type[GuestError]:
    """The class of an error code such as "mem.none"; an unknown category is a GuestError."""
    if code not in _classes:
        category, _, word = code.partition(".")
        base = _CATEGORIES.get(category, GuestError)
        name = "".join(part.capitalize() for part in [category, *word.replace(".", "_").split("_")])
        _classes[code] = type(name, (base,), {"code": code, "__module__": __name__})
    return _classes[code]


def __getattr__(name: str) -> type[GuestError]:
    for category in _CATEGORIES:
        word = name.removeprefix(category.capitalize())
        if word != name and word[:1].isupper() and word.isalnum():
            parts = "".join("_" + c.lower() if c.isupper() else c for c in word)
            return class_for(f"{category}.{parts.removeprefix('_')}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
