# SPDX-License-Identifier: MIT
"""One stream of commands to several guests, whose replies must be equal, line by line.

The same map is injected everywhere, so that nothing of a machine is left in a reply; but for what
is written and read (pfnlab.lockstep_memory), on each machine's own map. The first guest leads: what
it answers is what the stream builds on, the others follow as fast as they can.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from types import TracebackType
from typing import Any

from pfnlab.errors import GuestGone, LinkLost
from pfnlab.guest import Guest, Pending
from pfnlab.request import Request
from pfnlab.table import argument_word
from pfnlab.spec import Spec
from pfnlab.transcript import Step
from pfnlab.twin import window
from pfnlab.values import Value

WINDOW = "virt=2G:1G"              # one that all of them have free
UNDER_WAY = 200                   # commands that the others may lag behind
AFRESH = ("reset", "map_commit", "map_machine")       # what they answer, whatever went before
PATIENCE = 120.0                  # seconds for one answer on a slow machine under load

Telling = Callable[[Request], list[str]]      # what is to be the same of a reply


class Difference(AssertionError):
    """Two guests do not say the same. `names` are the first one's, and that of one that differs;
    `steps` led there from the map on, and the last is the one."""

    def __init__(self, text: str, names: Sequence[str] = (), steps: Sequence[Step] = ()) -> None:
        super().__init__(text)
        self.names = names
        self.steps = steps


@dataclass
class Posted:
    """Command `number` on its way to all of them; `life` begins with what led to it."""

    number: int
    told: Telling
    pending: list[Pending]
    life: list[Step]


class Lockstep:
    """Guests of these names, the first of which leads. A `Player` for the streams."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.areas: list[str] = []
        self.spans: list[tuple[int, int]] = []
        self.commands = 0
        self.on_command: Callable[[], None] = lambda: None      # in front of each
        self.resets = 0               # lines that make a fresh instance
        self._life: list[Step] = []   # the lines from the one on that made the map
        self._posted: deque[Posted] = deque()
        with ExitStack() as stack:
            self.guests = [stack.enter_context(Guest(with_window(name))) for name in names]
            for guest in self.guests:
                guest.link.silence = PATIENCE     # a repeated request would have another tag
            windows = [window(guest) for guest in self.guests]
            if len(set(windows)) > 1:
                raise Difference(f"the window is not everywhere {WINDOW}: {windows}")
            self.window = windows[0]
            self._stack = stack.pop_all()

    def __enter__(self) -> Lockstep:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, value, trace)

    @property
    def next_tag(self) -> int:
        """The tag of the next line, on every guest."""
        return self.guests[0].link.next_tag

    def send(self, text: str) -> Request:
        """A line to all of them; what the first answered."""
        return self._send(text, reply)

    def send_apart(self, text: str) -> Request:
        """The same, where a result is each machine's own: whether there is one must be the same."""
        return self._send(text, success)

    def _send(self, text: str, told: Telling) -> Request:
        self.on_command()
        self.commands += 1
        self.resets += text.partition(" ")[0] in AFRESH
        if len({guest.link.next_tag for guest in self.guests}) > 1:
            raise LinkLost("a line was lost on the way to a guest: its tags are not those of the "
                           "others any more")
        self._life.append(Step(self.next_tag, text, self.commands))
        posted = Posted(self.commands, told, [], self._life)
        self._posted.append(posted)
        for name, guest in zip(self.names, self.guests):
            try:
                posted.pending.append(guest.submit_line(text))
            except GuestGone as error:
                raise self._end(name, error) from error
        leader = self.guests[0].link.wait(posted.pending[0].request, PATIENCE)
        if leader.final is not None and leader.final.sigil == "=":
            self._life = since_map(self._life)
        self.collect(UNDER_WAY)
        return leader

    def post(self, name: str, *args: Any, **keys: Any) -> Value | None:
        """The same for a stream."""
        words = [name, *map(argument_word, args),
                 *(f"{key.rstrip('_')}={argument_word(value)}" for key, value in keys.items())]
        final = self.send(" ".join(map(str, words))).final
        assert final is not None
        return final.row().values[0] if final.sigil == "=" and final.row().values else None

    def collect(self, leave: int = 0) -> None:
        """Compare the replies to all but the last `leave` commands."""
        while len(self._posted) > leave:
            posted = self._posted.popleft()
            for name, one in zip(self.names[1:], posted.pending[1:]):
                try:
                    one.guest.link.wait(one.request, PATIENCE)
                except GuestGone as error:
                    self._posted.appendleft(posted)
                    raise self._end(name, error) from error
            self._compare(posted)

    def _compare(self, posted: Posted) -> None:
        """Every line of the reply, with the text for people that it may have."""
        for lines in zip_longest(*(posted.told(one.request) for one in posted.pending)):
            said = list(zip(self.names, lines))
            for name, line in said:
                if line != lines[0]:
                    raise self._difference(posted, name, "\n".join(f"  {name}: {line}"
                                                                   for name, line in said))

    def _end(self, name: str, error: GuestGone) -> Exception:
        """Of a guest, in one of the commands under way, unless it is the leader."""
        steps = {step.tag: step for posted in self._posted for step in posted.life}
        return error if name == self.names[0] else Difference(
            f"command {self._posted[0].number} or one of the next {len(self._posted) - 1}\n"
            f"  {name}: {error}", (self.names[0], name), list(steps.values()))

    def _difference(self, posted: Posted, name: str, each: str) -> Difference:
        request = posted.pending[0].request
        return Difference(f"command {posted.number}, >{request.tag} {request.text()}\n{each}",
                          (self.names[0], name),
                          [step for step in posted.life if step.line <= posted.number])


def since_map(steps: list[Step]) -> list[Step]:
    """What is left of lines that were answered, if the last one made the map."""
    if steps[-1].name == "map_machine":
        return steps[-1:]
    if steps[-1].name == "map_commit":
        return steps[max(i for i, step in enumerate(steps) if step.name == "map_begin"):]
    return steps


def with_window(name: str) -> str:
    """The guest's name with a window that is the same everywhere."""
    return f"{name}{'&' if Spec(name).options else '?'}{WINDOW}"


def reply(request: Request) -> list[str]:
    """A reply, line by line; of a fault without the text, which tells where in the program."""
    final = request.final
    assert final is not None
    if final.words[:1] and final.words[0].startswith("fault."):
        return [" ".join([final.sigil, *final.words])]
    return [*map(repr, request.rows), final.raw]


def success(request: Request) -> list[str]:
    """Whether a request had any."""
    assert request.final is not None
    return [request.final.sigil]
