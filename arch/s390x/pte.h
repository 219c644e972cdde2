/* SPDX-License-Identifier: MIT */
/*
 * Entries of the tables of dynamic address translation, as the walker (arch/common/radix.h) wants
 * them: region-third, segment and page tables, thus 4 TiB (Principles of Operation, "Dynamic
 * Address Translation"). Plain functions over values, so that they are tested anywhere.
 *
 * Only pages are mapped: QEMU's TCG has no enhanced DAT. There is no attribute of caching.
 */
#ifndef PFNLAB_S390X_PTE_H
#define PFNLAB_S390X_PTE_H

#include "arch/common/radix.h"

enum { PTE_PAGE = 1, PTE_SEGMENT, PTE_REGION_THIRD };   /* levels */

#define PTE_PAGES 256u                    /* entries of a page table, which has 2 KiB */
#define PTE_SEGMENTS 2048u                /* of a segment table, which has 16 KiB */
#define PTE_REGIONS 2048u                 /* of a region-third table, which has 16 KiB */
#define PTE_SEGMENT_SHIFT 20u
#define PTE_REGION_SHIFT 31u
#define PTE_LIMIT (UINT64_C(1) << 42)     /* addresses from here on have no entry */

/* For unit(): MMU_READ_ONLY, MMU_NO_EXECUTE; the latter only where the machine has facility 130. */
extern const struct radix_format pte_format_region_third;

/*
 * What designates the whole table of `level` (segments, regions) at `table`: in control register 1
 * the address space, for IDTE that of an entry.
 */
uint64_t pte_designation(unsigned level, uint64_t table);

#endif
