# SPDX-License-Identifier: MIT
"""The page engine's tree as it lies in a guest's memory: areas, chunks, leaves, their entries. The
arithmetic of entries is that of kernel/mm/page_node.h, the shapes are the program's own."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pfnlab.decode import Image, Unreadable, Value

UNIT = "kernel/mm/page_check.c"   # which sees all of the tree, and uses all constants
CONTINUED, HEAD, FREE, RESERVED = range(4)      # what an entry is: its bits, free * 2 + head
WORD = (1 << 64) - 1
Piece = tuple[int, int, int, bool]    # first frame, pages, cell, fresh
_FOLDS = [0x5555555555555555, 0x1111111111111111, 0x0101010101010101, 0x0001000100010001,
          0x0000000100000001, 1]


def run_starts(free: int, order: int) -> int:
    """The starts of the aligned runs of 2^order bits of a word that are all set, order up to 6."""
    for o in range(order):
        free &= free >> (1 << o) & _FOLDS[o]
    return free


def word_orders(free: int) -> int:
    """Bit o is set if a word has an aligned free run of 2^o bits."""
    found = 0
    for order in range(7):
        found |= (run_starts(free, order) != 0) << order
    return found


def bits(word: int) -> Iterator[int]:
    """The numbers of the set bits, lowest first."""
    while word:
        yield (word & -word).bit_length() - 1
        word &= word - 1


def bit(words: list[int], n: int) -> int:
    """Bit n of a long bitmap."""
    return words[n // 64] >> n % 64 & 1


class Shape:
    """The sizes of a tree, and what its numbers stand for, as the program has them."""

    def __init__(self, image: Image) -> None:
        def of(name: str) -> int:
            return image.constant(name, UNIT)
        self.unit_shift, self.chunk_shift = of("UNIT_SHIFT"), of("CHUNK_SHIFT")
        self.unit_pages, self.chunk_pages = 1 << self.unit_shift, 1 << self.chunk_shift
        self.units = 1 << self.chunk_shift - self.unit_shift       # of a chunk
        self.max_order, self.leaf_classes = of("MAX_ORDER"), of("LEAF_CLASSES")
        self.no_order = of("NO_ORDER")
        self._cell, self._fresh = of("CHUNK_CELL"), of("CHUNK_FRESH")
        self._cells = {of("CELL_CONTINUED"): CONTINUED, of("CELL_HEAD"): HEAD,
                       of("CELL_FREE"): FREE, of("CELL_RESERVED"): RESERVED}

    def order(self, number: int) -> int | None:
        """An order that is noted; None: there is nothing free."""
        return None if number == self.no_order else number

    def state(self, byte: int) -> tuple[int, bool]:
        """What all of a chunk is, and whether it is fresh."""
        return self._cells[byte & self._cell], bool(byte & self._fresh)


@dataclass
class Node:
    """A leaf's pages or a chunk's units."""

    pair: list[int]               # free and head of each word, in turns
    fresh: list[int]
    orders: int

    def cell(self, n: int) -> int:
        """What an entry is."""
        word, place = n // 64 * 2, n % 64
        return (self.pair[word] >> place & 1) * 2 + (self.pair[word + 1] >> place & 1)

    def free_bits(self, word: int) -> int:
        """The free entries of a word."""
        return self.pair[2 * word] & ~self.pair[2 * word + 1]

    def counted(self) -> int:
        """What `orders` should be."""
        return sum(word_orders(self.free_bits(w)) << 8 * w for w in range(len(self.fresh)))

    def is_all(self, cell: int) -> bool:
        """Are all entries alike?"""
        want = [WORD if cell & 2 else 0, WORD if cell & 1 else 0]
        return self.pair == want * len(self.fresh)

    def is_block(self) -> bool:
        """Are all entries of one block?"""
        return not any(self.pair[2:]) and not self.pair[0] and self.pair[1] in (0, 1)

    def fresh_uniform(self) -> bool:
        """Are all fresh bits alike?"""
        return set(self.fresh) in ({0}, {WORD})

    def order(self) -> int | None:
        """The order of the largest free run, if any; from `orders`, as the kernel has it."""
        words = len(self.fresh)
        of_word = [self.orders >> 8 * w & 0xff for w in range(words)]
        for up in range(words.bit_length() - 1, 0, -1):
            if any(all(o >> 6 & 1 for o in of_word[i:i + (1 << up)])
                   for i in range(0, words, 1 << up)):
                return 6 + up
        return max(of_word).bit_length() - 1 if any(of_word) else None


class Chunk:
    """A chunk whose units differ."""

    def __init__(self, at: Value, shape: Shape) -> None:
        self.at, self.shape = at, shape
        self.units = Node(at["pair"].words(), at["fresh"].words(), int(at["orders"]))
        self.open, self.mixed, self.lead = (at[name].words() for name in ("open", "mixed", "lead"))
        self.rows = at["class_row"].words()
        self.row_words = at["class_words"].words()
        self.class_ = shape.order(int(at["class"]))
        self.slabs = int(at["slabs"])
        self.first, self.index = int(at["first"]), int(at["index"])
        self.area = int(at["area"])
        self._leaves: dict[int, Node] = {}
        slab = at["slab"]["at"][0].type.target
        assert slab is not None
        self.slab_leaves = slab.fields["class"].type.count

    def leaf(self, unit: int) -> Node:
        """The leaf of a unit that has one."""
        if unit not in self._leaves:
            slab, i = self._slab(unit)
            words = len(self.units.fresh)
            self._leaves[unit] = Node(slab["pair"].words()[2 * words * i:2 * words * (i + 1)],
                                      slab["fresh"].words()[words * i:words * (i + 1)],
                                      int(slab["orders"][i]))
        return self._leaves[unit]

    def _slab(self, unit: int) -> tuple[Value, int]:
        slab = self.at["slab"]["at"][unit // self.slab_leaves]
        if int(slab) == 0:
            raise Unreadable(f"unit {unit} of the chunk at page {self.first:#x} has no leaf")
        return slab.target(), unit % self.slab_leaves

    def leaf_class(self, unit: int) -> int | None:
        """The class that is noted beside the leaf."""
        slab, i = self._slab(unit)
        return self.shape.order(int(slab["class"][i]))

    def in_class(self, unit: int, class_: int) -> bool:
        """Is the unit entered in the row of a class?"""
        words = len(self.units.fresh)
        return bool(self.row_words[class_] >> unit // 64 & 1
                    and bit(self.rows[words * class_:words * (class_ + 1)], unit))


@dataclass
class Area:
    """An area of the tree."""

    at: Value
    name: str
    index: int
    first: int
    limit: int
    managed: int
    free: int
    reserved: int
    chunk: int
    chunks: int


@dataclass
class Span:
    """A run of chunks of one area."""

    first: int
    limit: int
    area: int                     # address of its record
    chunk: int
    skew: int


class Hot:
    """The word that is taken out of the tree."""

    def __init__(self, at: Value, shape: Shape) -> None:
        self._shape = shape
        for name in ("first", "slots", "free", "tree", "fresh", "used", "given", "pages", "last",
                     "order", "shift", "areas", "chunk"):
            setattr(self, name, int(at[name]))

    first: int
    slots: int
    free: int
    tree: int
    fresh: int
    used: int
    given: int
    pages: int
    order: int
    shift: int
    areas: int
    chunk: int

    @property
    def pending(self) -> bool:
        """Is there something that the tree does not know?"""
        return self.free != self.tree or self.used != 0

    @property
    def word(self) -> int:
        """Which word of its node it is."""
        return (self.first >> self.shift) % self._shape.units // 64

    @property
    def unit(self) -> int:
        """The unit of its chunk in which it begins."""
        return self.first // self._shape.unit_pages % self._shape.units

    @property
    def run(self) -> int:
        """The bits of a block."""
        return (1 << (1 << self.order - self.shift)) - 1


class Tree:
    """The engine's tree. With `settled` the hot word is written back, here, not in the guest: as it
    is before the guest answers a question."""

    def __init__(self, image: Image, at: Value, settled: bool = True) -> None:
        self.at, self.shape = at, Shape(image)
        self.max_order = self.shape.max_order
        self.areas = [self._area(v) for v in at["area"].elements(int(at["nareas"]))]
        self.scan = at["scan"].words()[:len(self.areas)]
        self.spans = [Span(int(v["first"]), int(v["limit"]), int(v["area"]), int(v["chunk"]),
                           int(v["skew"])) for v in at["span"].elements(int(at["nspans"]))]
        self.ranges = [(int(v["first"]), int(v["limit"]))
                       for v in at["range"].elements(int(at["nranges"]))]
        self.chunks = int(at["chunks"])
        self.states = image.memory.read(int(at["state"]), self.chunks)
        nodes = at["node"]
        size = nodes.type.target.size if nodes.type.target is not None else 8
        data = image.memory.read(int(nodes), self.chunks * size)
        self._nodes = [int.from_bytes(data[i:i + size], image.order)
                       for i in range(0, len(data), size)]
        self._known: dict[int, Chunk] = {}
        self.hot = Hot(at["hot"], self.shape)
        self._page_chunk = image.type("page_chunk", UNIT)
        self._image = image
        if settled and self.hot.slots and self.hot.pending:
            self._flush()

    @staticmethod
    def _area(at: Value) -> Area:
        numbers = {name: int(at[name]) for name in ("index", "first", "limit", "managed", "free",
                                                    "reserved", "chunk", "chunks")}
        return Area(at, at["name"].text(), **numbers)

    def chunk(self, index: int) -> Chunk | None:
        """The chunk of that number; None: all of it is as its state says."""
        if not self._nodes[index]:
            return None
        if index not in self._known:
            at = Value(self._image, self._page_chunk, self._nodes[index])
            self._known[index] = Chunk(at, self.shape)
        return self._known[index]

    def chunk_at(self, address: int) -> Chunk | None:
        """The chunk whose record is there."""
        return next((self.chunk(i) for i, node in enumerate(self._nodes) if node == address), None)

    def first_of(self, index: int) -> int:
        """The frame with which a chunk begins."""
        span = next(s for s in reversed(self.spans) if s.chunk <= index)
        return (index - span.skew & 0xffffffff) << self.shape.chunk_shift

    def hot_node(self) -> Node | None:
        """The node that the hot word is of; None: the record names none."""
        chunk = self.chunk_at(self.hot.chunk)
        if chunk is None:
            return None
        return chunk.leaf(self.hot.unit) if self.hot.shift == 0 else chunk.units

    def pieces(self) -> Iterator[tuple[Area, Piece]]:
        """All pages, by address: units or pages, the last of an area also beyond its limit."""
        for area in self.areas:
            for index in range(area.chunk, area.chunk + area.chunks):
                yield from ((area, piece) for piece in chunk_pieces(self, index))

    def _flush(self) -> None:
        """As hot_flush() of kernel/mm/page_hot.c."""
        hot, node = self.hot, self.hot_node()
        chunk = self.chunk_at(hot.chunk)
        if node is None or chunk is None:
            return
        word, run = hot.word, hot.run
        free, head = node.pair[2 * word:2 * word + 2]
        node.pair[2 * word] = (free & ~(hot.slots * run) | hot.free * run) & WORD
        node.pair[2 * word + 1] = (head & ~hot.slots | hot.slots & ~hot.free) & WORD
        node.fresh[word] &= ~(hot.used * run) & WORD
        node.orders &= ~(0xff << 8 * word)
        node.orders |= word_orders(node.free_bits(word)) << 8 * word
        area = next(a for a in self.areas if a.at.address == chunk.area)
        area.free = area.free + (hot.given << hot.order) & WORD


def chunk_pieces(tree: Tree, index: int) -> Iterator[Piece]:
    """The entries of a chunk, pages or larger, in the order of their addresses."""
    first, chunk = tree.first_of(index), tree.chunk(index)
    if chunk is None:
        yield first, tree.shape.chunk_pages, *tree.shape.state(tree.states[index])
        return
    for unit in range(tree.shape.units):
        yield from _unit_pieces(chunk, unit, first + unit * tree.shape.unit_pages)


def _unit_pieces(chunk: Chunk, unit: int, first: int) -> Iterator[Piece]:
    cell, is_open = chunk.units.cell(unit), bit(chunk.open, unit)
    if not is_open and not bit(chunk.mixed, unit):
        yield first, chunk.shape.unit_pages, cell, bool(bit(chunk.units.fresh, unit))
        return
    leaf = chunk.leaf(unit)
    for page in range(chunk.shape.unit_pages):
        here = leaf.cell(page) if is_open else cell
        if not is_open and cell == HEAD and page:
            here = CONTINUED
        yield first + page, 1, here, bool(bit(leaf.fresh, page))
