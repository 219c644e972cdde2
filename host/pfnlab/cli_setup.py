# SPDX-License-Identifier: MIT
"""The verbs of `pfnlab` about itself and its surroundings: doctor, zoo, completion."""
from __future__ import annotations

import argparse

from pfnlab import doctor
from pfnlab.cli_common import EXIT_FAILED, EXIT_OK, Verb, emit
from pfnlab.memory_map import find_map, zoo


def do_doctor(options: argparse.Namespace) -> int:
    """Say what is installed, what is missing and how to get it, and what runs left behind."""
    status = EXIT_OK
    for finding in doctor.examine(clean=options.clean):
        emit(options, finding.data(), str(finding))
        if finding.state == doctor.BROKEN:
            status = EXIT_FAILED
    return status


def do_zoo(options: argparse.Namespace) -> int:
    """List the memory maps of real and nasty machines, for --map."""
    for name in zoo():
        found = find_map(name)
        emit(options, {"name": name, "ranges": len(found.ranges), "usable": found.usable,
                       "areas": [area for area, _ in found.areas], "text": found.text},
             f"{name:14} {size(found.usable):>9} {len(found.ranges):4} ranges  {found.text}")
    return EXIT_OK


def size(n: int) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n < 1024:
            return f"{n:.4g} {unit}"
        n /= 1024                 # type: ignore[assignment]
    return f"{n:.4g} TiB"


_FLAVOUR = {"zsh": "bash"}        # it takes bash's, once it is told
_ZSH = "autoload -U +X compinit && compinit && autoload -U +X bashcompinit && bashcompinit"


def do_completion(options: argparse.Namespace) -> int:
    """Print what makes a shell complete verbs, options, guests and maps."""
    try:
        import argcomplete  # type: ignore[import]
    except ImportError:
        raise ValueError("completion needs argcomplete: python3-argcomplete") from None
    script = argcomplete.shellcode(["pfnlab"], shell=_FLAVOUR.get(options.shell, options.shell))
    if options.shell == "zsh":
        script = f"{_ZSH}\n{script}"
    emit(options, {"shell": options.shell, "script": script}, script)
    return EXIT_OK


VERBS = [
    Verb("doctor", do_doctor, "pfnlab doctor",
         lambda p: p.add_argument("--clean", action="store_true",
                                  help="remove what dead runs left behind")),
    Verb("zoo", do_zoo, "pfnlab zoo; pfnlab --map laptop send 'dump areas'"),
    Verb("completion", do_completion, "eval \"$(pfnlab completion bash)\"",
         lambda p: p.add_argument("shell", choices=["bash", "zsh", "tcsh", "fish"])),
]
