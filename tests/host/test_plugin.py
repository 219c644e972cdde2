# SPDX-License-Identifier: MIT
"""The pytest plugin, as a test suite of somebody else sees it."""
from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.host.suite import FAILING, HOST, Suite

pytestmark = pytest.mark.only("native")


@pytest.fixture(autouse=True)
def _one_guest(guest_name: str) -> None:
    """These tests start their own guests; once is enough."""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    path = tmp_path / "suite"
    path.mkdir()
    return Suite(path)


def test_a_failure_explains_itself(suite: Suite) -> None:
    suite.write("test_it.py", FAILING)
    done = suite.run()
    assert done.returncode == 1
    for text in ("ERROR free 0xa0000: mem.unmanaged at=", "-> >", "; usable 0x", "area=low unit=",
                 "they agree: every reply of the session, and every page at its end",
                 " guest map -", " guest map at the beginning -", " guest map, what changed",
                 "MemUnmanaged", "test_it.py::test_it[native]", "session.t", "machine.map"):
        assert text in done.stdout, text
    assert "alias of=" not in done.stdout


def test_whose_page_it_was_and_why_nothing_fits_is_told(suite: Suite) -> None:
    suite.write("test_it.py", """
def test_busy(guest):
    block = guest.alloc_pages(2)
    guest.reserve(block, 1)
def test_full(guest):
    guest.alloc_pages(18)
def test_twice(guest):
    for _ in range(2):
        block = guest.alloc_pages(1)
        guest.line("free_pages $")
    guest.free(block)
def test_left(guest):
    guest.free(guest.alloc_page())
    guest.alloc_pages(2)
    assert False, "on purpose"
""")
    told = suite.run("--memory", "32M").stdout
    assert re.search(r"^-+ what befell 0x\w{16} -+\n"
                     r"1 alloc addr=0x\w{16} pages=4 owner=(\d+)   >\1 alloc_pages 2$", told, re.M)
    assert re.search(r"^-+ why the guest refused -+\nnormal lacks free=0\n", told, re.M)
    freed = re.findall(r"^(\d) (alloc|free) addr=.* owner=(\d+)   >(\d+) (.*)$", told, re.M)[1:]
    assert [(number, command) for number, *_, command in freed] == [
        ("1", "alloc_pages 1"), ("2", "free_pages $"), ("3", "alloc_pages 1"),
        ("4", "free_pages $")]
    first = int(freed[0][3])      # whoever frees a page is not its owner
    assert [(int(owner), int(tag)) for _, _, owner, tag, _ in freed] == [
        (first, first), (first, first + 1), (first + 2, first + 2), (first + 2, first + 3)]
    assert re.search(r"^-+ what is allocated, and who asked for it -+\n"
                     r"0x\w{16} 4 area=\w+ owner=(\d+)   >\1 alloc_pages 2\n-", told, re.M)


def test_an_allocator_out_of_order_is_not_agreed_with(suite: Suite) -> None:
    suite.write("test_it.py", """
def test_it(fresh_guest):
    guest = fresh_guest()
    guest.corrupt("count")
    guest.check()
""")
    told = suite.run().stdout
    assert re.search(r"^they agree up to >\d+ check\n  guest: \?\d+ bug.check ", told, re.M)
    assert "every reply of the session" not in told


def test_a_random_seed_is_in_the_line_that_runs_a_test_again(suite: Suite) -> None:
    suite.write("test_it.py", "def test_it(guest, seed):\n    raise ValueError(f'seed {seed}.')\n")
    told = suite.run("-q").stdout
    seed = re.search(r"ValueError: seed (\d+)\.", told)
    assert seed is not None and f" --seed {seed[1]} " in told


def test_a_guest_that_there_is_not_is_one_line(suite: Suite) -> None:
    suite.write("test_it.py", FAILING)
    done = suite.run("--arch", "mips")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: no such architecture: mips; there is: native " in done.stderr
    assert len(done.stdout.splitlines() + done.stderr.strip().splitlines()) == 1


def test_a_panic_has_its_place_and_a_backtrace_of_source_lines(suite: Suite) -> None:
    pytest.importorskip("elftools")
    suite.write("test_it.py", "def test_it(fresh_guest):\n    fresh_guest().panic()\n")
    done = suite.run()
    assert "PANIC kind=request at=protocol/cmd_session.c:" in done.stdout
    assert re.search(r"0x\w{16} cmd_panic\(\) protocol/cmd_session\.c:\d+", done.stdout)
    assert re.search(r"0x\w{16} session_line\(\) protocol/session\.c:\d+", done.stdout)


def test_a_silent_guest_is_told_from_a_dead_one(suite: Suite) -> None:
    suite.write("test_it.py", """
def test_silent(guest):
    guest.call("stress", 1 << 60, timeout=0.5)
def test_hung(fresh_guest):
    fresh_guest().panic("hang")
def test_clean(guest):
    guest.check()
def test_dead(fresh_guest):
    guest = fresh_guest()
    guest.transport.kill()
    guest.alloc_page()
""")
    done = suite.run()
    assert "3 failed, 1 passed" in done.stdout
    assert len(re.findall(r" -m pfnlab --timeout 5 .* replay", done.stdout)) == 6
    assert re.search(r"LATE >\d+ stress 0x1000000000000000 \(", done.stdout)
    assert re.search(r"HANG >\d+ panic hang \(", done.stdout)
    assert "GONE the guest has ended, exit status -9" in done.stdout
    if shutil.which("gdb-multiarch"):
        assert re.search(r"where the guest is -+\n#0 .*\n(#.*\n)*#\d+ .*\bcmd_stress \(",
                         done.stdout)


def test_an_answer_that_is_not_the_models_is_named(suite: Suite) -> None:
    suite.write("test_it.py", """
from pfnlab import request
def test_it(guest):
    block = guest.alloc_page()
    for entry in list(guest.link.log):      # as if the guest had said something else
        if str(block) in entry.text and entry.way == "<-":
            line = entry.text.rpartition(" *")[0].replace(str(block), "0x0000000000001000")
            entry.text = request.wire.seal(line).decode().strip()
    assert False, "on purpose"
""")
    done = suite.run("--memory", "32M")
    assert re.search(r">\d+ alloc_page\n  guest: =\d+ 0x0000000000001000\n  model: = 0x",
                     done.stdout)


def test_where_the_model_cannot_follow_is_said_in_a_line(suite: Suite) -> None:
    suite.write("test_it.py", """
def test_batch(guest):
    guest.store(0, "alloc_page")
    guest.run(1)
    assert False, "on purpose"
def test_large(guest):
    guest.map_begin()
    guest.map_add(0, 1 << 46)
    guest.map_commit()
    assert False, "on purpose"
""")
    told = suite.run("--memory", "32M").stdout
    for last, why in (("run 1", "run is not modelled"),
                      ("map_commit", "the map is too large for the model")):
        line = rf"^they agree up to >\d+ {last}; from there on not compared: {why}$"
        assert re.search(line, told, re.M)


def test_junit_has_the_report_and_tap_has_the_results(suite: Suite) -> None:
    suite.write("test_it.py", FAILING + """
def test_good(guest):
    guest.check()
import pytest
@pytest.mark.parametrize("n", ["#1"])
def test_not_here(guest, n):
    pytest.skip("not today")
""")
    suite.run("--junitxml", "out.xml", "--tap", "out.tap")
    cases = {case.get("name"): case for case in
             ElementTree.parse(suite.path / "out.xml").iter("testcase")}
    failure = cases["test_it[native]"].find("failure")
    assert failure is not None and "guest against model" in str(failure.text)
    for name, value in (("guest", "native"), ("schema", "0x"), ("started", "build/native/pfnlab")):
        found = cases["test_good[native]"].find(f".//property[@name='pfnlab_{name}']")
        assert found is not None and value in found.get("value", "")
    run = ElementTree.parse(suite.path / "out.xml").find("testsuite/properties")
    assert run is not None and {p.get("name") for p in run} == {"pfnlab_seed", "pfnlab_commit"}
    tap = (suite.path / "out.tap").read_text().splitlines()
    assert tap[0] == "TAP version 13" and tap[-1] == "1..3"
    assert "not ok 1 - test_it.py::test_it[native]" in tap
    assert "ok 2 - test_it.py::test_good[native]" in tap
    assert "ok 3 - test_it.py::test_not_here[native-\\#1] # SKIP not today" in tap
    assert tap.count("  ---") == tap.count("  ...") == 1
    assert any(line.startswith("  message: [") and "mem.unmanaged" in line for line in tap)


def test_marks_narrow_and_expect(suite: Suite) -> None:
    suite.write("test_it.py", """
import pytest
@pytest.mark.needs("alloc_page", "bananas")
def test_needs(guest): assert False
@pytest.mark.needs("alloc_page")
def test_has(guest): guest.alloc_page()
@pytest.mark.arch("s390x")
def test_elsewhere(guest): assert False
@pytest.mark.expect_panic(kind="request")
def test_panics(fresh_guest): fresh_guest().panic()
@pytest.mark.expect_panic(kind="assert")
def test_panics_otherwise(fresh_guest): fresh_guest().panic()
@pytest.mark.expect_panic("assert")
def test_panics_otherwise_by_place(fresh_guest): fresh_guest().panic()
@pytest.mark.expect_panic()
def test_does_not_panic(guest): guest.alloc_page()
""")
    done = suite.run("-rA")
    outcomes = re.findall(r"^(PASSED|FAILED) test_it.py::(\w+)", done.stdout, re.M)
    assert [name for how, name in outcomes if how == "PASSED"] == ["test_has", "test_panics"]
    assert [name for how, name in outcomes if how == "FAILED"] == [
        "test_panics_otherwise", "test_panics_otherwise_by_place", "test_does_not_panic"]
    assert "a panic kind=assert was expected; the guest panicked: % panic kind=req" in done.stdout
    assert "a panic was expected; there was none" in done.stdout
    assert "it is for s390x, this run has native" in done.stdout
    assert "native has no command bananas" in done.stdout
    assert "test_elsewhere" not in re.findall(r"FAILED.*", done.stdout)


def test_fixtures_give_what_they_say(suite: Suite) -> None:
    suite.write("setup.t", ">1 alloc_pages 3\n=1 _\n")
    suite.write("test_it.py", """
import pytest
from pfnlab import errors
def test_session_first(guest_session):
    guest_session.alloc_page(at=0x1000)
def test_session_second(guest_session):
    with pytest.raises(errors.MemBusy):
        guest_session.alloc_page(at=0x1000)
def test_two(two_guests):
    block = two_guests.same("alloc_pages", 3)
    assert two_guests.same("free", block) == 8
    with pytest.raises(errors.MemFree):
        two_guests.same("free", block)
    two_guests[0].alloc_page()
    with pytest.raises(AssertionError, match="alloc_page: native says"):
        two_guests.same("alloc_page")
def test_transcript(guest, transcript):
    run = transcript("setup.t")
    assert guest.free(run.done[1].final.row()[0]) == 8
    with pytest.raises(AssertionError):
        transcript(">1 alloc_page\\n=1 5\\n")
def test_seed(seed):
    assert seed == 77
def test_console(console):
    console.send("echo 5\\r")
    console.expect_exact("= 5")
""")
    done = suite.run("--seed", "77")
    assert "7 passed" in done.stdout, done.stdout        # setup.t is one, too


def test_gdb_on_fail_waits_and_tells_how_to_attach(suite: Suite) -> None:
    suite.write("test_it.py", FAILING)
    done = suite.run("--gdb-on-fail", stdin="\n")
    assert re.search(r"pfnlab: gdb.* -p \d+ ", done.stdout) and "Enter goes on" in done.stdout


def test_a_worker_that_is_killed_leaves_no_process(suite: Suite) -> None:
    suite.write("test_it.py", """
import os, pathlib, pytest, signal
@pytest.mark.parametrize("n", range(4))
def test_it(guest, n):
    guest.alloc_page()
    here = pathlib.Path("pids")
    with here.open("a") as file:
        file.write(f"{guest.transport.process.pid} {guest.transport.directory}\\n")
    if n == 1:
        guest.submit_line("stress 4T")      # it would not see that nobody is there any more
        os.kill(os.getpid(), signal.SIGKILL)
""")
    done = suite.run("-n", "2")
    assert "crashed" in done.stdout and "3 passed" in done.stdout, done.stdout
    guests = dict(line.split() for line in (suite.path / "pids").read_text().splitlines())
    left = [pid for pid in map(int, guests) if outlives(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    for place in guests.values():
        shutil.rmtree(place, ignore_errors=True)
    assert guests and not left


def outlives(pid: int) -> bool:
    """Is there such a process still, after much patience?"""
    try:
        ends = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([ends], [], [], 20)[0]
    finally:
        os.close(ends)


STRANGER = """
import pfnlab, pytest

def test_a_block_is_freed_once(guest):
    block = guest.alloc_pages(3)
    guest.free(block)
    with pytest.raises(pfnlab.errors.MemFree):
        guest.free(block)

def test_two_machines_agree(two_guests):
    two_guests.same("alloc_pages_area", "any", 4)

def test_on_purpose(guest):
    guest.alloc_page()
    guest.reserve(guest.alloc_page(), 1)
"""


def test_a_stranger_installs_it_and_has_a_suite_of_his_own(tmp_path: Path) -> None:
    """The lines of host/README.md, in an empty place, without a network and without PFNLAB_HOME."""
    readme = (HOST / "README.md").read_text()
    lines = re.findall(r"^    (/usr/bin/python3 -m venv .*|\S*pip install .*)$", readme, re.M)
    assert len(lines) == 2
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    env |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    for line in lines:
        subprocess.run(line.replace("PFNLAB", str(HOST.parent)), shell=True, cwd=tmp_path, env=env,
                       check=True, capture_output=True, timeout=120)
    (tmp_path / "test_mine.py").write_text(STRANGER)
    done = subprocess.run(["venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider", "--guest",
                           "native", "--guest", "native?memory=64M"], cwd=tmp_path, env=env,
                          capture_output=True, text=True, timeout=120, check=False)
    assert "2 failed, 4 passed" in done.stdout, done.stdout + done.stderr
    assert "ERROR reserve" in done.stdout and "mem.busy" in done.stdout
    again = next(line for line in done.stdout.splitlines() if " replay " in line)
    assert subprocess.run(again, shell=True, cwd=tmp_path, env=env, timeout=60).returncode == 0
    assert subprocess.run(["venv/bin/pfnlab", "doctor"], cwd=tmp_path, env=env, timeout=60,
                          stdout=subprocess.DEVNULL).returncode == 0
