/* SPDX-License-Identifier: MIT */
/* Is a mapping that is taken away gone for a CPU that uses it all the time? */
#include <stdatomic.h>

#include "kernel/machine.h"
#include "kernel/machine_access.h"
#include "kernel/smp.h"

/* So often another CPU has touched the page before it goes, and may touch it when it has gone. */
#define EARLY_MIN 16u
#define LATE_MAX 1000u

/*
 * What the other CPU does; this one sets `gone` when it was promised that the mapping is. What is
 * touched after that was seen is touched after the promise: release and acquire.
 */
struct toucher {
    void (*touch)(void *access);
    struct access access;
    _Atomic uint32_t early;
    _Atomic bool gone;
    uint64_t late;                    /* accesses that began after that, and succeeded */
    enum error class;                 /* of the fault that ended it; OK: none did */
};

static void touch_until_fault(void *argument)
{
    struct toucher *toucher = argument;

    while (toucher->late < LATE_MAX) {
        bool gone = atomic_load_explicit(&toucher->gone, memory_order_acquire);

        toucher->touch(&toucher->access);
        if (gone)
            toucher->late++;
        else
            atomic_fetch_add_explicit(&toucher->early, 1, memory_order_relaxed);
    }
}

static void touch(void *argument)
{
    struct toucher *toucher = argument;
    struct fault fault;

    toucher->class = access_run(touch_until_fault, toucher, &fault);
}

static uint32_t touches(struct toucher *toucher)
{
    return atomic_load_explicit(&toucher->early, memory_order_relaxed);
}

/*
 * One round of one way, over a page that is mapped; unmaps it. The other CPU has touched it often
 * enough, or was stopped by a fault, for which there was no reason yet.
 */
static enum error take_away(unsigned cpu, bool protects, struct toucher *toucher)
{
    const struct mmu *mmu = machine_mmu();
    virt_t page = virt(align_down(toucher->access.address.a, PAGE_SIZE));
    enum error e = OK;

    smp_post(cpu, touch, toucher);
    while (touches(toucher) < EARLY_MIN && !smp_done(cpu))
        smp_relax();
    if (protects)
        e = mmu->protect(page, PAGE_SIZE, (MMU_DATA | MMU_READ_ONLY) & mmu->attributes);
    else
        mmu->unmap(page, PAGE_SIZE, NULL);
    atomic_store_explicit(&toucher->gone, true, memory_order_release);
    smp_wait(cpu);
    if (protects)
        mmu->unmap(page, PAGE_SIZE, NULL);
    if (touches(toucher) < EARLY_MIN)
        return e == OK ? toucher->class : e;
    ASSERT(toucher->class == OK
           || toucher->class == (protects ? E_FAULT_PROTECTION : E_FAULT_ADDRESS));
    return e;
}

static enum error round_run(unsigned cpu, bool protects, uint64_t *late)
{
    struct access_ground ground;
    struct toucher toucher = { .touch = protects ? access_store : access_load };
    enum error e = access_share(&ground);

    if (e == OK)
        e = machine_mmu()->map(ground.page, ground.frame, PAGE_SIZE,
                               MMU_DATA & machine_mmu()->attributes);
    if (e != OK)
        return e;
    toucher.access = (struct access){ .address = ground.at, .width = 1 };
    access_load(&toucher.access);     /* what is written is what is there */
    e = take_away(cpu, protects, &toucher);
    *late += e == OK ? toucher.late : 0;
    return e;
}

enum error machine_shootdown(unsigned cpu, uint64_t rounds, struct machine_shootdown *result)
{
    enum error e = OK;

    *result = (struct machine_shootdown){ .rounds = 0 };
    for (; e == OK && result->rounds < rounds; result->rounds += e == OK) {
        if (machine_interrupted())
            return E_STOP_INTERRUPTED;
        e = round_run(cpu, false, &result->after_unmap);
        if (e == OK)
            e = round_run(cpu, true, &result->after_protect);
    }
    return e;
}
