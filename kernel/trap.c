/* SPDX-License-Identifier: MIT */
#include "kernel/trap.h"

#include "arch/arch.h"

/* What one CPU knows of its guards. */
struct trap_state {
    unsigned depth;               /* guards that are active */
    struct ending ending;         /* of the guard that is being unwound to */
};

static struct trap_state trap_state;

struct ending trap_run(void (*function)(void *argument), void *argument)
{
    struct ending ending = { .outcome = ENDED };

    trap_state.depth++;
    if (!arch_guard(function, argument))
        ending = trap_state.ending;
    trap_state.depth--;
    if (ending.outcome == PANICKED && trap_guarded())
        arch_unwind();
    return ending;
}

bool trap_guarded(void)
{
    return trap_state.depth > 0;
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
    trap_state.ending = (struct ending){ .outcome = FAULTED, .fault = *fault };
    arch_unwind();
}

void assert_failed(const char *condition, const char *file, int line)
{
    if (!can_unwind())
        panic("assert", file, line, NULL);
    trap_state.ending = (struct ending){
        .outcome = ASSERTED, .condition = condition, .file = file, .line = line,
    };
    arch_unwind();
}

void trap_panicked(const char *kind)
{
    trap_state.ending = (struct ending){ .outcome = PANICKED, .condition = kind };
    arch_unwind();
}
