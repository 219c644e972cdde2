# SPDX-License-Identifier: MIT
"""pfnlab.pool: whoever asks gets a clean guest, whatever the one before did to it."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pfnlab import errors, pool
from pfnlab.qmp import MonitorError
from pfnlab.spec import Spec


class Fake:
    """A guest that is asked to be clean: `does` has what happened to it, `refuses` how often it
    will not, `lost` whether its snapshot is."""

    def __init__(self, name: str) -> None:
        self.name, self.spec = name, Spec(name)
        self.dead, self.lost, self.refuses = False, False, 0
        self.does: list[str] = []
        self.link = SimpleNamespace(overdue=None, drain=lambda: self.does.append("drain"))
        self.transport = SimpleNamespace(status=lambda: -9 if self.dead else None)

    def call(self, name: str, *args: Any) -> None:
        """A command."""
        self.does.append(" ".join(map(str, (name, *args))))
        if self.refuses:
            self.refuses -= 1
            raise errors.class_for("bug.panic")("no", fields={}, text="", request=name, values=())

    def save(self, name: str) -> None:
        """A snapshot."""
        self.does.append(f"save {name}")

    def load(self, name: str) -> None:
        """Back to it."""
        self.does.append(f"load {name}")
        if self.lost:
            raise MonitorError("it is lost")
        self.link.overdue = None

    def kill(self) -> None:
        """By force."""
        self.does.append("kill")

    def close(self) -> None:
        """Orderly."""
        self.does.append("close")


CLEANING = ["drain", "map_machine", "trace 0"]


@pytest.fixture(autouse=True)
def _fakes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "guest_name" not in request.fixturenames:
        monkeypatch.setattr(pool, "Guest", Fake)


def used(name: str = "native", **state: Any) -> tuple[pool.Pool, Any]:
    """A pool whose guest of that name was used, and is in that state."""
    guests = pool.Pool()
    guest: Any = guests.acquire(name)
    guest.does.clear()
    guest.link.overdue = state.pop("overdue", None)
    vars(guest).update(state)
    return guests, guest


def test_a_guest_that_lets_itself_be_cleaned_is_handed_out_again() -> None:
    guests, guest = used()
    assert guests.acquire("native") is guest
    assert guests.how == "reset" and guest.does == CLEANING


def test_a_guest_that_refuses_the_cleaning_is_ended_and_another_one_is_started() -> None:
    guests, guest = used(refuses=1)
    assert guests.acquire("native") is not guest
    assert guests.how == "process" and guest.does == [*CLEANING[:2], "kill"]


@pytest.mark.parametrize("state", [{"dead": True}, {"overdue": 1.0}])
def test_a_guest_that_is_gone_or_busy_for_ever_is_not_even_asked(state: dict[str, Any]) -> None:
    guests, guest = used(**state)
    assert guests.acquire("native") is not guest
    assert guests.how == "process" and guest.does == ["kill"]


@pytest.mark.parametrize(("state", "how", "does"), [
    ({"refuses": 1}, "snapshot", [*CLEANING[:2], "load clean", *CLEANING]),
    ({"overdue": 1.0}, "snapshot", ["load clean", *CLEANING]),
    ({"refuses": 2}, "process", [*CLEANING[:2], "load clean", *CLEANING[:2], "kill"]),
    ({"refuses": 1, "lost": True}, "process", [*CLEANING[:2], "load clean", "kill"]),
    ({"dead": True}, "process", ["kill"])])
def test_a_snapshot_is_the_second_way(state: dict[str, Any], how: str, does: list[str]) -> None:
    guests, guest = used("x86_64?snapshots", **state)
    assert (guests.acquire(guest.name) is guest) == (how == "snapshot")
    assert (guests.how, guest.does) == (how, does)


def test_a_guest_that_is_dropped_is_not_handed_out_again() -> None:
    guests, guest = used()
    guests.drop(guest)
    assert guests.acquire("native") is not guest and guest.does == []


def test_the_guest_that_nobody_has_used_for_longest_makes_room() -> None:
    with pool.Pool(2) as guests:
        first, second = guests.acquire("native"), guests.acquire("native?memory=1G")
        assert guests.acquire("native") is first
        third = guests.acquire("native?memory=2G")
        for guest, ended in ((first, False), (second, True), (third, False)):
            assert ("close" in guest.does) == ended      # type: ignore[attr-defined]
    assert first.does[-1] == third.does[-1] == "close"   # type: ignore[attr-defined]


@pytest.mark.only("native")
@pytest.mark.parametrize("options", ["", "onpanic=stay"])
def test_after_a_crash_another_guest_answers(guest_name: str, options: str) -> None:
    """Killed, nobody has heard of it yet; panicked, its process goes on for queries."""
    with pool.Pool() as guests:
        name = Spec(guest_name).with_options(options).name
        broken: Any = guests.acquire(name)
        broken.alloc_page()
        if options:
            with pytest.raises(errors.GuestPanic):
                broken.panic()
        else:
            broken.transport.kill()
        assert broken.dead
        assert (broken.transport.status() is None) == bool(options)
        guest: Any = guests.acquire(name)
        assert guest is not broken and broken.transport.status() is not None
        assert guest.leaks() == [] and guest.alloc_page()
