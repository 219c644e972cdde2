/* SPDX-License-Identifier: MIT */
/*
 * The parts of `dump`. Each lists what lies in [first, limit), frames of the whole address space;
 * of `dump virt` these are pages of the virtual one.
 */
#ifndef PFNLAB_DUMP_H
#define PFNLAB_DUMP_H

#include "protocol/handlers.h"

struct dump_range {
    pfn_t first, limit;
    bool bounded;                 /* the limit was asked for, rather than the end of it all */
};

MUST_USE enum error dump_areas(const struct dump_range *range, struct reply *reply);
MUST_USE enum error dump_free(const struct dump_range *range, struct reply *reply);
MUST_USE enum error dump_pages(const struct dump_range *range, struct reply *reply);
MUST_USE enum error dump_phys(const struct dump_range *range, struct reply *reply);
MUST_USE enum error dump_virt(const struct dump_range *range, struct reply *reply);
MUST_USE enum error dump_map(const struct dump_range *range, struct reply *reply);

/* Of the virtual address space. */
MUST_USE enum error dump_pagetables(const struct dump_range *range, struct reply *reply);

/* query->run() of the lab's engine. */
uint64_t dump_run(uint64_t from, uint64_t limit, struct page_info *info);

#endif
