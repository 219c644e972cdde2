# SPDX-License-Identifier: MIT
"""pfnlab.guest, table, stubs and cli on the native guest."""
from __future__ import annotations

import inspect
import itertools
import os
import pydoc
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import pfnlab
from pfnlab import Address, Guest, errors, stubs, transport
from pfnlab.spec import Spec, project_root
from pfnlab.transport import is_building

HOST = Path(pfnlab.__file__).parents[1]

pytestmark = pytest.mark.only("native")


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


def test_replies_print_as_the_guest_prints_them(guest: Guest) -> None:
    """One without rows, too: it is an empty list that says something."""
    assert "stage=virtual" in str(guest.info()) and str(guest.info()) == repr(guest.info())
    rows = guest.areas()
    assert repr(rows).splitlines() == [*map(repr, rows), repr(rows.final)]


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


def test_help_shows_the_commands(guest: Guest) -> None:
    assert "alloc_pages_area(self, /, areas" in pydoc.plain(pydoc.render_doc(guest))


def test_what_happened_to_the_guest_is_told_whenever_it_is_asked() -> None:
    with Guest("native") as killed, Guest("native") as panicked, Guest("native") as closed:
        os.kill(killed.transport.process.pid, signal.SIGKILL)
        killed.transport.process.wait()
        closed.close()
        with pytest.raises(errors.GuestPanic):
            panicked.panic()
        for _ in range(2):
            with pytest.raises(errors.GuestGone, match="exit status -9"):
                killed.alloc_page()
            with pytest.raises(errors.GuestPanic, match="kind=request"):
                panicked.alloc_page()
            with pytest.raises(errors.GuestGone, match="closed"):
                closed.alloc_page()


def test_a_guest_that_nobody_closes_leaves_nothing(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", "import pfnlab; guest = pfnlab.Guest('native')"],
                   env={**os.environ, "PYTHONPATH": str(HOST), "TMPDIR": str(tmp_path)},
                   timeout=60, check=True)
    assert list(tmp_path.iterdir()) == []


def test_the_native_guest_is_brought_up_to_date(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = project_root() / "build/native/pfnlab"
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel/errors.def").touch()
    (tmp_path / "arch").symlink_to(project_root() / "arch")
    script = tmp_path / "run-guest.sh"
    script.write_text("#!/bin/sh\necho does not compile >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PFNLAB_HOME", str(tmp_path))
    with pytest.raises(errors.GuestGone, match="does not compile"):
        Guest("native")
    script.write_text(f"#!/bin/sh\nmkdir -p build/native\nln -s {program} build/native/\n")
    monkeypatch.chdir(tmp_path)
    with Guest("native") as guest:
        assert guest.echo(1) == 1


def test_an_option_that_the_guest_does_not_know_is_told() -> None:
    with pytest.warns(UserWarning, match="memroy=1G: no such option"):
        Guest("native?memroy=1G").close()


def test_old_results_of_a_pipeline_are_sent_as_numbers(guest: Guest) -> None:
    line = guest.pipeline()
    block = line.alloc_page()
    for i in range(400):
        line.echo(i)
    assert line.free(block).result() == 1


def test_what_is_behind_a_result_of_a_pipeline_is_an_argument(guest: Guest) -> None:
    line = guest.pipeline()
    block = line.alloc_page()
    line.poke(block + 4 + 4, 7)
    assert line.peek(block + 8).result() == 7 and "peek $" in guest.transcript()
    assert (block + 8).result() == block.result() + 8
    for i in range(400):
        line.echo(i)
    assert line.peek(block + 8).result() == 7
    assert line.free(at := block + 8 + -8).result() == 1 and at.result() == block.result()
    with pytest.raises(ValueError, match="only what is behind"):
        line.free(block + 8 + -9)


def test_the_stubs_are_those_of_the_guests_table(guest: Guest) -> None:
    assert stubs.stubs(guest.table) == (HOST / "pfnlab/commands.pyi").read_text(), \
        "stale: python3 -m pfnlab stubs --output host/pfnlab/commands.pyi"


def test_options_of_a_guest_are_those_of_its_start_or_its_command_line() -> None:
    spec = Spec("x86_64?memory=1G&kpool=4M&append=areas=low,high&quiet")
    assert spec.arguments() == ["--memory", "1G", "--append", "areas=low,high kpool=4M quiet"]


def test_the_time_for_an_answer_is_not_that_for_the_start() -> None:
    with pytest.raises(errors.GuestSilent, match="to: stress"), \
            Guest("native", timeout=1e-9) as guest:
        guest.stress(1 << 40)


SLOW = """#!/bin/bash
exec 9<"$PFNLAB_HOME/build" && flock 9
echo $$ >"$PFNLAB_HOME/builds"
until [ -e "$PFNLAB_HOME/enough" ]; do sleep 0.01; done
exec 9<&-
until [ -e "$PFNLAB_HOME/end" ]; do sleep 0.01; done
exit 7
"""


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree whose guest is built first, as long as there is no file `enough`, and ends when there
    is a file `end`; by the clock it is too late whenever somebody looks."""
    for name, text in (("kernel/errors.def", ""), ("build/x", ""), ("run-guest.sh", SLOW)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    path.chmod(0o755)
    (tmp_path / "arch").symlink_to(project_root() / "arch")
    monkeypatch.setenv("PFNLAB_HOME", str(tmp_path))
    clock = itertools.count(0, 60)
    monkeypatch.setattr(transport, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    return tmp_path


def test_a_guest_that_is_built_first_is_not_late(slow: Path, monkeypatch: pytest.MonkeyPatch
                                                 ) -> None:
    """Not in the moment either in which that is done."""
    looks = iter([True, False])

    def building(root: Path) -> bool:
        if next(looks):
            while not (slow / "builds").exists():      # it has not come so far
                time.sleep(0.001)
            assert is_building(root)
            (slow / "enough").touch()
            return True
        while is_building(root):
            time.sleep(0.001)
        (slow / "end").touch()
        os.waitid(os.P_PID, int((slow / "builds").read_text()), os.WEXITED | os.WNOWAIT)
        return False
    monkeypatch.setattr(transport, "is_building", building)
    with pytest.raises(errors.GuestGone, match="ended with status 7"):
        Guest("x86_64", boot_timeout=50)


def test_a_guest_that_makes_no_line_is_late(slow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "is_building", lambda root: False)
    with pytest.raises(errors.GuestSilent, match="no serial line in 50 s"):
        Guest("x86_64", boot_timeout=50)
