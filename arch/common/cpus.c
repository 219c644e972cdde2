/* SPDX-License-Identifier: MIT */
#include "arch/common/cpus.h"

static uintptr_t stack_tops[ARCH_CPUS_MAX];
static atomic_uint halter;                /* 1 + its number; 0: nobody */

atomic_bool cpus_running[ARCH_CPUS_MAX];
_Atomic uint32_t cpus_forget_asked, cpus_forgotten[ARCH_CPUS_MAX];

bool cpus_is_running(unsigned cpu)
{
    return cpu == 0 || atomic_load(&cpus_running[cpu]);
}

static void forget_as_asked(void (*forget)(void))
{
    uint32_t asked = atomic_load(&cpus_forget_asked);

    forget();
    atomic_store(&cpus_forgotten[arch_cpu_self()], asked);
}

/* Whoever asked before it was seen did not interrupt it, and may wait for it. */
void cpus_come(void (*forget)(void))
{
    atomic_store(&cpus_running[arch_cpu_self()], true);
    forget_as_asked(forget);
}

void cpus_set_stack(unsigned cpu, virt_t top)
{
    stack_tops[cpu] = (uintptr_t)top.a;
}

bool cpus_is_stack(uintptr_t at, size_t size)
{
    uintptr_t top = stack_tops[arch_cpu_self()];
    struct mmu_mapping mapping;

    return at < top && top - at <= ARCH_CPU_STACK && top - at >= size
        && arch_mmu.query(virt(at), &mapping) && arch_mmu.query(virt(at + size - 1), &mapping);
}

unsigned cpus_others(void)
{
    unsigned n = 0, self = arch_cpu_self();

    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned cpu = 0; cpu < arch_cpu_count(); cpu++)
        n += cpu != self && cpus_is_running(cpu);
    return n;
}

/*
 * The tables are written, then it is seen who runs; a CPU that comes is seen, then reads tables:
 * sequential consistency, which all of these have, leaves no gap between the two.
 */
void cpus_forget(void (*interrupt)(unsigned cpu))
{
    uint32_t asked = atomic_fetch_add(&cpus_forget_asked, 1) + 1;
    unsigned self = arch_cpu_self();

    for (unsigned cpu = 0; cpu < arch_cpu_count(); cpu++)
        if (cpu != self && cpus_is_running(cpu))
            interrupt(cpu);
    for (unsigned cpu = 0; cpu < arch_cpu_count(); cpu++)
        while (cpu != self && cpus_is_running(cpu)
               && atomic_load(&cpus_forgotten[cpu]) != asked)
            arch_cpu_relax();
}

void cpus_forget_here(void (*forget)(void))
{
    if (atomic_load(&cpus_forgotten[arch_cpu_self()]) != atomic_load(&cpus_forget_asked))
        forget_as_asked(forget);
}

bool cpus_may_halt(void)
{
    unsigned self = 1 + arch_cpu_self(), nobody = 0;

    return atomic_compare_exchange_strong(&halter, &nobody, self) || nobody == self;
}

void cpus_leave(void)
{
    atomic_store(&cpus_running[arch_cpu_self()], false);
    atomic_store(&halter, 1);
}
