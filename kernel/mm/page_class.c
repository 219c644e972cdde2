/* SPDX-License-Identifier: MIT */
#include "kernel/mm/page_class.h"

/* ---- Rows of an area ---- */

static inline void row_enter(struct page_area *area, uint32_t n, unsigned class)
{
    area->available |= UINT32_C(1) << class;
    bitset_add(area_row(area, class), &area->shape, n);
}

static inline void row_leave(struct page_area *area, uint32_t n, unsigned class)
{
    uint64_t *row = area_row(area, class);
    if (bitset_count(row) == 1)
        area->available &= ~(UINT32_C(1) << class);
    bitset_remove(row, &area->shape, n);
}

void row_add(struct page_area *area, uint32_t chunk, unsigned class)
{
    row_enter(area, chunk - area->chunk, class);
}

void row_remove(struct page_area *area, uint32_t chunk, unsigned class)
{
    row_leave(area, chunk - area->chunk, class);
}

/* Sets with summaries: the calls that these are cost others registers. */
static NOINLINE void row_move_far(struct page_area *area, uint32_t n, unsigned from, unsigned to)
{
    row_leave(area, n, from);
    row_enter(area, n, to);
}

void row_move(struct page_area *area, uint32_t chunk, unsigned from, unsigned to)
{
    uint32_t n = chunk - area->chunk;
    if (area->shape.levels > 1) {
        row_move_far(area, n, from, to);
    } else {
        row_leave(area, n, from);
        row_enter(area, n, to);
    }
}

/* ---- Leaves and chunks ---- */

void word_enter(struct page_chunk *chunk, unsigned word, unsigned class)
{
    unsigned words = chunk->class_words[class];
    chunk->class_words[class] = (uint8_t)(words | 1u << word);
    if (words == 0)
        row_add(chunk->area, chunk->index, class);
}

void word_leave(struct page_chunk *chunk, unsigned word, unsigned class)
{
    unsigned words = chunk->class_words[class] & ~(1u << word);
    chunk->class_words[class] = (uint8_t)words;
    if (words == 0)
        row_remove(chunk->area, chunk->index, class);
}

enum error leaf_changed(struct page_tree *tree, struct page_chunk *chunk, unsigned unit)
{
    leaf_class(chunk, unit);
    return change_end(tree);
}

void chunk_move(struct page_chunk *chunk, unsigned class)
{
    unsigned before = chunk->class;
    chunk->class = (uint8_t)class;
    if (before == NO_ORDER)
        row_add(chunk->area, chunk->index, class);
    else if (class == NO_ORDER)
        row_remove(chunk->area, chunk->index, before);
    else
        row_move(chunk->area, chunk->index, before, class);
}
