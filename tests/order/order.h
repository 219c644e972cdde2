/* SPDX-License-Identifier: MIT */
/* Two CPUs, one after the other, and what is tried on them. */
#ifndef PFNLAB_ORDER_H
#define PFNLAB_ORDER_H

#include "kernel/base.h"

#define ORDER_CPUS 2u
#define OPERATIONS_MAX 16u

/*
 * What a lock guards, and the operations that several CPUs may do at once. Each of them is done by
 * CPU 0, then any of them by CPU 1, each time on a fresh ground.
 */
struct layer {
    const char *name;                 /* NULL: this is no layer, there are no more */
    void (*begin)(void);
    void (*does[OPERATIONS_MAX])(void);   /* NULL: there is no more */
    const char *(*wrong)(void);       /* what is wrong afterwards; NULL: nobody asks */
};

/* Of allocators, and of what they all use. */
extern const struct layer layers[], service_layers[];

#endif
