# SPDX-License-Identifier: MIT
"""Names of guests, and where the guests are.

A guest is named by a string. One that is to be started is an architecture, and behind `?` options
joined by `&`, those of run-guest.sh without their dashes; what is none of these goes to the
kernel's command line:

    native    native?areas=dma:16M,rest    x86_64?memory=6G&boot=iso&kpool=4M

`snapshots` gives it a place for snapshots (pfnlab.snapshot). One that runs already is named by its
line (pfnlab.port):

    unix:PATH    tcp:HOST:PORT    /dev/ttyUSB0?baud=115200    rfc2217://HOST:PORT
"""
from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, quote

from pfnlab.errors import PfnlabError

_OPTIONS = ("memory", "cpus", "boot", "firmware", "machine", "accel", "cpu", "emulator", "qmp",
            "snapshot", "loadparm")
_OURS = ("snapshots",)
_ANYWHERE = ("memory", "cpus", "append")     # among them, what every machine takes
MEMORY = "256M"                   # what run-guest.sh gives a guest that is not told


def project_root() -> Path:
    """The source tree: PFNLAB_HOME, or where this file is, or where it was installed from, or above
    the working directory."""
    named = os.environ.get("PFNLAB_HOME")
    places = [Path(named)] if named else _usual_places()
    for place in places:
        if (place / "kernel/errors.def").is_file():
            return place
    raise PfnlabError("no source tree of pfnlab here: set PFNLAB_HOME to it")


def _usual_places() -> list[Path]:
    here = Path(__file__).resolve()
    installed_from = here.with_name("home.txt")
    places = [here.parents[2]]
    if installed_from.is_file():
        places.append(Path(installed_from.read_text().strip()))
    return [*places, Path.cwd(), *Path.cwd().parents]


def architectures() -> list[str]:
    """Those in the tree, native first."""
    there = sorted(p.parent.name for p in project_root().glob("arch/*/arch.mk"))
    return sorted(there, key=lambda name: name != "native")


def split_names(text: str) -> list[str]:
    """Names joined by commas; a comma that begins no guest's name belongs to an option."""
    names: list[str] = []
    heads = architectures()
    for part in text.split(","):
        if names and not (part.partition("?")[0] in heads or Spec(part).scheme):
            names[-1] += f",{part}"
        else:
            names.append(part)
    return names


class Spec:
    """A guest's name taken apart. `scheme` is empty for one that is to be started; `place` is where
    one is that runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        found = re.match(r"(unix|tcp):(?!//)|([a-z][a-z0-9+.-]*)://|(/)", name)
        self.scheme = (found[1] or found[2] or "device") if found else ""
        self.arch, _, query = name.partition("?")
        self.place = ""
        if self.scheme:
            whole = found is not None and found[2]      # its own `?` is pyserial's
            self.place = name if whole else self.arch.removeprefix(f"{self.scheme}:")
            self.arch, query = "", "" if whole else query
        self.options = parse_qsl(query, keep_blank_values=True)

    @property
    def native(self) -> bool:
        """Is the guest a plain process of this host?"""
        return self.arch == "native"

    @property
    def natively(self) -> str:
        """The native guest with the same page engine, which so has the same addresses."""
        engine = self.option("engine")
        return f"native?engine={engine}" if engine else "native"

    @property
    def anywhere(self) -> str:
        """Those of its options that any machine takes, its memory in any case: what a session on it
        needs elsewhere. Nothing of a guest that runs."""
        if self.scheme:
            return ""
        kept = [(k, v) for k, v in self.options
                if k in _ANYWHERE or k not in (*_OPTIONS, *_OURS)]
        if self.option("memory") is None:
            kept.insert(0, ("memory", MEMORY))
        return "&".join(f"{k}={quote(v, safe=':,|./$')}" if v else k for k, v in kept)

    def option(self, key: str) -> str | None:
        """The value of an option, the last one given; None without one."""
        return dict(self.options).get(key)

    def arguments(self) -> list[str]:
        """Its options as arguments of run-guest.sh, or of the native guest."""
        append = [value for key, value in self.options if key == "append"]
        words = []
        for key, value in self.options:
            if key in _OPTIONS:
                words += [f"--{key}", value]
            elif key not in ("append", *_OURS):
                append.append(f"{key}={value}" if value else key)
        return words + (["--append", " ".join(append)] if append else [])

    def with_option(self, key: str, value: str) -> Spec:
        """The same guest with an option, in the place of one of that name."""
        if self.scheme:
            return self
        kept = [f"{k}={v}" if v else k for k, v in self.options if k != key]
        return self.with_options("&".join([*kept, f"{key}={value}" if value else key]), alone=True)

    def with_options(self, text: str, alone: bool = False) -> Spec:
        """The same guest with more options behind its own, or, `alone`, in their place. An option
        of the machine gives way to another one of its name."""
        if not text or self.scheme:
            return self
        new = {part.partition("=")[0] for part in text.split("&")} & set(_OPTIONS)
        query = "" if alone else self.name.partition("?")[2]
        kept = [one for one in query.split("&") if one and one.partition("=")[0] not in new]
        return Spec(f"{self.arch}?{'&'.join([*kept, text])}")
