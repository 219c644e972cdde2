/* SPDX-License-Identifier: MIT */
/*
 * Fault injection: a plan that says which attempts to get something are refused. Pure counting;
 * those who hand things out ask it (pages.c for frames, tables.c for page tables, kpool.c for pages
 * of the kernel's own pool) and refuse as if there were none. Whoever tells a user of it asks
 * fail_refusals() before and after: what is short by plan is not short (protocol/dispatch.c).
 */
#ifndef PFNLAB_MM_FAIL_H
#define PFNLAB_MM_FAIL_H

#include "kernel/lock.h"

/* What is attempted; a set as a plan's `what`. */
#define FAIL_FRAMES 1u
#define FAIL_TABLES 2u
#define FAIL_POOL 4u
#define FAIL_ALL 7u

#define FAIL_ANY_ORDER UINT32_MAX

/*
 * An attempt counts if it is of `what` and, for frames, if it may be served from one of `areas` and
 * is of `order` (that of the power of two that holds the request). Of those that count, refused are
 * number `nth`, each multiple of `every`, and `per_million` of a million at random from `seed`; 0:
 * none by this rule. After `times` refusals (0: no end) nothing is refused any more.
 */
struct fail_plan {
    uint64_t nth, every, per_million, times, seed;
    unsigned what;
    uint32_t areas, order;
};

struct fail {
    _Atomic bool on;                  /* read without the lock: mostly nothing is refused */
    struct lock lock;                 /* guards what follows */
    struct fail_plan plan;
    uint64_t attempts, refusals;      /* that counted; since the plan was made */
    uint64_t random, until;           /* the draw; attempts to the next turn of `every` */
};

/* Put a plan in force, with its counts at 0, while no other CPU asks. */
void fail_begin(struct fail *fail, const struct fail_plan *plan);

/* Refuse nothing any more; the counts stay to be read. */
void fail_end(struct fail *fail);

/* How many were refused so far, since the plan was made. */
uint64_t fail_refusals(struct fail *fail);

/* Count an attempt of one `what`; true: refuse it. `areas` and `order` are of frames. */
bool fail_refuses(struct fail *fail, unsigned what, uint32_t areas, uint32_t order);

#endif
