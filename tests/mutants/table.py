# SPDX-License-Identifier: MIT
"""The mutants: each breaks one line as somebody might by mistake, and a test must notice.

`old` stands exactly once in the file; `tests` names the unit tests that run first (make unit
TEST=...); what they let through goes to the scenarios and the model on the native guest.
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One breakage."""

    name: str
    file: str
    old: str
    new: str
    tests: str = "page*"


MUTANTS = (
    # Bugs that other allocators shipped.
    Mutant("freed buddies never coalesce", "kernel/mm/page_node.h",
           "pair->free = cell == CELL_FREE || cell == CELL_RESERVED ? pair->free | mask",
           "pair->free = cell == CELL_RESERVED ? pair->free | mask"),
    Mutant("freed words never coalesce", "kernel/mm/page_node.h",
           "return words & words >> 8 & EACH_SECOND;", "return words & 0;"),
    Mutant("a reserved page stays in the free set", "kernel/mm/page_change.c",
           "return change == CHANGE_RESERVE ? CELL_RESERVED : CELL_FREE;", "return CELL_FREE;"),
    Mutant("a partial free gives back a page too few", "kernel/mm/page.c",
           "tree_change(tree, first.n, first.n + pages, CHANGE_GIVE);",
           "tree_change(tree, first.n, first.n + pages - (pages > 1), CHANGE_GIVE);"),
    Mutant("a range goes a page beyond its area", "kernel/mm/page_init.c",
           "part->limit = end < limit ? end : limit;",
           "part->limit = end <= limit + 1 ? end : limit;"),
    Mutant("reserve takes zero pages", "kernel/mm/page_reserve.c",
           "if (pages == 0 || first.n", "if (first.n"),
    Mutant("unreserve accepts free pages", "kernel/mm/page_reserve.c",
           "return range_change(engine, first, pages, PAGE_RESERVED,",
           "return range_change(engine, first, pages, PAGE_FREE,"),
    Mutant("reserve changes before it looks", "kernel/mm/page_reserve.c",
           "return state_error(state);", "(void)state_error;"),
    Mutant("a pointer into a block is freed", "kernel/mm/page_block.c",
           "if (spot.cell == CELL_CONTINUED)\n        return E_MEM_INSIDE;",
           "if (spot.cell == CELL_CONTINUED)\n        spot.cell = CELL_HEAD;"),
    Mutant("a reserved page is called free", "kernel/mm/page_block.c",
           "? E_MEM_RESERVED : E_MEM_UNMANAGED;", "? E_MEM_FREE : E_MEM_UNMANAGED;"),
    Mutant("the rest of a block has no head", "kernel/mm/page.c",
           "if (first.n + pages < limit)\n        tree_set_head",
           "if (first.n + pages < limit - 1)\n        tree_set_head"),
    Mutant("what was handed out stays fresh", "kernel/mm/page_change.c",
           "bitmap_fill(node->fresh, from, to, false);",
           "bitmap_fill(node->fresh, from, to, true);"),
    Mutant("a single block stays fresh", "kernel/mm/page_node.h",
           "node->fresh[word] &= ~run;", "node->fresh[word] &= ~run | 2;"),
    Mutant("a window ends with its area", "kernel/mm/page.c",
           "limit = limit < area->limit ? limit : area->limit;", "limit = area->limit;"),
    Mutant("an exact address need not be aligned", "kernel/mm/page.c",
           "&& is_aligned(request->at.n, UINT64_C(1) << request->align)", ""),
    Mutant("an exact block crosses areas", "kernel/mm/page.c",
           "&& info->area == area\n", "&& area < MAX_AREAS\n"),
    Mutant("low memory goes first", "kernel/mm/page_init.c",
           "tree->scan[a] = (uint8_t)(map->nareas - 1 - a);", "tree->scan[a] = (uint8_t)a;"),
    Mutant("an opened leaf is not preferred", "kernel/mm/page_block.c",
           "unsigned class = order + bit_lowest(classes);",
           "unsigned class = order + bit_highest(classes);"),
    Mutant("reserved pages are not counted", "kernel/mm/page_change.c",
           "area->reserved += pages;", "area->reserved += 0;"),
    # The hot word.
    Mutant("hot: not flushed for a block of its chunk", "kernel/mm/page_hot.h",
           "if (chunk == tree->hot.chunk)\n", "if (chunk == tree->hot.chunk && chunk == NULL)\n"),
    Mutant("hot: it serves though another leaf is better", "kernel/mm/page_hot.h",
           "tree->hot.pages = UINT64_MAX;\n    if (chunk ==", "if (chunk =="),
    Mutant("hot: a class depends on its slots", "kernel/mm/page_hot.h",
           "return slots & (bit_of(last) - 1);", "return slots | last;"),
    Mutant("hot: it serves other areas", "kernel/mm/page_hot.h",
           "&& request->areas == hot->areas && ", "&& "),
    Mutant("hot: an address within a block is freed", "kernel/mm/page_hot.h",
           "bit = distance >> hot->shift | distance << (-hot->shift & 63);",
           "bit = distance >> hot->shift;"),
    Mutant("hot: a question is not preceded by a flush", "kernel/mm/page_query.c",
           "hot_settle(engine);\n    tree_query(", "tree_query("),
    Mutant("hot: reserve is not preceded by a flush", "kernel/mm/page_reserve.c",
           "hot_drop(tree);", ""),
    Mutant("hot: what it handed out stays fresh", "kernel/mm/page_hot.c",
           "node.fresh[word] &= ~(hot->used * run);", ""),
    Mutant("hot: a total forgets the size of blocks", "kernel/mm/page_hot.c",
           "hot->given << hot->order;", "hot->given;"),
    Mutant("hot: its first page is not entered as a lead", "kernel/mm/page_hot.c",
           "hot_unit(hot), pair_free(pair) & 1);", "hot_unit(hot), false);"),
    Mutant("hot: a leaf that was opened for an alignment", "kernel/mm/page_block.c",
           "tree->hot.last = NO_ORDER;", ""),
    # The layer above.
    Mutant("pages are not zeroed", "kernel/mm/pages.c",
           "*zeroed = dontzero || (pages->backed && pages->hooks.zero(first, request->pages));",
           "*zeroed = dontzero || pages->backed;", "pages"),
    Mutant("a page too few is zeroed", "kernel/machine.c",
           "memset(memory, 0, (size_t)size);", "memset(memory, 0, (size_t)size - 8);", "machine"),
    Mutant("the rest of a block loses its owner", "kernel/mm/pages.c",
           "record_add(pages, rest, tag);", "record_add(pages, rest, 0);", "pages"),
    # Early memory.
    Mutant("an early block goes beyond its extent", "kernel/mm/phys.c",
           "return *out < high && high - *out >= request->size;", "return *out < high;", "phys*"),
    Mutant("the minimum alignment is forgotten", "kernel/mm/phys.c",
           "greater(request->align, phys->minimum_alignment)", "greater(request->align, 1)",
           "phys*"),
    Mutant("early memory is freed by an inner address", "kernel/mm/phys.c",
           "if (extent.start != start.a)", "if (extent.start > start.a)", "phys*"),
    Mutant("the hand-over gives away half a page", "kernel/mm/phys.c",
           "limit = align_down(free_run_end(phys, i, &i), PAGE_SIZE);",
           "limit = align_up(free_run_end(phys, i, &i), PAGE_SIZE);", "phys*"),
    # The line.
    Mutant("numbers overflow in silence", "kernel/lib/number.c",
           "overflow |= sum > UINT64_MAX / 10 || sum * 10 > UINT64_MAX - digit;", "(void)overflow;",
           "protocol*"),
    Mutant("a wrong checksum is taken for right", "protocol/session.c",
           "return request->sum == given ? OK : E_LINK_CRC;",
           "return request->sum == given ? OK : OK;", "protocol_session"),
    Mutant("a tag may be left out", "protocol/session.c",
           "request->tag == session.last + 1", "request->tag >= session.last + 1",
           "protocol_session"),
    Mutant("the last mutator runs again", "protocol/session.c",
           "is_last_again(&request) && slot->mutator)", "is_last_again(&request) && !slot->tag)",
           "protocol_session"),
    Mutant("the rest of a long line runs", "protocol/line.c",
           "line.too_long = true;", "line.mode = BLANK;", "protocol_line"),
)
