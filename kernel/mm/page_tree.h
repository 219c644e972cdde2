/* SPDX-License-Identifier: MIT */
/*
 * The tree of the page engine: areas, spans, chunks, leaves, and how their states change.
 * Private to kernel/mm/page*.c and its tests. kernel/mm/README.md draws the picture.
 *
 * A *unit* is 512 pages (2 MiB), a *chunk* 512 units (1 GiB), as far as they belong to one area.
 * A unit is *open* if its pages differ: then its leaf tells of each one. A chunk is *active* if its
 * units differ, be it in freshness alone: then its node tells of each one. Else the level above
 * says what all of it is.
 */
#ifndef PFNLAB_MM_PAGE_TREE_H
#define PFNLAB_MM_PAGE_TREE_H

#include "kernel/mm/engine.h"
#include "kernel/mm/page_slab.h"

/* Keeps what is rare from costing registers where it is not. */
#define NOINLINE __attribute__((noinline))

enum { UNIT_SHIFT = 9, CHUNK_SHIFT = 18 };   /* pages of a unit, of a chunk */
#define UNIT_PAGES 512u
#define CHUNK_PAGES UINT64_C(0x40000)
#define CHUNK_UNITS 512u

#define SLABS (CHUNK_UNITS / SLAB_LEAVES)

/*
 * Classes: 0..8 are those of leaves by their largest free order, 9..18 those of chunks by their
 * largest free order counted in wholly free units.
 */
enum { LEAF_CLASSES = 9 };
#define CLASSES (MAX_ORDER + 1)

/* Pages of the node source, as many as a chunk can have for its leaves: bit s of a mask is [s]. */
struct page_slabs {
    struct page_slab *at[SLABS];
};

/*
 * Pages that are not part of the tree: a page of the node source, which holds this, and those of
 * `slab` whose bits are set.
 */
struct page_stock {
    struct page_stock *next;
    uint32_t slabs;
    struct page_slabs slab;
};

/* 1 GiB: 512 units; one page of the node source. */
struct page_chunk {
    /* The node of its units. An open unit is HEAD here, so that scans stop at it. */
    struct page_pair pair[NODE_WORDS];
    uint64_t fresh[NODE_WORDS];
    uint64_t orders;
    uint64_t open[NODE_WORDS];
    uint64_t mixed[NODE_WORDS];       /* closed units whose leaf is kept for its fresh bits */
    uint64_t lead[NODE_WORDS];        /* open units whose page 0 is free */
    /*
     * Open leaves by largest free order. Bit w of class_words[c] says that word w of row c is not
     * 0; else the word holds anything.
     */
    uint64_t class_row[LEAF_CLASSES][NODE_WORDS];
    uint8_t class_words[LEAF_CLASSES];
    uint8_t class;                    /* of the chunk, 9..18, or NO_ORDER */
    uint32_t slabs;                   /* bit s: slab s exists; a leaf in it is open or mixed */
    struct page_slabs slab;           /* unit u's leaf is [u % 16] of at[u / 16] */
    uint64_t first;                   /* frame number of the chunk's first page */
    struct page_area *area;
    uint32_t index;                   /* in the tree's chunk arrays */
};

/* The state of a chunk that is not active: what cell all of it is, and a flag. */
enum { CHUNK_CELL = 3, CHUNK_FRESH = 4 };   /* the latter: all of it is fresh */

/* A run of chunks of one area without a gap; `first` and `limit` are cut to the area. */
struct page_span {
    uint64_t first, limit;            /* frame numbers */
    struct page_area *area;
    uint32_t chunk;                   /* index of the first one */
    uint32_t skew;                    /* that, less the chunk's number by address, mod 2^32 */
};

struct page_area {
    char name[AREA_NAME_SIZE];
    unsigned index;                   /* in the tree's areas */
    uint64_t first, limit;            /* frame numbers, by the area table */
    uint64_t managed, free, reserved; /* pages */
    uint32_t chunk, chunks;           /* its part of the chunk arrays */
    uint32_t available;               /* bit c: row c is not empty */
    struct bitset_shape shape;
    /*
     * Set c holds the chunks (counted from the area's first) that have an open leaf of class c, for
     * c < 9, or that are of class c themselves.
     */
    uint64_t *rows;
};

/* Where a frame is. */
struct page_place {
    struct page_area *area;
    uint64_t first;                   /* frame number of the chunk's first page */
    uint32_t chunk;
    uint32_t offset;                  /* in the chunk, pages */
};

/* The word from which blocks of one order are taken without a search: page_hot.h. */
struct page_hot {
    uint64_t first;                   /* frame of the word's first entry */
    uint64_t slots;                   /* where such blocks may come and go; 0: no word is hot */
    uint64_t free;                    /* those of them that are free now */
    uint64_t tree;                    /* those that are free as far as the tree knows */
    uint64_t fresh;                   /* those that are not wholly used as far as it knows, */
    uint64_t used;                    /* and of them those that are no longer */
    uint64_t given;                   /* free less tree, blocks, mod 2^64 */
    uint64_t pages;                   /* of a request that it serves */
    unsigned last;                    /* the order of the last block that was looked for */
    unsigned order, shift;            /* 0..5 and 0 in a leaf, 9..14 and 9 in a chunk */
    struct page_chunk *chunk;
    /* Of the last request for a block, as they lie in it. */
    uint32_t areas;
    uint16_t align;
    bool fresh_only, exact;
};

struct page_tree {
    struct node_source nodes;
    /*
     * Pages taken in advance by tree_secure(), or no longer needed. Taking or giving back a block
     * returns a few of the latter at a time, as taking one GiB can free 33.
     */
    struct page_stock *stock;
    uint64_t held;                    /* pages of the node source in the tree and in the stock */
    struct page_hot hot;
    size_t nareas, nspans, nranges;
    uint32_t chunks;
    uint8_t scan[MAX_AREAS];
    struct page_area area[MAX_AREAS];
    struct page_span *span;           /* ascending, by address and by chunk alike; [0] exists */
    struct page_managed { uint64_t first, limit; } *range;   /* ascending, no two touch */
    struct page_chunk **node;         /* of each chunk; NULL unless it is active */
    uint8_t *state;                   /* of each chunk that is not active */
};

/* What happens to a run of pages. */
enum page_change {
    CHANGE_TAKE,                      /* FREE to HEAD, CONTINUED...; no longer fresh */
    CHANGE_EXTEND,                    /* FREE to CONTINUED, of the block before; likewise */
    CHANGE_GIVE,                      /* HEAD or CONTINUED to FREE */
    CHANGE_RESERVE,                   /* FREE to RESERVED */
    CHANGE_UNRESERVE,                 /* RESERVED to FREE */
    CHANGE_MANAGE,                    /* not managed to FREE */
    CHANGE_MANAGE_FRESH,              /* the same, and fresh */
};

/* The span that holds `frame`, or the one nearest to it. */
static inline const struct page_span *tree_span(const struct page_tree *tree, uint64_t frame)
{
    const struct page_span *span = tree->span;
    for (size_t n = tree->nspans; n > 1; n -= n / 2)
        if (span[n / 2].first <= frame)
            span += n / 2;
    return span;
}

/* The node of the chunk that holds `frame`; NULL if it is not active, or there is none. */
static inline struct page_chunk *tree_chunk(const struct page_tree *tree, uint64_t frame)
{
    const struct page_span *span = tree_span(tree, frame);
    if (frame < span->first || frame >= span->limit)
        return NULL;
    return tree->node[(uint32_t)(frame >> CHUNK_SHIFT) + span->skew];
}

/* Find the chunk of `frame`; false if no chunk covers it (no page near it is managed). */
static inline bool tree_find(const struct page_tree *tree, uint64_t frame,
                             struct page_place *place)
{
    const struct page_span *span = tree_span(tree, frame);
    if (frame < span->first || frame >= span->limit)
        return false;
    place->area = span->area;
    place->chunk = (uint32_t)(frame >> CHUNK_SHIFT) + span->skew;
    place->offset = (uint32_t)frame & (uint32_t)(CHUNK_PAGES - 1);
    place->first = frame - place->offset;
    return true;
}

/*
 * The part of first..limit-1, all managed, that lies in one chunk of one area: its place, and the
 * frame behind it.
 */
uint64_t tree_piece(const struct page_tree *tree, uint64_t first, uint64_t limit,
                    struct page_place *place);

/* Frame number of the first page of a chunk, by its span. */
uint64_t tree_span_first(const struct page_tree *tree, uint32_t chunk);

/* True if `frame` is managed; *limit is the first frame behind it of which the answer differs. */
bool tree_managed(const struct page_tree *tree, uint64_t frame, uint64_t *limit);

static inline struct page_node chunk_units(const struct page_chunk *chunk)
{
    struct page_chunk *c = (struct page_chunk *)chunk;
    return (struct page_node){ c->pair, c->fresh, &c->orders };
}

static inline struct page_node chunk_leaf(const struct page_chunk *chunk, unsigned unit)
{
    struct page_slab *slab = chunk->slab.at[unit / SLAB_LEAVES];
    unsigned i = unit % SLAB_LEAVES;
    return (struct page_node){ &slab->pair[i * NODE_WORDS], &slab->fresh[i * NODE_WORDS],
                               &slab->orders[i] };
}

static inline uint8_t *chunk_leaf_class(const struct page_chunk *chunk, unsigned unit)
{
    return &chunk->slab.at[unit / SLAB_LEAVES]->class[unit % SLAB_LEAVES];
}

/*
 * Take nodes in advance, so that changing the frames first..limit-1 (one change, from end to end)
 * cannot fail. MEM_METADATA: there are not enough; nothing has changed.
 */
MUST_USE enum error tree_secure(struct page_tree *tree, uint64_t first, uint64_t limit);

/*
 * Change the frames first..limit-1, all of them managed and in the state that the change starts
 * from. Secured before. For CHANGE_TAKE and CHANGE_EXTEND all in one area, of one block.
 */
void tree_change(struct page_tree *tree, uint64_t first, uint64_t limit, enum page_change change);

/* Make `frame`, a CONTINUED page, the head of a block. Never opens a leaf. */
void tree_set_head(struct page_tree *tree, uint64_t frame);

/*
 * The steps of a change. Open: the leaf or node of what is closed, from nodes secured before.
 * Split: open what is wholly free for the block of 2^order pages at its first page, all in one.
 * Reserve: the same for `pages` of one word, that of the place.
 * Settle: after any change, close it or enter it in its class (page_class.h has the short ways).
 */
void leaf_open(struct page_tree *tree, struct page_chunk *chunk, unsigned unit);
void leaf_split(struct page_tree *tree, struct page_chunk *chunk, unsigned unit, unsigned order);
void leaf_reserve(struct page_tree *tree, struct page_chunk *chunk, unsigned unit, unsigned word,
                  uint64_t pages);
void leaf_settle(struct page_tree *tree, struct page_chunk *chunk, unsigned unit);
struct page_chunk *chunk_activate(struct page_tree *tree, const struct page_place *place);
static inline struct page_chunk *chunk_open(struct page_tree *tree, const struct page_place *place)
{
    struct page_chunk *chunk = tree->node[place->chunk];
    return chunk != NULL ? chunk : chunk_activate(tree, place);
}
void chunk_split(struct page_tree *tree, const struct page_place *place, unsigned order);
void chunk_reserve(struct page_tree *tree, const struct page_place *place, uint64_t pages);
void chunk_settle(struct page_tree *tree, struct page_chunk *chunk);

/*
 * Closed units from..to-1, or a chunk that is wholly free, are handed out: no node is needed for
 * their fresh bits.
 */
void chunk_used(struct page_tree *tree, struct page_chunk *chunk);
void units_used(struct page_tree *tree, struct page_chunk *chunk, unsigned from, unsigned to);

/* Put `slabs` (bit s: slab s), or those of them that hold no leaf, into the stock. */
void slabs_drop(struct page_tree *tree, struct page_chunk *chunk, uint32_t slabs);
void slabs_trim(struct page_tree *tree, struct page_chunk *chunk, uint32_t slabs);
static inline void stock_put(struct page_tree *tree, void *page)
{
    struct page_stock *stock = page;
    stock->next = tree->stock;
    stock->slabs = 0;
    tree->stock = stock;
}

/* Of a stock that is not empty. */
static inline void *stock_take(struct page_tree *tree)
{
    struct page_stock *stock = tree->stock;
    if (stock->slabs != 0) {
        unsigned slab = bit_lowest(stock->slabs);
        stock->slabs &= stock->slabs - 1;
        return slab_page(stock->slab.at[slab]);
    }
    tree->stock = stock->next;
    return stock;
}

/* Have `pages` pages in the stock. MEM_METADATA: there are not enough; nothing has changed. */
MUST_USE enum error stock_fill(struct page_tree *tree, uint64_t pages);

/* Pages in the stock; at least `enough` if there are as many. */
uint64_t stock_count(const struct page_tree *tree, uint64_t enough);

/* Give back pages of the stock, at most `pages`. */
void stock_trim(struct page_tree *tree, uint64_t pages);

/* The end of every change of one block: give back a few. */
#define TRIM_PAGES 2u
enum error change_trim(struct page_tree *tree);
static inline enum error change_end(struct page_tree *tree)
{
    return tree->stock != NULL ? change_trim(tree) : OK;
}

/* Give every node back. */
void tree_release(struct page_tree *tree);

/* What rules the state of one frame. */
struct page_spot {
    struct page_place place;
    const struct page_chunk *chunk;   /* NULL unless the chunk is active */
    bool open;                        /* the unit is, and its leaf tells */
    struct page_node leaf;            /* if so */
    unsigned unit, page;              /* in the chunk, in the unit */
    enum page_cell cell;
};

/* Fill in the rest of a spot whose place is known. */
void place_spot(const struct page_tree *tree, struct page_spot *spot);

/* False as tree_find(). */
bool tree_spot(const struct page_tree *tree, uint64_t frame, struct page_spot *spot);

/* True if a unit, or with CHUNK_UNITS the next chunk, continues the block before. */
bool unit_continues(const struct page_tree *tree, const struct page_chunk *chunk, unsigned unit);

/*
 * First frame behind, and first frame of, a block that there is up to the end of the unit before
 * `unit` (1..512), and from `unit` (0..512) on.
 */
uint64_t reach_limit(const struct page_tree *tree, const struct page_chunk *chunk, unsigned unit);
uint64_t reach_first(const struct page_tree *tree, const struct page_chunk *chunk, unsigned unit);

/* First frame behind, and first frame of, the block that holds `frame` at `spot`, allocated. */
uint64_t block_limit(const struct page_tree *tree, const struct page_spot *spot, uint64_t frame);
uint64_t block_first(const struct page_tree *tree, const struct page_spot *spot, uint64_t frame);

/*
 * Alloc and free of one block, without window, freshness or alignment of its own: as engine.h. The
 * hot word is flushed before.
 */
MUST_USE enum error block_alloc(struct page_tree *tree, const struct page_request *request,
                                pfn_t *out);
MUST_USE enum error block_free(struct page_tree *tree, uint64_t first, uint64_t *pages);

/*
 * One page aligned to 2^align pages, align from 9 on, of an area that has a chunk of `class`, which
 * rule 2 chose. The hot word is forgotten before.
 */
MUST_USE enum error lead_alloc(struct page_tree *tree, struct page_area *area, unsigned class,
                               unsigned align, pfn_t *out);

/* Why `frame`, of that cell, is not part of an allocated block. */
enum error not_allocated(const struct page_tree *tree, uint64_t frame, enum page_cell cell);

/* Query of one frame, and the length of its run: as in engine.h. */
void tree_query(const struct page_tree *tree, uint64_t frame, struct page_info *info);
uint64_t tree_run(const struct page_tree *tree, uint64_t from, uint64_t limit,
                  struct page_info *info);

/* The operations that page.c puts into the table. */
size_t page_memory_size(const struct page_map *map);
MUST_USE enum error page_init(void *memory, const struct page_map *map,
                              const struct node_source *nodes);
MUST_USE enum error page_reserve(void *engine, pfn_t first, uint64_t pages, pfn_t *blame);
MUST_USE enum error page_unreserve(void *engine, pfn_t first, uint64_t pages, pfn_t *blame);
void page_query(void *engine, pfn_t frame, struct page_info *info);
uint64_t page_run(void *engine, pfn_t from, pfn_t limit, struct page_info *info);
uint64_t page_count_free(void *engine, uint32_t areas);
bool page_area_info(void *engine, unsigned area, struct page_area_info *info);
MUST_USE bool page_check(const void *engine, bool (*stop)(void), struct page_violation *violation);
MUST_USE enum error page_corrupt(void *engine, unsigned invariant);

#endif
