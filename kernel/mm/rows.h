/* SPDX-License-Identifier: MIT */
/*
 * Rows of equal size, densely in pages of a node source: a table that grows and shrinks at its end
 * only. Who takes a row out of the middle moves the last one into the hole.
 *
 * A row has a number: its page, and in the lower ROWS_SHIFT bits its place in the page. Where a
 * page holds 2^ROWS_SHIFT rows the numbers are 0, 1, 2, ...; rows_number() counts them otherwise.
 */
#ifndef PFNLAB_MM_ROWS_H
#define PFNLAB_MM_ROWS_H

#include "kernel/mm/engine.h"

enum { ROWS_SHIFT = 8 };              /* a page holds at most 2^8 rows */
#define ROWS_DIRECTORY_SHIFT 9u       /* a directory is a page of 2^9 pages */
#define ROWS_DIRECTORY_PAGES (1u << ROWS_DIRECTORY_SHIFT)

struct rows_directory {
    unsigned char *pages[ROWS_DIRECTORY_PAGES];
};

_Static_assert(sizeof(struct rows_directory) <= PAGE_SIZE, "a directory fits into its page");

struct rows {
    struct node_source nodes;
    struct rows_directory **directories;
    uint32_t limit;                   /* pages at most, by the number of directories */
    uint32_t per_page;
    uint32_t count;                   /* rows */
    uint32_t pages;                   /* for which there is memory */
};

/*
 * An empty table of rows of `size` bytes, 16 to PAGE_SIZE. `directories` has room for `n` pointers,
 * for the life of the table; the greatest table has n * 512 pages. Takes no memory yet.
 */
void rows_init(struct rows *rows, const struct node_source *nodes, size_t size,
               struct rows_directory **directories, uint32_t n);

/* What the two below do when there is anything to do: take a page more, give pages back. */
MUST_USE enum error rows_grow(struct rows *rows);
void rows_shrink(struct rows *rows);

/* Make sure that rows_push() has room. MEM_METADATA: no page for one more row, or the limit. */
MUST_USE static inline enum error rows_make_room(struct rows *rows)
{
    return rows->count < rows->pages * rows->per_page ? OK : rows_grow(rows);
}

/* Append a row, content undefined, for which rows_make_room() has made room: its number. */
uint32_t rows_push(struct rows *rows);

/* Remove the last row; its page stays until rows_trim(). */
void rows_pop(struct rows *rows);

/* Give the pages back that hold no row. */
static inline void rows_trim(struct rows *rows)
{
    if (rows->pages * rows->per_page - rows->count >= rows->per_page)
        rows_shrink(rows);
}

/* The number of the row that is the `index`th, from 0. */
static inline uint32_t rows_number(const struct rows *rows, uint32_t index)
{
    return index / rows->per_page << ROWS_SHIFT | index % rows->per_page;
}

/* The row of that number; `size` is that of rows_init(). */
static inline void *rows_at(const struct rows *rows, uint32_t number, size_t size)
{
    uint32_t page = number >> ROWS_SHIFT;

    return rows->directories[page >> ROWS_DIRECTORY_SHIFT]->pages[page & (ROWS_DIRECTORY_PAGES - 1)]
        + (number & ((1u << ROWS_SHIFT) - 1)) * size;
}

#endif
