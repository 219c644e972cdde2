/* SPDX-License-Identifier: MIT */
/*
 * Locks between CPUs. Each is named by its place in the one order below: a CPU that holds a lock
 * takes only later ones. That is verified at each lock_take(), in every build: it is one comparison
 * of what is kept anyway, as an ASSERT in a command gives back what the command held.
 *
 * Which lock guards what is written beside the fields. Nothing is held while memory is zeroed,
 * filled or copied, and nothing while something is said on the line: who does that verifies it, by
 * lock_hold_none(). Only a CPU 0 that works alone gives signs of life (machine.h) meanwhile: nobody
 * waits for its locks. A red zone is looked at with the lock of malloc: mostly a few bytes are
 * read, and nobody else may free the object between the look and the free.
 *
 * Interrupts stay on while a lock is held, so that a CPU which waits or works for long still drops
 * stale translations and counts a ^C at once. That is safe because no handler of an interrupt takes
 * a lock, which is verified too.
 *
 * Memory order: lock_take() acquires, lock_release() releases; what is guarded needs no more. A
 * lock costs an atomic exchange, a store and a few checks. It is not fair.
 */
#ifndef PFNLAB_LOCK_H
#define PFNLAB_LOCK_H

#include <stdatomic.h>

#include "kernel/base.h"

/* THE order, the first may be held when the others are taken. */
#define LOCKS(_) \
    _(HEAP, "heap")                 /* struct heap: slabs, blocks, red zones */ \
    _(ATTRIBUTES, "attributes")     /* struct attributes; allocated pages stay so */ \
    _(VMAP, "vmap")                 /* struct virt: the ranges of the window */ \
    _(PAGES, "pages")               /* struct pages: the engine, owners */ \
    _(CACHE, "cache")               /* a CPU's cache of single pages */ \
    _(PHYS, "phys")                 /* struct phys_allocator */ \
    _(MMU, "mmu")                   /* page tables, and struct tables, their memory */ \
    _(POOL, "pool")                 /* struct kpool */ \
    _(FAIL, "fail")                 /* struct fail */ \
    _(JOURNAL, "journal")           /* struct journal */ \
    _(QUEUE, "queue")               /* events that are to be told (lab_events.c) */
enum lock_rank {
    LOCK_NONE,                      /* of what was not initialised */
#define LOCK_RANK(rank, name) LOCK_##rank,
    LOCKS(LOCK_RANK)
#undef LOCK_RANK
    LOCK_RANKS
};

struct lock {
    _Atomic uint32_t holder;        /* CPU + 1; 0: free */
    enum lock_rank rank;
    const struct lock *before;      /* what the holder took before it */
};

#define LOCK_INIT(order) { .rank = (order) }

/*
 * Take a lock, waiting as long as another CPU has it. It is taken for questions as well, of what is
 * const. ASSERTs that no later lock, nor this one, is held by this CPU, and that it is not in a
 * handler of an interrupt; the text names both locks.
 */
void lock_take(const struct lock *lock);

/* Give back the lock that was taken last. */
void lock_release(const struct lock *lock);

/* Does this CPU hold it? For assertions. */
bool lock_is_mine(const struct lock *lock);

/* ASSERTs that this CPU holds no lock; the text says what it `does` and names the latest. */
void lock_hold_none(const char *does);

/* How many locks this CPU holds; and give back the latest, until only so many are left. */
unsigned lock_depth(void);
void lock_release_to(unsigned depth);

/*
 * From now on only this CPU runs, and no lock is anybody's: all others were halted in the middle of
 * whatever they did.
 */
void lock_break_all(void);

/*
 * Was this lock, or one of its rank, held when they were broken first? Then what it guards may be
 * half changed for good: it is only looked at from then on.
 */
bool lock_was_broken(const struct lock *lock);

/* The CPU that asks, for what each CPU has of its own. */
unsigned cpu_self(void);

/*
 * A place where another CPU may come in between, for those who try all orders
 * (tests/interleave/schedule.h). Elsewhere nothing.
 */
#ifdef INTERLEAVE
void interleave_point(const char *name);
#define YIELD_POINT(name) interleave_point(name)
#else
#define YIELD_POINT(name) ((void)0)
#endif

#endif
