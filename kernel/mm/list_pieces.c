/* SPDX-License-Identifier: MIT */
/* Pieces: into lists and out of them, split and joined. */
#include "kernel/lib/bitmap.h"
#include "kernel/mm/list_parts.h"

const struct list_range *range_find(const struct list_engine *engine, uint64_t frame)
{
    size_t below = 0, above = engine->nranges;   /* ranges below end at or before the frame */
    while (below < above) {
        size_t middle = below + (above - below) / 2;
        if (engine->range[middle].limit <= frame)
            below = middle + 1;
        else
            above = middle;
    }
    return below < engine->nranges && engine->range[below].first <= frame ? &engine->range[below]
                                                                          : NULL;
}

const struct list_range *range_numbered(const struct list_engine *engine, uint32_t number)
{
    const struct list_range *range = engine->range;
    for (size_t n = engine->nranges; n > 1; n -= n / 2)
        if (range[n / 2].number <= number)
            range += n / 2;
    return range;
}

/* ---- Lists ---- */

static void list_add(struct list_engine *engine, const struct list_range *range, uint64_t first,
                     unsigned order)
{
    struct list_area *area = &engine->area[range->area];
    uint32_t number = page_number(range, first), next = area->head[order];
    engine->link[number] = (struct list_link){ .next = next, .previous = NO_PAGE };
    if (next != NO_PAGE)
        engine->link[next].previous = number;
    area->head[order] = number;
    area->count[order]++;
}

static void list_remove(struct list_engine *engine, const struct list_range *range, uint64_t first,
                        unsigned order)
{
    struct list_area *area = &engine->area[range->area];
    struct list_link link = engine->link[page_number(range, first)];
    if (link.previous != NO_PAGE)
        engine->link[link.previous].next = link.next;
    else
        area->head[order] = link.next;
    if (link.next != NO_PAGE)
        engine->link[link.next].previous = link.previous;
    area->count[order]--;
}

/* ---- Pieces ---- */

/* The order of the largest piece that begins at `first` and ends by `limit`; `first` is not 0. */
static unsigned largest_order(uint64_t first, uint64_t limit)
{
    unsigned order = bit_highest(limit - first), aligned = bit_lowest(first);
    order = aligned < order ? aligned : order;
    return order < MAX_ORDER ? order : MAX_ORDER;
}

/* Write the byte of each page; what `keep` has set stays. */
static void piece_write(struct list_engine *engine, const struct list_range *range, uint64_t first,
                        unsigned order, enum piece_kind kind, unsigned keep)
{
    uint8_t *byte = &engine->byte[page_number(range, first)], *end = byte + order_pages(order);
    unsigned says = order | (unsigned)kind << BYTE_KIND_SHIFT;
    for (; byte < end; byte++)
        *byte = (uint8_t)((*byte & keep) | says);
}

static bool is_free_piece(const struct list_engine *engine, const struct list_range *range,
                          uint64_t first, unsigned order)
{
    return first >= range->first && first + order_pages(order) <= range->limit
           && (page_byte(engine, range, first) & ~BYTE_FRESH) == order;
}

/* Join the piece with its buddy, and that with its own, as long as they are free. */
static void piece_give(struct list_engine *engine, const struct list_range *range, uint64_t first,
                       unsigned order)
{
    for (; order < MAX_ORDER; order++) {
        uint64_t buddy = first ^ order_pages(order);
        if (!is_free_piece(engine, range, buddy, order))
            break;
        list_remove(engine, range, buddy, order);
        first &= ~order_pages(order);
    }
    piece_write(engine, range, first, order, PIECE_FREE, BYTE_FRESH);
    list_add(engine, range, first, order);
}

void pieces_give(struct list_engine *engine, const struct list_range *range, uint64_t first,
                 uint64_t limit)
{
    while (first < limit) {
        unsigned order = largest_order(first, limit);
        piece_give(engine, range, first, order);
        first += order_pages(order);
    }
}

void pieces_carve(struct list_engine *engine, const struct list_range *range, uint64_t first,
                  uint64_t limit)
{
    for (uint64_t frame = first; frame < limit;) {
        unsigned byte = page_byte(engine, range, frame);
        uint64_t start = piece_first(byte, frame), end = piece_limit(byte, frame);
        list_remove(engine, range, start, byte_order(byte));
        if (start < first)
            pieces_give(engine, range, start, first);
        if (end > limit)
            pieces_give(engine, range, limit, end);
        frame = end;
    }
}

void pieces_mark_block(struct list_engine *engine, const struct list_range *range, uint64_t first,
                       uint64_t limit)
{
    enum piece_kind kind = PIECE_FIRST;
    while (first < limit) {
        unsigned order = largest_order(first, limit);
        piece_write(engine, range, first, order, kind, 0);
        first += order_pages(order);
        kind = PIECE_NEXT;
    }
}

void pieces_mark_reserved(struct list_engine *engine, const struct list_range *range,
                          uint64_t first, uint64_t limit)
{
    for (; first < limit; first++)
        piece_write(engine, range, first, 0, PIECE_RESERVED, BYTE_FRESH);
}

uint64_t list_block_first(const struct list_engine *engine, const struct list_range *range,
                          uint64_t frame)
{
    unsigned byte = page_byte(engine, range, frame);
    while (byte_kind(byte) == PIECE_NEXT) {
        frame = piece_first(byte, frame) - 1;
        byte = page_byte(engine, range, frame);
    }
    return piece_first(byte, frame);
}

uint64_t list_block_limit(const struct list_engine *engine, const struct list_range *range,
                          uint64_t frame)
{
    do
        frame = piece_limit(page_byte(engine, range, frame), frame);
    while (frame < range->limit && byte_kind(page_byte(engine, range, frame)) == PIECE_NEXT);
    return frame;
}
