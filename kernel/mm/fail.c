/* SPDX-License-Identifier: MIT */
#include "kernel/mm/fail.h"

#define MILLION 1000000u

void fail_begin(struct fail *fail, const struct fail_plan *plan)
{
    *fail = (struct fail){
        .plan = *plan, .on = true, .lock = LOCK_INIT(LOCK_FAIL), .random = plan->seed,
        .until = plan->every,
    };
}

void fail_end(struct fail *fail)
{
    atomic_store_explicit(&fail->on, false, memory_order_relaxed);
}

/* SplitMix64: any seed will do, 0 too. */
static uint64_t random_next(struct fail *fail)
{
    uint64_t x = fail->random += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Is it this one's turn by `every`? Counted down: a 32-bit machine divides no 64 bits. */
static bool is_turn(struct fail *fail)
{
    if (fail->plan.every == 0 || --fail->until != 0)
        return false;
    fail->until = fail->plan.every;
    return true;
}

static bool is_unlucky(struct fail *fail)
{
    return (random_next(fail) >> 32) * MILLION >> 32 < fail->plan.per_million;
}

static bool counts(const struct fail_plan *plan, unsigned what, uint32_t areas, uint32_t order)
{
    if ((plan->what & what) == 0)
        return false;
    return what != FAIL_FRAMES
        || ((plan->areas & areas) != 0
            && (plan->order == FAIL_ANY_ORDER || plan->order == order));
}

/* Under the lock. */
static bool is_refused(struct fail *fail)
{
    const struct fail_plan *plan = &fail->plan;
    bool refused;

    fail->attempts++;
    refused = fail->attempts == plan->nth;
    /* Each of the rules at each attempt, so that a seed means the same whatever the others say. */
    refused = is_turn(fail) || refused;
    refused = (plan->per_million != 0 && is_unlucky(fail)) || refused;
    if (plan->times != 0 && fail->refusals == plan->times)
        refused = false;
    fail->refusals += refused;
    return refused;
}

uint64_t fail_refusals(struct fail *fail)
{
    uint64_t refusals;

    if (!atomic_load_explicit(&fail->on, memory_order_relaxed))
        return 0;
    lock_take(&fail->lock);
    refusals = fail->refusals;
    lock_release(&fail->lock);
    return refusals;
}

bool fail_refuses(struct fail *fail, unsigned what, uint32_t areas, uint32_t order)
{
    bool refused;

    if (!atomic_load_explicit(&fail->on, memory_order_relaxed))
        return false;
    lock_take(&fail->lock);
    refused = counts(&fail->plan, what, areas, order) && is_refused(fail);
    lock_release(&fail->lock);
    return refused;
}
