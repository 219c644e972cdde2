/* SPDX-License-Identifier: MIT */
#include "arch/x86/pte.h"

#define PRESENT UINT64_C(0x001)
#define ACCESSED_DIRTY UINT64_C(0x060)
#define LARGE UINT64_C(0x080)         /* above level 1 */
#define SPLIT UINT64_C(0x200)         /* ignored in an entry that points to a table */
#define ADDRESS UINT64_C(0x000ffffffffff000)

/* Attributes of a unit; no macros, so that debuggers know them. */
enum {
    WRITE = 0x002,
    UNCACHED = 0x018,                 /* PCD and PWT: index 3 of the PAT */
    PAT_PAGE = 0x080,                 /* at level 1; alone: index 4 of the PAT */
    PAT_LARGE = 0x1000,               /* where a unit's address has no bits */
};
static const uint64_t NO_EXECUTE = UINT64_C(1) << 63;

static uint64_t empty(unsigned level)
{
    (void)level;
    return 0;
}

static uint64_t table(unsigned level, uint64_t address)
{
    (void)level;
    return address | PRESENT | WRITE;
}

static uint64_t pat_bit(unsigned level)
{
    return level == 1 ? PAT_PAGE : PAT_LARGE;
}

static uint64_t unit(unsigned level, uint64_t address, unsigned attributes)
{
    return address | PRESENT | ACCESSED_DIRTY | (level == 1 ? 0 : LARGE)
        | ((attributes & MMU_READ_ONLY) != 0 ? 0 : WRITE)
        | ((attributes & MMU_NO_EXECUTE) != 0 ? NO_EXECUTE : 0)
        | ((attributes & MMU_UNCACHED) != 0 ? UNCACHED : 0)
        | ((attributes & MMU_WRITE_COMBINING) != 0 ? pat_bit(level) : 0);
}

static unsigned attributes(unsigned level, uint64_t entry)
{
    return ((entry & WRITE) == 0 ? MMU_READ_ONLY : 0)
        | ((entry & NO_EXECUTE) != 0 ? MMU_NO_EXECUTE : 0)
        | ((entry & UNCACHED) == UNCACHED ? MMU_UNCACHED : 0)
        | ((entry & pat_bit(level)) != 0 ? MMU_WRITE_COMBINING : 0);
}

#define LEVEL(unit_shift, n, can_map) { \
    .shift = (unit_shift), .entries = (n), .maps = (can_map), .mask = PRESENT, .present = PRESENT, \
    .unit = LARGE, .table_address = ADDRESS, \
    .unit_address = ADDRESS & ~((unit_shift) > PAGE_SHIFT ? PAT_LARGE : 0) }

const struct radix_format pte_format_4_levels = {
    .levels = 4,
    .level = {
        [1] = LEVEL(12, 512, true), [2] = LEVEL(21, 512, true), [3] = LEVEL(30, 512, true),
        [4] = LEVEL(39, 512, false),
    },
    .split = SPLIT, .empty = empty, .table = table, .unit = unit, .attributes = attributes,
};

const struct radix_format pte_format_pae = {
    .levels = 2,
    .level = { [1] = LEVEL(12, 512, true), [2] = LEVEL(21, 4 * 512, true) },
    .split = SPLIT, .empty = empty, .table = table, .unit = unit, .attributes = attributes,
};
