# SPDX-License-Identifier: MIT
"""The page engine's invariants, computed from outside: the numbers of kernel/mm/page_check.c, in
its order. They hold for the tree as it lies in memory, before the hot word is written back."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pfnlab.decode import Unreadable
from pfnlab.decode_node import (CONTINUED, FREE, HEAD, RESERVED, WORD, Area, Chunk, Node, Piece,
                                Tree, bit, bits, chunk_pieces, run_starts)

TEXT = {
    1: "areas, spans and ranges ascend, tile their arrays, and the scan order is a permutation",
    2: "a node's orders are those of its free bits",
    3: "an open leaf is in the class of its largest free order, and in no other",
    4: "a lead is an open unit whose first page is free",
    5: "an active chunk is of the class of its largest free order, and knows its place",
    6: "an area's rows hold the chunks of each class, their summaries and `available` agree",
    7: "an open leaf is not wholly free, reserved or one block; its unit is a head above it",
    8: "an active chunk is wholly free or reserved only while its fresh bits differ",
    9: "a closed unit keeps a leaf only while its fresh bits differ, its cells all free",
    10: "a slab exists while it holds a leaf; each page held is a chunk, a slab or in stock",
    11: "a page that is not managed is reserved and not fresh",
    12: "no allocated page is fresh",
    13: "a continued page is behind its block; no block is longer than 2^18 pages",
    14: "the totals of an area are the sums of its pages",
    15: "the hot word differs from the tree only in blocks of its order, where it was used",
    16: "no class depends on the slots of the hot word",
    17: "the rule would choose the hot word",
}


@dataclass
class Violation:
    """A broken invariant, and a frame, or a page of the window, where it shows."""

    invariant: int
    at: int
    text: str

    def __str__(self) -> str:
        return f"invariant={self.invariant} at={self.at << 12:#018x} ; {self.text}"


def broken(invariant: int, frame: int) -> Violation:
    """One of the engine's."""
    return Violation(invariant, frame, TEXT[invariant])


def check_tree(tree: Tree) -> Iterator[Violation]:
    """Every broken invariant of a tree that is not settled, the kernel's first one first."""
    yield from _roots(tree)
    try:
        if not _hot_agrees(tree):
            yield broken(15, tree.hot.first)
        elif not _hot_keeps_class(tree):
            yield broken(16, tree.hot.first)
    except Unreadable:
        yield broken(15, tree.hot.first)
    for area in tree.areas:
        yield from _area(tree, area)
    if _held(tree) != int(tree.at["held"]):
        yield broken(10, 0)
    if not _hot_is_chosen(tree):
        yield broken(17, tree.hot.first)


# ---- roots ----

def _roots(tree: Tree) -> Iterator[Violation]:
    limit = chunk = before = 0
    for area in tree.areas:
        if area.first != limit or area.limit <= limit or area.chunk != chunk:
            yield broken(1, area.first)
        limit, chunk = area.limit, chunk + area.chunks
    for first, end in tree.ranges:
        if first <= before or end <= first:
            yield broken(1, first)
        before = end
    if sorted(tree.scan) != list(range(len(tree.areas))):
        yield broken(1, 0)
    yield from _spans(tree)


def _spans(tree: Tree) -> Iterator[Violation]:
    limit, chunk, shift = 0, 0, tree.shape.chunk_shift
    areas = {a.at.address: a for a in tree.areas}
    for span in tree.spans:
        area = areas.get(span.area)
        if area is None or span.first < limit or span.limit <= span.first or span.chunk != chunk \
                or (chunk - span.skew) & 0xffffffff != span.first >> tree.shape.chunk_shift \
                or span.first < area.first or span.limit > area.limit:
            yield broken(1, span.first)
        limit = span.limit
        chunk += ((limit - 1) >> shift) - (span.first >> shift) + 1
    if chunk != tree.chunks:
        yield broken(1, limit)


# ---- the hot word ----

def _hot_agrees(tree: Tree) -> bool:
    hot = tree.hot
    if (hot.free | hot.fresh) & ~hot.slots or hot.used & ~hot.fresh:
        return False
    if not hot.slots:
        return not hot.pending
    if not _hot_is_there(tree):
        return False
    node = tree.hot_node()
    assert node is not None
    starts = run_starts(node.free_bits(hot.word), hot.order - hot.shift)
    return starts & hot.slots == hot.tree \
        and hot.given == (hot.free.bit_count() - hot.tree.bit_count()) & WORD \
        and node.fresh[hot.word] & (hot.slots & ~hot.fresh) * hot.run & WORD == 0 \
        and all(_is_block(tree, hot.first + (n << hot.shift)) for n in bits(hot.slots & ~hot.tree))


def _hot_is_there(tree: Tree) -> bool:
    hot, shape = tree.hot, tree.shape
    if hot.order > shape.max_order \
            or hot.shift != (0 if hot.order < shape.unit_shift else shape.unit_shift) \
            or hot.order - hot.shift >= 6 or hot.pages not in (WORD, 1 << hot.order) \
            or hot.first & (64 << hot.shift) - 1:
        return False
    chunk = tree.chunk_at(hot.chunk)
    slot = hot.first + (next(bits(hot.slots)) << hot.shift)
    return chunk is not None and chunk.first <= slot < chunk.first + shape.chunk_pages \
        and (hot.shift != 0 or bool(bit(chunk.open, hot.unit)))


def _is_block(tree: Tree, frame: int) -> bool:
    """For the tree, one of the hot order begins there."""
    node, hot = tree.hot_node(), tree.hot
    entry, entries = frame // (1 << hot.shift) % tree.shape.units, tree.shape.units
    if node is None or node.cell(entry) != HEAD:
        return False
    pages = 1 << hot.order - hot.shift
    inside = all(node.cell(n) == CONTINUED for n in range(entry + 1, entry + pages))
    end = entry + pages
    return inside and (end == entries or node.cell(end) != CONTINUED)


def _hot_is_chosen(tree: Tree) -> bool:
    hot, node = tree.hot, tree.hot_node()
    if not hot.slots or hot.pages == WORD or node is None:
        return True
    others = run_starts(node.free_bits(hot.word), hot.order - hot.shift) & ~hot.slots
    if hot.free and others and next(bits(others)) < next(bits(hot.free)):
        return False
    if not hot.tree:
        return True
    for area in (tree.areas[i] for i in tree.scan):
        classes = int(area.at["available"]) >> hot.order
        if hot.areas >> area.index & 1 and classes:
            return _first_word(tree, area, hot.order + next(bits(classes))) == hot.first
    return False


def _first_word(tree: Tree, area: Area, class_: int) -> int | None:
    """Where the word begins that the rule would choose among those of a class."""
    hot = tree.hot
    index = next((i for i in range(area.chunk, area.chunk + area.chunks)
                  if _belongs(tree, i, class_)), None)
    chunk = tree.chunk(index) if index is not None else None
    of_leaf = class_ < tree.shape.leaf_classes
    if chunk is None or of_leaf != (hot.shift == 0):
        return None
    unit, node = 0, chunk.units
    if of_leaf:
        unit = next((u for u in range(tree.shape.units) if chunk.in_class(u, class_)), 0)
        node = chunk.leaf(unit)
    word = next((w for w in range(len(node.fresh))
                 if node.orders >> 8 * w >> hot.order - hot.shift & 1), 0)
    return chunk.first + unit * tree.shape.unit_pages + (word * 64 << hot.shift)


def _hot_keeps_class(tree: Tree) -> bool:
    node, hot = tree.hot_node(), tree.hot
    if not hot.slots or node is None:
        return True
    runs = hot.slots * hot.run & WORD
    orders = []
    for free in (node.free_bits(hot.word) | runs, node.free_bits(hot.word) & ~runs):
        other = Node(list(node.pair), node.fresh, 0)
        other.pair[2 * hot.word:2 * hot.word + 2] = [free, 0]
        other.orders = other.counted()
        orders.append(other.order())
    return orders[0] == orders[1]


# ---- nodes, leaves, chunks ----

def _node(node: Node, frame: int) -> Iterator[Violation]:
    if node.counted() != node.orders:
        yield broken(2, frame)


def _open(chunk: Chunk, unit: int, frame: int) -> Iterator[Violation]:
    leaf = chunk.leaf(unit)
    yield from _node(leaf, frame)
    order = leaf.order()
    if order == chunk.shape.unit_shift or leaf.is_all(RESERVED) or leaf.is_block() \
            or chunk.units.cell(unit) != HEAD:
        yield broken(7, frame)
    if chunk.leaf_class(unit) != order or not _in_class_only(chunk, unit, order):
        yield broken(3, frame)
    if bit(chunk.lead, unit) != (leaf.cell(0) == FREE):
        yield broken(4, frame)


def _closed(chunk: Chunk, unit: int, frame: int) -> Iterator[Violation]:
    if bit(chunk.mixed, unit):
        leaf = chunk.leaf(unit)
        if chunk.units.cell(unit) in (HEAD, CONTINUED) or leaf.fresh_uniform() \
                or leaf.orders != leaf.counted() or not leaf.is_all(FREE):
            yield broken(9, frame)
    if not _in_class_only(chunk, unit, None):
        yield broken(3, frame)
    if bit(chunk.lead, unit):
        yield broken(4, frame)


def _in_class_only(chunk: Chunk, unit: int, order: int | None) -> bool:
    return all(chunk.in_class(unit, c) == (c == order) for c in range(chunk.shape.leaf_classes))


def _active(chunk: Chunk, area: Area, index: int, frame: int) -> Iterator[Violation]:
    wanted, shift = 0, chunk.shape.unit_shift
    for unit in range(chunk.shape.units):
        if bit(chunk.open, unit) or bit(chunk.mixed, unit):
            wanted |= 1 << unit // chunk.slab_leaves
    if any(o & m for o, m in zip(chunk.open, chunk.mixed, strict=True)):
        yield broken(9, frame)
    if chunk.slabs != wanted:
        yield broken(10, frame)
    order = chunk.units.order()
    if chunk.units.fresh_uniform() and not any(chunk.mixed) \
            and (order == shift or chunk.units.is_all(RESERVED)):
        yield broken(8, frame)
    if chunk.class_ != (None if order is None else order + shift) \
            or (chunk.first, chunk.area, chunk.index) != (frame, area.at.address, index):
        yield broken(5, frame)
    yield from _node(chunk.units, frame)


def _chunk(tree: Tree, area: Area, index: int) -> Iterator[Violation]:
    frame, chunk = tree.first_of(index), tree.chunk(index)
    if chunk is None:
        if tree.shape.state(tree.states[index])[0] == CONTINUED:
            yield broken(13, frame)
        return
    yield from _active(chunk, area, index, frame)
    for unit in range(tree.shape.units):
        at = frame + unit * tree.shape.unit_pages
        yield from _open(chunk, unit, at) if bit(chunk.open, unit) else _closed(chunk, unit, at)


def _held(tree: Tree) -> int:
    """Pages of the node source that can be accounted for."""
    held = 0
    for index in range(tree.chunks):
        chunk = tree.chunk(index)
        held += 1 + chunk.slabs.bit_count() if chunk is not None else 0
    stock, seen = tree.at["stock"], set()
    while stock and int(stock) not in seen:
        seen.add(int(stock))
        held += 1 + int(stock["slabs"]).bit_count()
        stock = stock["next"]
    return held


# ---- areas ----

def _area(tree: Tree, area: Area) -> Iterator[Violation]:
    walk = _Walk(tree, area)
    for index in range(area.chunk, area.chunk + area.chunks):
        try:
            yield from _chunk(tree, area, index)
            for piece in chunk_pieces(tree, index):
                yield from walk.piece(*piece)
        except Unreadable:
            yield broken(10, tree.first_of(index))
    yield from _rows(tree, area)
    if (walk.free, walk.reserved, walk.managed) != (area.free, area.reserved, area.managed):
        yield broken(14, area.first)


class _Walk:
    """The pages of an area in the order of their addresses."""

    def __init__(self, tree: Tree, area: Area) -> None:
        self.area, self.ranges, self.longest = area, tree.ranges, 1 << tree.max_order
        self.free = self.reserved = self.managed = self.block = self.next = 0

    def piece(self, first: int, pages: int, cell: int, fresh: bool) -> Iterator[Violation]:
        """Look at pages alike."""
        yield from self._block((first, pages, cell, fresh))
        if cell in (HEAD, CONTINUED) and fresh:
            yield broken(12, first)
        managed = sum(max(0, min(first + pages, end, self.area.limit)
                          - max(first, start, self.area.first)) for start, end in self.ranges)
        if managed < pages and (cell != RESERVED or fresh):
            yield broken(11, first)
        self.managed += managed
        self.reserved += managed if cell == RESERVED else 0
        self.free += pages if cell == FREE else 0

    def _block(self, piece: Piece) -> Iterator[Violation]:
        first, pages, cell, _ = piece
        behind, self.next = first == self.next, first + pages
        if cell == HEAD:
            self.block = pages
        elif cell == CONTINUED and behind and self.block:
            self.block += pages
        elif cell == CONTINUED:
            yield broken(13, first)
        else:
            self.block = 0
        if self.block > self.longest:
            yield broken(13, first)


def _belongs(tree: Tree, index: int, class_: int) -> bool:
    chunk = tree.chunk(index)
    if chunk is None:
        return class_ == tree.max_order and tree.shape.state(tree.states[index])[0] == FREE
    if class_ < tree.shape.leaf_classes:
        return chunk.row_words[class_] != 0
    return chunk.class_ == class_


def _rows(tree: Tree, area: Area) -> Iterator[Violation]:
    if not area.chunks:
        return
    shape = area.at["shape"]
    words, levels = int(shape["words"]), int(shape["levels"])
    offsets = shape["offset"].words()[:levels] + [words]
    rows, available = area.at["rows"], int(area.at["available"])
    for class_ in range(tree.max_order + 1):
        row = [int(rows[class_ * words + w]) for w in range(words)]
        there = [_belongs(tree, area.chunk + i, class_) for i in range(area.chunks)]
        wrong = next((i for i, is_there in enumerate(there) if bit(row[1:], i) != is_there), None)
        if wrong is not None:
            yield broken(6, tree.first_of(area.chunk + wrong))
        elif row[0] != sum(there) or available >> class_ & 1 != any(there) \
                or not _summaries_agree(row, offsets):
            yield broken(6, area.first)


def _summaries_agree(row: list[int], offsets: list[int]) -> bool:
    return all(bit(row[offsets[level]:], w) == (row[offsets[level - 1] + w] != 0)
               for level in range(1, len(offsets) - 1)
               for w in range(offsets[level] - offsets[level - 1]))
