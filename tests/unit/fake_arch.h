/* SPDX-License-Identifier: MIT */
/*
 * A machine that is a few variables: guards by setjmp, a halt that ends the test's call, two
 * registers, a page of memory. kernel/trap.c comes in here by its source, with its assert_failed()
 * under another name, as the tests have one of their own.
 */
#ifndef PFNLAB_UNIT_FAKE_ARCH_H
#define PFNLAB_UNIT_FAKE_ARCH_H

#define assert_failed kernel_assert_failed
#include "kernel/trap.c"
#undef assert_failed

#include "tests/unit/support.h"

static jmp_buf *guards[8];
static unsigned nguards;
static jmp_buf halted;
static int halt_status;
extern unsigned lone_cpu;

bool arch_guard(void (*function)(void *argument), void *argument)
{
    jmp_buf here;
    bool ended = false;

    guards[nguards++] = &here;
    if (setjmp(here) == 0) {
        function(argument);
        ended = true;
    }
    nguards--;
    return ended;
}

void arch_unwind(void)
{
    longjmp(*guards[nguards - 1], 1);
}

void arch_halt(int status)
{
    halt_status = status;
    longjmp(halted, 1);
}

#endif
