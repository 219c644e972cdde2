/* SPDX-License-Identifier: MIT */
#include "tests/bench/steady.h"

#include <stdlib.h>
#include <ucontext.h>

static unsigned char stack[1 << 20] __attribute__((aligned(4096)));
static struct {
    void (*work)(void *argument);
    void *argument;
} call;

/* makecontext() hands on nothing but int. */
static void enter(void)
{
    call.work(call.argument);
}

void steady_call(void (*work)(void *argument), void *argument)
{
    ucontext_t here, there;

    call.work = work;
    call.argument = argument;
    if (getcontext(&there) != 0)
        abort();
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof(stack);
    there.uc_link = &here;
    makecontext(&there, enter, 0);
    if (swapcontext(&here, &there) != 0)
        abort();
}
