# SPDX-License-Identifier: MIT
"""run-guest.sh from outside: what it refuses, pipes, exit statuses, every way of booting."""
from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.processes import is_running

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = str(ROOT / "run-guest.sh")
ORDERLY, FAILED, USAGE, EMULATOR, PANIC = range(5)


def run(*options: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run([SCRIPT, *options], input=given, capture_output=True, timeout=120)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(),
                                       done.stderr.decode())


def answers(output: str) -> list[str]:
    """Rows and finals, without events and the log."""
    return [line for line in output.splitlines() if line[:1] not in "%;"]


@pytest.mark.parametrize("options, complaint", [
    ("nowhere", "architecture"),
    ("--bogus", "--bogus"),
    ("--memory 64M native", "the architecture comes first"),
    ("--memory", "--memory"),
    ("--memory banana", "banana"),
    ("--memory 64", "64"),
    ("--memory 0M", "0M"),
    ("--memory -1M", "-1M"),
    ("--memory 1M", "4M"),
    ("--memory 999999999T", "512G"),
    ("--memory 99999999999999999999G", "999G"),
    ("--memory 4M --boot iso", "8M"),
    ("--memory 32M --boot iso --firmware uefi", "64M"),
    ("--cpus 0", "--cpus"),
    ("--cpus many", "many"),
    ("--boot tape", "tape"),
    ("--firmware uefi", "--boot iso"),
    ("--machine microvm --boot iso", "microvm"),
    ("--machine toaster", "toaster"),
    ("--emulator abacus", "abacus"),
    ("--serial smoke", "smoke"),
    ("--serial unix:", "unix:"),
    ("--serial unix:/" + "x" * 200, "socket"),
    ("--serial unix:/does/not/exist", "/does/not/exist"),
    ("--serial unix:/etc/passwd", "/etc/passwd"),
    ("--qmp /etc/passwd", "/etc/passwd"),
    ("--module /does/not/exist", "/does/not/exist"),
    ("--module /etc", "/etc"),
    ("native --boot iso", "--boot"),
    ("native --cpu max", "--cpu"),
    ("native --cpus 257", "256"),
    ("--cpus 256", "255"),
    ("s390x --cpus 248", "247"),
    ("native --gdb=tcp:1234", "--gdb"),
    ("--gdb=smoke", "smoke"),
    ("--gdb=tcp:0", "tcp:0"),
    ("--gdb=tcp:65536", "65536"),
    ("--gdb=tcp:12x", "12x"),
    ("--gdb=unix:/etc/passwd", "/etc/passwd"),
    ("--gdb=unix:/does/not/exist", "/does/not/exist"),
    ("native --memory 2T", "1T"),
    ("--loadparm ONEAREA", "--loadparm"),
    ("--append " + 4096 * "x", "4095"),
    ("i386 --boot iso --firmware uefi --gdb", "--gdb"),
    ("i386 --boot iso --append " + 4096 * "x", "4095"),
    ("s390x --memory 3M", "4M"),
    ("s390x --memory 4097K", "whole MiB"),
    ("s390x --firmware bios", "--firmware"),
    ("s390x --module /dev/null", "--module"),
    ("s390x --append " + 896 * "x", "895"),
    ("s390x --loadparm 2AREAS", "--loadparm"),
    ("s390x --loadparm TOOLONGBY", "--loadparm"),
    ("s390x --loadparm lower", "--loadparm"),
    ("s390x --emulator hercules --boot iso", "--boot"),
    ("s390x --emulator hercules --gdb", "--gdb"),
    ("s390x --emulator hercules --memory 8G", "4G"),
    ("s390x --emulator hercules --serial pty", "pty"),
])
def test_refuses(options: str, complaint: str) -> None:
    done = run(*options.split())
    assert done.returncode == USAGE
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize("arch", ["", "i386 native", "../arch/native", "x86", "common"])
def test_refuses_what_is_no_architecture(arch: str) -> None:
    done = run(arch)
    assert done.returncode == USAGE
    assert re.fullmatch(f"run-guest.sh: no such architecture: {re.escape(arch)}; there is:"
                        r"( \w+)+\n", done.stderr)


def test_works_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "lab").symlink_to(SCRIPT)
    done = subprocess.run([tmp_path / "lab", "native"], input=b"echo 1", capture_output=True,
                          timeout=120)
    assert done.returncode == ORDERLY, done.stderr


def test_a_reader_that_leaves_is_no_error_to_tell() -> None:
    done = subprocess.run(f"yes echo 1 | {SCRIPT} native | head -1", shell=True, timeout=120,
                          capture_output=True)
    assert done.stdout.startswith(b"; ") and done.stderr == b""


def test_help_names_every_option() -> None:
    done = run("--help")
    assert done.returncode == ORDERLY
    script = Path(SCRIPT).read_text()
    options = set(re.findall(r"^        (--[a-z-]+)\)", script, re.M))
    options |= set(re.findall(r"(--[a-z]+)=\*", script))
    assert len(options) > 15
    assert {option for option in options if option not in done.stdout} == set()


def test_print_starts_nothing() -> None:
    done = run("--print", "--memory", "6G", "--append", "a=1 b", "--machine", "q35")
    assert done.returncode == ORDERLY
    assert " -m 6G " in done.stdout and "q35" in done.stdout and "a=1\\ b" in done.stdout


BOOTS = {
    "native": "native",
    "pc": "x86_64",
    "q35": "x86_64 --machine q35",
    "microvm": "x86_64 --machine microvm",
    "iso": "x86_64 --boot iso",
    "iso-q35": "x86_64 --boot iso --machine q35",
    "uefi": "x86_64 --boot iso --firmware uefi",
    "bochs": "x86_64 --emulator bochs",
    "i386": "i386",
    "i386-microvm": "i386 --machine microvm",
    "i386-iso": "i386 --boot iso",
    "i386-uefi": "i386 --boot iso --firmware uefi",
    "i386-bochs": "i386 --emulator bochs",
    "s390x": "s390x",
    "s390x-iso": "s390x --boot iso",
    "hercules": "s390x --emulator hercules",
}


@pytest.fixture(params=BOOTS)
def boot(request: pytest.FixtureRequest) -> list[str]:
    return BOOTS[request.param].split()


def test_pipe(boot: list[str]) -> None:
    """One answer for each line, whatever its ending; noise of firmware stays out."""
    done = run(*boot, given=b"echo 1\r\n\n; a remark\n> echo 2\nbogus\ralloc_page area=low\n"
               b" \t\necho 5")
    assert done.returncode == ORDERLY, done.stderr
    assert all(line[0] in ":=?%;" for line in done.stdout.splitlines())
    got = answers(done.stdout)
    assert [line.split()[0] for line in got] == ["=", "=", "?", "=", "="]
    assert [line.split()[1] for line in got[:2]] == ["1", "2"]
    assert "call.command" in got[2]


@pytest.mark.parametrize("machine", ["native", "pc"])
@pytest.mark.parametrize("given, answered", [
    (b"echo 1\recho 2\r\r> echo 3\necho 4", "= 1,= 2,= 3,= 4"),
    (b"echo 1\x03echo 2\necho 3\x03\n\x03\necho 4", "= 2,= 4"),
    (b"x" * 3000 + b"\necho 1", "? link.long,= 1"),
    (b"echo 1\0\n\0\n\0echo 2\necho 3", "? link.byte,? link.byte,? link.byte,= 3"),
])
def test_pipe_of_odd_lines(machine: str, given: bytes, answered: str) -> None:
    """What the guest takes for two lines, or for none, does not upset the count."""
    done = run(*BOOTS[machine].split(), given=given)
    assert done.returncode == ORDERLY, done.stderr
    got = [" ".join(line.split()[:2]) for line in answers(done.stdout)]
    assert ",".join(got) == answered


@pytest.mark.parametrize("machine", ["native", "pc"])
def test_pipe_of_a_strict_session(machine: str) -> None:
    done = run(*BOOTS[machine].split(), given=b">0 sync 0x5f3a91c2 *c6c4\n>1 reset *ca11\n")
    assert done.returncode == ORDERLY, done.stderr
    assert [line.split()[0] for line in answers(done.stdout)] == ["=0", "=1"]


def test_command_line(boot: list[str]) -> None:
    """The kernel gets what was asked for, on an ISO of its own too, and nothing else. Whatever the
    firmware left on the line, the guest's first words are heard."""
    done = run(*boot, "--append", "areas=tiny:2M,most:1G,rest  kpool=1M fig=1", given=b"areas\n")
    assert done.returncode == ORDERLY, done.stderr
    assert done.stdout.startswith("; command line: fig=1: no such option\n")
    names = [line.split()[1] for line in answers(done.stdout)[:-1]]
    assert sorted(names) == ["most", "rest", "tiny"]


@pytest.mark.parametrize("machine", ["native", "pc", "microvm", "iso", "s390x", "s390x-iso",
                                     "hercules"])
def test_panic(machine: str) -> None:
    done = run(*BOOTS[machine].split(), given=b"echo 1\npanic\necho 2\n")
    assert done.returncode == PANIC
    assert re.search(r"^% panic ", done.stdout, re.M)
    assert re.search(r"^% reg ", done.stdout, re.M)
    assert re.search(r"^% bt 0x", done.stdout, re.M)
    assert answers(done.stdout)[0].startswith("=")
    assert "before the input" in done.stderr and "panicked" in done.stderr


@pytest.mark.parametrize("machine", ["native", "pc", "microvm", "s390x", "hercules"])
def test_poweroff_in_the_middle(machine: str) -> None:
    done = run(*BOOTS[machine].split(), given=b"poweroff\necho 2\n")
    assert done.returncode == ORDERLY


SEVERAL = {name: BOOTS[name] for name in (
    "pc", "q35", "microvm", "iso", "bochs", "i386", "i386-iso", "i386-bochs", "s390x", "s390x-iso",
    "hercules")}


@pytest.mark.parametrize("machine", SEVERAL)
def test_the_status_with_several_processors(machine: str) -> None:
    """An end and a panic are told apart, whatever the processors do that were never started."""
    options = [*SEVERAL[machine].split(), "--cpus", "4"]
    done = run(*options, given=b"alloc_page\ncheck\n")
    assert done.returncode == ORDERLY, done.stderr
    assert [line.split()[0] for line in answers(done.stdout)] == ["=", "="]
    done = run(*options, given=b"panic\n")
    assert done.returncode == PANIC and "panicked" in done.stderr


@pytest.mark.parametrize("arch, debugger, door", [
    ("x86_64", "gdb", "-ex 'target remote [^']+/gdb'"),
    ("i386", "gdb", "-ex 'target remote [^']+'"),
    ("s390x", "gdb-multiarch", "-ex 'target remote [^']+'"),
    ("native", "gdb", r"(-iex 'handle [A-Z1 ]+ nostop noprint (no)?pass' ){2}-p \d+")])
def test_the_debugger_that_can_is_named(arch: str, debugger: str, door: str) -> None:
    with subprocess.Popen([SCRIPT, arch, "--gdb"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as script:
        assert script.stderr is not None
        told = script.stderr.readline()
        script.terminate()
    assert re.search(f"waiting for: {debugger} -q -x [^ ]+/gdb_commands.py {door} "
                     "[^ ]*/(kernel.elf|pfnlab)$", told)


def test_a_place_for_the_debugger_can_be_chosen(tmp_path: Path) -> None:
    done = run("--print", f"--gdb=unix:{tmp_path}/here")
    assert f"unix:{tmp_path}/here" in done.stdout
    done = run("--print", "--gdb=tcp:65535")
    assert "-gdb tcp:127.0.0.1:65535" in done.stdout


@pytest.mark.parametrize("machine", ["pc", "iso", "i386"])
def test_the_longest_command_line_arrives_whole(machine: str) -> None:
    end = " areas=last:1G,more scan=last"
    done = run(*BOOTS[machine].split(), "--append", f"x={'y' * (4095 - 2 - len(end))}{end}",
               given=b"areas\n")
    assert done.returncode == ORDERLY, done.stderr
    assert [line.split()[1] for line in answers(done.stdout)[:-1]] == ["last", "more"]


def test_wrong_processor_is_told() -> None:
    """32-bit code says what is missing; nobody waits for a prompt that never comes."""
    done = run("--cpu", "qemu64,-lm", given=b"echo 1\n")
    assert done.returncode == PANIC
    assert done.stdout == "; this processor has no 64-bit mode\n"


def guest_of(script: int) -> int:
    """The process that the script started."""
    return int(Path(f"/proc/{script}/task/{script}/children").read_text().split()[0])


class Started:
    """A script that runs in a pipe and has booted its guest."""

    def __init__(self, *options: str, **environment: str) -> None:
        reader, self.writer = os.pipe()
        self.script = subprocess.Popen([SCRIPT, *options], stdin=reader, stdout=subprocess.PIPE,
                                       env={**os.environ, **environment})
        os.close(reader)
        assert self.script.stdout is not None
        while not self.script.stdout.readline().startswith(b"% boot"):
            assert self.script.poll() is None

    def guest(self) -> int:
        return guest_of(self.script.pid)

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self.writer)
        self.script.kill()
        self.script.wait()


@pytest.mark.parametrize("machine", ["native", "x86_64", "s390x"])
def test_no_emulator_survives_its_script(machine: str, tmp_path: Path) -> None:
    with Started(machine, TMPDIR=str(tmp_path)) as started:
        guest = started.guest()
        started.script.send_signal(signal.SIGKILL)
        started.script.wait()
        deadline = time.monotonic() + 30
        while is_running(guest) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not is_running(guest)


@pytest.mark.parametrize("machine", ["native", "x86_64", "s390x"])
def test_emulator_that_dies(machine: str) -> None:
    with Started(machine) as started:
        os.kill(started.guest(), signal.SIGKILL)
        assert started.script.wait(30) == EMULATOR


@pytest.mark.parametrize("machine", ["x86_64", "s390x"])
def test_an_emulator_that_refuses_is_no_panic(machine: str) -> None:
    """QEMU's status is 1 then, as it is for a panic of s390x."""
    done = run(machine, "--cpu", "none-such")
    assert done.returncode == EMULATOR and "the guest died" in done.stderr


@pytest.mark.parametrize("machine", ["x86_64", "s390x"])
def test_reset_is_told_from_an_orderly_end(machine: str, tmp_path: Path) -> None:
    with Started(machine, "--qmp", str(tmp_path / "qmp")) as started, \
            socket.socket(socket.AF_UNIX) as control:
        control.connect(str(tmp_path / "qmp"))
        control.sendall(b'{"execute": "qmp_capabilities"} {"execute": "system_reset"}\n')
        assert started.script.wait(30) == EMULATOR


@pytest.mark.parametrize("machine", ["native", "x86_64", "s390x"])
def test_poweroff_ends_an_open_pipe(machine: str) -> None:
    with Started(machine) as started:
        os.write(started.writer, b"poweroff\n")
        assert started.script.wait(30) == ORDERLY


def test_no_socket_stays(tmp_path: Path) -> None:
    assert run("--qmp", str(tmp_path / "qmp"), given=b"echo 1").returncode == ORDERLY
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("machine", ["native", "pc", "bochs", "s390x", "hercules"])
def test_terminated_script_cleans_up(machine: str, tmp_path: Path) -> None:
    with Started(*BOOTS[machine].split(), TMPDIR=str(tmp_path)) as started:
        assert list(tmp_path.iterdir()) != []
        started.script.send_signal(signal.SIGTERM)
        assert started.script.wait(30) == 128 + signal.SIGTERM
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("machine", ["pc", "iso"])
def test_module_is_kept_out(machine: str, tmp_path: Path) -> None:
    module = tmp_path / "module"
    module.write_bytes(b"\xff" * 5000)
    done = run(*BOOTS[machine].split(), "--module", str(module), given=b"info\n")
    assert done.returncode == ORDERLY, done.stderr
    assert re.search(r"^; reserved 0x[0-9a-f]{16} 0x0000000000001388 module$", done.stdout, re.M)


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_memory_above_4g(machine: str) -> None:
    done = run(*BOOTS[machine].split(), "--memory", "6G",
               given=b"alloc_pages_area high 18\npoke $ 7\npeek $\ncheck\n")
    got = answers(done.stdout)
    assert int(got[0].split()[1], 16) >= 1 << 32
    assert got[3] == "=", done.stdout


def test_peek_of_nothing(boot: list[str]) -> None:
    """Neither page 0, nor a hole, nor behind the memory, nor an address that cannot be."""
    addresses = ["0xb0000000", "0x7ffffffff000", "0x800000000000", "0xfffffffffffffff8"]
    if boot[0] != "s390x":            # there, memory begins with what the processor itself uses
        addresses += ["0x0", "0xff8"]
    done = run(*boot, given="".join(f"peek {address}\n" for address in addresses).encode())
    got = answers(done.stdout)
    for address, answer in zip(addresses, got, strict=True):
        assert answer.startswith(f"? fault.address at=0x{int(address, 16):016x} ")
