# SPDX-License-Identifier: MIT
"""A guest in a file, and one that a debugger holds."""
from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from pfnlab import Guest, channel, cli, errors, outside
from pfnlab.channel import Channel
from pfnlab.decode import Unreadable
from pfnlab.doors import ProcessMemory, program_of

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "host")}


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str], str]:
    """pfnlab post-mortem: its status, what it says, what it complains of."""
    capsys.readouterr()
    status = cli.main(["post-mortem", *words])
    said = capsys.readouterr()
    return status, said.out.splitlines(), said.err


@pytest.fixture(params=["native", "x86_64", "i386", "s390x"])
def guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    with Guest(f"{request.param}?memory=24M&kpool=512K") as one:
        one.alloc_pages(3)
        one.free(one.alloc_pages(2))
        one.vmalloc(5000)
        one.malloc(100)
        yield one


def test_a_dump_tells_what_the_guest_would(guest: Guest, tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {what: [str(row) for row in guest.dump(what)] for what in ("pages", "virt", "areas")}
    guest.dump_memory(tmp_path / "dump")
    status, said, _ = ask(capsys, str(tmp_path / "dump"), *wanted, "ring", "check")
    assert status == 0 and said[-1] == "all invariants hold"
    for what, rows in wanted.items():
        at = said.index(f"---- {what}") + 1
        assert said[at:at + len(rows)] == rows
    # The reply is out before the line is written down as done.
    assert any(re.fullmatch(r"\d+ (done|runs): >\d+ dump areas \*[0-9a-f]{4}", line)
               for line in said)


def test_a_dump_tells_where_the_processor_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]
                                              ) -> None:
    with Guest("s390x?memory=16M&kpool=512K") as guest:
        guest.dump_memory(tmp_path / "dump")
    status, said, _ = ask(capsys, str(tmp_path / "dump"))
    assert status == 0 and said[0] == "---- cpus"
    assert re.fullmatch(r"0 pc=0x[0-9a-f]+ \w+\(\) \S+:\d+", said[1])


def test_what_pmemsave_writes_is_read_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]
                                              ) -> None:
    with Guest("s390x?memory=16M&kpool=512K") as guest:
        rows = [str(row) for row in guest.dump("areas")]
        guest.monitor.command("pmemsave", val=0, size=16 << 20, filename=str(tmp_path / "raw"))
    assert ask(capsys, str(tmp_path / "raw"), "areas", "--arch", "s390x") == (0, rows, "")
    status, _, complaint = ask(capsys, str(tmp_path / "raw"), "areas")
    assert status != 0 and "--arch" in complaint


def test_a_guest_that_is_busy_tells_what_it_does(tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    with Guest("native") as guest:
        busy = guest.submit_line("stress 4T")
        guest.link.raw(b"")
        path = tmp_path / "dump"
        last = ""
        while "stress" not in last:            # the line is on its way
            guest.dump_memory(path)
            last = ask(capsys, str(path), "ring")[1][-1]
        assert re.fullmatch(r"\d+ runs: >\d+ stress 4T \*[0-9a-f]{4}", last)
        guest.interrupt()
        assert busy.error() is not None


def test_what_is_broken_in_a_dump_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]
                                           ) -> None:
    with Guest("x86_64?memory=16M&kpool=512K") as guest:
        guest.alloc_pages(3)
        guest.dump_memory(tmp_path / "dump")
    status, said, _ = ask(capsys, str(tmp_path / "dump"), "page 0x0c00000", "areas", "owner 9")
    assert status == 0
    place = next(int(found[1], 16) for line in said
                 if (found := re.match(r"head=\d: \*\(unsigned char \*\) (0x[0-9a-f]+)", line)))
    from elftools.elf.elffile import ELFFile
    with open(tmp_path / "dump", "r+b") as file:
        load = next(s for s in ELFFile(file).iter_segments() if s["p_type"] == "PT_LOAD"
                    and s["p_paddr"] <= place < s["p_paddr"] + s["p_filesz"])
        file.seek(load["p_offset"] + place - load["p_paddr"])
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0xff]))
    status, said, _ = ask(capsys, str(tmp_path / "dump"), "check")
    assert status == 1 and said[0].startswith("invariant=") and said[-1].endswith(" broken")


WRONG = {
    "colour": "no such question: colour", "page": "usage: page ADDRESS",
    "page 1e3": "not a number: 1e3", "freelist nowhere": "no such area: nowhere",
    "freelist low x": "not a number: x", "cpus": "where the processors are",
}


def test_wrong_questions_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Guest("native?memory=16M&kpool=512K") as guest:
        guest.dump_memory(tmp_path / "dump")
    status, said, _ = ask(capsys, str(tmp_path / "dump"), *WRONG)
    assert status == 2 and len(said) == 2 * len(WRONG)
    for question, complaint in WRONG.items():
        assert complaint in said[said.index(f"---- {question}") + 1]
    status, said, _ = ask(capsys, str(tmp_path / "dump"), "check", "freelist nowhere", "--json")
    told = [json.loads(line) for line in said]
    assert status == 1 and [(one["question"], one["ok"]) for one in told] == [
        ("check", True), ("freelist nowhere", False)]


def test_what_is_no_dump_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, complaint = ask(capsys, str(program_of("native")))
    assert status == 2 and "no dump" in complaint


@pytest.mark.parametrize("name", ["native", "s390x"])
def test_a_dump_that_is_cut_off_is_refused(name: str, tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    with Guest(f"{name}?memory=16M&kpool=512K") as guest:
        guest.dump_memory(tmp_path / "dump")
    size = (tmp_path / "dump").stat().st_size
    for left, complaint in ((size - 4096, " bytes are not there"), (size // 2, "is cut off"),
                            (5000, ""), (100, ""), (20, ""), (4, "")):
        os.truncate(tmp_path / "dump", left)
        status, said, told = ask(capsys, str(tmp_path / "dump"))
        assert (status, said) == (2, []) and complaint in told and "Traceback" not in told


def test_memory_that_a_file_lacks_is_no_zeroes(tmp_path: Path, capsys: pytest.CaptureFixture[str]
                                               ) -> None:
    with Guest("s390x?memory=16M&kpool=512K") as guest:
        guest.monitor.command("pmemsave", val=0, size=64 << 10, filename=str(tmp_path / "raw"))
    status, said, _ = ask(capsys, str(tmp_path / "raw"), "areas", "--arch", "s390x")
    assert status == 1 and re.fullmatch("pfnlab: no memory at 0x[0-9a-f]+ in the file", said[0])


def test_a_guest_in_a_terminal_is_dumped_by_its_monitor(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pexpect.spawn(str(ROOT / "run-guest.sh"), ["s390x", "--memory", "16M"], timeout=120,
                       encoding="utf-8", cwd=ROOT) as terminal:
        for line, prompt in (("", r"\n> "), ("alloc_pages 3\r", r"= 0x[0-9a-f]+.*\n> "),
                             ("\x01c", r"\(qemu\) "),
                             (f"dump-guest-memory {tmp_path / 'dump'}\r", r"\n\(qemu\) ")):
            terminal.send(line)
            terminal.expect(prompt)
        status, said, _ = ask(capsys, str(tmp_path / "dump"), "areas", "ring")
    assert status == 0 and said[-1].endswith(" done: alloc_pages 3")


# ---- what runs ----

def test_a_native_guest_that_runs_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    with Guest("native?memory=16M&kpool=512K") as guest:
        guest.alloc_pages(3)
        pid = str(getattr(guest.transport, "process").pid)
        rows = [str(row) for row in guest.dump("pages")]
        assert ask(capsys, "--pid", pid, "pages") == (0, rows, "")
        status, said, _ = ask(capsys, "--pid", pid)
        assert status == 0 and "---- ring" in said and said[-1] == "all invariants hold"
    status, _, complaint = ask(capsys, "--pid", pid, "pages")
    assert status == 2 and f"process {pid} cannot be looked at" in complaint
    status, _, complaint = ask(capsys, "--pid", str(os.getpid()), "pages")
    assert status != 0 and "Traceback" not in complaint
    assert ask(capsys)[0] == 2


def test_memory_that_a_process_lacks_is_told() -> None:
    maps = [[int(bound, 16) for bound in line.split()[0].split("-")]
            for line in Path("/proc/self/maps").read_text().splitlines() if " r" in line]
    end = next(end for (_, end), (after, _) in zip(maps, maps[1:]) if end < after)
    memory = ProcessMemory(os.getpid())
    assert len(memory.fetch(end - 8, 8)) == 8
    for at in (end - 4, end):
        with pytest.raises(Unreadable, match=f"no memory at {at:#x}"):
            memory.fetch(at, 8)


DOORS = [("native", "process"), ("native", "dump"), ("native", "gdb"), ("s390x", "dump"),
         ("x86_64", "gdb")]


@pytest.mark.parametrize("name, door", DOORS)
def test_memory_is_compared_with_what_the_guest_says(name: str, door: str, tmp_path: Path,
                                                     capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "it.t").write_text(">1 alloc_pages 3\n>2 vmalloc 10000 redzone=1\n"
                                   ">3 malloc 100\n>4 free $1\n")
    words = ["--guest", f"{name}?memory=16M&kpool=512K", "compare", "--door", door]
    assert cli.main([*words, str(tmp_path / "it.t")]) == 0
    told = capfd.readouterr().out.splitlines()
    same = [line.partition(":")[0].split()[0] for line in told if ": the same, " in line]
    assert same == list(outside.TWINS)


def test_what_a_guest_does_not_say_is_told() -> None:
    def lying(line: str) -> list[str]:
        told = outside.ask_guest(guest)(line)
        return told[1:] if line == "dump areas" else told
    with Guest("native?memory=16M&kpool=512K") as guest, outside.look_at(guest) as look:
        twins = list(outside.compare(look, lying))
        assert [twin.question for twin in twins if not twin.same] == ["areas"]
        assert str(twins[0]).startswith("areas: not the same\n  from outside: realmode first=")
        guest.corrupt("count")
        twins = list(outside.compare(look, outside.ask_guest(guest)))
        assert all(twin.same for twin in twins)
        assert twins[-1].question == "check" and twins[-1].outside[0].startswith("invariant=")


def test_memory_without_a_lab_is_not_called_whole(tmp_path: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raw").write_bytes(bytes(16 << 20))
    status, said, _ = ask(capsys, str(tmp_path / "raw"), "check", "--arch", "x86_64")
    assert status == 1 and said[-1] == "pfnlab: the lab has not begun"


def test_garbage_for_memory_is_an_error_not_a_loop(tmp_path: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raw").write_bytes(b"\xa5" * (16 << 20))
    questions = ("areas", "check", "virt", "heap", "phys", "pagetable 0", "owner 1", "map")
    status, said, _ = ask(capsys, str(tmp_path / "raw"), *questions, "--arch", "x86_64")
    assert status == 1
    for question in questions:
        assert said[said.index(f"---- {question}") + 1].startswith("pfnlab: ")


def test_addresses_that_the_native_guest_tells_are_those_of_its_program() -> None:
    with Guest("native") as guest, pytest.raises(errors.FaultAddress) as refused:
        guest.peek(0x7000000000)
    with Guest("native") as guest:
        with pytest.raises(errors.GuestPanic) as panicked:
            guest.panic()
        traced = next(line for line in panicked.value.lines if line.startswith("% bt "))
    # A call that does not return may be the last of its function: where it would return to is not
    # in it.
    places = re.findall(r"0x[0-9a-f]+", refused.value.text) \
        + [hex(int(at, 16) - 1) for at in re.findall(r"0x[0-9a-f]+", traced)]
    told = subprocess.run(["addr2line", "-f", "-e", program_of("native"), *places], check=True,
                          capture_output=True, text=True).stdout.splitlines()
    assert told[0] == "access_load" and {"cmd_panic", "protocol_serve"} <= set(told)


# ---- a debugger that holds the guest ----

def test_nobody_gives_up_while_a_debugger_holds_the_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply is awaited for a second or so; the guest stands still for longer than that."""
    with Guest("native") as guest:
        looks = []
        really = type(guest.transport).in_debugger

        def in_debugger(self: Channel) -> bool:
            looks.append(really(self))
            if len(looks) == 4:
                guest.close_to_debugger()
            return looks[-1]
        guest.open_to_debugger()
        monkeypatch.setattr(type(guest.transport), "in_debugger", in_debugger)
        monkeypatch.setattr(channel, "HELD_PAUSE", 0.01)
        assert guest.echo(5, timeout=1.5) == 5
        assert looks[:4] == [True] * 4


@pytest.mark.parametrize("name", ["native", "x86_64"])
def test_who_holds_a_guest_is_seen(name: str) -> None:
    with Guest(name) as guest:
        assert not guest.transport.in_debugger()
        guest.open_to_debugger()
        assert guest.transport.in_debugger()
        guest.close_to_debugger()
        assert not guest.transport.in_debugger()
        assert guest.echo(1) == 1


def test_the_console_is_in_another_pane_and_in_a_file(tmp_path: Path) -> None:
    """The pane is that of a tmux that only says what it was told."""
    tmux = tmp_path / "tmux"
    tmux.write_text(f"#!/bin/sh\necho \"$@\" >{tmp_path}/told\n")
    tmux.chmod(0o755)
    commands = (
        "pfn send echo 5", "python import os, pathlib, socket, time",
        "python file = pathlib.Path(os.environ['PFNLAB_LINE']).with_name('console.txt')",
        "python while '= 5' not in file.read_text(): time.sleep(0.01)",
        "python line = socket.socket(socket.AF_UNIX); line.connect(os.environ['PFNLAB_LINE'])",
        "pfn send echo 6", "python line.shutdown(socket.SHUT_WR)",
        "python while line.recv(4096): pass", "pfn send echo 7", "quit")
    done = subprocess.run(
        [sys.executable, "-m", "pfnlab", "gdb", "native"], input="\n".join([*commands, ""]),
        env={**ENVIRONMENT, "TMUX": "there", "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, timeout=100)
    place = re.search(r"^  pfnlab run (unix:\S+)$", done.stdout, re.M)
    assert place is not None and done.returncode == 0
    opened = re.fullmatch(r"split-window -d tail --pid=\d+ -n \+1 -f (\S+)\n",
                          (tmp_path / "told").read_text())
    assert opened is not None and f"and what it says goes to {opened[1]}\n" in done.stdout
    assert "a console has the guest's line: leave that first" in done.stderr
    answers = re.findall(r"^(?:\(gdb\) )*= (\d)$", done.stdout, re.M)
    assert answers == ["5", "7"]


def test_gdb_tells_programs_what_its_commands_say() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pfnlab", "--json", "gdb", "native", "--batch", "pfn check",
         "pfn send alloc_pages 3", "pfn bananas", "print 6 * 7", "pfn send corrupt count",
         "pfn check", "pfn areas"],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["command"], one["ok"]) for one in told] == [
        ("pfn check", True), ("pfn send alloc_pages 3", True), ("pfn bananas", False),
        ("print 6 * 7", True), ("pfn send corrupt count", True), ("pfn check", False),
        ("pfn areas", True)]
    assert told[0]["rows"] == ["all invariants hold"]
    assert re.fullmatch(r"= 0x\w{16}", told[1]["rows"][-1])
    assert told[2]["text"] and told[3]["rows"] == ["$1 = 42"]
    assert done.returncode == 1


@pytest.mark.parametrize("name", ["native", "s390x"])
def test_a_transcript_is_replayed_up_to_a_breakpoint(name: str, tmp_path: Path) -> None:
    (tmp_path / "it.t").write_text(">1 alloc_pages 3\n=1 _\n>2 free $1\n=2 8\n>3 echo 7\n=3 7\n")
    done = subprocess.run(
        [sys.executable, "-m", "pfnlab", "--guest", name, "replay", "--gdb", "--stop", "2",
         str(tmp_path / "it.t"), "--batch", "continue", "print reply->tag", "bt"],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    assert re.search(r"^\$1 = \d+$", done.stdout, re.M) and " execute (" in done.stdout
    assert "3 requests, as written" in done.stdout
    assert done.returncode == 0, done.stderr


def test_gdb_has_the_terminal_of_a_replay_for_itself(tmp_path: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    (tmp_path / "it.t").write_text(">1 alloc_pages 3\n>2 echo 7\n")
    child = pexpect.spawn(sys.executable, ["-m", "pfnlab", "replay", "--gdb", "it.t"], timeout=100,
                          cwd=str(tmp_path), encoding="utf-8", dimensions=(24, 200),
                          env={**ENVIRONMENT, "TERM": "xterm"})
    child.expect_exact("(gdb) ")
    said = child.before
    for line in ("print 6 * 7", "continue", "detach", "quit"):
        child.sendline(line)
        child.expect_exact("(gdb) " if line != "quit" else pexpect.EOF)
        said += child.before
    assert "= 42" in said and "it.t: 2 requests, as written" in said
    assert "━" not in said        # the bar


def test_gdb_is_attached_at_a_failure_in_an_emulator(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(guest):\n    guest.alloc_page()\n"
                                         "    assert False\n")
    with subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "pfnlab.plugin", "-p", "no:cacheprovider",
             "--guest", "s390x", "--gdb-on-fail", "test_it.py"], cwd=tmp_path, env=ENVIRONMENT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True) as process:
        try:
            assert process.stdin is not None and process.stdout is not None
            told = next(line for line in process.stdout if line.startswith("pfnlab: gdb"))
            attach = shlex.split(told.removeprefix("pfnlab: "))
            done = subprocess.run([*attach, "-nx", "-batch", "-ex", "bt", "-ex", "pfn areas"],
                                  capture_output=True, text=True, timeout=60)
            assert "protocol_serve" in done.stdout and "managed=" in done.stdout
            rest, _ = process.communicate("\n", timeout=60)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert "what happened" in rest and process.returncode == 1
