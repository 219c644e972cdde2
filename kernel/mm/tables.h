/* SPDX-License-Identifier: MIT */
/*
 * Memory of page tables: pieces of 2, 4, 8 or 16 KiB out of units of 16 KiB, one run of real memory
 * that is taken at boot and lives as long as the machine, whatever becomes of the allocators under
 * test.
 *
 * A binary buddy inside each unit. The lowest free piece of a size is not what is wanted here, only
 * a fast one: which memory a table lies in is nobody's to know.
 */
#ifndef PFNLAB_MM_TABLES_H
#define PFNLAB_MM_TABLES_H

#include "kernel/base.h"
#include "kernel/mm/fail.h"

enum { TABLE_UNIT = 16 << 10, TABLE_PIECE = 2 << 10 };   /* bytes, the largest and the smallest */
#define TABLE_SIZES 4u

struct table_piece;

struct tables {
    unsigned char *base;
    uint64_t units;
    uint8_t *taken;                   /* of each unit: which of its eight smallest pieces */
    struct table_piece *returned[TABLE_SIZES];   /* free pieces, by size */
    uint64_t virgin;                  /* units below this index were taken at least once */
    uint64_t used;                    /* bytes taken now */
    struct fail *fail;                /* NULL: nothing is refused on purpose */
    _Atomic uint32_t shortages;       /* no piece was left, not by plan; read without a lock */
};

/*
 * Table memory in `size` bytes at `base`, multiples of TABLE_UNIT, the tables' from now on. (As
 * machines see it: where a port has memory at another place, pieces are aligned as `base` is.) The
 * last units hold what is known of the others. Nothing is written to the rest before it is
 * taken. With size 0 there is none.
 */
void tables_init(struct tables *tables, void *base, uint64_t size);

/* Bytes that can be taken, in all. */
uint64_t tables_size(const struct tables *tables);

/*
 * A piece of `size` bytes (a power of two from TABLE_PIECE to TABLE_UNIT), aligned to it, content
 * undefined; NULL if there is none. O(1), as are the others. Refusals by plan: FAIL_TABLES.
 */
void *tables_take(struct tables *tables, uint64_t size);
void tables_give(struct tables *tables, void *piece, uint64_t size);

/*
 * How often there was none left, wrapping; for who wants to say what was short. Nothing is handed
 * over by it.
 */
uint32_t tables_shortages(const struct tables *tables);

/* Does the address lie in a piece that is taken? */
bool tables_owns(const struct tables *tables, const void *address);

/*
 * Verify invariants 510 and 511: the bytes in use are those of the pieces taken, and each free
 * piece that is listed is free, is not half of a free piece, and knows the one before it. *at is a
 * unit's number.
 */
MUST_USE bool tables_check(const struct tables *tables, unsigned *invariant, uint64_t *at);

#endif
