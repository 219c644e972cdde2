/* SPDX-License-Identifier: MIT */
/*
 * The records of the list engine. Private to kernel/mm/list*.c and its tests.
 *
 * A *piece* is a naturally aligned run of 2^order pages of one range, all of whose bytes say the
 * same but for freshness. Free pieces are in lists. An allocated block is a FIRST piece and the
 * NEXT pieces behind it, of whatever orders its address and length need. Reserved pages are pieces
 * of order 0.
 */
#ifndef PFNLAB_MM_LIST_PARTS_H
#define PFNLAB_MM_LIST_PARTS_H

#include "kernel/mm/engine.h"

static const uint32_t NO_PAGE = UINT32_MAX;
#define ORDERS (MAX_ORDER + 1)

enum piece_kind { PIECE_FREE, PIECE_FIRST, PIECE_NEXT, PIECE_RESERVED };

/* The byte of a page: order, kind, fresh. */
enum { BYTE_ORDER = 0x1f, BYTE_KIND_SHIFT = 5, BYTE_KIND = 3, BYTE_FRESH = 0x80 };

/* Of the first page of a free piece: its neighbours in the list, by number, or NO_PAGE. */
struct list_link { uint32_t next, previous; };

/* Managed frames of one area without a gap. `first` has the number `number`, and so on. */
struct list_range {
    uint64_t first, limit;            /* frame numbers */
    uint32_t number;
    unsigned area;
};

struct list_area {
    char name[AREA_NAME_SIZE];
    uint64_t first, limit;            /* frame numbers, by the area table */
    uint64_t managed, free, reserved; /* pages */
    uint32_t head[ORDERS];            /* number of the first page of the first piece, or NO_PAGE */
    uint64_t count[ORDERS];           /* pieces in the list */
};

struct list_engine {
    size_t nareas, nranges;
    uint8_t scan[MAX_AREAS];
    struct list_area area[MAX_AREAS];
    struct list_range *range;         /* ascending */
    struct list_link *link;           /* of each page */
    uint8_t *byte;                    /* of each page */
};

static inline uint64_t order_pages(unsigned order) { return UINT64_C(1) << order; }

static inline uint32_t page_number(const struct list_range *range, uint64_t frame)
{
    return range->number + (uint32_t)(frame - range->first);
}

static inline unsigned page_byte(const struct list_engine *engine, const struct list_range *range,
                                 uint64_t frame)
{
    return engine->byte[page_number(range, frame)];
}

static inline unsigned byte_order(unsigned byte) { return byte & BYTE_ORDER; }
static inline enum piece_kind byte_kind(unsigned byte)
{
    return (enum piece_kind)(byte >> BYTE_KIND_SHIFT & BYTE_KIND);
}

/* First frame of, and first frame behind, the piece that holds `frame`. */
static inline uint64_t piece_first(unsigned byte, uint64_t frame)
{
    return align_down(frame, order_pages(byte_order(byte)));
}
static inline uint64_t piece_limit(unsigned byte, uint64_t frame)
{
    return piece_first(byte, frame) + order_pages(byte_order(byte));
}

/* The range that holds the frame, or NULL; the one that holds the page of that number. */
const struct list_range *range_find(const struct list_engine *engine, uint64_t frame);
const struct list_range *range_numbered(const struct list_engine *engine, uint32_t number);

/* First frame of, and first frame behind, the allocated block that holds `frame`. */
uint64_t list_block_first(const struct list_engine *engine, const struct list_range *range,
                          uint64_t frame);
uint64_t list_block_limit(const struct list_engine *engine, const struct list_range *range,
                          uint64_t frame);

/*
 * Changes of the frames first..limit-1 of one range. Carve: take them, all free, out of the lists;
 * then mark them: a block (no longer fresh), or reserved. Give: the reverse; the area's totals are
 * the caller's, both ways.
 */
void pieces_carve(struct list_engine *engine, const struct list_range *range, uint64_t first,
                  uint64_t limit);
void pieces_mark_block(struct list_engine *engine, const struct list_range *range, uint64_t first,
                       uint64_t limit);
void pieces_mark_reserved(struct list_engine *engine, const struct list_range *range,
                          uint64_t first, uint64_t limit);
void pieces_give(struct list_engine *engine, const struct list_range *range, uint64_t first,
                 uint64_t limit);

/* Operations of the table that list.c does not have. */
void list_query(void *engine, pfn_t frame, struct page_info *info);
uint64_t list_run(void *engine, pfn_t from, pfn_t limit, struct page_info *info);
uint64_t list_count_free(void *engine, uint32_t areas);
bool list_area_info(void *engine, unsigned area, struct page_area_info *info);
MUST_USE bool list_check(const void *engine, bool (*stop)(void),
                         struct page_violation *violation);
MUST_USE enum error list_corrupt(void *engine, unsigned invariant);

#endif
