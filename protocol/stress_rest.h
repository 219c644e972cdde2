/* SPDX-License-Identifier: MIT */
/*
 * A rest in the middle of common work: one CPU asks for it, the others come to it between two
 * operations and stay until it ends. What they did before is seen by that one meanwhile, and what
 * they do after is done after.
 */
#ifndef PFNLAB_STRESS_REST_H
#define PFNLAB_STRESS_REST_H

#include <stdatomic.h>

#include "kernel/smp.h"

struct rest {
    /*
     * Odd: all others shall rest. A number, as who comes late to one round must not be taken for
     * one who rests in the next.
     */
    _Atomic uint32_t round;
    _Atomic uint32_t rests[SMP_MAX];  /* the round in which each CPU rests, or rested last */
};

/* On the one that asks: from now on the others shall rest. And: has this one come to it? */
void rest_ask(struct rest *rest);
bool rest_has(const struct rest *rest, unsigned cpu);

/* On the one that asked: the others go on. Nothing, if it did not. */
void rest_end(struct rest *rest);

/* On another CPU, between two operations: rest as long as that is asked for. */
void rest_if_asked(struct rest *rest);

#endif
