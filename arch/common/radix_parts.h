/* SPDX-License-Identifier: MIT */
/* What radix*.c share: the shape of tables, and those that go. */
#ifndef PFNLAB_ARCH_COMMON_RADIX_PARTS_H
#define PFNLAB_ARCH_COMMON_RADIX_PARTS_H

#include "arch/common/radix.h"

/* Tables that left the tree and wait until no CPU can walk them any more. */
#define GONE_TABLES 16u
struct gone {
    struct radix *radix;
    struct { uint64_t *table; unsigned level; } tables[GONE_TABLES];
    unsigned n;
    pfn_t *frames;                    /* behind what goes from `first` on; NULL: nobody asks */
    uint64_t first;
};

/* Nothing has gone; one by one, as nobody needs an empty list of tables. */
static inline void radix_gone_begin(struct gone *gone, struct radix *radix)
{
    gone->radix = radix;
    gone->n = 0;
    gone->frames = NULL;
}

/* `table` of `level` left the tree: give it back later, some of them together. */
void radix_gone_add(struct gone *gone, uint64_t *table, unsigned level);

/* The end of an operation: no CPU knows of what was there, and these tables go back. */
void radix_gone_give(struct gone *gone);

static inline uint64_t entry_size(const struct radix *radix, unsigned level)
{
    return UINT64_C(1) << radix->format->level[level].shift;
}

static inline uint64_t table_size(const struct radix *radix, unsigned level)
{
    return radix->format->level[level].entries * sizeof(uint64_t);
}

static inline uint64_t *entry_in(const struct radix *radix, uint64_t *table, unsigned level,
                                 uint64_t at)
{
    const struct radix_level *shape = &radix->format->level[level];

    return &table[at >> shape->shift & (shape->entries - 1)];
}

/* Where the entry of `level` over `at` ends, or the range does. */
static inline uint64_t part_end(const struct radix *radix, unsigned level, uint64_t at,
                                uint64_t end)
{
    uint64_t next = align_down(at, entry_size(radix, level)) + entry_size(radix, level);

    return next < end ? next : end;
}

static inline bool is_present(const struct radix *radix, unsigned level, uint64_t entry)
{
    return radix_is_present(radix->format, level, entry);
}

/* Of a present entry. */
static inline bool is_unit(const struct radix *radix, unsigned level, uint64_t entry)
{
    return radix_is_unit(radix->format, level, entry);
}

static inline uint64_t *table_below(const struct radix *radix, unsigned level, uint64_t entry)
{
    return radix->pointer(radix_address(radix->format, level, entry));
}

static inline bool is_owned(const struct radix *radix, const uint64_t *table)
{
    return radix->source.owns(radix->source.context, table);
}

static inline void check_range(const struct radix *radix, uint64_t at, uint64_t size)
{
    ASSERT(is_aligned(at | size, PAGE_SIZE));
    ASSERT(size > 0 && at < radix->limit && size <= radix->limit - at);
}

#endif
