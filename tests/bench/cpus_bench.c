/* SPDX-License-Identifier: MIT */
/*
 * Pairs of order 0 by one thread and by two, and what a lock costs. Each variant is a line
 * "NAME THREADS NANOSECONDS PAIRS"; the time is from when all threads are there to the last one's
 * end. They take turns and the best of many rounds counts: other load only ever adds. Called as
 * engine_bench, with an engine, a variant and a seed, it runs the second once, for callgrind.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arch/arch.h"
#include "kernel/lock.h"
#include "kernel/mm/page.h"
#include "kernel/mm/pages.h"

#define THREADS 2u
#define PAIRS 16000u                  /* short, so that both threads may have a core for as long */
#define HELD 8u                       /* pages that a thread holds at once */
#define ROUNDS 150u
#define FRAMES (UINT64_C(1) << 16)
#define POOL_PAGES 1024u

static _Thread_local unsigned self;
static struct pages pages;
static struct lock global = LOCK_INIT(LOCK_HEAP);

unsigned arch_cpu_self(void) { return self; }
bool arch_in_interrupt(void) { return false; }
void arch_cpu_relax(void) { atomic_signal_fence(memory_order_seq_cst); }

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, condition);
    abort();
}

static bool never(void) { return false; }

static void pages_begin(bool caches)
{
    static unsigned char memory[POOL_PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
    static struct kpool pool;
    const struct page_range range = { pfn(256), FRAMES, true };
    const struct area_limit area = { "low", { PFN_LIMIT } };
    const struct page_map map = { &range, 1, &area, 1 };
    const struct pages_hooks hooks = { .stopped = never };
    uint64_t needed;

    kpool_init(&pool, memory, POOL_PAGES);
    ASSERT(pages_init(&pages, &page_engine_tree, &map, false, &pool, &hooks, &needed) == OK);
    if (caches)
        ASSERT(pages_use_caches(&pages, THREADS, &pool, &needed) == OK);
}

static pfn_t page_take(void)
{
    static const struct page_request one = { .areas = ALL_AREAS, .pages = 1,
                                             .max = { PFN_LIMIT } };
    pfn_t out, blame;
    bool zeroed;

    ASSERT(pages_alloc(&pages, &one, 0, true, &out, &zeroed, &blame) == OK);
    return out;
}

static void page_give(pfn_t frame)
{
    uint64_t freed;
    pfn_t blame;

    ASSERT(pages_free(&pages, frame, 0, &freed, &blame) == OK);
}

/* HELD pages come, then go. */
static void work_pages(void)
{
    for (unsigned done = 0; done < PAIRS; done += HELD) {
        pfn_t held[HELD];

        for (unsigned i = 0; i < HELD; i++)
            held[i] = page_take();
        for (unsigned i = 0; i < HELD; i++)
            page_give(held[i]);
    }
}

static void work_global(void)
{
    for (unsigned done = 0; done < PAIRS; done += HELD) {
        pfn_t held[HELD];

        for (unsigned i = 0; i < HELD; i++) {
            lock_take(&global);
            held[i] = page_take();
            lock_release(&global);
        }
        for (unsigned i = 0; i < HELD; i++) {
            lock_take(&global);
            page_give(held[i]);
            lock_release(&global);
        }
    }
}

static void work_lock(void)
{
    static struct lock mine[THREADS] = { LOCK_INIT(LOCK_HEAP), LOCK_INIT(LOCK_HEAP) };

    for (unsigned done = 0; done < PAIRS; done++) {
        lock_take(&mine[self]);
        lock_release(&mine[self]);
    }
}

static __attribute__((noinline)) void nothing(const struct lock *lock)
{
    __asm__ volatile ("" : : "r"(lock) : "memory");
}

static void work_empty(void)
{
    for (unsigned done = 0; done < PAIRS; done++) {
        nothing(&global);
        nothing(&global);
    }
}

static const struct variant {
    const char *name;
    void (*work)(void);
    bool caches;
} variants[] = {
    { "empty-lock", work_empty, false }, { "lock", work_lock, false },
    { "global", work_global, false }, { "pages", work_pages, false },
    { "caches", work_pages, true },
};

static const struct variant *variant;
static unsigned wanted;
static atomic_uint there;

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

struct thread {
    pthread_t thread;
    unsigned number;
    uint64_t start, end;
};

/* A spin, so that all begin at once. */
static void *thread_run(void *argument)
{
    struct thread *thread = argument;

    self = thread->number;
    atomic_fetch_add(&there, 1);
    while (atomic_load(&there) < wanted)
        arch_cpu_relax();
    thread->start = now();
    variant->work();
    thread->end = now();
    return NULL;
}

static uint64_t measure(unsigned threads)
{
    struct thread all[THREADS];
    uint64_t start = 0, end = 0;

    pages_begin(variant->caches);
    wanted = threads;
    atomic_store(&there, 0);
    for (unsigned i = 0; i < threads; i++) {
        all[i].number = i;
        if (pthread_create(&all[i].thread, NULL, thread_run, &all[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(all[i].thread, NULL);
        start = start == 0 || all[i].start < start ? all[i].start : start;
        end = all[i].end > end ? all[i].end : end;
    }
    return end - start;
}

/* What callgrind counts. */
__attribute__((noinline)) void measured(void (*run)(void));
void measured(void (*run)(void))
{
    run();
}

static int count(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
        if (strcmp(variants[i].name, name) == 0) {
            pages_begin(variants[i].caches);
            measured(variants[i].work);
            printf("%u\n", PAIRS);
            return 0;
        }
    }
    return 1;
}

static void time_all(void)
{
    uint64_t best[ARRAY_SIZE(variants)][THREADS];

    memset(best, 0xff, sizeof(best));
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
            for (unsigned threads = 1; threads <= THREADS; threads++) {
                uint64_t time;

                variant = &variants[i];
                time = measure(threads);
                best[i][threads - 1] = time < best[i][threads - 1] ? time : best[i][threads - 1];
            }
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
        for (unsigned threads = 1; threads <= THREADS; threads++)
            printf("%s %u %llu %u\n", variants[i].name, threads,
                   (unsigned long long)best[i][threads - 1], threads * PAIRS);
}

int main(int argc, char **argv)
{
    if (argc > 2)
        return count(argv[2]);
    time_all();
    return 0;
}
