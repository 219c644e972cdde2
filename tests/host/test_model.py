# SPDX-License-Identifier: MIT
"""The model, against the headers' words on maps small enough to see through, and transcripts."""
from __future__ import annotations

import ast

import pytest

from pfnlab.model import Pages, Refusal, Request, largest_order
from pfnlab.model_early import Phys, subtract
from pfnlab.spec import project_root
from pfnlab.transcript import Transcript, TranscriptError

ALL = frozenset({0, 1})
LEAF = 512


BESIDES = {"model_line": {"pfnlab", "pfnlab.table"},         # what lines are made of
           "model_cpus": {"pfnlab.oracle"}}                  # a start takes what commands give


def test_each_model_is_short_and_knows_nothing_but_models() -> None:
    paths = sorted((project_root() / "host/pfnlab").glob("model*.py"))
    models = {f"pfnlab.{path.stem}" for path in paths}
    for path in paths:
        text = path.read_text()
        assert text.count("\n") < 400, path
        known = {node.module for node in ast.walk(ast.parse(text))
                 if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pfnlab")}
        of_others = known - models - {"pfnlab.values"}
        assert of_others <= BESIDES.get(path.stem, set()), path


def pages(*ranges: tuple[int, int]) -> Pages:
    """An allocator of ranges of (first frame, pages); areas `a` below frame 2048, `b` above."""
    return Pages([(first, n, True) for first, n in ranges], [("a", 2048), ("b", 1 << 40)])


def take(allocator: Pages, n: int, **keys: int) -> int:
    """Allocate n pages, aligned as buddies are."""
    return allocator.alloc(Request(ALL, n, (n - 1).bit_length(), **keys))


def test_the_highest_area_serves_first() -> None:
    assert take(pages((LEAF, 2 * LEAF), (4096, LEAF)), 1) == 4096


def test_an_open_leaf_is_preferred_to_a_wholly_free_one() -> None:
    allocator = pages((LEAF, LEAF), (2 * LEAF, 10))
    assert take(allocator, 1) == 2 * LEAF


def test_the_open_leaf_with_the_smallest_sufficient_order_serves() -> None:
    allocator = pages((LEAF, 16), (2 * LEAF, 4), (3 * LEAF, 8))
    assert take(allocator, 4) == 2 * LEAF
    assert take(allocator, 4) == 3 * LEAF
    assert take(allocator, 16) == LEAF


def test_the_lowest_slot_in_the_leaf_is_taken_even_in_a_larger_block() -> None:
    allocator = pages((LEAF, 16))
    take(allocator, 1)
    assert take(allocator, 2) == LEAF + 2
    assert take(allocator, 1) == LEAF + 1


def test_large_blocks_come_from_the_chunk_with_the_smallest_sufficient_order() -> None:
    chunk = LEAF * 512
    allocator = Pages([(chunk, 8 * LEAF, True), (2 * chunk, 2 * LEAF, True)], [("a", 1 << 40)])
    assert allocator.alloc(Request(frozenset({0}), LEAF, 9)) == 2 * chunk


def test_when_no_leaf_has_the_order_the_lowest_slot_anywhere_serves() -> None:
    allocator = pages((LEAF + 508, 8))
    assert allocator.alloc(Request(ALL, 5)) == LEAF + 508


def test_a_window_goes_to_the_lowest_slot() -> None:
    allocator = pages((LEAF, LEAF), (2 * LEAF, 10))
    assert take(allocator, 1, min=LEAF + 7) == LEAF + 7


def test_parts_of_a_block_are_blocks() -> None:
    allocator = pages((LEAF, 64))
    block = take(allocator, 16)
    assert allocator.free(block + 4, 4) == 4
    assert allocator.blocks == {block: 4, block + 8: 8}
    with pytest.raises(Refusal, match="mem.beyond"):
        allocator.free(block, 5)


def test_a_refusal_changes_nothing() -> None:
    allocator = pages((LEAF, 64))
    allocator.reserve(LEAF + 5, 1)
    with pytest.raises(Refusal, match="mem.reserved") as caught:
        allocator.reserve(LEAF, 8)
    assert caught.value.at == (LEAF + 5) << 12
    assert allocator.totals(0)["reserved"] == 1


@pytest.mark.parametrize(("busy", "order"), [("00000000", 3), ("10000000", 2), ("01010101", 0),
                                             ("11111111", -1), ("10011001", 0), ("11001111", 1)])
def test_the_largest_order_is_of_aligned_runs(busy: str, order: int) -> None:
    assert largest_order(bytes(map(int, busy))) == order


def test_ranges_are_subtracted() -> None:
    assert subtract([(0, 10), (8, 20)], [(3, 5), (19, 30)]) == [(0, 3), (5, 19)]


def test_early_memory_hands_over_whole_pages_and_knows_which_it_used() -> None:
    phys = Phys(usable=[(100, 0x5000)], reserved=[(100, 0x1000)])
    assert phys.alloc(16) == 0x5000 - 32
    assert phys.alloc(16, from_low=True) == 0x1000
    assert phys.free(0x1000) == 16
    assert phys.hand_over() == [(1, 1, False), (2, 2, True)]


@pytest.mark.parametrize("text", ["hello\n", "=1 5\n", ">1 echo 5\n=2 5\n",
                                  ">1 echo 5\n=1 5\n=1 5\n",
                                  "; with a grain of salt\n", "; also\n"])
def test_what_is_no_transcript_is_refused_by_line(text: str) -> None:
    with pytest.raises(TranscriptError, match=r"x\.t:\d:"):
        Transcript(text, "x.t")
