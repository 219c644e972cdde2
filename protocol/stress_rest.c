/* SPDX-License-Identifier: MIT */
#include "protocol/stress_rest.h"

void rest_ask(struct rest *rest)
{
    atomic_fetch_add_explicit(&rest->round, 1, memory_order_relaxed);
}

/* Acquire: what it did is seen. */
bool rest_has(const struct rest *rest, unsigned cpu)
{
    return atomic_load_explicit(&rest->rests[cpu], memory_order_acquire)
        == atomic_load_explicit(&rest->round, memory_order_relaxed);
}

/* Release: what was looked at is what was there, not what they do now. */
void rest_end(struct rest *rest)
{
    uint32_t round = atomic_load_explicit(&rest->round, memory_order_relaxed);

    atomic_store_explicit(&rest->round, round + round % 2, memory_order_release);
}

void rest_if_asked(struct rest *rest)
{
    uint32_t round;

    while ((round = atomic_load_explicit(&rest->round, memory_order_acquire)) % 2 != 0) {
        atomic_store_explicit(&rest->rests[smp_self()], round, memory_order_release);
        smp_relax();
    }
}
