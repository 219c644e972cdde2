/* SPDX-License-Identifier: MIT */
/*
 * Stale translations of one operation on page tables: dropped one by one, or, where these are many,
 * all at once.
 */
#ifndef PFNLAB_ARCH_COMMON_FLUSH_H
#define PFNLAB_ARCH_COMMON_FLUSH_H

#include "kernel/base.h"

/* More than these cost more than what is lost with all. */
#define FLUSH_ADDRESSES 32u

struct flush {
    uint64_t at[FLUSH_ADDRESSES];
    unsigned n;
    bool all;
    uint64_t count;                   /* since boot: by an address, or all */
};

static inline void flush_all(struct flush *flush)
{
    flush->all = true;
}

static inline void flush_add(struct flush *flush, uint64_t at)
{
    if (flush->n == FLUSH_ADDRESSES)
        flush->all = true;
    else
        flush->at[flush->n++] = at;
}

static inline void flush_run(struct flush *flush, void (*drop)(uint64_t at),
                             void (*drop_all)(void))
{
    flush->count += flush->all ? 1 : flush->n;
    if (flush->all)
        drop_all();
    for (unsigned i = 0; !flush->all && i < flush->n; i++)
        drop(flush->at[i]);
    flush->n = 0;
    flush->all = false;
}

#endif
