/* SPDX-License-Identifier: MIT */
/*
 * Page tables of every machine on the host, for tests of the walker: table memory that is counted,
 * checked and refused on request, and a page-by-page record of what should be mapped.
 */
#ifndef PFNLAB_UNIT_RADIX_SUPPORT_H
#define PFNLAB_UNIT_RADIX_SUPPORT_H

#include "tests/unit/support.h"

#include "arch/common/radix.h"

/* A machine: the shape of its tables, what its units can have, the end of its addresses. */
struct geometry {
    const char *name;
    const struct radix_format *format;
    unsigned attributes;
    uint64_t limit;
};

#define KIB4 UINT64_C(1)              /* pages */
#define MIB2 (UINT64_C(1) << 9)
#define GIB1 (UINT64_C(1) << 18)
#define FAR (UINT64_C(1) << 45)       /* a physical address, 1 GiB aligned */

/* Tests work on the last 3 GiB below the limit. */
#define WORLD_PAGES (UINT64_C(3) << 18)

/* The tree under test and what surrounds it. */
extern struct radix radix;
extern const struct geometry *machine;
extern uint64_t world;                /* the first address */
extern unsigned tables_live;          /* taken and not given back */
extern unsigned tables_left;          /* how many take() still gives; UINT_MAX: all */
extern bool tables_are_owned;         /* what take() gives is the source's, not the boot's */
extern unsigned flushes;              /* written() with something to forget */
extern uint64_t invalidations;        /* entries that were present when they were changed */

/* Run the tests for each machine, each in a world of its own; returns how many failed. */
#define world_run(tests) world_run_tests(tests, ARRAY_SIZE(tests))
int world_run_tests(const struct CMUnitTest *tests, size_t n);

/* Apply to the tree and, where it succeeds, to the record. */
enum error world_map(uint64_t page, uint64_t phys, uint64_t pages, unsigned attributes);
void world_unmap(uint64_t page, uint64_t pages);
void world_unmap_asking(uint64_t page, uint64_t pages);   /* what was behind them, which is right */
enum error world_protect(uint64_t page, uint64_t pages, unsigned attributes);

/* Does the machine have units of 2^shift bytes? */
bool world_has_unit(unsigned shift);

/* What the page is mapped to; shift 0: nothing. */
struct mmu_mapping world_query(uint64_t page);

/* Of the record: does the page have a mapping? */
bool world_is_mapped(uint64_t page);

/* The tree says what the record says, for each page; and it has no table that it should not. */
void world_check(void);

/* A number that changes when any entry of any table does. */
uint64_t world_hash(void);

/* A pseudo-random number below n. */
uint64_t world_random(uint64_t n);

#endif
