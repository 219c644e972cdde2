/* SPDX-License-Identifier: MIT */
#include "kernel/lock.h"

#include "arch/arch.h"
#include "kernel/lib/format.h"

/* What one CPU holds: the latest, which knows the one before it; a line or two of its own. */
struct held {
    _Alignas(128) const struct lock *latest;
    char text[64];                  /* of what it did wrong */
};

/* Where the locks of each CPU end: before all in the order, and not to be given back. */
static const struct lock nothing = LOCK_INIT(LOCK_NONE);

static struct held of_cpu[ARCH_CPUS_MAX] = { [0 ... ARCH_CPUS_MAX - 1] = { .latest = &nothing } };
static bool is_alone;               /* all others were halted, so that only one CPU looks */
static uint32_t broken;             /* a bit for each rank */
_Static_assert(LOCK_RANKS <= 32, "each has its bit");

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

/* Kept out of the way of those who do nothing wrong. */
static _Noreturn __attribute__((cold, noinline)) void refuse(const char *who, const char *what)
{
    struct held *held = &of_cpu[arch_cpu_self()];
    struct text text;

    text_init(&text, held->text, sizeof(held->text));
    text_string(&text, "lock order: ");
    text_string(&text, who);
    text_string(&text, what);
    text_string(&text, held->latest == &nothing ? "nothing" : names[held->latest->rank]);
    assert_failed(held->text, __FILE__, __LINE__);
}

void lock_hold_none(const char *does)
{
    if (of_cpu[arch_cpu_self()].latest != &nothing)
        refuse(does, " while holding ");
}

/* A lock is no part of what its owner promises not to change. */
static struct lock *inside(const struct lock *lock)
{
    return (struct lock *)lock;
}

/* Acquire: what the holder before wrote is seen. */
static bool acquire(const struct lock *lock, unsigned self)
{
    uint32_t nobody = 0;

    return atomic_compare_exchange_strong_explicit(&inside(lock)->holder, &nobody, self + 1,
                                                   memory_order_acquire, memory_order_relaxed);
}

static void hold(struct held *held, const struct lock *lock)
{
    inside(lock)->before = held->latest;
    held->latest = lock;
}

/* The same when another CPU has it: wait until it is given back. */
static __attribute__((cold, noinline)) void hold_later(const struct lock *lock, unsigned self)
{
    while (!is_alone && !acquire(lock, self))
        while (atomic_load_explicit(&lock->holder, memory_order_relaxed) != 0 && !is_alone)
            arch_cpu_relax();
    hold(&of_cpu[self], lock);
}

void lock_take(const struct lock *lock)
{
    unsigned self;

    if (arch_in_interrupt())
        refuse(names[lock->rank], " wanted in an interrupt, holding ");
    self = arch_cpu_self();
    if (lock->rank <= of_cpu[self].latest->rank)
        refuse(names[lock->rank], " wanted while holding ");
    YIELD_POINT(names[lock->rank]);
    if (acquire(lock, self))
        hold(&of_cpu[self], lock);
    else
        hold_later(lock, self);
}

void lock_release(const struct lock *lock)
{
    struct held *held = &of_cpu[arch_cpu_self()];

    if (held->latest != lock)
        refuse(names[lock->rank], " given back while holding ");
    held->latest = lock->before;
    atomic_store_explicit(&inside(lock)->holder, 0, memory_order_release);
    YIELD_POINT("released");
}

bool lock_is_mine(const struct lock *lock)
{
    return atomic_load_explicit(&lock->holder, memory_order_relaxed) == arch_cpu_self() + 1;
}

unsigned lock_depth(void)
{
    const struct lock *lock = of_cpu[arch_cpu_self()].latest;
    unsigned depth = 0;

    for (; lock != &nothing; lock = lock->before)
        depth++;
    return depth;
}

void lock_release_to(unsigned depth)
{
    const struct held *held = &of_cpu[arch_cpu_self()];

    for (unsigned holds = lock_depth(); holds > depth; holds--)
        lock_release(held->latest);
}

/* Nobody is in a list before it has the lock, nor when it has given it back. */
static void note_broken(void)
{
    for (unsigned cpu = 0; cpu < ARCH_CPUS_MAX; cpu++)
        for (const struct lock *lock = of_cpu[cpu].latest; lock != &nothing; lock = lock->before)
            broken |= UINT32_C(1) << lock->rank;
}

bool lock_was_broken(const struct lock *lock)
{
    return (broken >> lock->rank & 1) != 0;
}

void lock_break_all(void)
{
    if (!is_alone)
        note_broken();
    is_alone = true;
    of_cpu[arch_cpu_self()].latest = &nothing;
}
