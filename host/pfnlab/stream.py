# SPDX-License-Identifier: MIT
"""Maps and commands at random: legal and illegal ones, in proportions that reach full memory."""
from __future__ import annotations

import random
from typing import Any, Protocol

from pfnlab.values import PAGE_SIZE

Area = tuple[str, int]                 # name, end in bytes
Range = tuple[int, int, str]           # base, size, usable or reserved


class Player(Protocol):
    """Who takes the commands of a stream."""

    @property
    def areas(self) -> list[str]:
        """The names of the areas."""

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where there are pages: first frame and the one behind the last."""

    def post(self, name: str, *args: Any, **keys: Any) -> Any:
        """Run a command, now or later; the value that it answers, None if it is refused."""


class VirtualPlayer(Player, Protocol):
    """The same for commands of the virtual allocator."""

    @property
    def window(self) -> tuple[int, int]:
        """What it has of the addresses, in bytes: first and end."""


def random_map(rng: random.Random, most_pages: int = 60000) -> tuple[list[Area], list[Range]]:
    """Areas with limits at odd pages, ranges that overlap, straddle them and have odd edges."""
    limits = sorted({rng.choice((1, 3, 511, 513, 4096, rng.randrange(2, 60000)))
                     * PAGE_SIZE << rng.choice((0, 0, 3)) for _ in range(rng.randrange(1, 5))})
    areas = [(f"a{i}", limit) for i, limit in enumerate(limits)] + [("rest", 1 << 52)]
    ranges: list[Range] = [(PAGE_SIZE * rng.randrange(600), PAGE_SIZE * rng.randrange(600, 3000),
                            "usable")]
    left = most_pages
    for _ in range(rng.randrange(1, 12)):
        near = rng.choice((*limits, 1 << 21, 1 << 30, rng.randrange(1 << 32), 1 << 51))
        size = rng.choice((1, 4096, rng.randrange(1, 1 << 16), rng.randrange(1, 1 << 26)))
        base = max(0, near - rng.randrange(size + 1))
        if rng.random() < 0.5:
            base, size = base & -PAGE_SIZE, (size | PAGE_SIZE) & -PAGE_SIZE
        kind = "reserved" if rng.random() < 0.25 else "usable"
        if kind == "usable" and (size >> 12) > left:
            continue
        left -= size >> 12 if kind == "usable" else 0
        ranges.append((base, size, kind))
    rng.shuffle(ranges)
    return areas, ranges


class Stream:
    """Operations on pages, from what was answered so far."""

    def __init__(self, player: Player, rng: random.Random) -> None:
        self.player = player
        self.rng = rng
        self.blocks: list[int] = []
        self.reserved: list[int] = []

    def area_set(self) -> str:
        """Names joined, or an alias."""
        names = self.player.areas
        few = self.rng.sample(names, self.rng.randrange(1, len(names) + 1))
        return self.rng.choice(("any", "dma32", "|".join(few), "|".join(few)))

    def _keys(self) -> dict[str, Any]:
        rng, keys = self.rng, {}
        if rng.random() < 0.15:
            keys["align"] = 1 << rng.randrange(0, 26)
        if rng.random() < 0.1:
            keys["fresh"] = 1
        if rng.random() < 0.1:
            keys["min"] = self.address()
        if rng.random() < 0.1:
            keys["max"] = self.address()
        if rng.random() < 0.1:
            keys["at"] = self.address()
        return keys

    def address(self) -> int:
        """Somewhere interesting: in a run or just outside it, now and then not at a page."""
        spans = self.player.spans
        if not spans:
            return PAGE_SIZE
        first, end = self.rng.choice(spans)
        frame = self.rng.randrange(max(0, first - 2), min(end + 2, 1 << 40))
        return frame * PAGE_SIZE + (8 if self.rng.random() < 0.02 else 0)

    def step(self) -> None:
        """One operation."""
        choice = self.rng.random()
        if choice < 0.5 or not self.blocks:
            self._allocate()
        elif choice < 0.85:
            self._free()
        else:
            self._take_out()

    def _allocate(self) -> None:
        rng, post = self.rng, self.player.post
        order = min(18, int(rng.expovariate(0.45)))
        which = rng.randrange(5)
        if which == 0:
            at = post("alloc_page", area=self.area_set(), **self._keys())
        elif which == 1:
            at = post("alloc_pages", order, **self._keys())
        elif which == 2:
            at = post("alloc_pages_area", self.area_set(), order, **self._keys())
        elif which == 3:
            at = post("memalign_pages_area", self.area_set(), 1 << rng.randrange(25),
                      rng.randrange(1, PAGE_SIZE << order))
        else:
            at = post("alloc_pages_exact", rng.randrange(1, (1 << order) + 1),
                      area=self.area_set(), **self._keys())
        if at is not None:
            self.blocks.append(at)

    def _free(self) -> None:
        rng = self.rng
        i = rng.randrange(len(self.blocks))
        address = self.blocks[i]
        if rng.random() < 0.1:
            self.player.post("free", self.address())
        elif rng.random() < 0.2:
            start = address + PAGE_SIZE * rng.randrange(4)
            self.player.post("free", start, rng.randrange(1, 5))
            self.blocks.append(start + PAGE_SIZE)
        else:
            self.blocks[i] = self.blocks[-1]
            self.blocks.pop()
            self.player.post("free", address)

    def _take_out(self) -> None:
        rng, post = self.rng, self.player.post
        pages = rng.choice((1, 2, rng.randrange(1, 40), rng.randrange(1, 3000)))
        if self.reserved and rng.random() < 0.4:
            post("unreserve", self.reserved.pop(rng.randrange(len(self.reserved))), 1)
        elif rng.random() < 0.5:
            post("unreserve", self.address(), pages)
        else:
            at = self.address()
            if post("reserve", at, pages) is not None:
                self.reserved += [at, at + PAGE_SIZE * (pages - 1)]


class VirtualStream:
    """Operations on the window. Sizes are such that page tables do not run out."""

    FREES = {"vmalloc": "vfree", "vmemalign": "vfree", "vmap": "vunmap",
             "alloc_vpages": "free_vpages"}

    def __init__(self, player: VirtualPlayer, rng: random.Random) -> None:
        self.player = player
        self.rng = rng
        self.ranges: list[tuple[str, int, int]] = []      # who made it, address, pages

    def address(self) -> int:
        """In a range, next to one, or anywhere in the window and just outside."""
        rng, (first, limit) = self.rng, self.player.window
        if self.ranges and rng.random() < 0.7:
            _, at, pages = rng.choice(self.ranges)
            at += PAGE_SIZE * rng.randrange(-2, pages + 3)
        else:
            at = rng.choice((first, limit, first + PAGE_SIZE * rng.randrange(3000)))
            at += PAGE_SIZE * rng.randrange(-2, 3)
        return max(0, at) + (8 if rng.random() < 0.03 else 0)

    def _keys(self) -> dict[str, Any]:
        rng = self.rng
        keys: dict[str, Any] = {}
        if rng.random() < 0.3:
            keys["guard"] = rng.choice(("front", "back", "both"))
            if rng.random() < 0.3:
                keys["guard_pages"] = rng.randrange(1, 20)
        if rng.random() < 0.15:
            keys["at"] = self.address()
        return keys

    def _attributes(self) -> str:
        return self.rng.choice(("rw", "ro", "nx", "ro|nx", "nx|ro"))

    def step(self) -> None:
        """One operation."""
        choice = self.rng.random()
        if choice < 0.5 or not self.ranges:
            self._allocate()
        elif choice < 0.8:
            name, at, _ = self.ranges.pop(self.rng.randrange(len(self.ranges)))
            self.player.post(self.FREES[name], at)
        elif choice < 0.87:
            self.player.post(self.rng.choice(("vfree", "vunmap", "free_vpages")), self.address())
        else:
            self.player.post("protect", self.address(), self.rng.randrange(1, 12),
                             self._attributes())

    def _allocate(self) -> None:
        rng, keys = self.rng, self._keys()
        name = rng.choice(tuple(self.FREES))
        size = rng.choice((1, PAGE_SIZE, rng.randrange(1, 9 * PAGE_SIZE),
                           rng.randrange(1, 120 * PAGE_SIZE)))
        if name != "vmemalign" and rng.random() < 0.15:
            keys["align"] = 1 << rng.randrange(23)
        if name != "alloc_vpages" and rng.random() < 0.2:
            keys["attributes"] = self._attributes()
        if name == "vmap":
            frame = PAGE_SIZE << rng.randrange(20)
            args = [rng.choice((frame, frame + PAGE_SIZE)), size << rng.choice((0, 0, 4))]
        elif name == "alloc_vpages":
            args = [-(-size // PAGE_SIZE)]
        else:
            args = [size] if name == "vmalloc" else [1 << rng.randrange(23), size]
        at = self.player.post(name, *args, **keys)
        if at is not None:
            self.ranges.append((name, at, -(-size // PAGE_SIZE)))


class HeapStream:
    """malloc and its kin, from what was answered so far."""

    def __init__(self, player: Player, rng: random.Random) -> None:
        self.player = player
        self.rng = rng
        self.objects: list[int] = []

    def size(self) -> int:
        """Small ones mostly, edges of classes and of pages among them."""
        rng = self.rng
        return rng.choice((rng.randrange(1, 100), rng.randrange(1, 2100), rng.randrange(1, 20000),
                           rng.choice((16, 32, 48, 1344, 2048, 4096, 8192)) + rng.randrange(2),
                           1 << rng.randrange(19)))

    def step(self) -> None:
        """One operation."""
        rng, post = self.rng, self.player.post
        choice = rng.random()
        if choice < 0.5 or not self.objects:
            at = self._allocate()
            if at is not None:
                self.objects.append(at)
        elif choice < 0.65:
            i = rng.randrange(len(self.objects))
            at = post("realloc", self.objects[i], self.size())
            if at is not None:
                self.objects[i] = at
        elif choice < 0.95:
            post("free", self.objects.pop(rng.randrange(len(self.objects))))
        else:
            self._wrong(rng.choice(self.objects) + rng.choice((0, 8, 16, 4080, PAGE_SIZE)))

    def _allocate(self) -> Any:
        rng, post = self.rng, self.player.post
        which = rng.randrange(8)
        if which == 0:
            return post("calloc", rng.randrange(1, 9), self.size())
        keys = {"redzone": 1} if rng.random() < 0.05 else {}
        if which == 1:
            return post("memalign", 1 << rng.randrange(33), rng.randrange(1, 9000), **keys)
        return post("malloc", self.size(), **keys)

    def _wrong(self, address: int) -> None:
        rng = self.rng
        which = rng.randrange(4)
        if which == 0:
            self.player.post("realloc", address, self.size())
        elif which == 1:
            self.player.post("free", address, rng.randrange(1, 4))
        elif which == 2:
            self.player.post("phys_free", address)
        else:
            self.player.post("free", address)


class EarlyStream:
    """Operations on early memory, around the edges of the map's ranges."""

    def __init__(self, player: Player, rng: random.Random, ranges: list[Range]) -> None:
        self.player = player
        self.rng = rng
        self.ranges = ranges
        self.blocks: list[int] = []

    def address(self) -> int:
        """Near an edge of the map."""
        base, size, _ = self.rng.choice(self.ranges)
        inside = self.rng.choice((0, size, self.rng.randrange(size + 1)))
        return max(0, base + inside + self.rng.randrange(-70, 70))

    def step(self) -> None:
        """One operation."""
        rng, post = self.rng, self.player.post
        choice = rng.random()
        if choice < 0.55:
            self._allocate()
        elif choice < 0.9 and self.blocks:
            post("phys_free", self.blocks.pop(rng.randrange(len(self.blocks))))
        elif choice < 0.97:
            post("phys_free", self.address())
        else:
            post("phys_set_minimum_alignment", 1 << rng.randrange(13))

    def _allocate(self) -> None:
        rng = self.rng
        keys = {key: value for key, value in (
            ("align", 1 << rng.randrange(16)), ("min", self.address()), ("max", self.address()),
            ("from_", "low")) if rng.random() < 0.3}
        size = rng.choice((1, 31, 4096, rng.randrange(1, 1 << 14), rng.randrange(1, 1 << 22)))
        at = self.player.post("phys_alloc", size, **keys)
        if at is not None:
            self.blocks.append(at)
