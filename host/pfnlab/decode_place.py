# SPDX-License-Identifier: MIT
"""Where in the tree it is written what a page is: for a watchpoint."""
from __future__ import annotations

from dataclasses import dataclass

from pfnlab.decode import Value
from pfnlab.decode_node import CHUNK_SHIFT, UNIT_PAGES, Chunk, Tree, bit


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
    index = (frame >> CHUNK_SHIFT) + span.skew & 0xffffffff
    chunk = tree.chunk(index)
    if chunk is None:
        at = int(tree.at["state"]) + index
        return [Place("state of the GiB", at, 7, tree.states[index])]
    return _of_entry(tree, chunk, frame) + _of_hot(tree, chunk, frame)


def _of_entry(tree: Tree, chunk: Chunk, frame: int) -> list[Place]:
    unit = frame // UNIT_PAGES % 512
    if bit(chunk.open, unit):
        slab, within = chunk.at["slab"]["at"][unit // chunk.slab_leaves], unit % chunk.slab_leaves
        pair, entry = slab["pair"][within * 8 + frame % 512 // 64], frame % 512
        node = chunk.leaf(unit)
    else:
        pair, entry, node = chunk.at["pair"][unit // 64], unit, chunk.units
    cell = node.cell(entry)
    return [_byte(tree, name, pair[name], entry % 64, value)
            for name, value in (("free", cell >> 1), ("head", cell & 1))]


def _of_hot(tree: Tree, chunk: Chunk, frame: int) -> list[Place]:
    """The hot word has the last say where the page is one of its slots."""
    hot = tree.hot
    number = (frame - hot.first >> hot.shift) & ~((1 << hot.order - hot.shift) - 1)
    if chunk.at.address != hot.chunk or not 0 <= number < 64 or not hot.slots >> number & 1:
        return []
    return [_byte(tree, "hot free", tree.at["hot"]["free"], number, hot.free >> number & 1)]


def _byte(tree: Tree, what: str, word: Value, number: int, value: int) -> Place:
    byte = number // 8 if word.image.order == "little" else 7 - number // 8
    return Place(what, word.address + byte, 1 << number % 8, value)
