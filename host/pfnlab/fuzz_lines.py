# SPDX-License-Identifier: MIT
"""Command lines for a fuzzer, from nothing but the guest's command table: a command that is new
there is fuzzed without a word here.

What is decided on the way is asked of a `Chooser`: plain random numbers, or hypothesis, which can
then shrink it.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pfnlab.fuzz_choices import Chooser, Habits, Result, bytes_of, undone_by, usable_pages
from pfnlab.memory_map import MemoryMap
from pfnlab.shrink import RENEW
from pfnlab.table import ADDRESS_TYPES, Argument, Command, Table, Type
from pfnlab.values import ADDRESS_LIMIT, PAGE_SIZE

# Of the map, of the line itself, or without a bound of their own.
NOT_FUZZED = ("map_begin", "map_area", "map_add", "map_commit", "map_machine", "store", "run",
              "stress", "info", "help", "mark", "echo")
LIVE_MOST = 60                    # results that lines refer to
PAST_MOST = 10                    # of those that are given back, and of places that lines named
MOOD = 60                         # lines in which the same few commands come
ROW = 5                           # a line may come 2 to this power times in a row
UNANSWERED = 100                  # lines: longer ago none is waited for
STAY = 5                          # lines at most that are about the same result
MUCH = 8 << 20                    # bytes: more is not asked for up to what is next
LARGE = 24                        # an alignment to 2 to this power at most, now and then
WORDS = 16                        # bytes
SIZES = 3                         # that come again and again
GIVES_BACK = ("count", "size", "address")      # results of mutators that end what they are given
BAD_WORDS = ("banana", "-1", "010", "0x", "1e3", "18446744073709551616", "4Gx", "$v255", "=")
TEXTS = ("a", "b.c", "low", "page")


@dataclass
class Lines:
    """Lines on a map, one after another. A result is referred to as `$tag` of the line that had it,
    so that lines can be left out later; what lies inside it or next to it, by its address, and now
    and then as `$tag+20`, if it is not before it."""

    table: Table
    memory_map: MemoryMap
    window: tuple[int, int]       # of the virtual allocator
    tag: int = 0                  # of the last line
    habits: Habits = field(default_factory=dict)
    live: dict[int, Result] = field(default_factory=dict)     # by tag

    def __post_init__(self) -> None:
        self._meant: dict[int, list[tuple[tuple[str, str], str]]] = {}    # by tag, as habits
        self._places: dict[int, Result] = {}        # by tag: what the line names
        self._at: int | None = None       # the address that the line names
        self._named: Result | None = None           # what has it, or had
        self._past: deque[Result] = deque(maxlen=PAST_MOST)       # given back, or named
        self._about: int | None = None    # the tag of the result that lines were about last
        self._with: int | None = None     # the tag of the result that this line has to be about
        self._stay = 0                    # lines to come that have, too
        self.commands = [command for name, command in self.table.commands.items()
                         if command.kind != "session" and name not in NOT_FUZZED]
        # What gives or takes memory comes more often than what looks at it.
        self.busy = [c for c in self.commands if c.kind == "mutator" and (
            c.result in ADDRESS_TYPES or any(a.type in ADDRESS_TYPES for a in c.arguments))]
        self._undoes = undone_by(self.commands)
        self._weighted = [*self.commands, *self.busy * 3]
        self._sizes: list[int] = []
        self._liked: set[str] = set()     # keys that most lines have, where they can
        self._mood: int | None = None     # the tag at which it ends, if it does
        self._row: tuple[Command, dict[Argument, str]] | None = None      # the last line's
        self._times = 0                   # that it comes again
        self.edges = sorted({edge for base, size, _ in self.memory_map.ranges
                             for edge in (base, base + size)})
        self._usable = usable_pages(self.memory_map)
        self.names = [name for name, _ in self.memory_map.areas]

    def narrow_down(self, choose: Chooser) -> None:
        """Do without many of the commands, and ask for some sizes again and again: what those that
        are left do to each other shows sooner. Whose results they took is among them, and what took
        theirs. After some lines it is others: memory fills and empties."""
        percent = choose.pick((4, 10, 25, 50, 100))
        some = {c.name for c in self.commands if choose.chance(percent)}
        some |= {choose.pick(makers) for (name, _), makers in self.habits.items() if name in some}
        some |= {name for (name, _), makers in self.habits.items() if not some.isdisjoint(makers)}
        left = [c for c in self.commands if c.name in some] or self.commands
        self._weighted = [*left, *3 * [c for c in self.busy if c.name in some]]
        self._sizes = [choose.number(1, 1 << choose.number(0, 12)) for _ in range(SIZES)]
        keys = {a.name: a for c in self.commands for a in c.arguments if a.role == "key"}
        self._liked = {n for n, a in keys.items() if choose.chance(25 if a.type == "flag" else 10)}
        self._mood = self.tag + MOOD

    def line(self, choose: Chooser, command: Command | None = None) -> str:
        """The next line, of that command or of any."""
        command, given = self._begun(choose, command)
        words, freed, size = [command.name], None, PAGE_SIZE
        self._at = self._named = None
        for argument, word in given.items():
            if not word or argument.type in ADDRESS_TYPES:
                word, used = self._word(choose, command, argument)
                freed = used or freed
            given[argument] = word
            size = bytes_of(argument, word) or size
            words.append(f"{argument.name}={word}" if argument.role == "key" else word)
        self._row = command, given
        self.tag += 1
        flagged = any(a.role == "key" and a.type == "flag" for a in given)
        self._note(command, freed, size, flagged)
        return " ".join(words)

    def _begun(self, choose: Chooser, command: Command | None
               ) -> tuple[Command, dict[Argument, str]]:
        """A command and its arguments. Now and then it comes many times in a row, each time with
        the same but for addresses: what becomes full or empty shows then."""
        if command is not None or self._times or not self._stay or self._with not in self.live:
            self._with = None
        if command is None and self._times > 0 and self._row is not None and not (
                self._in_vain(self._row[0])):
            self._times -= 1
            return self._row
        self._times = 0
        if command is None:
            if self._mood is not None and self.tag >= self._mood:
                self.narrow_down(choose)
            command = self._next(choose)
            if self._in_vain(command) and choose.chance(80):
                command = self.table.commands[self._undoes[command.name]]
            if command in self.busy and choose.chance(8):
                self._times = 1 << choose.number(2, ROW)
        return command, dict.fromkeys(self._given(choose, command), "")

    def _next(self, choose: Chooser) -> Command:
        """Any command. Now and then some lines stay with a result, one that was asked for with a
        flag if there is any: first comes what is done to such, at last what ends it."""
        placed = [tag for tag, result in self.live.items() if result.at is not None]
        if self._with is None and placed and choose.chance(10):
            self._with = choose.pick([tag for tag in placed if self.live[tag].flagged] or placed)
            self._stay = choose.number(2, STAY)
        if self._with is not None:
            self._stay -= 1
            maker = self.live[self._with].maker
            names = {name for (name, _), makers in self.habits.items() if maker in makers}
            results = ("none",) if self._stay else GIVES_BACK
            some = [c for c in self.busy if c.name in names and c.result in results]
            if some:
                return choose.pick(some)
            self._with = None
        return choose.pick(self._weighted)

    def _in_vain(self, command: Command) -> bool:
        """Is there nothing that it undoes?"""
        undone = self._undoes.get(command.name)
        return undone is not None and all(one.maker != undone for one in self.live.values())

    def _note(self, command: Command, freed: int | None, size: int, flagged: bool) -> None:
        """What the line does to results and places, if it works."""
        self._meant.pop(self.tag - UNANSWERED, None)
        self._places.pop(self.tag - UNANSWERED, None)
        if command.kind != "mutator":
            return
        if command.name in RENEW:
            self.live.clear()
            self._past.clear()
        if freed is not None and (command.result in GIVES_BACK or command.name in self._undoes):
            self._give_back(freed)
        elif self._at is not None:
            kind = "virtual" if self.window[0] <= self._at < self.window[1] else "page"
            self._places[self.tag] = Result(command.name, kind, size, at=self._at)
        if command.result in ADDRESS_TYPES:
            self.live[self.tag] = Result(command.name, command.result, size, flagged)
            if len(self.live) > LIVE_MOST:
                self.gone(next(iter(self.live)))

    def _given(self, choose: Chooser, command: Command) -> Iterator[Argument]:
        """The required arguments, some of the optional ones up to one, and some keys."""
        left_out = False
        for argument in command.arguments:
            if argument.role == "opt":
                left_out = left_out or not choose.chance(25)
            if argument.role == "arg" or (argument.role == "opt" and not left_out) or (
                    argument.role == "key"
                    and choose.chance(70 if argument.name in self._liked else
                                      25 if argument.type == "flag" else 12)):
                yield argument

    def worked(self, tag: int) -> None:
        """The line was not refused: what it was given may do once more, and where it was is worth
        another look."""
        if tag in self._places:
            self._past.append(self._places.pop(tag))
        for argument, maker in self._meant.pop(tag, ()):
            makers = self.habits.setdefault(argument, [])
            if maker not in makers:
                makers.append(maker)

    def gone(self, tag: int) -> None:
        """The line has no result, or it is not referred to any more."""
        self.live.pop(tag, None)
        self._places.pop(tag, None)

    def _give_back(self, tag: int) -> None:
        result = self.live.pop(tag)
        if result.at is not None:
            self._past.append(result)

    def placed(self, tag: int, address: int) -> None:
        """The line has that result."""
        if tag in self.live:
            self.live[tag].at = int(address)   # whose differences are numbers

    def _word(self, choose: Chooser, command: Command, argument: Argument
              ) -> tuple[str, int | None]:
        """A value, and the tag that it refers to if it is the result of a line."""
        kind = self.table.types[argument.type]
        if choose.chance(1):
            return choose.pick(BAD_WORDS), None
        if kind.form == "words":
            return choose.pick(kind.words), None
        if kind.form == "set":
            return self._set(choose), None
        if kind.form == "joined":
            return self._joined(choose, kind.words), None
        if kind.form == "value" and choose.chance(50):
            return str(choose.number(0, 3)), None
        if kind.form != "number":
            return choose.pick(TEXTS), None
        if argument.type in ADDRESS_TYPES and choose.chance(1):
            return f"${choose.number(1, max(1, self.tag))}", None     # of any line, maybe of none
        if argument.type in ADDRESS_TYPES:
            if command.name in self._undoes.values() and choose.chance(85):
                self._named = self._free(choose)
                self._at = self._named.at
                return f"{self._at:#x}", None
            tag = self._given_out(choose, command, argument) if argument.role == "arg" else None
            if argument.role == "arg":
                self._meant.setdefault(self.tag + 1, []).append(
                    ((command.name, argument.name), "" if tag is None else self.live[tag].maker))
            if tag is not None:
                self._named, self._at = self.live[tag], self.live[tag].at
                return f"${tag}", tag
            self._at = self._place(choose, argument.type == "virtual")
            behind = [f"${tag}+{self._at - one.at}" for tag, one in self.live.items()
                      if one.at is not None and 0 <= self._at - one.at < one.size + PAGE_SIZE]
            if behind and choose.chance(25):
                return choose.pick(behind), None
            return f"{self._at:#x}", None
        if kind.name == "size" and choose.chance(20):
            return str(choose.pick(self._sizes or [PAGE_SIZE])), None
        if choose.chance(75) and (kind.name == "size" or argument.name == "pages"):
            return str(self._size(choose) if kind.name == "size" else self._pages(choose)), None
        return str(self._number(choose, kind)), None

    def _given_out(self, choose: Chooser, command: Command, argument: Argument) -> int | None:
        """A tag whose result a required address is, None for one of no line: mostly one such as did
        before, else mostly one of its kind, of any command that gave some."""
        if self._with is not None:
            ends = command.result in GIVES_BACK
            return self._with if ends or choose.chance(20) else None
        placed = {tag: result for tag, result in self.live.items() if result.at is not None}
        live = placed if placed and choose.chance(90) else self.live
        living = {"", *(result.maker for result in live.values())}
        makers = [m for m in self.habits.get((command.name, argument.name), []) if m in living]
        undone = [tag for tag in live if live[tag].maker == self._undoes.get(command.name)]
        if undone and choose.chance(85):
            return choose.pick(undone)
        if not (makers and choose.chance(75)):
            if not live or not choose.chance(70):
                return None
            virtual = argument.type == "virtual"
            alike = [r.maker for r in live.values() if (r.kind == "virtual") == virtual]
            some = alike if alike and choose.chance(90) else [r.maker for r in live.values()]
            makers = list(dict.fromkeys(some))
        tags = [tag for tag, result in live.items() if result.maker in makers]
        if self._about in tags and choose.chance(30):
            return self._about
        maker = choose.pick(makers)
        tags = [tag for tag in tags if live[tag].maker == maker]
        self._about = choose.pick(tags) if tags else None
        return self._about

    def _set(self, choose: Chooser) -> str:
        if choose.chance(30):
            return choose.pick(("any", "dma32", "dma24"))
        return self._joined(choose, self.names)

    def _joined(self, choose: Chooser, words: Sequence[str]) -> str:
        return "|".join(choose.pick(words) for _ in range(choose.number(1, 2)))

    def _pages(self, choose: Chooser) -> int:
        """As many as what the line refers to has, mostly, or as the bytes of _size()."""
        if self._named is not None and choose.chance(85):
            return max(1, -(-self._named.size // PAGE_SIZE) + choose.pick((0, 0, 0, 0, 0, -1, 1)))
        return -(-self._size(choose) // PAGE_SIZE)

    def _size(self, choose: Chooser) -> int:
        """Bytes: as many as something has, mostly what the line refers to, or some pages or words,
        or all up to the next thing; or a few more or less."""
        ahead = self._ahead()
        if ahead is not None and ahead <= MUCH and choose.chance(25):
            size = ahead
        elif (self._named or self.live) and choose.chance(60):
            size = (self._named or self.live[choose.pick(list(self.live))]).size
        else:
            size = choose.pick((PAGE_SIZE, WORDS)) * choose.number(1, 1 << choose.number(0, 5))
        if choose.chance(50):
            size += choose.pick((0, 1, -1, choose.number(-32, 32)))
            size += PAGE_SIZE * choose.pick((0, 0, 1, -1))
        return max(1, size)

    def _ahead(self) -> int | None:
        """Bytes from where the line is to an edge of the map or a result."""
        if self._at is None:
            return None
        places = [one.at for one in self.live.values() if one.at is not None]
        return min((at - self._at for at in (*self.edges, *places) if at > self._at), default=None)

    def _place(self, choose: Chooser, virtual: bool) -> int:
        """An address in or next to something, or where something was, on the map, or in the window.
        """
        if self._with is not None:
            return self._around(choose, self.live[self._with])
        past = [one for one in self._past if (one.kind == "virtual") == virtual]
        if past and choose.chance(30):
            self._named = choose.pick(past)
            assert self._named.at is not None
            return self._named.at
        known = [tag for tag, result in self.live.items() if result.at is not None
                 and (result.kind == "virtual") == virtual]
        if known and choose.chance(40):
            stay = self._about in known and choose.chance(30)
            self._about = tag = self._about if stay and self._about else choose.pick(known)
            return self._around(choose, self.live[tag])
        return self._in_window(choose) if virtual and choose.chance(80) else self._address(choose)

    def _free(self, choose: Chooser) -> Result:
        """Pages that nobody may have: where something was, or any that are usable."""
        past = [one for one in self._past if one.kind != "virtual"]
        if past and choose.chance(20):
            return choose.pick(past)
        base, pages = choose.pick(self._usable)
        skip = choose.number(0, pages - 1)
        count = 1 << choose.number(0, 9)
        at = (base + skip * PAGE_SIZE) & -(count * PAGE_SIZE)
        if base <= at <= base + (pages - count) * PAGE_SIZE and choose.chance(40):
            return Result("", "page", count * PAGE_SIZE, at=at)       # a whole block
        count = min(pages - skip, choose.number(1, 1 << choose.number(0, 5)))
        return Result("", "page", count * PAGE_SIZE, at=base + skip * PAGE_SIZE)

    def _around(self, choose: Chooser, result: Result) -> int:
        """Its pages, and one on either side; now and then no page, any byte, or where its bytes
        end, and behind them: mostly, if they are no whole pages."""
        assert result.at is not None
        if choose.chance(80 if result.size % PAGE_SIZE else 20):
            end = result.at + result.size
            byte = result.at + choose.number(0, result.size)
            return min(choose.pick((end & -8, (end + 7) & -8, (end | (PAGE_SIZE - 1)) - 7, end,
                                    byte)), ADDRESS_LIMIT - 1)
        pages = -(-result.size // PAGE_SIZE)
        edge = result.at + PAGE_SIZE * choose.pick((pages, -1, pages - 1, choose.number(0, pages)))
        return min(max(0, edge + choose.chance(5) * 16), ADDRESS_LIMIT - 1)

    def _in_window(self, choose: Chooser) -> int:
        """Near the beginning of the window, where ranges are, or around its end."""
        first, limit = self.window
        if choose.chance(10):
            return limit + PAGE_SIZE * choose.number(-3, 1)
        return first + PAGE_SIZE * choose.number(0, 1 << choose.number(0, 12))

    def _address(self, choose: Chooser) -> int:
        """Near an edge of the map, or inside it; mostly that of a page."""
        base, size, _ = choose.pick(self.memory_map.ranges)
        if choose.chance(40):
            base, size = max(0, choose.pick(self.edges) - 4 * PAGE_SIZE), 8 * PAGE_SIZE
        address = base + choose.number(0, size)
        if choose.chance(20):         # or next to a multiple of some power of two
            address &= -PAGE_SIZE << choose.number(0, (size // PAGE_SIZE).bit_length())
            address = max(0, address + PAGE_SIZE * choose.number(-2, 1))
        address = min(address, ADDRESS_LIMIT - 1)
        return address if choose.chance(3) else address & -PAGE_SIZE

    def _number(self, choose: Chooser, kind: Type) -> int:
        """Small ones more often than large ones; now and then one that does not fit."""
        low, high = int(kind.fields["min"]), int(kind.fields["max"])
        if choose.chance(2):
            return choose.pick((high + 1, low - 1 if low > 0 else high + 2))
        most = min(high.bit_length(), 12 if choose.chance(98) else 64)
        if kind.name == "align" and choose.chance(10):
            most = min(high.bit_length(), LARGE)
        power = 1 << choose.number(0, most)
        if kind.name == "flag":
            return int(choose.chance(80))
        if kind.name in ("align", "width"):
            return min(max(power, low), high)
        return min(max(low, choose.number(power >> 1, power)), high)
