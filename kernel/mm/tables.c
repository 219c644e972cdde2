/* SPDX-License-Identifier: MIT */
/*
 * Invariants, in the order in which they are verified:
 *   510  `used` is the number of bytes of all pieces marked as taken
 *   511  the free pieces listed are free, whole, none is half of a free piece, each knows the one
 *        before it, and they are all that is free below `virgin`
 */
#include "kernel/mm/tables.h"

#include "kernel/lib/string.h"

#define LARGEST (TABLE_SIZES - 1)

/* At the start of a free piece. */
struct table_piece {
    struct table_piece *next, *previous;
};

void tables_init(struct tables *tables, void *base, uint64_t size)
{
    uint64_t units = size / TABLE_UNIT, kept = align_up(units, TABLE_UNIT) / TABLE_UNIT;

    ASSERT(is_aligned((uintptr_t)base, PAGE_SIZE) && is_aligned(size, TABLE_UNIT));
    *tables = (struct tables){ .base = base, .units = units > kept ? units - kept : 0 };
    tables->taken = tables->base + (size_t)(tables->units * TABLE_UNIT);
    if (tables->units > 0)
        memset(tables->taken, 0, (size_t)tables->units);
}

uint64_t tables_size(const struct tables *tables)
{
    return tables->units * TABLE_UNIT;
}

/* ---- pieces ---- */

/* 0 for the smallest. */
static unsigned index_of(uint64_t size)
{
    unsigned index = order_for(size) - order_for(TABLE_PIECE);

    ASSERT(is_power_of_two(size) && size >= TABLE_PIECE && index < TABLE_SIZES);
    return index;
}

static uint64_t unit_of(const struct tables *tables, const void *piece)
{
    return (uint64_t)((const unsigned char *)piece - tables->base) / TABLE_UNIT;
}

/* The bits of a piece in the byte of its unit. */
static uint8_t mask_of(const struct tables *tables, const void *piece, unsigned index)
{
    uint64_t offset = (uint64_t)((const unsigned char *)piece - tables->base) % TABLE_UNIT;

    return (uint8_t)(((1u << (1u << index)) - 1) << offset / TABLE_PIECE);
}

static void list(struct tables *tables, void *at, unsigned index)
{
    struct table_piece *piece = at, *next = tables->returned[index];

    *piece = (struct table_piece){ .next = next };
    if (next != NULL)
        next->previous = piece;
    tables->returned[index] = piece;
}

static void unlist(struct tables *tables, struct table_piece *piece, unsigned index)
{
    if (piece->previous != NULL)
        piece->previous->next = piece->next;
    else
        tables->returned[index] = piece->next;
    if (piece->next != NULL)
        piece->next->previous = piece->previous;
}

/* A free piece that is listed no more: of the smallest size that will do, cut down to `index`. */
static void *cut(struct tables *tables, unsigned index)
{
    unsigned from = index;
    unsigned char *piece;

    while (from < LARGEST && tables->returned[from] == NULL)
        from++;
    piece = (unsigned char *)tables->returned[from];
    if (piece != NULL)
        unlist(tables, tables->returned[from], from);
    else if (tables->virgin < tables->units)
        piece = tables->base + (size_t)(tables->virgin++ * TABLE_UNIT);
    else
        return NULL;
    while (from-- > index)
        list(tables, piece + (TABLE_PIECE << from), from);
    return piece;
}

void *tables_take(struct tables *tables, uint64_t size)
{
    unsigned index = index_of(size);
    void *piece;

    if (tables->fail != NULL && fail_refuses(tables->fail, FAIL_TABLES, 0, 0))
        return NULL;
    piece = cut(tables, index);
    if (piece == NULL) {
        atomic_fetch_add_explicit(&tables->shortages, 1, memory_order_relaxed);
        return NULL;
    }
    tables->taken[unit_of(tables, piece)] |= mask_of(tables, piece, index);
    tables->used += size;
    return piece;
}

void tables_give(struct tables *tables, void *piece, uint64_t size)
{
    unsigned index = index_of(size);
    uint64_t unit = unit_of(tables, piece);
    uint64_t start = (uint64_t)((unsigned char *)piece - tables->base);
    uint8_t mask = mask_of(tables, piece, index), *taken = &tables->taken[unit];

    ASSERT(unit < tables->units && is_aligned(start, size) && (*taken & mask) == mask);
    *taken &= (uint8_t)~mask;
    tables->used -= size;
    for (; index < LARGEST; index++) {
        uintptr_t offset = (uintptr_t)piece - (uintptr_t)tables->base;
        void *buddy = tables->base + (offset ^ TABLE_PIECE << index);

        if ((*taken & mask_of(tables, buddy, index)) != 0)
            break;
        unlist(tables, buddy, index);
        piece = tables->base + (offset & ~(uintptr_t)(TABLE_PIECE << index));
    }
    list(tables, piece, index);
}

uint32_t tables_shortages(const struct tables *tables)
{
    return atomic_load_explicit(&tables->shortages, memory_order_relaxed);
}

bool tables_owns(const struct tables *tables, const void *address)
{
    uint64_t unit = unit_of(tables, address);

    return unit < tables->virgin && (tables->taken[unit] & mask_of(tables, address, 0)) != 0;
}

/* ---- check ---- */

static bool listed_right(const struct tables *tables, unsigned index, uint64_t *bytes,
                         uint64_t *at)
{
    const struct table_piece *before = NULL;

    for (const struct table_piece *p = tables->returned[index]; p != NULL; p = p->next) {
        uintptr_t offset = (uintptr_t)p - (uintptr_t)tables->base;
        const void *buddy = tables->base + (offset ^ TABLE_PIECE << index);

        *at = unit_of(tables, p);
        if (p->previous != before || *at >= tables->virgin
            || !is_aligned(offset, TABLE_PIECE << index))
            return false;
        if ((tables->taken[*at] & mask_of(tables, p, index)) != 0)
            return false;
        if (index < LARGEST && (tables->taken[*at] & mask_of(tables, buddy, index)) == 0)
            return false;
        *bytes += TABLE_PIECE << index;
        before = p;
    }
    return true;
}

static unsigned pieces(uint8_t taken)
{
    unsigned n = 0;

    for (; taken != 0; taken &= (uint8_t)(taken - 1))
        n++;
    return n;
}

bool tables_check(const struct tables *tables, unsigned *invariant, uint64_t *at)
{
    uint64_t taken = 0, listed = 0;

    for (uint64_t unit = 0; unit < tables->units; unit++)
        taken += TABLE_PIECE * pieces(tables->taken[unit]);
    *invariant = 510;
    *at = 0;
    if (taken != tables->used)
        return false;
    *invariant = 511;
    for (unsigned index = 0; index < TABLE_SIZES; index++)
        if (!listed_right(tables, index, &listed, at))
            return false;
    *at = tables->virgin;
    return listed + tables->used == tables->virgin * TABLE_UNIT;
}
