# SPDX-License-Identifier: MIT
"""What a person needs to see of a guest when something went wrong with it."""
from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from pfnlab import debugger, errors
from pfnlab.guest import Guest
from pfnlab.explain import explained, left
from pfnlab.lockstep import Difference
from pfnlab.memory_map import MemoryMap, map_of
from pfnlab.replica import Exchange, Lost, exchanges, replica_of
from pfnlab.request import Entry
from pfnlab.spec import Spec
from pfnlab.symbols import backtrace
from pfnlab.transcript import Mismatch
from pfnlab.twin import Disagreement, guest_rows
from pfnlab.values import Rows

LAST_LINES = 40
LAST_LOG_LINES = 15
MAP_LINES = 60
LEAST_TIMEOUT = 5.0               # seconds, of a line to copy: the guest has to start with it, too
BROKEN = ("bug.assert", "bug.check", "bug.fault")    # answers of an allocator out of order
MOST_EXCHANGES = 3000             # of a session that is worth the time of a brute-force model


@dataclass
class Report:
    """Of one guest: `reason` in a line, sections as (title, text), files by name."""

    reason: str
    sections: list[tuple[str, str]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    def add(self, title: str, text: str) -> None:
        """A section, unless there is nothing in it."""
        if text.strip():
            self.sections.append((title, text))


def reason_of(error: BaseException | None, guest: Guest) -> str:
    """What happened, in one line: a panic, the guest's end, silence, an answer."""
    request = request_to_blame(guest.link.log)
    gone = guest.link.reason
    if isinstance(error, errors.GuestPanic) or isinstance(gone, errors.GuestPanic):
        lines = getattr(error, "lines", None) or getattr(gone, "lines")
        return f"PANIC {' '.join(re.findall(r'(?:kind|at)=[^ ]+', lines[0]))} in {request}"
    if isinstance(error, errors.GuestSilent) and _at_work(guest):
        return f"LATE {request} (it is at work, and took too long)"
    if isinstance(error, errors.GuestSilent):
        heard = next((e.when for e in reversed(guest.link.log) if e.way == "<-"), 0.0)
        return f"HANG {request} (no line for {guest.link.log.now() - heard:.1f} s)"
    if isinstance(error, errors.GuestGone) or gone is not None:
        return f"GONE {error if isinstance(error, errors.GuestGone) else gone} in {request}"
    if isinstance(error, (Disagreement, Mismatch, Difference)):
        return "MISMATCH " + " / ".join(line.strip() for line in str(error).splitlines())
    if isinstance(error, errors.GuestError):
        return f"ERROR {error}"
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return f"FAILED {first} after {request}"


def _at_work(guest: Guest) -> bool:
    """Is its latest line a sign of life?"""
    latest = next((entry.text for entry in reversed(guest.link.log) if entry.way == "<-"), "")
    return latest.startswith("% busy ")


def request_to_blame(log: Iterable[Entry]) -> str:
    """The first request that has no answer, as they run one after the other; the last one sent if
    all have."""
    last = ""
    waiting: dict[str, str] = {}
    for entry in log:
        found = re.match(r"([>=?])(\d*)( |$)", entry.text)
        if entry.way == "->":
            last = re.sub(r" \*[0-9a-f]{4}$", "", entry.text)
        if found and found[2] not in ("", "0"):
            if entry.way == "->" and found[1] == ">":
                waiting.setdefault(found[2], last)
            elif entry.way == "<-" and found[1] in "=?":
                waiting.pop(found[2], None)
    return next(iter(waiting.values()), last)


def transcript_tail(log: list[Entry], lines: int = LAST_LINES) -> str:
    """The last lines of both directions, with times in seconds since the start."""
    return "\n".join(map(str, log[-lines:]))


def guest_log(guest: Guest, lines: int = LAST_LOG_LINES) -> str:
    """The last free text of the guest, and what its process said on standard error."""
    said = [e.text for e in guest.link.log if e.way == "<-" and e.text.startswith(";")][-lines:]
    said += [line for line in guest.transport.stderr().splitlines() if line.strip()][-lines:]
    return "\n".join(said)


def memory_map(guest: Guest) -> str:
    """`dump map`, as far as the guest still answers."""
    if guest.dead:
        return ""
    try:
        return map_text(guest.call("dump", "map", timeout=5.0))
    except (errors.PfnlabError, AttributeError) as error:
        return f"no map: {error}"


def map_text(rows: Rows) -> str:
    """A map as text, cut where it is long."""
    lines = map_lines(rows)
    cut = [f"... {len(lines) - MAP_LINES} lines more"] if len(lines) > MAP_LINES else []
    return "\n".join([*lines[:MAP_LINES], *cut, f"({rows.final.text})"])


def map_lines(rows: Rows) -> list[str]:
    """The rows of a map, without those that look as the one before them."""
    lines = []
    for _, group in groupby(rows, lambda row: row.words[1:]):
        first, *others = group
        lines.append(repr(first))
        if others:
            lines.append(f"... {len(others)} more of the same")
    return lines


def statistics(guest: Guest) -> str:
    """The guest's name, how it was started, and how its line was."""
    status = guest.transport.status()
    return (f"guest {guest.name}: {' '.join(guest.transport.argv)}\n"
            f"{'' if status is None else f'exit status {status}, '}command table "
            f"{guest.link.limit('schema', 0):#06x}, recoveries of the line "
            f"{guest.link.recoveries}, "
            f"round trip {guest.link.round_trip * 1000:.1f} ms")


def sections(guest: Guest, silent: bool = False) -> list[tuple[str, str]]:
    """The guest as it is, as (title, text); the transcript before this report's own requests.

    A guest that is silent may be busy: it is stopped, that it tells its map.
    """
    report = Report("")
    _present(report, guest, list(guest.link.log), silent)
    return report.sections


def place(guest: Guest) -> str:
    """Where a guest is that says nothing: it may be in a loop. It goes on afterwards."""
    try:
        argv = guest.open_to_debugger()
    except (errors.PfnlabError, AttributeError, OSError):
        return ""                 # there is no way in
    try:
        return "\n".join(debugger.frames(argv))
    finally:
        guest.close_to_debugger()


def _present(report: Report, guest: Guest, log: list[Entry], silent: bool) -> None:
    if silent and not guest.dead:
        report.add("where the guest is", place(guest))
        guest.interrupt()
    report.add("guest", statistics(guest))
    report.add("guest transcript", transcript_tail(log))
    report.add("guest log", guest_log(guest))
    lines = getattr(guest.link.reason, "lines", None) or [
        e.text for e in log if e.text.startswith("?") and " pc=" in e.text]
    report.add("guest backtrace", "\n".join(backtrace(guest, lines)))
    after = memory_map(guest)
    report.add("guest map", after)
    report.files["map-after.txt"] = after + "\n"


def session_since(guest: Guest, tag: int) -> list[Entry]:
    """The log from the request of that tag on."""
    log = list(guest.link.log)
    first = next((i for i, e in enumerate(log)
                  if e.way == "->" and e.text.startswith(f">{tag} ")), 0)
    return log[first:]


def full_report(guest: Guest, error: BaseException | None, first_tag: int) -> Report:
    """All of it, of a session that began on a clean guest with that tag. The guest is not what it
    was afterwards: it is asked for its own map."""
    silent = isinstance(error, errors.GuestSilent)
    report = Report(reason_of(error, guest))
    log = session_since(guest, first_tag)
    report.files["session.log"] = transcript_tail(log, len(log)) + "\n"
    session = exchanges(log)
    report.files["session.t"] = _script(guest, log)
    if isinstance(error, Mismatch):
        _expect(report, error.wanted)
    if isinstance(error, errors.GuestError) and not guest.dead:
        report.add(*explained(guest, error, session))
    elif not (guest.dead or silent):
        report.add("what is allocated, and who asked for it", left(guest, session))
    _present(report, guest, log, silent)
    try:
        _past(report, guest, session, silent)
    except errors.PfnlabError as trouble:
        report.add("guest before", f"not to be had: {trouble}")
    return report


def _script(guest: Guest, log: list[Entry]) -> str:
    text = type(guest.link.log)()
    text.extend(log)
    return guest.needs() + text.transcript()


def _expect(report: Report, wanted: list[str]) -> None:
    """Write what should have been answered into the session's script: its replay fails there, as
    long as the guest says something else."""
    tag = re.sub(r"[:=?](\d+).*", r"\1", wanted[0]) if wanted else ""
    lines: list[str] = []
    for line in report.files["session.t"].splitlines():
        if tag and re.match(rf"[:=?]{tag}( |$)", line):
            continue
        lines.append(line)
        if tag and line.startswith(f">{tag} "):
            lines += wanted
    report.files["session.t"] = "\n".join([*lines, ""])


def _past(report: Report, guest: Guest, session: list[Exchange], silent: bool) -> None:
    """The map of a clean guest, and what the model says of the session, from that guest or, if it
    is gone, from another of its name."""
    mine = not (guest.dead or silent or guest.link.overdue)
    if not mine and guest.spec.scheme:
        return
    clean = guest if mine else Guest(guest.name)
    try:
        compared = _state_rows(guest) if mine else None
        clean.call("map_machine")
        own = map_of(clean)
        report.files["machine.map"] = _map_file(own)
        report.files["map-before.txt"] = map_text(clean.call("dump", "map")) + "\n"
        told, wanted = _model(clean, own, session, compared)
        report.add("guest against model", told)
        _expect(report, wanted)
    finally:
        if not mine:
            clean.close()
    report.add("guest map at the beginning", report.files["map-before.txt"].rstrip())
    if mine:
        changed = _changed(report.files["map-before.txt"], report.files["map-after.txt"])
        report.add("guest map, what changed since the beginning", changed)


def _map_file(own: MemoryMap) -> str:
    return "\n".join([f"; {own.text}", *own.lines(), ""])


def _state_rows(guest: Guest) -> list[tuple[object, ...]] | None:
    try:
        return guest_rows(guest)
    except errors.PfnlabError:
        return None


def _model(clean: Guest, own: MemoryMap, session: list[Exchange],
           rows: list[tuple[object, ...]] | None) -> tuple[str, list[str]]:
    """The first reply of the session that is not the model's, else the first page; and the reply
    that should have been, if it is one."""
    if len(session) > MOST_EXCHANGES:
        return f"not compared: {len(session)} requests are too many for the model", []
    try:
        model = replica_of(clean, own)
    except Lost as why:
        return f"not compared: {why}", []
    for one in session:
        request = f">{one.tag} {one.text}"
        assert one.final is not None
        try:
            told = model.follow(one)
        except Lost as why:
            return f"they agree up to {request}; from there on not compared: {why}", \
                _unbroken(session[-1])
        if told is not None:
            return (f"{request}\n  guest: {one.final.raw}\n  model: {told}",
                    [f"{told[0]}{one.tag}{told[1:]}"] if told[0] in "=?" else [])
        if one.final.words[:1] and one.final.words[0] in BROKEN:
            return (f"they agree up to {request}\n  guest: {one.final.raw}\n"
                    "  model: no allocator in order says that", _unbroken(one))
    found = model.compare_rows(rows) if rows is not None else None
    return found or "they agree: every reply of the session" + (
        ", and every page at its end" if rows is not None else ""), []


def _unbroken(one: Exchange) -> list[str]:
    """If it was answered by an allocator out of order, any success; else nothing."""
    words = one.final.words[:1] if one.final is not None else []
    return [f"={one.tag}"] if words and words[0] in BROKEN else []


def _changed(before: str, after: str) -> str:
    """Rows of the map that are not as before."""
    old = set(before.splitlines())
    new = [line for line in after.splitlines() if line not in old and not line.startswith("...")]
    return "\n".join(new[:MAP_LINES])


def write_files(report: Report, directory: Path) -> None:
    """The report and its files, for nobody else to read."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in report.files.items():
        (directory / name).write_text(text, "ascii", "backslashreplace")
    text = "\n".join([report.reason, *(f"---- {title}\n{text}" for title, text in report.sections)])
    (directory / "report.txt").write_text(text + "\n", "ascii", "backslashreplace")


def command_lines(guest: Guest, directory: Path, command: str = "pfnlab") -> str:
    """Three lines to copy: the session again, again natively under sanitizers, again with gdb."""
    script = shlex.quote(str(directory / "session.t"))
    name = shlex.quote(guest.name)
    if guest.link.overdue:
        command += f" --timeout {max(guest.link.overdue, LEAST_TIMEOUT):g}"
    lines = [f"{command} --guest {name} replay {script}"]
    if (directory / "machine.map").exists():
        where = shlex.quote(str(directory / "machine.map"))
        native = shlex.quote(Spec(guest.name).natively)
        lines.append(f"{command} --guest {native} --map {where} replay {script}")
    lines.append(f"{command} --guest {name} replay --gdb {script}")
    return "\n".join(lines)
