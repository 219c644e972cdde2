/* SPDX-License-Identifier: MIT */
/*
 * What one CPU hands to another by a lock, a job, a call or a page is seen there whole. Two threads
 * are told by relaxed flags, which promise nothing, who is next: so the order is the same in each
 * run, and ThreadSanitizer, which knows what the orders of C11 promise, calls it a race if the code
 * under test promises less than it has to, on any processor, and at once.
 *
 * So are the operations of each layer, two by two, the second also in each gap of the first between
 * two locks: what is touched without the lock that guards it is a race.
 *
 * `order CASE` runs one, with a failing status if there was a race; `order` tells their names. The
 * planted one is a race: to see that somebody watches.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/lock.h"
#include "kernel/machine.h"
#include "kernel/mm/page.h"
#include "kernel/smp_memory.h"
#include "protocol/stress_rest.h"
#include "tests/order/order.h"

/* ---- a machine of two CPUs, which are threads ---- */

struct lab lab;

static _Thread_local unsigned self;
static pthread_t thread;
static void (*entry_point)(void);

unsigned arch_cpu_count(void) { return 2; }
unsigned arch_cpu_self(void) { return self; }
bool arch_in_interrupt(void) { return false; }
void arch_cpu_relax(void) { sched_yield(); }
void arch_cpu_kick(unsigned cpu) { (void)cpu; }
void arch_cpu_end(void) { pthread_exit(NULL); }
bool machine_wait_interrupted(void) { return false; }
void machine_at_work(void) { }
const struct arch_cpu_need arch_cpu_need = { .name = "none" };

bool arch_cpu_stopped(unsigned cpu)
{
    return cpu == 1 && pthread_join(thread, NULL) == 0;
}

void arch_cpu_idle(bool (*ready)(void *argument), void *argument)
{
    while (!ready(argument))
        sched_yield();
}

static void *thread_main(void *unused)
{
    self = 1;
    entry_point();
    return unused;
}

enum error arch_cpu_start(unsigned cpu, phys_t need, virt_t stack_top, void (*entry)(void))
{
    (void)cpu, (void)need, (void)stack_top;
    entry_point = entry;
    return pthread_create(&thread, NULL, thread_main, NULL) == 0 ? OK : E_FAULT_START;
}

enum error smp_memory_take(struct smp_info *info, uint32_t tag, const char **lacking)
{
    (void)info, (void)tag, (void)lacking;
    return OK;
}

void smp_memory_started(struct smp_info *info) { (void)info; }
enum error smp_memory_give(struct smp_info *info) { (void)info; return OK; }

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, condition);
    _Exit(1);
}

/* ---- who is next ---- */

static _Atomic unsigned step;

static void step_end(void)
{
    atomic_fetch_add_explicit(&step, 1, memory_order_relaxed);
}

static void step_await(unsigned wanted)
{
    while (atomic_load_explicit(&step, memory_order_relaxed) < wanted)
        sched_yield();
}

static void (*second_part)(void);

static void second_run(void)
{
    step_await(1);
    second_part();
    step_end();
}

/* CPU 0 lets the other one do its part when it comes to so many points without a lock. */
static struct { bool active; unsigned passed, at; } gap;

void interleave_point(const char *name)
{
    (void)name;
    if (self != 0 || !gap.active || lock_depth() != 0 || gap.passed++ != gap.at)
        return;
    step_end();
    step_await(2);
}

/* CPU 0 does `first`, then CPU 1 does `second`. */
static void one_after_the_other(void (*first)(void), void (*second)(void))
{
    second_part = second;
    atomic_store_explicit(&step, 0, memory_order_relaxed);
    ASSERT(arch_cpu_start(1, phys(0), virt(0), second_run) == OK);
    first();
    if (atomic_load_explicit(&step, memory_order_relaxed) == 0)
        step_end();
    ASSERT(arch_cpu_stopped(1));
}

/* What is handed over, with no protection of its own. */
static unsigned there, back;

/* ---- planted ---- */

static void there_write(void) { there = 1; }
static void there_read(void) { ASSERT(there == 1); }
static void planted(void) { one_after_the_other(there_write, there_read); }

/* ---- a lock ---- */

static struct lock lock = LOCK_INIT(LOCK_PAGES);

static void locked_write(void)
{
    lock_take(&lock);
    there = 1;
    lock_release(&lock);
}

static void locked_read(void)
{
    lock_take(&lock);
    ASSERT(there == 1);
    lock_release(&lock);
}

static void locks(void) { one_after_the_other(locked_write, locked_read); }

/* ---- a job, and a call out of it ---- */

static void job(void *argument)
{
    unsigned *got = argument;

    ASSERT(*got == 1);
    back = 2;
}

static void cpu_1_start(void)
{
    const char *lacking;

    ASSERT(smp_start(1, 0, &lacking) == OK);
}

static void jobs(void)
{
    cpu_1_start();
    for (unsigned i = 0; i < 3; i++) {
        there = 1;
        smp_post(1, job, &there);
        while (!smp_done(1))
            sched_yield();
        ASSERT(back == 2);
        there = back = 0;
    }
    ASSERT(smp_stop(1) == OK);
}

static void called(void *argument)
{
    unsigned *got = argument;

    ASSERT(self == 0 && *got == 3);
    back = 4;
}

static void calling_job(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 3; i++) {
        there = 3;
        smp_call(called, &there);
        ASSERT(back == 4);
        there = back = 0;
    }
    step_end();
}

static void calls(void)
{
    cpu_1_start();
    smp_post(1, calling_job, NULL);
    while (atomic_load_explicit(&step, memory_order_relaxed) == 0)
        smp_serve();
    while (!smp_done(1))
        sched_yield();
    ASSERT(smp_stop(1) == OK);
}

/* ---- a rest in the middle of work ---- */

static struct rest rest;

static void rest_look(void)
{
    rest_ask(&rest);
    step_end();
    while (!rest_has(&rest, 1))
        sched_yield();
    ASSERT(there == 1);
    rest_end(&rest);
}

static void rest_work(void)
{
    there = 1;
    rest_if_asked(&rest);
    there = 2;
}

static void rests(void) { one_after_the_other(rest_look, rest_work); }

/* ---- a page, through the cache of CPU 0, and its content ---- */

#define FRAMES 64u

static struct pages pages;
static unsigned char pool_memory[64 * PAGE_SIZE] __attribute__((aligned(4096)));
static struct kpool pool;
static unsigned content[FRAMES + 1];

static bool never(void) { return false; }

static enum error zero(pfn_t first, uint64_t count)
{
    memset(&content[first.n], 0, (size_t)count * sizeof(content[0]));
    return OK;
}

static void pages_begin(void)
{
    static const struct page_range ranges[] = { { { 1 }, FRAMES, true } };
    static const struct area_limit area = { .name = "all", .limit = { PFN_LIMIT } };
    const struct page_map map = { .ranges = ranges, .nranges = 1, .areas = &area, .nareas = 1 };
    const struct pages_hooks hooks = { .zero = zero, .stopped = never };
    uint64_t needed;

    kpool_init(&pool, pool_memory, sizeof(pool_memory) / PAGE_SIZE);
    ASSERT(pages_init(&pages, &page_engine_tree, &map, true, &pool, &hooks, &needed) == OK);
    ASSERT(pages_use_caches(&pages, 2, &pool, &needed) == OK);
}

/* All pages, one by one, in the name of `tag`: 0 is by the cache. */
static void all_take(uint32_t tag, pfn_t *frames)
{
    const struct page_request request = { .areas = ALL_AREAS, .pages = 1, .max = pfn(PFN_LIMIT) };
    pfn_t blame;
    bool zeroed;

    for (unsigned i = 0; i < FRAMES; i++) {
        ASSERT(pages_alloc(&pages, &request, tag, false, &frames[i], &zeroed, &blame) == OK);
        ASSERT(content[frames[i].n] == 0);
        content[frames[i].n] = 1 + tag;
    }
}

static void all_give(const pfn_t *frames)
{
    uint64_t freed;
    pfn_t blame;

    for (unsigned i = 0; i < FRAMES; i++)
        ASSERT(pages_free(&pages, frames[i], 0, &freed, &blame) == OK);
}

static void pages_first(void)
{
    pfn_t frames[FRAMES];

    all_take(0, frames);
    all_give(frames);
}

static void pages_second(void)
{
    pfn_t frames[FRAMES];

    all_take(7, frames);
    all_give(frames);
    pages_first();
}

static void caches(void)
{
    pages_begin();
    one_after_the_other(pages_first, pages_second);
}

/* Pages that CPU 0 took CPU 1 gives back: it was told of them under a lock. */
static pfn_t handed[FRAMES];

static void crosswise_take(void)
{
    all_take(0, handed);
    locked_write();
}

static void crosswise_give(void)
{
    locked_read();
    all_give(handed);
    pages_second();
}

static void crosswise(void)
{
    pages_begin();
    one_after_the_other(crosswise_take, crosswise_give);
}

/* ---- layers ---- */

/* In each gap of the first one between two locks the other one comes; in the end behind it. */
static void pair_try(const struct layer *layer, void (*first)(void), void (*second)(void))
{
    gap.at = 0;
    do {
        layer->begin();
        gap.passed = 0;
        gap.active = true;
        one_after_the_other(first, second);
        gap.active = false;
        if (layer->wrong != NULL)
            ASSERT(layer->wrong() == NULL);
    } while (gap.at++ < gap.passed);
}

static void layer_try(const struct layer *layer)
{
    for (unsigned i = 0; i < OPERATIONS_MAX && layer->does[i] != NULL; i++)
        for (unsigned j = 0; j < OPERATIONS_MAX && layer->does[j] != NULL; j++)
            pair_try(layer, layer->does[i], layer->does[j]);
}

static const struct { const char *name; void (*run)(void); } cases[] = {
    { "planted", planted }, { "locks", locks }, { "jobs", jobs }, { "calls", calls },
    { "rests", rests }, { "caches", caches }, { "crosswise", crosswise },
};

/* Is it the one that is wanted? Without any, tell its name. */
static bool is_wanted(const char *name, const char *wanted)
{
    if (wanted == NULL)
        printf("%s\n", name);
    return wanted != NULL && strcmp(name, wanted) == 0;
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : NULL;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (is_wanted(cases[i].name, wanted))
            cases[i].run();
    for (const struct layer *one = layers; one->name != NULL; one++)
        if (is_wanted(one->name, wanted))
            layer_try(one);
    for (const struct layer *one = service_layers; one->name != NULL; one++)
        if (is_wanted(one->name, wanted))
            layer_try(one);
    return 0;
}
