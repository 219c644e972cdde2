# SPDX-License-Identifier: MIT
"""Every kind of command at random, for guests in lockstep."""
from __future__ import annotations

import random

from pfnlab.lockstep import Lockstep
from pfnlab.lockstep_memory import Memory
from pfnlab.stream import EarlyStream, HeapStream, Range, Stream, VirtualStream, random_map
from pfnlab.values import PAGE_SIZE, Value

NUMBERS = ("0", "1", "-1", "010", "0x", "0xg", "1e3", "4Gx", "1T", "4095", "4096", "0x1000", "1M",
           "18446744073709551615", "18446744073709551616", "0x10000000000000", "4503599627370495")
WORDS = ("any", "dma32", "banana", "low|", "|", "rest|rest", "a0|any", "early", "page", "virtual",
         "areas", "Any", "$", "$0", "$1", "$1+8", "$v0", "$v999", "$x", "=", "a=b", "at=", "at=1",
         "as=0", "as=256",
         "area=any", "fresh=2", "min=1M", "max=0", "width=3", "align=3", "order=19", "kind=spare",
         "stage=late", "from=low", "n" * 70, "\"", "*", "; 1", "%41", ">1", "?", "~")
STAGES = ("early", "page", "virtual")
IN_MEMORY = 0.5                   # of the episodes have one in front of them that touches memory
# A machine's own, or its end.
NEVER = ("sync", "info", "poweroff", "panic", "corrupt", "trace", "ioremap", "truth", "probe",
         "translate")


class Mixture:
    """Episodes at random, each on a map of its own: `run` so many commands of every kind."""

    def __init__(self, player: Lockstep, seed: int) -> None:
        self.player = player
        self.rng = random.Random(seed)
        self.commands = [name for name in player.guests[0].table.commands if name not in NEVER]
        self.pages = Stream(player, self.rng)
        self.virtual = VirtualStream(player, self.rng)
        self.heap = HeapStream(player, self.rng)
        self._alike = 0               # the first tag of what was answered on a map of the mixture's
        self.kinds = (self._malloc, self._malloc, self._malloc, self._malloc,
                      self._variable, self._look, self._batch, self._stress, self._bad_map,
                      self._again, self._garbage, self._touch, self._scan, self._edge, self._fail)

    def run(self, commands: int) -> None:
        """At least so many commands, and every reply compared."""
        end = self.player.commands + commands
        while self.player.commands < end:
            if self.rng.random() < IN_MEMORY:
                self._in_memory(min(end, self.player.commands + self.rng.randrange(100, 400)))
            self._episode(min(end, self.player.commands + self.rng.randrange(300, 1500)))
        self.player.collect()

    def _in_memory(self, end: int) -> None:
        self.player.send("map_machine")
        memory = Memory(self.player, self.rng)
        while self.player.commands < end:
            memory.step()
        self.player.send("check")
        self._alike = self.player.next_tag

    def _episode(self, end: int) -> None:
        stage = self.rng.choice(STAGES)
        self.heap = HeapStream(self.player, self.rng)
        ranges = self._inject(stage)
        while self.player.commands < end:
            if stage == "early":
                self._early(ranges)
            self._steps(min(end, self.player.commands + self.rng.randrange(50, 800)))
            self._whole_state()
            stage = self.rng.choice(STAGES)
            self.player.send(f"reset stage={stage}")
            self.heap = HeapStream(self.player, self.rng)

    def _inject(self, stage: str) -> list[Range]:
        """A map that is taken, and every area of it."""
        areas, ranges = random_map(self.rng, most_pages=30000)
        self.player.send("map_begin")
        for name, limit in areas:
            self.player.send(f"map_area {name} {limit:#x}")
        for base, size, kind in ranges:
            self.player.send(f"map_add {base:#x} {size:#x} kind={kind}")
        self.player.send(f"map_commit stage={stage}")
        self.player.areas = [name for name, _ in areas]
        self.player.spans = [(base // PAGE_SIZE, (base + size) // PAGE_SIZE)
                             for base, size, kind in ranges if kind == "usable"]
        return ranges

    def _early(self, ranges: list[Range]) -> None:
        stream = EarlyStream(self.player, self.rng, ranges)
        for _ in range(self.rng.randrange(120)):
            if self.rng.random() < 0.9:
                stream.step()
            else:
                self.rng.choice(self.kinds)()
        self.player.send("dump phys")
        self.player.send("phys_hand_over")
        for block in stream.blocks:
            self.player.post("phys_free", block)

    def _steps(self, end: int) -> None:
        self.pages = Stream(self.player, self.rng)
        self.virtual = VirtualStream(self.player, self.rng)
        while self.player.commands < end:
            choice = self.rng.random()
            if choice < 0.45:
                self.pages.step()
            elif choice < 0.75:
                self.virtual.step()
            else:
                self.rng.choice(self.kinds)()

    def _whole_state(self) -> None:
        """All that can be seen."""
        for what in ("areas", "phys", "map", "free", "pages", "virt", "heap"):
            start: Value | None = 0
            while start is not None:
                final = self.player.send(f"dump {what} {start}").final
                assert final is not None
                start = final.row().fields.get("more")
        self.player.send("check")

    # ---- kinds ----

    def _malloc(self) -> None:
        """Objects, in every stage; now and then the next stage."""
        if self.rng.random() < 0.02:
            self.player.send("advance")
        self.heap.step()

    def _variable(self) -> None:
        """Results by tag and by variable, of now, long ago, and never."""
        rng, n = self.rng, self.rng.randrange(12)
        tag = max(1, self.player.next_tag - rng.choice((1, 2, 3, 50, 255, 256, 257, 400)))
        self.player.send(rng.choice((
            f"alloc_pages {rng.randrange(5)} as={n}", f"alloc_page as={n} area=any", f"free $v{n}",
            f"reserve {self.pages.address():#x} {rng.randrange(1, 9)} as={n}", f"free $v{n} 1",
            f"echo $v{n}", f"echo ${tag}", f"free ${tag}", f"unreserve $v{n} 2", "echo $")))

    def _look(self) -> None:
        rng = self.rng
        what = rng.choice(("areas", "free", "pages", "pages", "phys", "map"))
        where = f" {self.pages.address():#x} {rng.randrange(1, 2000)}" if rng.random() < 0.7 else ""
        self.player.send(rng.choice((f"dump {what}{where}", "check", "areas", "help free",
                                     "mark a text")))

    def _batch(self) -> None:
        rng = self.rng
        for place in range(3):
            self.player.send(f"store {place} " + rng.choice((
                f"alloc_pages {rng.randrange(4)}", "alloc_page dontzero=1 as=1", "free $",
                "free $v1", "echo 7", "check", "reserve 2M 1", "run 1", "banana", "")))
        self.player.send(f"run {rng.randrange(1, 5)} times={rng.randrange(1, 30)}")

    def _stress(self) -> None:
        rng = self.rng
        more = rng.choice(("", f" order={rng.randrange(12)}", f" area={self.pages.area_set()}",
                           " check=1"))
        operations = rng.randrange(1, 40 if more == " check=1" else 600)
        self.player.send(f"stress {operations} seed={rng.randrange(1 << 64)}{more}")

    def _bad_map(self) -> None:
        """Maps that are refused: the one in force stays."""
        rng = self.rng
        self.player.send("map_begin")
        for _ in range(rng.randrange(1, 5)):
            self.player.send(rng.choice((
                "map_area Upper 1M", "map_area a0 3", "map_area rest 4M", "map_area low 8M",
                "map_area low 8M", "map_area any 16M", "map_add 0 0", "map_add 0x1001 17",
                "map_add 0xfffffffffffff000 0x2000", "map_add 4095T 1T", "map_add 5000T 1",
                "map_add 1M 64M kind=reserved")))
        self.player.send(rng.choice(("map_begin", "map_commit stage=never", "map_area x 1M")))
        if rng.random() < 0.3:
            self.player.send("map_area last 1M")
            self.player.send("map_area last 1M")
            self.player.send("map_area below 4K")
        self.player.send("check")

    def _again(self) -> None:
        """Finals of earlier mutators, and tags that have none; none with addresses of each
        machine's own."""
        tag = self.player.next_tag - self.rng.choice((-1, 0, 1, 2, 5, 200, 255, 256, 300))
        self.player.send(f"again {max(self._alike, tag)}")

    def _garbage(self) -> None:
        """A command that there may be, arguments that may not be."""
        rng = self.rng
        name = rng.choice((*self.commands, "bananas", "Alloc_page", "free_pages", "memalign_pages"))
        if name in ("map_commit", "map_machine", "reset", "map_area"):
            name += " 1 2 3 4"       # refused, or the areas of the episode would be others
        words = [rng.choice(NUMBERS + WORDS) if rng.random() < 0.9 else self._noise()
                 for _ in range(rng.randrange(6))]
        words += {"stress": ["order=19"], "run": ["times=0"]}.get(name, [])   # or they take years
        self.player.send(" ".join([name, *words]))

    def _noise(self) -> str:
        rng = self.rng
        return "".join(chr(rng.randrange(0x21, 0x7f)) for _ in range(rng.randrange(1, 40)))

    def _touch(self) -> None:
        """There is no memory behind an injected map."""
        rng, at = self.rng, self.pages.address() + self.rng.choice((0, 1, 8))
        self.player.send(rng.choice((f"peek {at:#x} width={1 << rng.randrange(4)}",
                                     f"poke {at:#x} 1", f"fill {at:#x} 1 seed=1",
                                     f"verify {at:#x} {rng.randrange(1, 3)}")))

    def _fail(self) -> None:
        """Frames only: how many tables are taken is each machine's own."""
        rng = self.rng
        self.player.send("fail what=frames " + rng.choice((
            f"nth={rng.randrange(1, 9)}", f"every={rng.randrange(2, 9)} times=3",
            f"p={rng.randrange(1, 400000)} seed={rng.randrange(9)} area={self.pages.area_set()}",
            "nth=1 order=0")))
        for _ in range(rng.randrange(6)):
            rng.choice((self.pages.step, self.virtual.step, self.heap.step))()
        self.player.send("failures")
        self.player.send("fail")

    def _scan(self) -> None:
        self.player.send(f"scan_order {self.pages.area_set()}")

    def _edge(self) -> None:
        """The ends of what the types take."""
        rng = self.rng
        most = (1 << 64) - rng.choice((1, 3, 4096))
        self.player.send(rng.choice((
            f"memalign_pages_area any 1 {most}", f"memalign_pages any {1 << 63} 1",
            f"alloc_pages_exact {most}", "alloc_pages 18", "alloc_pages 19", f"phys_alloc {most}",
            f"reserve {self.pages.address():#x} {most}", f"free 0x1000 {most}",
            "alloc_page min=4G max=1M", "alloc_page at=0", f"alloc_page at={1 << 52}",
            f"vmalloc {most}", f"vmap 4K {most}", f"alloc_vpages {most}", "vmalloc 1G",
            f"protect {self.virtual.address():#x} {most} ro", "vmalloc 1 guard=both guard_pages=1M",
            "vmap 0 4K", "vmalloc 4K attributes=rw|ro", "alloc_vpages 1 align=2G",
            "alloc_page align=1G fresh=1", "reserve 4K 0", "phys_hand_over")))
