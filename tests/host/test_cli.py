# SPDX-License-Identifier: MIT
"""The command `pfnlab`, as a shell calls it."""
from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pfnlab
from pfnlab.cli import VERBS, main
from pfnlab.cli_common import guest_name
from pfnlab.shrink import smaller, without
from pfnlab.spec import MEMORY, Spec
from pfnlab.transcript import Step

HOST = Path(pfnlab.__file__).parents[1]
ROOT = HOST.parent

pytestmark = pytest.mark.only("native")


@pytest.fixture(autouse=True)
def _one_guest(guest_name: str) -> None:
    """These tests start their own guests; once is enough."""


def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The command pfnlab."""
    return subprocess.run([sys.executable, "-m", "pfnlab", *words], input=stdin, text=True,
                          env={**os.environ, "PYTHONPATH": str(HOST)}, capture_output=True,
                          timeout=60, check=False)


def test_send_prints_the_answers() -> None:
    done = run("send", "alloc_pages_area realmode 0", "free $")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1] == "= 1"


def test_who_reads_no_further_hears_no_complaint() -> None:
    with subprocess.Popen([sys.executable, "-m", "pfnlab", "pipe"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": str(HOST)}) as guest:
        assert guest.stdin is not None and guest.stdout is not None and guest.stderr is not None
        guest.stdin.write("echo 5\n")
        guest.stdin.flush()
        assert guest.stdout.readline() == "= 5\n"
        guest.stdout.close()
        guest.stdin.write("echo 6\n")
        guest.stdin.close()
        assert (guest.wait(60), guest.stderr.read()) == (130, "")


def test_dollar_n_is_the_nth_line_given() -> None:
    assert run("send", "alloc_pages 3", "echo 1", "free $1").stdout.splitlines()[-1] == "= 8"
    done = run("pipe", stdin="; text\n>7 alloc_pages 2\n=7 0x0\n>8 free $7\n\n> free $7")
    assert done.stdout.splitlines()[1:] == ["= 4", "? mem.free at=0x000000000ea00000 ; "
                                            "the page is free already"]


@pytest.mark.parametrize(("words", "status"), [
    (("send", "free 0"), 1), (("send", "a\nb"), 2), (("send",), 2), (("nonsense",), 2),
    (("replay", "/nowhere.t"), 2), (("--guest", "native?memory=1M", "send", "info"), 2),
    (("--timeout", "-1", "send", "info"), 2), (("--guest", "unix:/nowhere", "send", "info"), 3),
    (("send", "panic"), 4), (("--timeout", "0.5", "send", "stress 4611686018427387904"), 124)])
def test_the_exit_status_says_what_happened(words: tuple[str, ...], status: int) -> None:
    assert run(*words).returncode == status


def test_a_word_that_the_guest_does_not_know_is_told_in_a_line() -> None:
    told = run("--guest", "native?bananas=1", "send", "check")
    assert told.returncode == 0
    assert [line for line in told.stderr.splitlines() if not line.startswith("pfnlab: ")] == []
    assert "bananas" in told.stderr


def test_what_was_recorded_replays(tmp_path: Path) -> None:
    path = tmp_path / "session.t"
    assert run("record", str(path), stdin="alloc_pages 3\nfree $\nareas\n").returncode == 0
    assert ">2 alloc_pages 3\n" in path.read_text()
    done = run("replay", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_was_recorded_is_in_the_file_when_a_crash_comes(tmp_path: Path) -> None:
    path = tmp_path / "session.t"
    lines = "; a remark, größe\nmark hello\nalloc_pages 3\nfree $2\npanic\ncheck\n"
    assert run("--memory", "64M", "record", str(path), stdin=lines).returncode == 4
    told = path.read_text().splitlines()
    assert told[0] == "; with memory=64M" and told[-1] == ">5 panic" and "; hello" in told
    assert run("replay", str(path), "--no-compare").returncode == 4
    with subprocess.Popen([sys.executable, "-m", "pfnlab", "record", str(path)], cwd=HOST,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write("alloc_page\n")
        child.stdin.flush()
        child.stdout.readline()
        child.kill()
    assert path.read_text().splitlines()[0] == "; with memory=256M"
    assert re.search(r"^>(\d+) alloc_page\n=\1 0x\w+\n\Z", path.read_text(), re.M)


def test_a_transcript_takes_what_it_was_recorded_with_anywhere() -> None:
    for name, wanted in (("native", "memory=256M"), ("unix:/x", ""),
                         ("x86_64?boot=iso&cpus=2&areas=dma:16M,rest&snapshots",
                          "memory=256M&cpus=2&areas=dma:16M,rest"),
                         ("s390x?memory=4G&append=kpool=4M onpanic=stay",
                          "memory=4G&append=kpool%3D4M%20onpanic%3Dstay")):
        assert Spec(name).anywhere == wanted
        assert Spec(name).arguments()[-1:] == Spec("native").with_options(wanted).arguments()[-1:] \
            or not Spec(name).option("append")
    for path in (ROOT / "arch").glob("*/machine.sh"):
        text = path.read_text()
        assert "machine_memory=" not in text or f"machine_memory={MEMORY} " in text


def test_a_remark_may_be_of_any_letters(tmp_path: Path) -> None:
    path = tmp_path / "größe.t"
    path.write_text("; Größe, 大小\n>1 alloc_page\n", "utf-8")
    assert run("replay", str(path)).returncode == 0
    path.write_text(">1 mark größe\n", "utf-8")
    done = run("replay", str(path))
    assert done.returncode == 2 and f"{path}:1: only a remark" in done.stderr
    path.write_bytes(b"\xff\xfe\0")
    done = run("replay", str(path))
    assert done.returncode == 2 and done.stderr == f"pfnlab: {path}: no text\n"


def test_a_replay_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    path = script(tmp_path / "hang.t", "stress 4611686018427387904")
    done = run("--timeout", "0.5", "replay", path)
    assert done.returncode == 124 and "no answer in 0.5 s to: stress" in done.stderr


def test_a_replay_that_differs_shows_expected_and_answered(tmp_path: Path) -> None:
    path = tmp_path / "wrong.t"
    path.write_text(">1 alloc_page\n=1 0x0000000000001000\n")
    done = run("replay", str(path))
    assert done.returncode == 1
    assert "expected: =1 0x0000000000001000" in done.stdout
    assert re.search(r"answered: =1 0x(?!0{12}1000)\w{16}$", done.stdout, re.M)


def test_a_panic_is_told_once_with_its_source_lines(tmp_path: Path) -> None:
    pytest.importorskip("elftools")
    for words in (("send", "panic"), ("replay", script(tmp_path / "p.t", "alloc_page", "panic"))):
        done = run(*words)
        assert done.returncode == 4 and done.stderr.count("% panic ") == 1
        assert re.search(r"^% end panic\n0x\w{16} cmd_panic\(\) protocol/cmd_session\.c:\d+$",
                         done.stderr, re.M)
    told = json.loads(run("--json", "send", "panic").stdout.splitlines()[-1])
    assert " cmd_panic() protocol/cmd_session.c:" in told["backtrace"][0]


# ---- help, completion, JSON ----

def test_the_help_has_an_example_for_each_verb(capsys: Any) -> None:
    def help_of(*words: str) -> str:
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        return str(capsys.readouterr().out)
    told = help_of()
    for verb in VERBS:
        assert verb.example in told
        assert verb.example in help_of(verb.name)
        assert f"pfnlab {verb.name}" in verb.example or f" {verb.name}" in verb.example


def completions(line: str) -> list[str]:
    """What the shell would offer behind the line."""
    done = subprocess.run(
        [sys.executable, "-m", "pfnlab"], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(HOST), "_ARGCOMPLETE": "1", "COMP_LINE": line,
             "COMP_POINT": str(len(line)), "_ARGCOMPLETE_STDOUT_FILENAME": "/dev/stdout"})
    return done.stdout.replace("\013", "\n").split()


def test_a_shell_completes_verbs_options_guests_and_maps() -> None:
    assert {"replay", "record"} <= set(completions("pfnlab re"))
    assert "--diff" in completions("pfnlab replay --di")
    assert "s390x" in completions("pfnlab --guest s")
    assert "laptop" in completions("pfnlab send --map l")
    assert "pfnlab" in run("completion", "bash").stdout
    assert "bashcompinit" in run("completion", "zsh").stdout.splitlines()[0]


def test_the_tutorials_first_lines_teach_bash_to_complete() -> None:
    readme = (HOST / "README.md").read_text()
    lines = re.findall(r"^    (export PYTHONPATH=.*|pfnlab\(\).*)$", readme, re.M)[:2]
    lines += re.findall(r"`(eval [^`]*)`", readme)
    assert len(lines) == 3
    asked = """COMP_LINE='pfnlab repl'; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
               _python_argcomplete pfnlab; echo "${COMPREPLY[@]}" """
    done = subprocess.run(["bash", "--norc", "-c", "\n".join([*lines, asked])],
                          cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["replay"], done.stderr


def test_json_is_one_object_a_line() -> None:
    done = run("send", "--json", "alloc_pages 3", "dump free", "free 1")
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert first["ok"] and first["values"][0] % 0x8000 == 0
    assert second["rows"][0]["fields"]["area"] == "realmode"
    assert not third["ok"] and third["values"] == ["mem.unaligned"]
    assert json.loads(run("--json", "zoo").stdout.splitlines()[0])["name"] == "board_1g"


@pytest.mark.parametrize(("words", "status", "kind"), [
    (["nonsense"], 2, "usage"), (["send"], 2, "usage"),
    (["replay", "/nowhere.t"], 2, "FileNotFoundError"),
    (["twins", "native"], 2, "ValueError"), (["run", "--raw", "unix:x"], 2, "ValueError"),
    (["send", "panic"], 4, "GuestPanic"), (["--guest", "unix:/nowhere", "top"], 3, "GuestGone"),
    (["--timeout", "0.5", "send", "stress 4611686018427387904"], 124, "GuestSilent")])
def test_an_error_is_json_too(words: list[str], status: int, kind: str, capsys: Any) -> None:
    try:
        ended = main(["--json", *words])
    except SystemExit as end:
        ended = end.code                          # argparse's own
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()][-1]
    assert (ended, told["status"], told["kind"]) == (status, status, kind)
    assert told["error"] and told.get("lines", []) == [] or kind == "GuestPanic"


@pytest.mark.parametrize(("words", "told"), [
    (["doctor", "bananas"], "unrecognized arguments: bananas"),
    (["gdb", "unix:/x"], "gdb is for a guest"), (["gdb", "--json"], "--json goes with --batch"),
    (["replay", "/nowhere.t"], "/nowhere.t: No such file"), (["send", "; text"], "no command: "),
    (["replay", "--stop", "1", "x.t"], "--stop goes with --gdb"),
    (["fuzz", "-j", "0"], "a number from 1 on"),
    (["twins", "--commands", "0"], "a number from 1 on"), (["post-mortem", "/nowhere"], "/nowhere"),
    (["post-mortem", __file__], "is no ELF file"), (["run", "--raw", "unix:x"], "--raw starts a"),
    (["post-mortem", "--arch", "mips", "x"], "no such architecture: mips"),
    (["--guest", "tcp:localhost:99999", "send", "info"], "tcp:HOST:PORT is the form"),
    (["--map", "tests", "send", "info"], "no map 'tests'"),
    (["gdb", "mips"], "no such architecture: mips")])
def test_wrong_use_is_told_in_a_line(words: list[str], told: str, capsys: Any) -> None:
    try:
        ended = main(words)
    except SystemExit as end:
        ended = end.code
    said, = capsys.readouterr().err.splitlines()
    assert ended == 2 and told in said and said.startswith("pfnlab")


@pytest.mark.parametrize(("words", "package"), [
    (["fuzz"], "hypothesis"), (["post-mortem", sys.executable], "pyelftools"), (["top"], "rich"),
    (["map", "-o", "x.png"], "matplotlib"), (["completion", "bash"], "argcomplete"),
    (["--guest", "/dev/nothing", "send", "info"], "serial")])
def test_a_missing_package_is_named(words: list[str], package: str, tmp_path: Path) -> None:
    for name in ("hypothesis", "elftools", "rich", "matplotlib", "argcomplete", "serial"):
        (tmp_path / f"{name}.py").write_text(
            f"raise ModuleNotFoundError('it is hidden', name='{name}')\n")
    done = subprocess.run([sys.executable, "-m", "pfnlab", *words], text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": f"{tmp_path}:{HOST}"},
                          capture_output=True, check=False)
    assert done.returncode == 2 and f"python3-{package}" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_searches_and_the_live_view_speak_json_only(capsys: Any, tmp_path: Path) -> None:
    for words in (["twins", "native", "native", "--commands", "20", "--seed", "3"],
                  ["top", "--seconds", "0.1"],
                  ["fuzz", "--fast", "--commands", "20", "--seed", "3", "-o", str(tmp_path)],
                  ["stubs"],
                  ["completion", "bash"]):
        assert main(["--json", *words]) == 0, words
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert told and all(isinstance(one, dict) for one in told), words
        if words[0] == "top":
            assert told[-1]["events"]["alloc"]["count"] > 0 and told[-1]["areas"][0]["blocks"]


# ---- maps ----

def test_a_guest_boots_on_a_map_of_the_zoo_or_of_a_file(tmp_path: Path) -> None:
    assert run("--map", "server_66g", "send", "alloc_pages_area high 18").returncode == 0
    for memory, told in ((None, "native?memory=64M"), ("1G", "native?memory=1G")):
        options = argparse.Namespace(guest="native", map="server_66g", memory=memory)
        assert guest_name(options) == told
    path = tmp_path / "two.map"
    path.write_text("; Two pages.\nmap_add 0x5000 0x2000\n")
    done = run("send", "--map", str(path), "dump free")
    assert done.stdout.startswith(": 0x0000000000005000 1")
    path.write_text("; Wrong.\nmap_add 0x5000\n")
    done = run("send", "--map", str(path), "check")
    assert done.returncode == 2 and f"{path}:2: " in done.stderr
    assert "no map 'nowhere'" in run("send", "--map", "nowhere", "check").stderr


# ---- scripts ----

def script(path: Path, *lines: str) -> str:
    """A transcript of requests."""
    path.write_text("".join(f">{n} {line}\n" for n, line in enumerate(lines, 1)))
    return str(path)


def test_a_difference_of_guests_is_named_by_its_first_line(tmp_path: Path) -> None:
    path = script(tmp_path / "s.t", "alloc_pages 3", "free $1", "dump areas", "peek 2M")
    done = run("replay", path, "--diff", "native?memory=64M,native?memory=1G")
    assert done.returncode == 0 and "the same on all" in done.stdout, done.stdout
    done = run("replay", path, "--diff", "native?memory=64M,native")      # itself once more
    assert done.returncode == 0 and "the same on all" in done.stdout, done.stdout
    assert run("replay", path, "--diff", "native").returncode == 2
    own = script(tmp_path / "own.t", "map_begin", "map_add 1M 1M", "map_commit", "alloc_page",
                 "map_machine", "areas")
    done = run("replay", own, "--diff", "native?areas=dma:16M,rest")
    assert done.returncode == 1
    assert "line 4: >4 alloc_page" not in done.stdout
    assert "line 6: >6 areas" in done.stdout and "native?areas=dma:16M,rest: " in done.stdout


def test_bisect_finds_the_line_after_which_a_condition_holds(tmp_path: Path) -> None:
    lines = ["map_begin", "map_add 1M 64K", "map_commit", *["alloc_page"] * 16]
    path = script(tmp_path / "s.t", *lines)
    done = run("bisect", path, "--until", "alloc_pages 3 == mem.none")
    assert f"{path}:12: >12 alloc_page" in done.stdout, done.stdout + done.stderr
    assert run("bisect", path, "--until", "check == ok").returncode == 2
    assert run("bisect", path, "--until", "bananas < 3").returncode == 2
    assert run("bisect", path, "--until", "nonsense").returncode == 2


def test_a_line_goes_with_the_one_whose_result_it_needs() -> None:
    steps = [Step(n, text, n) for n, text in enumerate(
        ["alloc_page", "free $1", "echo 1", "reserve $2 1", "free $12", "alloc_page at=$3"], 1)]
    assert [step.tag for step in without(steps, 0, 1)] == [3, 5, 6]
    assert [step.tag for step in without(steps, 2, 3)] == [1, 2, 4, 5]


def test_a_line_becomes_smaller_by_its_keys_and_numbers() -> None:
    assert smaller("alloc_pages 3 as=1") == [
        "alloc_pages 0 as=1", "alloc_pages 1 as=1", "alloc_pages 2 as=1", "alloc_pages 3",
        "alloc_pages 3 as=0"]
    assert smaller("malloc 4097") == [f"malloc {n}" for n in (
        0, 1, 2049, 3073, 3585, 3841, 3969, 4033, 4065, 4081, 4089, 4093, 4095, 4096)]
    assert smaller("free $1+2") == ["free $1", "free $1+1"]
    assert smaller("map_add 4096 8192") == []


def test_shrink_keeps_only_what_the_failure_needs(tmp_path: Path) -> None:
    noise = [f"alloc_pages {n % 4} align=64K" for n in range(20)]
    path = script(tmp_path / "s.t", *noise, "alloc_pages 5 as=3", *noise, "panic assert", *noise)
    done = run("--json", "shrink", path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["signature"].startswith("bug.assert at=protocol/")
    assert (tmp_path / "s.min.t").read_text().splitlines()[1:] == [">42 panic assert"]
    path = script(tmp_path / "s.t", *noise, "alloc_pages 5 as=3 align=64K", *noise)
    run("shrink", path, "--until", "free $v3 > 0", "-o", str(tmp_path / "m.t"))
    assert (tmp_path / "m.t").read_text().splitlines()[1:] == [">21 alloc_pages 0 as=3"]
    calm = script(tmp_path / "calm.t", "alloc_page")
    assert "nothing is wrong" in run("shrink", calm).stderr


def test_shrink_finds_a_broken_invariant_that_no_line_asks_for(tmp_path: Path) -> None:
    for more in ([], ["reset", "alloc_page"]):
        path = script(tmp_path / "s.t", "alloc_page", "corrupt count", "alloc_pages 2", *more)
        done = run("--json", "shrink", path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["signature"] == "bug.check invariant=14 in check"
        lines = (tmp_path / "s.min.t").read_text().splitlines()[1:]
        assert [line.partition(" ")[2] for line in lines] == ["corrupt count", "check"]
    path = tmp_path / "s.t"
    path.write_text("; with memory=40M\n; also x86_64?boot=iso\n>1 corrupt count\n>2 check\n")
    assert run("shrink", str(path)).returncode == 0       # it goes on where it was found, too
    assert (tmp_path / "s.min.t").read_text().splitlines()[1:3] == path.read_text().splitlines()[:2]


def test_tags_of_owners_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.t"
    path.write_text(">7 alloc_page\n=7 _\n>9 dump pages $7 1\n:9 $7 1 allocated owner=7\n=9\n")
    assert run("replay", str(path)).returncode == 0
    path.write_text(path.read_text().replace("owner=7", "owner=8"))
    assert run("replay", str(path)).returncode == 1


def test_results_of_long_ago_are_still_known(tmp_path: Path) -> None:
    path = script(tmp_path / "s.t", "alloc_page", *["echo 1"] * 600, "poke $1+0x8 7", "free $1")
    done = run("--json", "replay", path)
    assert json.loads(done.stdout)["ok"]
    assert run("bisect", path, "--until", "free 0x0 == mem.none").returncode == 2
