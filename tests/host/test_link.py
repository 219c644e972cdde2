# SPDX-License-Identifier: MIT
"""pfnlab.link against a guest without a kernel, over a line that damages bytes."""
from __future__ import annotations

import os
import queue
import select
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pfnlab import errors, wire
from pfnlab.channel import Channel
from pfnlab.link import Link
from pfnlab.request import Request, Result
from pfnlab.transport import Transport
from pfnlab.vigil import Silence

FAKE = Path(__file__).with_name("fake_guest.py")


@contextmanager
def linked(seed: int = 1, per_million: int = 0, mode: str = "", silence: float = 0.5
           ) -> Iterator[Link]:
    """A link to a fake guest."""
    transport = Transport.command([sys.executable, str(FAKE), str(seed), str(per_million), mode])
    try:
        link = Link(transport, silence=silence)
        link.connect(20)
        yield link
    finally:
        transport.close()


def final(link: Link, text: str) -> str:
    """The final line of one request, without its tag."""
    request = link.wait(link.submit(text.split(), "query" if "get" in text else "mutator"))
    assert request.final is not None
    return f"{request.final.sigil} {' '.join(request.final.words)}"


def test_the_checksum_is_crc_16_ccitt_false() -> None:
    assert wire.checksum(b"123456789") == "29b1"


@pytest.mark.parametrize("line", [b"=1 5 *0000", b"=1 5 *ABCD", b"hello", b"", b"=01 5",
                                  b"=1\x005", b"=1 \xff"])
def test_a_line_that_is_damaged_or_none_of_ours_is_not_parsed(line: bytes) -> None:
    assert wire.parse(line) is None


def test_a_log_line_has_no_checksum_whatever_it_looks_like() -> None:
    line = wire.parse(b"; x *1234")
    assert line is not None
    assert (line.text, line.sealed, line.raw) == ("x *1234", False, "; x *1234")


def test_a_request_is_answered() -> None:
    with linked() as link:
        assert final(link, "add 5") == "= 5"
        assert final(link, "add 2") == "= 7"
        assert final(link, "get") == "= 7"
        assert final(link, "nonsense") == "? call.command"
        assert link.recoveries == 0


def test_results_of_requests_under_way_are_arguments() -> None:
    with linked() as link:
        first = link.submit(["add", "21"], "mutator")
        second = link.submit(["add", Result(first)], "mutator")
        assert link.wait(second).final.words == ["42"]       # type: ignore[union-attr]


def test_no_more_is_under_way_than_the_credit_allows() -> None:
    with linked() as link:
        for _ in range(200):
            link.submit(["add", "1"], "mutator")
            assert link._outstanding <= 512
        link.drain()
        assert final(link, "get") == "= 200"


@pytest.mark.parametrize("seed", range(8))
def test_everything_runs_exactly_once_over_a_noisy_line(seed: int) -> None:
    with linked(seed, per_million=2000) as link:
        requests = [link.submit(["add", "1"], "mutator") for _ in range(150)]
        for n, request in enumerate(requests, 1):
            assert link.wait(request, 60).final.words == [str(n)]    # type: ignore[union-attr]
        link.drain()
        assert final(link, "get") == "= 150"
        assert link.recoveries > 0


def test_rows_over_a_noisy_line_are_whole_or_asked_for_again() -> None:
    with linked(7, per_million=1000) as link:
        for _ in range(20):
            request = link.wait(link.submit(["list", "12"], "query"), 60)
            assert [row[0] for row in request.rows] == list(range(12))
        assert link.recoveries > 0


def test_a_lost_query_is_not_asked_again_when_something_changed_since() -> None:
    for seed in range(600):
        with linked(seed, per_million=5000) as link:
            query = link.submit(["get"], "query")
            change = link.submit(["add", "1"], "mutator")
            link.wait(change, 60)
            try:
                assert link.wait(query, 60).final.words == ["0"]     # type: ignore[union-attr]
            except errors.LinkLost:
                return
    pytest.fail("no reply was lost: this test showed nothing")


def test_an_answer_that_the_guest_kept_no_more_is_lost_and_not_invented() -> None:
    original = Request(["add", "1"], "mutator", tag=3)
    again = Request(["again", "3"], "session", tag=900, repeats=original)
    answer = wire.parse(b"?900 call.reference arg=request ; the variable holds no value")
    assert answer is not None
    again.finish(answer)
    assert again.done and original.done and original.lost and original.final is None


def test_a_panic_is_named_at_once() -> None:
    with linked() as link:
        with pytest.raises(errors.GuestPanic, match="at=fake"):
            final(link, "boom")
        with pytest.raises(errors.GuestPanic):
            final(link, "get")


def test_an_end_is_named_with_its_status() -> None:
    with linked() as link:
        with pytest.raises(errors.GuestGone, match="exit status 3"):
            final(link, "exit")


def test_silence_is_an_error_in_time() -> None:
    with linked(silence=30) as link:
        with pytest.raises(errors.GuestSilent, match="hush"):
            link.wait(link.submit(["hush"], "mutator"), timeout=0.3)


class Still(Channel):
    """A line whose clock stands still, but for what somebody waits; `says` is what comes when a
    request is sent, None its end, `status` that of its process then."""

    def __init__(self, says: list[str | None], status: int | None = None, deaf: bool = False
                 ) -> None:
        super().__init__()
        self.time = 0.0
        self.says, self.end_status, self.deaf = says, status, deaf
        self.inbox: deque[bytes | None] = deque()
        self.closed = threading.Event()

    def now(self) -> float:
        return self.time

    def receive(self) -> bytes:
        self.closed.wait()
        return b""

    def send(self, data: bytes, deadline: float) -> None:
        words = data.decode().split()
        if "sync" in words and not self.inbox and self.says:
            self.inbox.append(wire.seal(f"=0 {words[words.index('sync') + 1]} proto=1 arch=still "
                                        "line=200 rx=512 slots=64 last=0").rstrip())
            return
        self.inbox += [None if line is None else wire.seal(line).rstrip() for line in self.says]
        self.says = []
        if self.deaf:
            raise errors.GuestGone("nobody takes it")

    def wait(self, timeout: float) -> int | None:
        self.time += timeout if self.end_status is None else 0
        return self.end_status

    # ---- in the place of the link's own inbox: no thread is in between ----

    def empty(self) -> bool:
        return not self.inbox

    def get(self, timeout: float) -> bytes | None:
        if self.inbox:
            return self.inbox.popleft()
        self.time += timeout
        raise queue.Empty

    def put(self, line: bytes | None) -> None:
        """What the thread that reads would put."""


PANIC = "% panic kind=assert at=still"
AT_MOST = 2.0                     # seconds, from what happened until it is told


@pytest.mark.parametrize(("says", "more", "kind", "told"), [
    ([PANIC, "% reg r1=0x0000000000000000", "% end panic"], {}, errors.GuestPanic, "at=still"),
    ([PANIC, "% reg r1=0x0000000000000000"], {}, errors.GuestPanic, "at=still"),
    ([PANIC, None], {"status": 4}, errors.GuestPanic, "at=still"),
    ([None], {}, errors.GuestGone, "the serial line broke"),
    ([None], {"status": -9}, errors.GuestGone, "exit status -9"),
    (["% boot proto=1 arch=still"], {}, errors.GuestGone, "restarted"),
    (["% alloc 5"], {"deaf": True}, errors.GuestGone, "the serial line broke"),
    ([PANIC], {"deaf": True}, errors.GuestPanic, "at=still"),
    ([None], {"deaf": True, "status": 3}, errors.GuestGone, "exit status 3")])
def test_an_end_is_told_within_two_seconds_however_long_one_would_wait(
        says: list[str | None], more: dict[str, Any], kind: type[Exception], told: str) -> None:
    line = Still(says, **more)
    link = Link(line)
    link._inbox = line  # type: ignore[assignment]
    link.connect(10, booting=False)
    began = line.time
    try:
        with pytest.raises(kind, match=told):
            link.wait(link.submit(["add", "1"], "mutator"), timeout=1000)
        assert line.time - began <= AT_MOST
        with pytest.raises(kind, match=told):         # and whoever asks later is told the same
            link.submit(["add", "1"], "mutator")
        with pytest.raises(kind, match=told):
            link.poll()
        assert line.time - began <= AT_MOST
    finally:
        line.closed.set()


@pytest.mark.parametrize(("says", "known", "rows"), [
    (["=1 5", ":2 7", "=2 n=1", "=3 6", PANIC, "% end panic"], [1, 2, 3], 1),
    (["=1 5", ":2 7", "=2 n=1", None], [1, 2], 1),
    (["=1 5", "noise", "=2 n=1", "=3 6", None], [1, 3], 0),      # a row may be missing
    (["=1 5", "=3 6", None], [1, 3], 0),                         # so it may here
    (["=1 5", "? link.checksum", "?3 link.form", None], [1, 3], 0)])
def test_what_was_answered_before_an_end_is_known(says: list[str | None], known: list[int],
                                                  rows: int) -> None:
    """Also if the end is noticed by a line that nobody takes any more."""
    line = Still(says)
    link = Link(line)
    link._inbox = line  # type: ignore[assignment]
    link.connect(10, booting=False)
    line.says = []
    try:
        requests = [link.submit([name, "1"], kind) for name, kind in [
            ("add", "mutator"), ("list", "query"), ("add", "mutator")]]
        line.says, line.deaf = says, True
        with pytest.raises(errors.GuestGone):
            link.submit(["add", "1"], "mutator")
        assert [r.tag for r in requests if r.done] == known and len(requests[1].rows) == rows
        for request in requests:
            if request.done:
                assert link.wait(request, timeout=0) is request
            else:
                with pytest.raises(errors.GuestGone):
                    link.wait(request, timeout=1000)
        assert link.recoveries == 0
    finally:
        line.closed.set()


def test_a_line_that_is_taken_again_is_recovered_as_before() -> None:
    """A machine that went back to a snapshot, or a cable that is in its place again."""
    line = Still([None], deaf=True)
    link = Link(line)
    link._inbox = line  # type: ignore[assignment]
    link.connect(10, booting=False)
    try:
        with pytest.raises(errors.GuestGone):
            link.submit(["add", "1"], "mutator")
        line.says, line.deaf = ["noise"], False
        link.connect(10, booting=False)
        link.submit(["add", "1"], "mutator")
        line.says = ["=1 5"]
        link.poll()
        assert link.recoveries == 1 and link.strict
    finally:
        line.closed.set()


def test_a_panic_is_told_whole_to_whoever_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """And by the guest's own clock, which may stand still between two lines."""
    def stand_still(line: Still, timeout: float) -> bytes | None:
        if not line.inbox and line.time < 60:
            line.time += timeout
            if line.time > 59:
                line.inbox += [wire.seal(text).rstrip() for text in ("% reg r1=5", "% end panic")]
            raise queue.Empty
        return got(line, timeout)
    got = Still.get
    line = Still([PANIC])
    link = Link(line)
    link._inbox = line  # type: ignore[assignment]
    link.connect(10, booting=False)
    monkeypatch.setattr(Still, "get", stand_still)
    monkeypatch.setattr(Silence, "_passed", lambda *looks: 0.0)
    try:
        link.submit(["add", "1"], "mutator")
        with pytest.raises(errors.GuestPanic) as caught:
            link.poll()
        assert caught.value.lines == [PANIC, "% reg r1=5", "% end panic"]
    finally:
        line.closed.set()


def test_a_panic_outranks_a_time_that_is_up() -> None:
    line = Still([PANIC, "% end panic"])
    link = Link(line)
    link._inbox = line  # type: ignore[assignment]
    link.connect(10, booting=False)
    try:
        with pytest.raises(errors.GuestPanic):
            link.wait(link.submit(["add", "1"], "mutator"), timeout=0)
    finally:
        line.closed.set()


def test_a_guest_that_promised_signs_of_life_and_gives_none_hangs() -> None:
    with linked(mode="signs", silence=0.2) as link:
        with pytest.raises(errors.GuestHung, match="hang 7"):
            link.wait(link.submit(["hang", "7"], "mutator"), timeout=600)
        assert link.overdue


class Counted:
    """The guest's own clock, as far as it was looked at: a second for each look."""

    def __init__(self, transport: object) -> None:
        self.seconds = 0.0

    def go_on(self) -> None:
        """Another look."""
        self.seconds += 1


def test_a_long_reply_whose_rows_come_is_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pfnlab.link.Silence", Counted)
    with linked(mode="signs") as link:
        assert len(link.wait(link.submit(["dig", "50"], "query"), work=4).rows) == 50


def test_a_guest_that_answers_sync_does_not_hang() -> None:
    with linked(mode="signs", silence=0.1) as link:
        link.wait(link.submit(["hush"], "mutator"), timeout=600)
        assert link.recoveries == 1 and final(link, "add 3") == "= 3"


def test_a_guest_that_promised_nothing_is_silent_and_no_more() -> None:
    with linked(silence=0.2) as link:
        with pytest.raises(errors.GuestSilent) as caught:
            link.wait(link.submit(["hang"], "mutator"), timeout=3)
        assert not isinstance(caught.value, errors.GuestHung)


def test_another_version_of_the_protocol_is_refused_by_number() -> None:
    with pytest.raises(errors.ProtocolMismatch, match="version 99"):
        with linked(mode="version"):
            pass


def test_a_transcript_has_requests_and_replies_without_checksums() -> None:
    with linked() as link:
        final(link, "add 5")
        assert link.log.transcript().splitlines()[-2:] == [">1 add 5", "=1 5"]


def test_classes_of_errors_are_made_from_their_words() -> None:
    assert errors.MemNone is errors.class_for("mem.none")
    assert issubclass(errors.MemNone, errors.MemError)
    assert issubclass(errors.class_for("odd.thing"), errors.GuestError)
    with pytest.raises(AttributeError):
        errors.Nonsense


def test_the_guest_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = ("import os, sys; from pfnlab.transport import Transport\n"
              f"t = Transport.command([sys.executable, {str(FAKE)!r}, '1', '0'])\n"
              "t.receive(); print(t.process.pid, flush=True); os.kill(os.getpid(), 9)\n")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={
        **os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(FAKE.parents[2] / "host")},
        check=False)
    pid = int(done.stdout)
    try:
        ends = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([ends], [], [], 20)[0], "the guest outlived its owner"
    os.close(ends)
