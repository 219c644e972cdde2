# SPDX-License-Identifier: MIT
"""Several processors of real machines: found, started, used, called and stopped."""
from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from pfnlab import Guest, errors
from pfnlab.doors import open_dump, program_of
from pfnlab.vigil import effort_of
from tests.machine.test_run_guest import ORDERLY, PANIC, answers, run

ARCHES = ["x86_64", "i386", "s390x"]
ALL = ["native", *ARCHES]
NOWHERE = "0x7000000000"          # there is no memory

# Every machine that finds its processors in another way, or starts them on another emulator.
MACHINES = {
    "microvm": "x86_64 --machine microvm",
    "q35": "i386 --machine q35",
    "uefi": "x86_64 --boot iso --firmware uefi",
    "bochs": "i386 --emulator bochs",
    "hercules": "s390x --emulator hercules",
}


def told(machine: str, lines: Iterable[str], *options: str, cpus: int = 4) -> list[str]:
    """What is answered to the lines by a machine that ends orderly."""
    done = run(*machine.split(), "--cpus", str(cpus), *options, given="\n".join(lines).encode())
    assert done.returncode == ORDERLY, done.stderr
    return answers(done.stdout)


def value(row: str, key: str) -> int:
    """A number of a row."""
    found = re.search(rf" {key}=(0x[0-9a-f]+|[0-9]+)", row)
    assert found is not None, row
    return int(found[1], 0)


def counts(rows: list[str]) -> list[str]:
    """The numbers of finals, without what else they tell."""
    return [" ".join(row.split()[:2]) for row in rows]


def areas_before_and_after(got: list[str]) -> tuple[list[str], list[str]]:
    """What two `areas` told."""
    areas = [row for row in got if " managed=" in row]
    return areas[:len(areas) // 2], areas[len(areas) // 2:]


@pytest.mark.parametrize("name", MACHINES)
def test_processors_start_and_stop_on(name: str) -> None:
    got = told(MACHINES[name], ["cpu start all", "cpus", "on 2 peek 0x10", "on 2 check",
                                "shootdown 1 times=3", "cpu stop all"], cpus=3)
    assert got[0] == "= 2" and [row.split()[2] for row in got[1:4]] == 3 * ["running"]
    assert got[5].startswith("? fault.address at=0x0000000000000010 cpu=2")
    assert got[6] == "="
    assert got[9] == "= rounds=3 late=0 n=2" and counts(got)[10] == "= 2"


@pytest.mark.parametrize("arch", ARCHES)
def test_a_page_that_is_touched_all_the_time_goes_all_the_same(arch: str) -> None:
    """Unmapped under a reader, protected under a writer: neither gets anything afterwards."""
    got = told(arch, ["cpu start all", "shootdown 1 times=20", "shootdown 3 times=20", "check"])
    assert got[1:3] == [": unmap late=0", ": protect late=0"]
    assert got[3] == got[6] == "= rounds=20 late=0 n=2"
    assert got[7] == "="


@pytest.mark.parametrize("arch", ARCHES)
def test_an_idle_processor_keeps_no_translation(arch: str) -> None:
    got = told(arch, ["cpu start all", "vmalloc 4096 as=1",
                      "on 1 poke $v1 7", "on 2 poke $v1 8", "on 3 peek $v1",
                      "protect $v1 1 ro", "on 1 poke $v1 9", "on 2 peek $v1",
                      "vfree $v1", "on 1 peek $v1", "on 2 peek $v1", "on 3 peek $v1"])
    assert got[4] == got[7] == "= 0x0000000000000008"
    assert re.match(r"\? fault\.protection .*cpu=1", got[6])
    for cpu in (1, 2, 3):
        assert re.match(rf"\? fault\.address .*cpu={cpu}\b", got[8 + cpu])


@pytest.mark.parametrize("arch", ARCHES)
def test_processors_allocate_at_once(arch: str) -> None:
    got = told(arch, ["areas", "cpu start all", "stress 300 cpus=all seed=7 check=1",
                      "cpu stop all", "areas", "check"])
    areas = [row for row in got if " managed=" in row]
    assert any(re.match(r"= 1200 .*least=300 most=300", row) for row in got)
    assert areas[:len(areas) // 2] == areas[len(areas) // 2:] and got[-1] == "="


@pytest.mark.parametrize("arch", ARCHES)
def test_a_hundred_rounds_on_and_off_lose_nothing(arch: str) -> None:
    lines = ["cpu start all", "cpu stop all", "areas", "store 0 cpu start all",
             "store 1 cpu stop all", "run 2 times=100", "areas", "check"]
    got = told(arch, lines, cpus=2)
    areas = [row for row in got if " managed=" in row]
    assert "= 200" in got and got[-1] == "="
    assert areas[:len(areas) // 2] == areas[len(areas) // 2:]


@pytest.mark.parametrize("arch", ALL)
@pytest.mark.parametrize("caches", ["off", "on"])
def test_what_a_processor_that_stops_has_allocated_stays_its_requests(arch: str,
                                                                      caches: str) -> None:
    """Pages, of which its cache keeps others, an object and a range of the window."""
    got = told(arch, ["areas", "store 0 alloc_page", "store 1 free $", "cpu start all",
                      "on 3 run 2 times=40", ">5 on 3 alloc_pages 3", ">6 on 3 malloc 100",
                      ">7 on 3 vmalloc 9000", "on 3 alloc_page as=1", "on 3 alloc_page as=2",
                      "cpu stop 3", "cpus",
                      "on 3 peek 0x10", "dump pages $5 1", "on 2 free $5", "free $6",
                      "on 1 vfree $7", "free $v1", "free $v2", "check", "cpu stop all", "areas"],
               "--append", f"percpu={caches}")
    before, after = areas_before_and_after(got)
    got = [row for row in got if " managed=" not in row and not row.startswith("= n=")][2:]
    assert got[:2] == ["= 3", "= 80"] and [row[:6] for row in got[2:5]] == [
        "=5 0x0", "=6 0x0", "=7 0x0"]
    assert {row[:4] for row in got[5:7]} == {"= 0x"}
    del got[5:7]
    left = "blocks=3 pages=10 ranges=1 objects=1"
    drained = value(got[5], "drained")
    assert got[5] == f"= 1 cpu=3 {left} early=0 drained={drained}"
    assert (drained > 0) == (caches == "on")
    assert [row.split()[2] for row in got[6:10]] == 3 * ["running"] + ["stopped"]
    assert got[9] == f": 3 stopped {left}" and "blocks=" not in "".join(got[6:9])
    assert got[10].startswith("? call.state arg=cpu")
    assert " 1 allocated " in got[11] and " owner=5" in got[11]
    nothing = "blocks=0 pages=0 ranges=0 objects=0 early=0 drained=0"
    assert got[12:] == ["= 8", "= 1", "= 3", "= 1", "= 1", "=", f"= 2 {nothing}"]
    assert before == after


@pytest.mark.parametrize("arch", ALL)
def test_a_fault_is_told_with_its_processor_and_the_others_go_on(arch: str) -> None:
    """In a command, and of the command itself: the lab is dead then, until a reset."""
    got = told(arch, ["cpu start all", f"on 3 peek {NOWHERE}", "on 3 panic fault",
                      "on 2 alloc_page", "on 2 check", "cpus", "reset", "cpu start all",
                      "on 3 alloc_page", "on 3 panic assert"])
    assert re.match(r"\? fault\.\S+ .*cpu=3\b", got[1]) and re.match(r"\? bug\.fault .*cpu=3\b",
                                                                     got[2])
    assert got[3].startswith("? bug.dead") and got[4] == "="
    assert [row.split()[2] for row in got[5:9]] == 4 * ["running"]
    assert got[10:12] == ["=", "= 3"] and got[12].startswith("= 0x")
    assert re.match(r"\? bug\.assert .*cpu=3\b", got[13])


@pytest.mark.parametrize("arch", ALL)
@pytest.mark.parametrize("line, cpu", [("on 3 panic", 3), ("panic", 0), ("panic busy 3", 3),
                                       ("panic busy", 0)])
def test_a_panic_stops_all_and_tells_whose_it_is(arch: str, line: str, cpu: int) -> None:
    """Whether they idle or work."""
    done = run(arch, "--cpus", "4", given=f"cpu start all\n{line}\ncpus\n".encode())
    assert done.returncode == PANIC
    assert re.search(rf"^% panic kind=request .*cpu={cpu}\b", done.stdout, re.M), done.stdout
    assert len(re.findall(r"^% reg ", done.stdout, re.M)) > 3 or arch == "native"
    assert re.search(r"^% bt 0x", done.stdout, re.M) and "\n% end panic" in done.stdout


@pytest.mark.parametrize("arch", ARCHES)
def test_a_stack_overflow_is_that_of_its_processor(arch: str) -> None:
    """The PC has no stack for an ordinary fault then; the mainframe has one for each of them."""
    done = run(arch, "--cpus", "4", given=b"cpu start all\non 3 panic overflow\non 3 echo 5\n")
    if arch == "s390x":
        assert re.search(r"^\? bug\.fault class=address .*cpu=3", done.stdout, re.M), done.stdout
        assert done.returncode == ORDERLY and answers(done.stdout)[-1] == "= 5"
    else:
        assert re.search(r"^% panic kind=double_fault .*cpu=3", done.stdout, re.M), done.stdout
        assert done.returncode == PANIC and "\n% end panic" in done.stdout


@pytest.mark.parametrize("arch", ALL)
@pytest.mark.parametrize("line", ["panic", "panic busy", "on 2 panic", "panic busy 2"])
def test_a_panic_that_is_survived_leaves_one_processor(arch: str, line: str) -> None:
    """Processor 0, which has the line, whichever it was."""
    lines = ["cpu start all", "vmalloc 4096 as=1", line, "cpus", "peek $v1", "on 1 echo 1",
             "alloc_page", "truth"]
    done = run(arch, "--cpus", "3", "--append", "onpanic=stay", given="\n".join(lines).encode())
    got = answers(done.stdout)
    cpu = 2 * ("2" in line)
    assert re.search(rf"^% panic .*cpu={cpu}\b", done.stdout, re.M), done.stdout
    assert got[2].startswith(f"? bug.panic kind=request cpu={cpu} ")
    assert [row.split()[2] for row in got[3:6]] == ["running", "halted", "halted"]
    assert re.fullmatch("= 0x0+", got[7]) and got[8].startswith("? call.state arg=cpu")
    assert got[9].startswith("? bug.dead")
    # In the middle of work somebody may have been changing page tables.
    assert " wrong=0 " in got[-1] or "busy" in line and got[-1].startswith("? bug.dead")
    assert done.returncode == PANIC


@pytest.mark.parametrize("arch", ["x86_64", "i386"])
@pytest.mark.parametrize("line", ["panic", "panic busy"])
def test_who_is_halted_by_a_panic_does_nothing_more(arch: str, line: str, tmp_path: Path) -> None:
    """The mainframe's panic is no end before all are stopped."""
    with Guest(f"{arch}?cpus=3&onpanic=stay&memory=24M") as guest:
        guest.cpu("start", "all")
        with pytest.raises(errors.GuestPanic):
            guest.call(*line.split())
        guest.dump_memory(tmp_path / "dump")
    with open(program_of(arch), "rb") as file:
        halt, = ELFFile(file).get_section_by_name(".symtab").get_symbol_by_name("cpus_halt_here")
    there = range(halt["st_value"], halt["st_value"] + halt["st_size"])
    assert [at in there for at in open_dump(tmp_path / "dump").places] == [False, True, True]


def test_the_threads_of_a_process_that_panicked_do_nothing_more() -> None:
    guest = Guest("native?cpus=3&onpanic=stay")
    try:
        guest.cpu("start", "all")
        with pytest.raises(errors.GuestPanic):
            guest.panic("busy")
        end = time.monotonic() + 20       # none works on, so that it takes no time
        while not effort_of(guest.transport.session).asleep:
            assert time.monotonic() < end, "somebody is still at work"
            time.sleep(0.01)
        assert len(effort_of(guest.transport.session).work) == 3
    finally:
        guest.kill()


@pytest.mark.parametrize("areas", [(), ("--append", "areas=all")], ids=["usual", "one"])
def test_a_prefix_area_lies_below_2g(areas: tuple[str, ...]) -> None:
    got = told("s390x", ["cpu start all", "cpus"], "--memory", "4G", *areas)
    prefixes = [value(row, "prefix") for row in got[2:5]]
    assert len(set(prefixes)) == 3
    assert all(at % 8192 == 0 and 0 < at < 1 << 31 for at in prefixes)


@pytest.mark.parametrize("arch, name, limit", [("x86_64", "trampoline", "1M"),
                                               ("i386", "trampoline", "1M"),
                                               ("s390x", "prefix", "2G")])
def test_without_memory_where_it_must_be_a_start_is_refused(arch: str, name: str,
                                                            limit: str) -> None:
    """What lies elsewhere does not help; one page or two given back do."""
    size, order = ("4G", 1) if arch == "s390x" else ("64M", 0)
    take = [f"alloc_pages {n} max={limit} dontzero=1" for n in range(18, order - 1, -1)
            for _ in range(4)]
    got = told(arch, [*take, f"alloc_pages {order} max={limit} dontzero=1", "cpu start 1",
                      "cpus", "check"], "--memory", size)
    assert got[-8].startswith("? mem.none")
    assert re.match(rf"\? mem\.none cpu=1 for={name}\b", got[-7]), got[-7]
    assert [row.split()[2] for row in got[-6:-2]] == ["running"] + 3 * ["stopped"]
    assert got[-1] == "="
    block = next(row.split()[1] for row in got if row.startswith("= 0x"))
    got = told(arch, [*take, "cpu start 1", f"free {block}", "cpu start 1", "cpu stop 1"],
               "--memory", size)
    assert got[-4].startswith("? mem.none") and counts(got[-2:]) == ["= 1", "= 1"]


@pytest.mark.parametrize("arch, cpus", [("x86_64", 255), ("s390x", 247)])
def test_more_processors_than_memory_are_refused_together(arch: str, cpus: int) -> None:
    """8 MiB hold the stacks of a hundred or so; those that had started are stopped again."""
    got = told(arch, ["areas", "cpu start all", "areas", f"cpu start {cpus - 1}",
                      f"cpu stop {cpus - 1}", "check"], "--memory", "8M", cpus=cpus)
    refusal = next(row for row in got if row.startswith("?"))
    assert re.match(r"\? mem\.none cpu=\d+ for=stack\b", refusal) and value(refusal, "cpu") > 50
    before, after = areas_before_and_after(got)
    assert before == after and counts(got[-3:]) == ["= 1", "= 1", "="]


def test_prefix_areas_of_all_do_not_fit_into_a_small_area() -> None:
    """S01: 64 pages below 2 GiB are those of 32 processors; stacks come from above."""
    take = [f"alloc_pages {n} max=2G dontzero=1" for n in range(18, 0, -1) for _ in range(4)]
    got = told("s390x", ["alloc_pages 6 max=2G align=256K dontzero=1 as=1", *take, "free $v1",
                         "areas", "cpu start all", "areas", "cpu start 40", "cpu stop 40",
                         "check"], "--memory", "4G", cpus=60)
    refusal = [row for row in got if row.startswith("?")][-1]
    assert re.match(r"\? mem\.none cpu=33 for=prefix\b", refusal), refusal
    before, after = areas_before_and_after(got)
    assert before == after and counts(got[-3:]) == ["= 1", "= 1", "="]
