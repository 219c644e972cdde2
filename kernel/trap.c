/* SPDX-License-Identifier: MIT */
#include "kernel/trap.h"

#include "arch/arch.h"
#include "kernel/lock.h"

/* What one CPU knows of its guards. */
struct trap_state {
    unsigned depth;               /* guards that are active */
    struct ending ending;         /* of the guard that is being unwound to */
};

static struct trap_state of_cpu[ARCH_CPUS_MAX];

static struct trap_state *mine(void)
{
    return &of_cpu[arch_cpu_self()];
}

struct ending trap_run(void (*function)(void *argument), void *argument)
{
    struct ending ending = { .outcome = ENDED };
    struct trap_state *state = mine();
    unsigned locks = lock_depth(), depth = state->depth;

    state->depth++;
    if (!arch_guard(function, argument)) {
        ending = state->ending;
        lock_release_to(locks);
    }
    state->depth = depth;         /* CPU 0 is unwound from anywhere when another one panics */
    if (ending.outcome == PANICKED && trap_guarded())
        arch_unwind();
    return ending;
}

bool trap_guarded(void)
{
    return mine()->depth > 0;
}

/* A panic that faults must not unwind into the command that it ended. */
static bool can_unwind(void)
{
    return trap_guarded() && !panicking();
}

void kernel_fault(const struct fault *fault)
{
    if (!can_unwind())
        panic("fault", NULL, 0, fault);
    mine()->ending = (struct ending){ .outcome = FAULTED, .fault = *fault };
    arch_unwind();
}

void assert_failed(const char *condition, const char *file, int line)
{
    if (!can_unwind())
        panic("assert", file, line, NULL);
    mine()->ending = (struct ending){
        .outcome = ASSERTED, .condition = condition, .file = file, .line = line,
    };
    arch_unwind();
}

void trap_panicked(const char *kind, unsigned cpu)
{
    mine()->ending = (struct ending){ .outcome = PANICKED, .condition = kind, .cpu = cpu };
    arch_unwind();
}
