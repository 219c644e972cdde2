/* SPDX-License-Identifier: MIT */
/*
 * What one CPU does in a stress of several: it allocates, writes its own name into what it got,
 * finds it there again, and gives back; so that memory which two have is seen by one of them.
 */
#ifndef PFNLAB_STRESS_WORKER_H
#define PFNLAB_STRESS_WORKER_H

#include "kernel/lab.h"

/* Kinds of operations, in the order of the words of `mix`. */
enum stress_kind {
    STRESS_PAGES, STRESS_EXACT, STRESS_RESERVE, STRESS_VIRTUAL, STRESS_MAP, STRESS_PROTECT,
    STRESS_HEAP, STRESS_KINDS
};

/* What all of them are told. */
struct stress_plan {
    uint64_t seed;
    unsigned mix;                     /* of 1 << enum stress_kind, one at least */
    unsigned order;                   /* of blocks, at most */
    uint32_t areas;
    pfn_t max;
};

/* What a worker holds: `pages` pages at `at`, or an object. */
struct stress_block {
    enum stress_kind kind;
    uint64_t at, pages;
    uint64_t mark;                    /* its name, in each page */
    bool marked;                      /* false: the memory cannot be reached */
};

#define STRESS_BLOCKS 24u             /* held at once: of one CPU, on its stack */

struct stress_worker {
    const struct stress_plan *plan;
    unsigned cpu;
    uint64_t x;                       /* of the generator; never 0 */
    uint64_t serial;                  /* of marks */
    uint64_t fails;                   /* refusals, which are no mistakes */
    pfn_t last;                       /* what was freed last: somebody may have it by now */
    uint64_t bad;                     /* with FAULT_*: where it is */
    size_t count;
    struct stress_block blocks[STRESS_BLOCKS];
};

void stress_worker_begin(struct stress_worker *worker, const struct stress_plan *plan,
                         unsigned cpu);

/*
 * One operation. FAULT_PATTERN: what is there is not what was written. FAULT_*: it could not be
 * touched, or could where it should not: also worker->bad. Any other error is one of a free.
 */
MUST_USE enum error stress_worker_step(struct stress_worker *worker);

/* Give all back that it holds. Errors as above; what cannot be given back is left. */
MUST_USE enum error stress_worker_end(struct stress_worker *worker);

#endif
