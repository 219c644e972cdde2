# SPDX-License-Identifier: MIT
"""What a search found, kept: as few lines as show it, each with what the model expects, so that a
replay fails at the one that is wrong."""
from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from pfnlab import errors, wire
from pfnlab.pool import Pool
from pfnlab.replica import Exchange, Lost, Replica
from pfnlab.request import Request
from pfnlab.shrink import NothingToShrink, Shrinker
from pfnlab.spec import Spec
from pfnlab.transcript import Run, Step, Transcript
from pfnlab.trial import LONGEST, Places, Trial, Trials

SHRINKING = 40.0                  # seconds; what is smallest then has to do
LOOKS = ("dump heap", "dump virt", "dump pages")  # at all that the model foretells


def keep(pool: Pool, name: str, steps: Sequence[Step], why: str, directory: Path) -> Path:
    """Shrink what was found, and save it with what the model expects. ^C ends the shrinking only.
    """
    trials = Trials(pool, name)
    steps, note = shrunk(steps, trials.failure, trials.hasty, (*LOOKS, "check"),
                         places=trials.places)
    steps = renumbered(steps)
    expect(trials, steps)
    transcript = Transcript("")
    transcript.steps = list(steps)
    if not any(step.text.startswith("map_begin") for step in steps):
        transcript.options = Spec(name).anywhere   # the machine's own map, which depends on them
    if note.startswith(errors.GuestHung.__name__):
        transcript.within = LONGEST
    return save(transcript, (f"found by pfnlab fuzz: {note}", why), directory)


def save(transcript: Transcript, remarks: Sequence[str], directory: Path) -> Path:
    """A file with these remarks in front; its name goes by what is in it."""
    text = transcript.text()
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"found-{zlib.crc32(text.encode()):08x}.t"
    before = "".join(f"; {' '.join(remark.split())}\n" for remark in remarks)
    path.write_text(before + text, "ascii", "backslashreplace")
    return path


def shrunk(steps: Sequence[Step], trial: Trial, hasty: Trial | None = None,
           looks: Sequence[str] = (), most: float = math.inf,
           places: Places = lambda steps: {}) -> tuple[Sequence[Step], str]:
    """The smallest that could be had, and what is to be said of it."""
    shrinker: Shrinker | None = None
    try:
        shrinker = Shrinker(steps, trial, hasty=hasty, seconds=SHRINKING, looks=looks, most=most,
                            places=places)
        return shrinker.run(), shrinker.signature
    except NothingToShrink as error:
        return steps, f"not shrunk: {error}"
    except KeyboardInterrupt:
        return shrinker.best if shrinker is not None else steps, "shrinking was stopped"


def renumbered(steps: Sequence[Step]) -> list[Step]:
    """The same steps with tags from 1 on."""
    tags = {step.tag: n for n, step in enumerate(steps, 1)}

    def renamed(reference: re.Match[str]) -> str:
        return f"${tags.get(int(reference[1]), int(reference[1]))}"
    return [Step(n, re.sub(r"\$(\d+)\b", renamed, step.text), n)
            for n, step in enumerate(steps, 1)]


def expect(trials: Trials, steps: Sequence[Step]) -> None:
    """Write into each step what is expected of it, until the guest says otherwise: by the model,
    or, where that says nothing, whether it is refused."""
    guest = trials.guest()
    run, model = Run(guest, LONGEST), trials.model(guest)
    for step in steps:
        try:
            request = run.wait(run.submit(step))
        except errors.PfnlabError:
            return
        assert request.final is not None
        try:
            told = None if model is None else model.follow(
                Exchange(request.tag, request.text(), request.final, request.rows))
        except Lost:
            model = told = None
        if told is not None:
            _write_told(step, run, told)
            return
        if request.final.words[:1] and request.final.words[0].startswith("bug."):
            step.final = wire.parse(f"={step.tag}".encode())
            return
        step.final = wire.parse(_as_it_was(step, request, model).encode())


def _as_it_was(step: Step, request: Request, model: Replica | None) -> str:
    """A final that is right, as it is written."""
    assert request.final is not None
    words = [word for word in request.final.words if "=" not in word or word.startswith("at=")]
    if model is None:                 # addresses are this machine's own
        words = words[:1] if request.final.sigil == "?" else []
    return " ".join([f"{request.final.sigil}{step.tag}", *words])


def _write_told(step: Step, run: Run, told: str) -> None:
    """The reply that the model wants in the place of the guest's."""
    tags = {one.tag: tag for tag, one in run.done.items()}
    *rows, final = re.sub(r"(?<=owner=)\d+", lambda m: str(tags.get(int(m[0]), 0)),
                          told).split("\n")
    step.rows = [row.split()[1:] for row in rows]
    step.final = wire.parse(f"{final[0]}{step.tag}{final[1:]}".encode())
