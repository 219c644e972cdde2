# SPDX-License-Identifier: MIT
"""pfnlab.guest, table, stubs and cli on the native guest."""
from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pfnlab
from pfnlab import Address, Guest, errors, stubs
from pfnlab.transport import Spec

HOST = Path(pfnlab.__file__).parents[1]

pytestmark = pytest.mark.only("native")


def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The command pfnlab."""
    return subprocess.run([sys.executable, "-m", "pfnlab", *words], input=stdin, text=True,
                          env={**os.environ, "PYTHONPATH": str(HOST)}, capture_output=True,
                          timeout=60, check=False)


def test_every_command_and_alias_is_a_method_with_its_text(guest: Guest) -> None:
    for name in [*guest.table.commands, *guest.table.aliases]:
        assert name in dir(guest)
        assert getattr(guest, name).__doc__


def test_a_method_has_the_signature_of_its_command(guest: Guest) -> None:
    signature = inspect.signature(guest.alloc_pages_area)
    assert list(signature.parameters)[:2] == ["areas", "order"]
    assert signature.parameters["as_"].kind is inspect.Parameter.KEYWORD_ONLY
    assert signature.return_annotation == "Address"


@pytest.mark.parametrize(("args", "keys"), [((), {}), (("low",), {}), (("low", 1, 2), {}),
                                            (("low", 1), {"colour": 1}),
                                            (("low", 1), {"order": 1})])
def test_a_wrong_call_is_a_type_error_and_nothing_is_sent(
        guest: Guest, args: tuple[object, ...], keys: dict[str, object]) -> None:
    tag = guest.link.next_tag
    with pytest.raises(TypeError):
        guest.alloc_pages_area(*args, **keys)
    assert guest.link.next_tag == tag


def test_what_is_no_command_is_an_attribute_error(guest: Guest) -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        guest.nonsense  # noqa: B018


def test_addresses_print_as_the_guest_prints_them(guest: Guest) -> None:
    block = guest.alloc_page()
    assert isinstance(block, Address)
    assert f"{block}" == str(block) == repr(block) == f"0x{int(block):016x}"
    assert isinstance(block + 4096, Address)
    assert guest.transcript().splitlines()[-1].endswith(str(block))


def test_an_error_has_its_class_its_fields_and_its_request(guest: Guest) -> None:
    with pytest.raises(errors.MemError) as caught:
        guest.free(0xa0000)
    assert type(caught.value) is errors.MemUnmanaged
    assert caught.value.at == 0xa0000
    assert caught.value.request == "free 0xa0000"
    assert caught.value.text


def test_sets_of_areas_may_be_lists(guest: Guest) -> None:
    assert guest.alloc_pages_area(["lowest", "realmode"], 0) < 1 << 24


def test_a_line_that_is_no_request_is_an_error_and_the_session_goes_on(guest: Guest) -> None:
    first, second = guest.submit_line("sync 3"), guest.pipeline().alloc_page()
    assert isinstance(first.error(), errors.LinkForm)
    assert second.result()


@pytest.mark.parametrize("text", ["echo \x01", "echo ü", "a\nb"])
def test_a_line_that_cannot_be_sent_is_refused_here(guest: Guest, text: str) -> None:
    with pytest.raises(ValueError):
        guest.line(text)


def test_a_line_that_is_too_long_is_refused_here(guest: Guest) -> None:
    with pytest.raises(ValueError):
        guest.line("echo " + " " * 1100 + "1")


def test_old_results_of_a_pipeline_are_sent_as_numbers(guest: Guest) -> None:
    line = guest.pipeline()
    block = line.alloc_page()
    for i in range(400):
        line.echo(i)
    assert line.free(block).result() == 1


def test_the_stubs_are_those_of_the_guests_table(guest: Guest) -> None:
    assert stubs.stubs(guest.table) == (HOST / "pfnlab/commands.pyi").read_text(), \
        "stale: python3 -m pfnlab stubs --output host/pfnlab/commands.pyi"


def test_options_of_a_guest_are_those_of_its_start_or_its_command_line() -> None:
    spec = Spec("x86_64?memory=1G&kpool=4M&append=areas=low,high&quiet")
    assert spec.arguments() == ["--memory", "1G", "--append", "areas=low,high kpool=4M quiet"]


# ---- the command ----

def test_send_prints_the_answers() -> None:
    done = run("send", "alloc_pages_area realmode 0", "free $")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1] == "= 1"


@pytest.mark.parametrize(("words", "status"), [
    (("send", "free 0"), 1), (("send",), 2), (("nonsense",), 2), (("replay", "/nowhere.t"), 2),
    (("--guest", "native?memory=1M", "send", "info"), 3), (("send", "panic"), 4),
    (("--timeout", "0.5", "send", "stress 4611686018427387904"), 124)])
def test_the_exit_status_says_what_happened(words: tuple[str, ...], status: int) -> None:
    assert run(*words).returncode == status


def test_what_was_recorded_replays(tmp_path: Path) -> None:
    path = tmp_path / "session.t"
    assert run("record", str(path), stdin="alloc_pages 3\nfree $\nareas\n").returncode == 0
    assert ">2 alloc_pages 3\n" in path.read_text()
    done = run("replay", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_replay_that_differs_shows_expected_and_answered(tmp_path: Path) -> None:
    path = tmp_path / "wrong.t"
    path.write_text(">1 alloc_page\n=1 0x0000000000001000\n")
    done = run("replay", str(path))
    assert done.returncode == 1
    assert "expected: =1 0x0000000000001000" in done.stdout


# ---- the plugin ----

def test_a_failure_shows_transcript_log_map_and_how_to_run_it_again(tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text("def test_it(guest):\n    guest.alloc_page()\n    guest.free(0xa0000)\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "pfnlab.plugin", "-p", "no:cacheprovider",
         "--guest", "native", str(test)], env={**os.environ, "PYTHONPATH": str(HOST)},
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    for text in ("-> >", "free 0xa0000", "; usable 0x", "area=low unit=", "MemUnmanaged",
                 "-m pytest", "test_it.py::test_it[native]"):
        assert text in done.stdout, text
