/* SPDX-License-Identifier: MIT */
#include "kernel/lock.h"

#include "arch/arch.h"
#include "kernel/lib/format.h"

#define LOCKS_HELD 8u               /* at once by one CPU; the order has a few more */

/* What one CPU holds, in the order of taking; a cache line or two of its own. */
struct held {
    _Alignas(128) unsigned depth;
    const struct lock *locks[LOCKS_HELD];
    char text[64];                  /* of what it did wrong */
};

static struct held of_cpu[ARCH_CPUS_MAX];
static bool is_alone;               /* all others were halted, so that only one CPU looks */

static const char *const names[LOCK_RANKS] = {
    [LOCK_NONE] = "none",
#define LOCK_NAME(rank, name) [LOCK_##rank] = name,
    LOCKS(LOCK_NAME)
#undef LOCK_NAME
};

unsigned cpu_self(void)
{
    return arch_cpu_self();
}

static _Noreturn void refuse(struct held *held, const char *who, const char *what,
                             const struct lock *other)
{
    struct text text;

    text_init(&text, held->text, sizeof(held->text));
    text_string(&text, "lock order: ");
    text_string(&text, who);
    text_string(&text, what);
    text_string(&text, other == NULL ? "nothing" : names[other->rank]);
    assert_failed(held->text, __FILE__, __LINE__);
}

static const struct lock *latest(const struct held *held)
{
    return held->depth == 0 ? NULL : held->locks[held->depth - 1];
}

void lock_hold_none(const char *does)
{
    struct held *held = &of_cpu[arch_cpu_self()];

    if (held->depth > 0)
        refuse(held, does, " while holding ", latest(held));
}

/* A lock is no part of what its owner promises not to change. */
static _Atomic uint32_t *holder_of(const struct lock *lock)
{
    return &((struct lock *)lock)->holder;
}

/* Acquire: what the holder before wrote is seen. */
static void acquire(_Atomic uint32_t *holder, uint32_t self)
{
    uint32_t nobody = 0;

    while (!atomic_compare_exchange_weak_explicit(holder, &nobody, self, memory_order_acquire,
                                                  memory_order_relaxed)) {
        if (is_alone)
            return;
        while (atomic_load_explicit(holder, memory_order_relaxed) != 0 && !is_alone)
            arch_cpu_relax();
        nobody = 0;
    }
}

void lock_take(const struct lock *lock)
{
    unsigned self = arch_cpu_self();
    struct held *held = &of_cpu[self];
    const struct lock *last = latest(held);

    if (lock->rank <= (last == NULL ? LOCK_NONE : last->rank))
        refuse(held, names[lock->rank], " wanted while holding ", last);
    if (arch_in_interrupt())
        refuse(held, names[lock->rank], " wanted in an interrupt, holding ", last);
    ASSERT(held->depth < LOCKS_HELD);
    YIELD_POINT(names[lock->rank]);
    acquire(holder_of(lock), self + 1);
    held->locks[held->depth++] = lock;
}

void lock_release(const struct lock *lock)
{
    struct held *held = &of_cpu[arch_cpu_self()];
    const struct lock *last = latest(held);

    if (last != lock)
        refuse(held, names[lock->rank], " given back while holding ", last);
    held->depth--;
    atomic_store_explicit(holder_of(lock), 0, memory_order_release);
}

bool lock_is_mine(const struct lock *lock)
{
    return atomic_load_explicit(holder_of(lock), memory_order_relaxed) == arch_cpu_self() + 1;
}

unsigned lock_depth(void)
{
    return of_cpu[arch_cpu_self()].depth;
}

void lock_release_to(unsigned depth)
{
    struct held *held = &of_cpu[arch_cpu_self()];

    while (held->depth > depth)
        lock_release(held->locks[held->depth - 1]);
}

void lock_break_all(void)
{
    is_alone = true;
    of_cpu[arch_cpu_self()].depth = 0;
}
