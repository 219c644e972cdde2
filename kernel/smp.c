/* SPDX-License-Identifier: MIT */
#include "kernel/smp.h"

#include <stdatomic.h>

#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/lock.h"
#include "kernel/machine.h"
#include "kernel/smp_memory.h"

/* `info` is CPU 0's to write; a job and a call are guarded by their flags. */
struct cpu {
    struct smp_info info;
    bool ends;                    /* the job is its last */
    _Atomic bool posted;          /* set by CPU 0, cleared by the CPU when the job is done */
    void (*function)(void *argument);
    void *argument;
    _Atomic bool calls;           /* set by the CPU, cleared by CPU 0 when the call is done */
    void (*call)(void *argument);
    void *call_argument;
};

static struct cpu cpus[SMP_MAX];
_Static_assert(SMP_MAX == ARCH_CPUS_MAX, "one limit, told twice");
static _Atomic uint32_t callers;  /* CPUs whose `calls` is set, or about to be */
static void (*_Atomic asked)(void);   /* set by any CPU, taken by CPU 0 */

unsigned smp_count(void)
{
    return arch_cpu_count();
}

unsigned smp_self(void)
{
    return arch_cpu_self();
}

static bool is_running(unsigned cpu)
{
    return cpu == 0 || cpus[cpu].info.running;
}

void smp_info(unsigned cpu, struct smp_info *info)
{
    *info = cpus[cpu].info;
    info->running = is_running(cpu);
}

const char *smp_need_name(void)
{
    return arch_cpu_need.name;
}

/* In the window, or in the direct map. */
static bool stack_has(const struct smp_info *info, pfn_t frame)
{
    struct mmu_mapping mapping;

    for (uint64_t at = info->stack.a; at < info->stack.a + info->stack_size; at += PAGE_SIZE)
        if (machine_mmu()->query(virt(at), &mapping)
            && phys_pfn(phys(mapping.phys.a + (at - mapping.unit.a))).n == frame.n)
            return true;
    return false;
}

bool smp_has(pfn_t frame)
{
    for (unsigned cpu = 1; cpu < arch_cpu_count(); cpu++) {
        const struct smp_info *info = &cpus[cpu].info;

        if (frame.n - phys_pfn(info->need).n < info->need_size >> PAGE_SHIFT
            || stack_has(info, frame))
            return true;
    }
    return false;
}

/* ---- on the other CPUs ---- */

static bool has_job(void *argument)
{
    const struct cpu *cpu = argument;

    return atomic_load_explicit(&cpu->posted, memory_order_acquire);
}

static void cpu_main(void)
{
    struct cpu *cpu = &cpus[arch_cpu_self()];

    for (;;) {
        arch_cpu_idle(has_job, cpu);
        if (cpu->ends)
            arch_cpu_end();
        cpu->function(cpu->argument);
        lock_hold_none("rest");
        atomic_store_explicit(&cpu->posted, false, memory_order_release);
        arch_cpu_kick(0);
    }
}

static bool was_called(void *argument)
{
    const struct cpu *cpu = argument;

    return !atomic_load_explicit(&cpu->calls, memory_order_acquire);
}

void smp_call(void (*function)(void *argument), void *argument)
{
    struct cpu *cpu = &cpus[arch_cpu_self()];

    lock_hold_none("call of CPU 0");
    if (arch_cpu_self() == 0) {
        function(argument);
        return;
    }
    cpu->call = function;
    cpu->call_argument = argument;
    atomic_fetch_add_explicit(&callers, 1, memory_order_relaxed);
    atomic_store_explicit(&cpu->calls, true, memory_order_release);
    arch_cpu_kick(0);
    arch_cpu_idle(was_called, cpu);
}

/* Relaxed: nothing is handed over with it. */
void smp_ask(void (*function)(void))
{
    if (atomic_exchange_explicit(&asked, function, memory_order_relaxed) == NULL)
        arch_cpu_kick(0);
}

/* ---- on CPU 0 ---- */

static void answer(void)
{
    void (*function)(void) = atomic_exchange_explicit(&asked, NULL, memory_order_relaxed);

    if (function != NULL)
        function();
}

void smp_serve(void)
{
    if (atomic_load_explicit(&asked, memory_order_relaxed) != NULL)
        answer();
    for (unsigned i = 1; i < arch_cpu_count(); i++) {
        struct cpu *cpu = &cpus[i];

        if (atomic_load_explicit(&callers, memory_order_relaxed) == 0)
            return;
        if (!atomic_load_explicit(&cpu->calls, memory_order_acquire))
            continue;
        cpu->call(cpu->call_argument);
        atomic_fetch_sub_explicit(&callers, 1, memory_order_relaxed);
        atomic_store_explicit(&cpu->calls, false, memory_order_release);
        arch_cpu_kick(i);
    }
}

void smp_post(unsigned cpu, void (*function)(void *argument), void *argument)
{
    ASSERT(cpu != 0 && is_running(cpu) && smp_done(cpu));
    cpus[cpu].function = function;
    cpus[cpu].argument = argument;
    atomic_store_explicit(&cpus[cpu].posted, true, memory_order_release);
    arch_cpu_kick(cpu);
}

bool smp_done(unsigned cpu)
{
    return !atomic_load_explicit(&cpus[cpu].posted, memory_order_acquire);
}

bool smp_is_alone(void)
{
    for (unsigned cpu = 1; cpu < arch_cpu_count(); cpu++)
        if (is_running(cpu) && !smp_done(cpu))
            return false;
    return true;
}

/* Time to look: the job is done, somebody calls or asks, or a ^C came, which others are to see. */
static bool has_news(void *argument)
{
    const unsigned *cpu = argument;

    return smp_done(*cpu) || atomic_load_explicit(&callers, memory_order_relaxed) != 0
        || atomic_load_explicit(&asked, memory_order_relaxed) != NULL || machine_wait_interrupted();
}

void smp_wait(unsigned cpu)
{
    while (!smp_done(cpu)) {
        arch_cpu_idle(has_news, &cpu);
        smp_serve();
        arch_cpu_relax();
    }
}

void smp_relax(void)
{
    arch_cpu_relax();
}

/* ---- start and stop ---- */

static enum error may_change(unsigned cpu, bool running)
{
    if (cpu >= arch_cpu_count())
        return E_CALL_CPU;
    return cpu == 0 || is_running(cpu) != running ? E_CALL_STATE : OK;
}

enum error smp_start(unsigned cpu, uint32_t tag, const char **lacking)
{
    struct smp_info *info = &cpus[cpu].info;
    enum error e = may_change(cpu, false);

    *lacking = NULL;
    if (e == OK)
        e = smp_memory_take(info, tag, lacking);
    if (e != OK)
        return e;
    cpus[cpu].ends = false;
    atomic_store_explicit(&cpus[cpu].posted, false, memory_order_relaxed);
    e = arch_cpu_start(cpu, info->need, virt(info->stack.a + info->stack_size), cpu_main);
    info->running = e == OK;
    info->tag = tag;              /* also of what it keeps, if that cannot be given back */
    if (e == OK)
        smp_memory_started(info);
    else if (smp_memory_give(info) == OK)
        *info = (struct smp_info){ .running = false };
    return e;
}

/* It touches nothing of its memory any more. */
static void end(unsigned cpu)
{
    cpus[cpu].ends = true;
    atomic_store_explicit(&cpus[cpu].posted, true, memory_order_release);
    arch_cpu_kick(cpu);
    while (!arch_cpu_stopped(cpu))
        arch_cpu_relax();
    cpus[cpu].info.running = false;
}

enum error smp_stop(unsigned cpu)
{
    enum error e = may_change(cpu, true);

    if (e != OK)
        return e;
    end(cpu);
    /* Nobody else empties the cache of a CPU that does not run. */
    if (lab.stage >= STAGE_PAGE)
        cpus[cpu].info.drained = pages_drain_cpu(&lab.pages, cpu);
    return smp_memory_give(&cpus[cpu].info);
}

void smp_abandon(void)
{
    for (unsigned cpu = 1; cpu < arch_cpu_count(); cpu++) {
        if (cpus[cpu].info.running)
            end(cpu);
        cpus[cpu].info = (struct smp_info){ .running = false };
    }
}
