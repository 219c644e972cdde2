# SPDX-License-Identifier: MIT
"""What only the mainframe has: LOADPARM, an ESA/390 start, SCCBs, a second emulator."""
from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pexpect  # type: ignore[import]
import pytest

from pfnlab.transport import Transport
from tests.machine.test_run_guest import ORDERLY, PANIC, ROOT, SCRIPT, answers, run

PATHS = {"direct": "s390x", "iso": "s390x --boot iso", "hercules": "s390x --emulator hercules"}


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> list[str]:
    return PATHS[request.param].split()


def area_names(output: str) -> list[str]:
    return [line.split()[1] for line in answers(output) if line.startswith(":")]


def test_a_preset_by_loadparm(path: list[str]) -> None:
    done = run(*path, "--loadparm", "ONEAREA", given=b"areas\n")
    assert done.returncode == ORDERLY, done.stderr
    assert area_names(done.stdout) == ["normal"]
    assert "command line" not in done.stdout


def test_the_command_line_overrides_a_preset(path: list[str]) -> None:
    done = run(*path, "--loadparm", "ONEAREA", "--append", "areas=a:1G,b", given=b"areas\n")
    assert sorted(area_names(done.stdout)) == ["a", "b"]


def test_a_bad_loadparm_is_told_and_ignored(path: list[str]) -> None:
    done = run(*path, "--loadparm", "NOSUCH", given=b"areas\n")
    assert done.returncode == ORDERLY, done.stderr
    assert "; command line: loadparm=NOSUCH: no such option" in done.stdout
    assert sorted(area_names(done.stdout)) == ["low", "normal"]


def test_the_longest_command_line_arrives_whole(path: list[str]) -> None:
    end = " areas=last:1G,more scan=last"
    done = run(*path, "--append", f"x={'y' * (895 - 2 - len(end))}{end}", given=b"areas\n")
    assert done.returncode == ORDERLY, done.stderr
    assert area_names(done.stdout) == ["last", "more"]


def test_memory_above_2g_is_the_area_normal(path: list[str]) -> None:
    done = run(*path, "--memory", "4G",
               given=b"areas\nalloc_pages_area normal 0\npoke $ 7\npeek $\n"
                     b"alloc_pages_area dma31 0\npeek 0x100000000\n")
    got = answers(done.stdout)
    managed = {line.split()[1]: int(line.split("managed=")[1].split()[0]) for line in got[:2]}
    assert managed["low"] > 500_000 and managed["normal"] > 500_000
    assert int(got[3].split()[1], 16) >= 1 << 31
    assert got[5] == "= 0x0000000000000007"
    assert int(got[6].split()[1], 16) < 1 << 31
    assert got[7].startswith("? fault.address at=0x0000000100000000 ")


@pytest.mark.parametrize("areas", [(), ("--append", "areas=all"), ("--append", "areas=x:3G,low")],
                         ids=["usual", "one", "odd"])
def test_a_prefix_area_cannot_lie_above_2g(areas: tuple[str, ...]) -> None:
    """Nor an SCCB: dma31 is a matter of addresses, whatever the areas are called. It runs dry."""
    lines = [f"alloc_pages_area dma31 {order}" for order in range(18, 0, -1) for _ in range(4)]
    lines += ["alloc_pages_area dma31 1 align=8K min=2G", "alloc_pages_area dma31 0 at=2G",
              "alloc_pages_area any 1 align=8K min=2G", "alloc_page area=any max=2G", "check"]
    done = run("s390x", "--memory", "4G", *areas, given="\n".join(lines).encode())
    assert done.returncode == ORDERLY, done.stderr
    *got, above, at, other, page, check = answers(done.stdout)
    given = [(int(answer.split()[1], 16), line.split()[2]) for line, answer in zip(lines, got)
             if answer.startswith("= ")]
    assert all(at + (4096 << int(order)) <= 1 << 31 for at, order in given)
    assert sum(4096 << int(order) for _, order in given) > (1 << 31) - (64 << 20)
    assert all(answer.startswith(("= ", "? mem.none")) for answer in got)
    assert got[-1].startswith("? mem.none")
    assert above.startswith("? mem.none") and at.startswith("? mem.none at=0x0000000080000000")
    assert int(other.split()[1], 16) >= 1 << 31
    assert page.startswith(("= ", "? mem.none")) and check == "="


def test_a_person_at_the_second_emulator_is_told_how_it_ends() -> None:
    """It takes whole lines, so that Ctrl-A X is none of its keys."""
    child = pexpect.spawn(f"{SCRIPT} s390x --emulator hercules", timeout=60, encoding="ascii")
    child.expect("Ctrl-D ends the guest")
    child.expect("% boot ")
    child.sendline("echo 5")
    child.expect("= 5\r\n")
    child.sendeof()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == ORDERLY


def test_a_person_at_the_second_emulator_stops_a_command() -> None:
    """There, a terminal's ^C is a signal, to all that run at it; it is the guest's all the same."""
    child = pexpect.spawn(f"{SCRIPT} s390x --emulator hercules", timeout=60, encoding="ascii")
    child.expect("% boot ")
    child.sendline("store 0 mark going")
    child.expect("=\r\n")
    child.sendline("run 1 times=4294967295")
    child.expect("; going\r\n")
    child.sendintr()
    child.expect("[?] stop.interrupted ")
    child.sendline("poweroff")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == ORDERLY


def test_the_least_memory(path: list[str]) -> None:
    done = run(*path, "--memory", "4M", given=b"alloc_page\ncheck\n")
    assert done.returncode == ORDERLY, done.stderr
    assert answers(done.stdout)[1] == "="


def test_the_processor_s_own_pages_are_nobody_s_and_not_mapped(path: list[str]) -> None:
    """8 KiB of real memory that hold new PSWs; address 0 is what a null pointer has."""
    done = run(*path, given=b"peek 0\npeek 0x1f0\npeek 0x1ff8\npeek 0x2000\npoke 0x1d0 0\n"
                            b"alloc_page at=0x1000\nreserve 0 1\n")
    got = answers(done.stdout)
    for line, address in zip(got, (0, 0x1f0, 0x1ff8)):
        assert line.startswith(f"? fault.address at={address:#018x} ")
    assert got[3].startswith("= ")
    assert got[4].startswith("? fault.address at=0x00000000000001d0 ")
    assert got[5].startswith("? mem.unmanaged ") and got[6].startswith("? mem.unmanaged ")


def test_each_page_of_the_machine_s_memory_is_mapped(path: list[str]) -> None:
    """Also where a table ends (1 MiB, 2 GiB), in the tables themselves, and nothing behind them."""
    addresses = (0x2000, 0xffff8, 0x100000, 0x1ffff8, 0x200000, 0x7ffffff8, 0x80000000,
                 0x80100000 - 8)
    lines = "".join(f"peek {at:#x}\n" for at in (*addresses, 0x80100000))
    got = answers(run(*path, "--memory", "2049M", given=lines.encode()).stdout)
    assert all(line.startswith("= ") for line in got[:-1]), got
    assert got[-1].startswith("? fault.address at=0x0000000080100000 ")


@pytest.mark.parametrize("memory", [4, 5, 8192])
def test_the_page_tables_take_the_end_of_the_memory(memory: int) -> None:
    """8 bytes a page, and 16 KiB for each 2 GiB but the first, whose table the image has."""
    done = run("s390x", "--memory", f"{memory}M", given=b"check\n")
    assert done.returncode == ORDERLY, done.stderr
    found = re.search(r"^; reserved (\w+) (\w+) page tables", done.stdout, re.M)
    assert found is not None
    start, size = (int(word, 16) for word in found.groups())
    assert start + size == memory << 20
    needed = (memory - 2) * 2048 + ((memory + 2047) // 2048 - 1) * 16384
    assert needed <= size < needed + 16384


def test_the_place_of_a_fault_is_its_instruction(path: list[str]) -> None:
    """The old PSW points behind it: an addressing exception suppresses the instruction."""
    loads = {1: 0xe390, 2: 0xe391, 4: 0xe316, 8: 0xe304}      # first and last byte
    for width, load in loads.items():
        fault = answers(run(*path, given=b"peek 0x7ffffffff000 width=%d\n" % width).stdout)[0]
        place = int(re.search(r"pc (0x[0-9a-f]+)", fault)[1], 16)   # type: ignore[index]
        both = b"peek %#x width=1\npeek %#x width=1\n" % (place, place + 5)
        first, last = (int(line.split()[1], 16) for line in answers(run(*path, given=both).stdout))
        assert first << 8 | last == load


def serial_text(link: Path, *options: str, given: bytes = b"") -> tuple[str, int]:
    """All that comes over the line of a guest that ends by itself or is told to, and the script's
    status."""
    with subprocess.Popen([SCRIPT, *options, "--serial", f"unix:{link}"],
                          stderr=subprocess.DEVNULL) as script, \
            socket.socket(socket.AF_UNIX) as line:
        try:
            deadline = time.monotonic() + 60
            while line.connect_ex(str(link)) != 0 and time.monotonic() < deadline:
                time.sleep(0.01)
            line.settimeout(60)
            line.sendall(given)
            text = b"".join(iter(lambda: line.recv(4096), b""))
            return text.decode("ascii", "replace"), script.wait(60)
        finally:
            script.kill()


def test_a_socket_that_a_killed_run_of_hercules_has_left_is_in_nobody_s_way(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "line"))
    text, status = serial_text(tmp_path / "line", "s390x", "--emulator", "hercules",
                               given=b"poweroff\n")
    assert "% boot" in text and status == ORDERLY


@pytest.mark.parametrize("boot", ["direct", "iso"])
def test_an_old_processor_is_told(boot: str, tmp_path: Path) -> None:
    text, status = serial_text(tmp_path / "line", "s390x", "--boot", boot, "--cpu", "z900")
    assert "\r\n; this processor is older than a z196\r\n" in text
    assert status == PANIC
    done = run("s390x", "--boot", boot, "--cpu", "z900", given=b"echo 1\n")
    assert done.stdout == "; this processor is older than a z196\n"
    assert done.returncode == PANIC


@pytest.mark.parametrize("name, lines", [("s390x", 40_000), ("s390x?emulator=hercules", 2_000)])
def test_no_byte_is_lost_in_a_burst(name: str, lines: int) -> None:
    """Far more than ring and emulator hold at once, while the guest is busy with the first line."""
    transport = Transport.start(name)

    def receive_until(end: Callable[[bytes], bool]) -> bytes:
        text = b""
        while not end(text):
            received = transport.receive()
            assert received
            text += received
        return text
    try:
        receive_until(lambda text: b"% boot" in text)
        burst = b"> stress 20000\n" + b"".join(b"> echo %d\n" % n for n in range(lines))
        sender = threading.Thread(target=transport.send, args=(burst, time.monotonic() + 60))
        sender.start()
        text = receive_until(lambda text: text.endswith(b"= %d\r\n" % (lines - 1)))
        sender.join()
    finally:
        transport.close()
    finals = [line for line in text.decode("ascii").splitlines() if line.startswith("=")]
    assert finals[1:] == [f"= {n}" for n in range(lines)]


def symbols() -> dict[str, int]:
    listing = subprocess.run(["s390x-linux-gnu-nm", str(ROOT / "build/s390x/kernel.elf")],
                             capture_output=True, text=True, check=True).stdout
    return {name: int(value, 16) for value, _, name in map(str.split, listing.splitlines())}


def test_the_service_calls_page_is_where_the_machine_takes_it() -> None:
    """Below 2 GiB, on a page's border, not in the first 8 KiB: the image cannot lie elsewhere."""
    page = symbols()["sclp_page"]
    assert page % 4096 == 0
    assert 0x2000 <= page < 0x200000
    assert "image_end <= 0x200000" in (ROOT / "arch/s390x/link.ld").read_text()


def test_a_stack_overflow_is_told_with_the_page_below_the_stack(path: list[str]) -> None:
    done = run(*path, given=b"panic overflow\nreset\nalloc_page\n")
    assert done.returncode == ORDERLY, done.stderr
    got = answers(done.stdout)
    guard = symbols()["boot_stack_guard"]
    assert got[0].startswith(f"? bug.fault class=address addr={guard:#018x} ")
    assert got[2].startswith("= ")


def test_the_backtrace_of_a_panic_goes_to_the_start(path: list[str]) -> None:
    done = run(*path, given=b"peek 0xfffffffffffffff8\npanic\n")
    assert "% reg teid" not in done.stdout        # of the fault before, long unwound
    found = re.search(r"^% bt (.*) \*", done.stdout, re.M)
    assert found is not None
    trace = [int(word, 16) for word in found[1].split()]
    table = symbols()
    assert len(trace) > 5
    assert all(table["start"] <= at < table["text_end"] for at in trace)
    assert table["start"] < trace[-1] < table["refuse"]
