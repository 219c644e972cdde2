# SPDX-License-Identifier: MIT
"""A strict session over a transport: every request runs exactly once, or the caller learns why not.

All happens in the caller's thread, which must be one at a time, but for what Ear does.
"""
from __future__ import annotations

import math
import secrets
from collections import deque
from collections.abc import Callable, Sequence

from pfnlab import wire
from pfnlab.channel import Channel
from pfnlab.ear import QUIET, Ear
from pfnlab.errors import GuestGone, GuestHung, GuestSilent, LinkLost, ProtocolMismatch
from pfnlab.request import Request, Result, refused
from pfnlab.values import Value
from pfnlab.vigil import LOOK, Silence

__tracebackhide__ = True          # pytest shows the line of the test, not ours

SYNC_INTERVAL = 0.2               # seconds between two tries to be heard
SYNC_TRIES = 20                   # so many tries soon after each other, then rarely: a guest that
SYNC_PAUSE = 5.0                  # is busy answers them all later, and its input has an end
RECOVERY_PATIENCE = 10.0          # seconds for a sync and its answer to come through the noise
QUIET_AT_WORK = 0.8               # seconds, as QUIET, of a guest that gives signs of life
HUNG_TRIES = 5                    # round trips without a word, after which it hangs
LONG = 300.0                      # seconds: what is still at work then is given up, too


class Link(Ear):
    """The session. `hello` holds the fields of the guest's answer to `sync`."""

    def __init__(self, transport: Channel, silence: float | None = None) -> None:
        super().__init__(transport)
        self.silence = silence or QUIET   # seconds without a line, by the guest's clock
        self.hello: dict[str, Value] = {}
        self.recoveries = 0
        self.round_trip = 0.0         # seconds, of the last sync
        self.strict = False
        # Somebody gave up waiting, after so many seconds: a command may still run.
        self.overdue: float | None = None
        self.deadline = 0.0           # of the request that is waited for
        self.on_log: Callable[[str], None] | None = None
        self._impatient = silence is not None
        self._pending: deque[Request] = deque()
        self._outstanding = 0
        self._last = 0

    # ---- lines ----

    def _pump(self, deadline: float) -> bool:
        """Handle one line; False if none came in time."""
        data = self.take(deadline)
        if data is None:
            return False
        self.handle(data)
        return True

    def handle(self, data: bytes) -> None:
        line = wire.parse(data)
        if line is not None and (line.sealed or line.sigil in ";%" or not self.strict):
            self._dispatch(line)
        elif self.strict and data.strip() not in (b"", b">"):
            self._recover(f"a damaged line: {data!r}")

    def _listen(self, quiet: float, deadline: float = math.inf) -> bool:
        """The same; False also if the guest was silent for so many seconds by its own clock."""
        silence = Silence(self.transport)
        while silence.seconds < quiet and (now := self.transport.now()) < deadline:
            if self._pump(min(deadline, now + LOOK)):
                return True
            silence.go_on()
        if self.transport.held():
            return self._listen(quiet, deadline)
        return self._pump(self.transport.now())     # it may have come while nobody looked

    def _dispatch(self, line: wire.Line) -> None:
        if line.sigil == "%":
            self.event(line)
        elif line.sigil == ";" and self.on_log is not None:
            self.on_log(line.raw)
        elif refused(line):
            if line.words[0] == "link.form":
                self._late(line)        # it came whole and is no request: nothing will mend it
            if self.strict:
                self._recover("the guest refused a line: " + line.raw)
        elif line.sigil in "=?:" and line.tag and self.strict:
            self._answer(line)
        elif line.sigil in "=?" and line.tag and line.sealed:
            self._late(line)

    def _answer(self, line: wire.Line) -> None:
        request = next((r for r in self._pending if r.answers(line.tag)), None)
        if request is None or request.done:
            return
        if line.sigil == ":":
            request.rows.append(line.row())
            return
        request.finish(line)
        missing = self._pending[0]
        if missing is not request and not missing.done:
            self._recover(f"the reply to request {missing.tag} is missing")
        self._settle()

    def _settle(self) -> None:
        """Return the credit of requests whose outcome is known."""
        while self._pending and self._pending[0].done:
            self._outstanding -= self._pending.popleft().size

    def poll(self) -> None:
        """Handle what has come in, without waiting."""
        while self._pump(self.transport.now()):
            pass

    # ---- the session ----

    def connect(self, timeout: float = 60.0, booting: bool = True) -> None:
        """Begin a session, whatever went over the line before.

        A guest that boots is not disturbed until it says so: boot loaders take keys as commands.
        """
        deadline = self.transport.now() + timeout
        self.connected, self.leaving, self.overdue = False, False, None
        if self._reader.is_alive():
            self.reason, self._panic = None, []
        for request in self._pending:
            request.lost = not request.done
        self._settle()
        if booting:
            self._await_boot(deadline)
        self._sync(deadline)
        self.connected = True
        if "signs" in self.hello and not self._impatient:
            self.silence = max(QUIET_AT_WORK, HUNG_TRIES * self.round_trip)
        version = self.hello.get("proto")
        if version != wire.VERSION:
            raise ProtocolMismatch(f"the guest speaks version {version} of the protocol, "
                                   f"this package version {wire.VERSION}")

    def _await_boot(self, deadline: float) -> None:
        while True:
            data = self.take(deadline)
            if data is None:
                raise GuestSilent("the guest does not boot")
            line = wire.parse(data)
            if line is not None and line.sigil == "%":
                self.event(line)
                if line.words[:1] == ["boot"]:
                    return

    def _sync(self, deadline: float, wake: bytes = wire.INTERRUPT) -> None:
        """Say sync until it is answered; afterwards the guest has nothing half-read."""
        self.strict = False
        tries = 0
        silence, heard = Silence(self.transport), self.heard
        while self.transport.now() < deadline:
            nonce = f"0x{secrets.randbits(63):016x}"
            data = wake + b"\n" + wire.request(0, f"sync {nonce}")
            self.log.note("->", ("^C, " if wake else "") + f">0 sync {nonce}")
            sent = self.transport.now()
            self.send(data, deadline)
            tries += 1
            pause = SYNC_INTERVAL if tries < SYNC_TRIES else SYNC_PAUSE
            if self._await_sync(int(nonce, 0), min(deadline, self.transport.now() + pause)):
                self.strict = True
                self.round_trip = self.transport.now() - sent
                return
            silence.go_on()
            if heard != self.heard:
                silence, heard = Silence(self.transport), self.heard
            elif not wake and silence.seconds >= HUNG_TRIES * max(SYNC_INTERVAL, self.round_trip):
                raise self._hung()
        raise GuestSilent("the guest does not answer")

    def patience(self) -> float:
        """Seconds after which a reply is overdue on a machine as fast as this one was just now. One
        that gives signs of life may take its time."""
        return LONG if "signs" in self.hello else min(max(20.0, 2000 * self.round_trip), LONG)

    def _hung(self, how: str = "without a sign of life") -> GuestSilent:
        """Nothing was heard, neither of the request that runs nor of any other; or too much."""
        if "signs" not in self.hello:
            return GuestSilent("the guest does not answer")
        self.overdue = self.silence
        runs = next((request.text() for request in self._pending if not request.done), "")
        return GuestHung(f"the guest hangs, {how}, in: {runs}")

    def _await_sync(self, nonce: int, deadline: float) -> bool:
        """Wait for the answer to the last try. That to an earlier one says nothing: the line of the
        last one is still on its way, and if it loses its checksum there, the session ends."""
        while (data := self.take(deadline)) is not None:
            line = wire.parse(data)
            if line is None or not line.sealed:
                continue
            if line.sigil == "%":
                self.event(line)
            elif line.sigil == "=" and line.tag == 0 and line.row().values[:1] == (nonce,):
                self.hello = line.row().fields
                self._last = int(self.hello.get("last", 0))
                return True
            elif line.sigil in "=?" and line.tag and not refused(line):
                self._late(line)
        return False

    def _late(self, line: wire.Line) -> None:
        """A final of before the damage. That of a query is worth nothing: a row may be missing."""
        for request in self._pending:
            if request.answers(line.tag) and not request.done and (
                    request.kind != "query" or refused(line)):
                request.finish(line)

    def _recover(self, why: str) -> None:
        """Find out what ran, and bring every pending request to its end.

        Without ^C: silence may just as well be a command that takes its time.
        """
        if self.leaving:                # nobody is there to ask, and what comes yet is late
            self.strict = False
            return
        self.recoveries += 1
        self.log.note("--", "recovery: " + why)
        self._sync(max(self.deadline, self.transport.now() + RECOVERY_PATIENCE), wake=b"")
        ran = self._last
        pending, self._pending = list(self._pending), deque()
        self._outstanding = 0
        mutated = max((r.tag for r in pending if r.tag <= ran and r.kind != "query"), default=0)
        for request in pending:
            if request.done:
                continue
            request.rows.clear()
            if request.tag > ran or request.repeats is not None:
                self._transmit(request)
            elif request.kind != "query":
                self._transmit(Request(["again", str(request.tag)], "session", repeats=request))
                self._finish(request)   # one by one: each takes a tag, and finals are few
            elif request.tag < mutated:
                request.lost = True     # asked again, it could say something else
            else:
                self._transmit(request)

    def _transmit(self, request: Request) -> None:
        """Give the request the next tag and send it."""
        request.words = [self._reachable(word) for word in request.words]
        self._last += 1
        request.tag = self._last
        data = wire.request(request.tag, request.text())
        request.size = len(data)
        self._pending.append(request)
        self._outstanding += request.size
        self.log.note("->", data.rstrip(b"\n"))
        self.send(data, self.transport.now() + QUIET)

    def _finish(self, request: Request) -> None:
        """Wait for its end, however long it takes."""
        while not request.done:
            if not self._listen(self.silence):
                self._recover("silence")

    def _reachable(self, word: str | Result) -> str | Result:
        """The result of an earlier request as a number, if its tag is too long ago by now: what was
        repeated since has used tags up."""
        if isinstance(word, str) or self._last + 1 - word.of.tag < self.limit("slots", 1):
            return word
        self._finish(word.of)
        return word.number()

    @property
    def next_tag(self) -> int:
        """The tag that the next request gets."""
        return self._last + 1

    def limit(self, name: str, otherwise: int) -> int:
        """A limit that the guest announced."""
        value = self.hello.get(name, otherwise)
        return value if isinstance(value, int) else otherwise

    def submit(self, words: Sequence[str | Result], kind: str) -> Request:
        """Send a request without waiting for its answer, as soon as the credit allows it."""
        request = Request(words, kind, tag=self._last + 1)
        if not (request.text().isascii() and request.text().isprintable()):
            raise ValueError(f"the line takes printable ASCII only: {request.text()!r}")
        size = len(wire.request(request.tag, request.text()))
        if size - 1 > self.limit("line", 255):
            raise ValueError(f"the line is longer than the guest takes: {size - 1} bytes")
        while self._pending and (
                self._outstanding + size > self.limit("rx", 1)
                or self._last - self._pending[0].tag > self.limit("slots", 3) // 3):
            if not self._listen(self.silence):
                self._recover("silence")
        self._transmit(request)
        return request

    def wait(self, request: Request, timeout: float = 20.0, work: float = math.inf) -> Request:
        """Wait until the outcome of a request is known. GuestHung: also if the guest was at work
        for more than `work` seconds by its own clock, from its first sign of life or its latest row
        on, or silent for so long."""
        deadline = self.deadline = self.transport.now() + timeout
        patience, signs, worked = self.silence, self.signs, Silence(self.transport)
        rows = 0
        while not request.done:
            heard = self._listen(min(patience, work), deadline)
            if heard and self.signs != signs and work < math.inf:
                if len(request.rows) != rows:           # a long reply is no hang
                    worked = Silence(self.transport)
                signs, rows = self.signs, len(request.rows)
                worked.go_on()
            if worked.seconds >= work:
                self.poll()               # its end may have come while nobody looked
            if worked.seconds >= work and not request.done:
                raise self._hung(f"at work for more than {work:g} s")
            if heard or request.done:
                continue
            if work <= patience:
                raise self._hung()
            patience *= 2                 # a query that takes long is asked anew by a recovery
            if self.transport.now() >= deadline:
                self.overdue = timeout
                raise GuestSilent(f"no answer in {timeout:g} s to: {request.text()}")
            self._recover("silence")
        if request.lost:
            raise LinkLost(f"the reply was damaged: {request.text()}")
        return request

    def drain(self, timeout: float = 20.0) -> None:
        """Wait for everything that is under way."""
        while self._pending:
            request = self._pending[0]
            try:
                self.wait(request, timeout)
            except LinkLost:
                self._settle()

    def join(self) -> None:
        """Wait for the thread that reads: the transport is closed."""
        if self.reason is None:
            self.reason = GuestGone("the guest has been closed")
        self._reader.join(5.0)
