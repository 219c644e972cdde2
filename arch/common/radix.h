/* SPDX-License-Identifier: MIT */
/*
 * One walker for the page tables of all machines. A machine describes its levels and says how an
 * entry is written and read; everything that is a matter of trees is done here: making and giving
 * back tables, splitting and joining units, all or nothing. Plain functions over memory, so that
 * unit tests walk the tables of every machine on the host, big-endian ones included.
 */
#ifndef PFNLAB_ARCH_COMMON_RADIX_H
#define PFNLAB_ARCH_COMMON_RADIX_H

#include "kernel/base.h"
#include "kernel/mmu.h"

/* Level 1 has the pages; level n + 1 points to tables of level n. */
#define RADIX_LEVELS 5u

struct radix_level {
    unsigned shift;                   /* one entry covers 2^shift bytes */
    unsigned entries;                 /* of one table, a power of two, 8 bytes each */
    bool maps;                        /* an entry can map a unit; then so can all levels below */
    uint64_t mask, present;           /* present is an entry whose bits `mask` are `present` */
    uint64_t unit;                    /* with one of these bits it maps a unit; at level 1 always */
    uint64_t table_address, unit_address;     /* which of its bits are the address */
};

/*
 * A machine's tables. What a walk looks at in each entry is data; the functions, for what is
 * written and told, are pure. Entries are values as the processor reads them. What unit() returns
 * it never changes ("accessed" and "dirty" are set already): units are alike if their values are.
 */
struct radix_format {
    unsigned levels;
    struct radix_level level[RADIX_LEVELS + 1];   /* by number; [0] is unused */
    /*
     * A bit of an entry that points to a table, ignored by the processor: the table was made by a
     * split, so that it may become a unit again. 0 where only pages are mapped.
     */
    uint64_t split;
    uint64_t (*empty)(unsigned level);
    uint64_t (*table)(unsigned level, uint64_t address);
    uint64_t (*unit)(unsigned level, uint64_t address, unsigned attributes);
    unsigned (*attributes)(unsigned level, uint64_t entry);
};

static inline bool radix_is_present(const struct radix_format *format, unsigned level,
                                    uint64_t entry)
{
    const struct radix_level *shape = &format->level[level];

    return (entry & shape->mask) == shape->present;
}

/* Of a present entry. */
static inline bool radix_is_unit(const struct radix_format *format, unsigned level, uint64_t entry)
{
    return level == 1 || (entry & format->level[level].unit) != 0;
}

/* Of the table, or of the unit, that a present entry points to. */
static inline uint64_t radix_address(const struct radix_format *format, unsigned level,
                                     uint64_t entry)
{
    const struct radix_level *shape = &format->level[level];

    return entry & (radix_is_unit(format, level, entry) ? shape->unit_address
                                                        : shape->table_address);
}

/* One tree. `pointer` and `number` turn a table's address into a pointer and back. */
struct radix {
    const struct radix_format *format;
    uint64_t *root;                   /* the table of the top level, each entry set */
    uint64_t limit;                   /* addresses from here on have no entry in the root */
    struct table_source source;
    void *(*pointer)(uint64_t address);
    uint64_t (*number)(const void *table);
    /*
     * Write an entry of `level` that covers `at`, after all that was written to memory before it.
     * If the entry was present, every CPU forgets, by written() at the latest, what it knows of the
     * addresses that it covers. The new value may be anything; where it is empty and a table was
     * there, that table is empty.
     */
    void (*write)(unsigned level, uint64_t *entry, uint64_t value, uint64_t at);
    /*
     * Empty an entry that points to a table with anything in it, whose entries stay as they are:
     * by written() at the latest every CPU forgets all that it knows by them, at any level below.
     */
    void (*detach)(unsigned level, uint64_t *entry, uint64_t at);
    /* After the last write of an operation, and before a table is given back. */
    void (*written)(void);
};

/*
 * As the functions of `struct mmu`. Between operations no table that the source owns is empty, and
 * none that was made by a split has parts that agree: what is undone leaves no trace.
 */
MUST_USE enum error radix_map(struct radix *radix, uint64_t at, uint64_t phys, uint64_t size,
                              unsigned attributes);
void radix_unmap(struct radix *radix, uint64_t at, uint64_t size, pfn_t *frames);
MUST_USE enum error radix_protect(struct radix *radix, uint64_t at, uint64_t size,
                                  unsigned attributes);
bool radix_query(const struct radix *radix, uint64_t at, struct mmu_mapping *mapping);
bool radix_entry(const struct radix *radix, uint64_t at, unsigned level, struct mmu_entry *entry);
uint64_t radix_tables_size(const struct radix *radix);

/*
 * For the direct map: map to itself what is not mapped yet of [from, end), page borders.
 * MEM_METADATA: no table; the part before it is mapped.
 */
MUST_USE enum error radix_map_same(struct radix *radix, uint64_t from, uint64_t end,
                                   unsigned attributes);

#endif
