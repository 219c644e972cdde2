# SPDX-License-Identifier: MIT
"""Where in the tree it is written what a page is: for a watchpoint."""
from __future__ import annotations

from dataclasses import dataclass

from pfnlab.decode import Value
from pfnlab.decode_node import Chunk, Tree, bit


@dataclass
class Place:
    """A byte that tells of a page."""

    what: str
    address: int
    mask: int
    value: int

    def __str__(self) -> str:
        return (f"{self.what}={self.value}: *(unsigned char *) {self.address:#x} & "
                f"{self.mask:#04x}")


def places(tree: Tree, frame: int) -> list[Place]:
    """The bytes that say what a page is, as the tree is now; none if no chunk covers it."""
    span = next((s for s in tree.spans if s.first <= frame < s.limit), None)
    if span is None:
        return []
    index = (frame >> tree.shape.chunk_shift) + span.skew & 0xffffffff
    chunk = tree.chunk(index)
    if chunk is None:
        at = int(tree.at["state"]) + index
        return [Place("state of the GiB", at, 0xff, tree.states[index])]
    return _of_entry(tree, chunk, frame) + _of_hot(tree, chunk, frame)


def _of_entry(tree: Tree, chunk: Chunk, frame: int) -> list[Place]:
    """Of an open unit the leaf tells all of its pages, of a mixed one which are fresh."""
    unit = frame // tree.shape.unit_pages % tree.shape.units
    pair, fresh = chunk.at["pair"][unit // 64], chunk.at["fresh"][unit // 64]
    entry, node = unit, chunk.units
    aged, age = unit, bit(node.fresh, unit)
    if bit(chunk.open, unit) or bit(chunk.mixed, unit):
        slab, within = chunk.at["slab"]["at"][unit // chunk.slab_leaves], unit % chunk.slab_leaves
        aged, leaf = frame % tree.shape.unit_pages, chunk.leaf(unit)
        word = within * len(leaf.fresh) + aged // 64
        fresh, age = slab["fresh"][word], bit(leaf.fresh, aged)
        if bit(chunk.open, unit):
            pair, entry, node = slab["pair"][word], aged, leaf
    cell = node.cell(entry)
    return [_byte("free", pair["free"], entry % 64, cell >> 1),
            _byte("head", pair["head"], entry % 64, cell & 1),
            _byte("fresh", fresh, aged % 64, age)]


def _of_hot(tree: Tree, chunk: Chunk, frame: int) -> list[Place]:
    """The hot word has the last say where the page is one of its slots."""
    hot = tree.hot
    number = (frame - hot.first >> hot.shift) & ~((1 << hot.order - hot.shift) - 1)
    if chunk.at.address != hot.chunk or not 0 <= number < 64 or not hot.slots >> number & 1:
        return []
    return [_byte("hot free", tree.at["hot"]["free"], number, hot.free >> number & 1)]


def _byte(what: str, word: Value, number: int, value: int) -> Place:
    byte = number // 8 if word.image.order == "little" else 7 - number // 8
    return Place(what, word.address + byte, 1 << number % 8, value)
