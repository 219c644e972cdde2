/* SPDX-License-Identifier: MIT */
/* A machine of one processor: there is no other to start, to wake or to wait for. */
#include "arch/arch.h"

const struct arch_cpu_need arch_cpu_need = { .name = "none" };

unsigned arch_cpu_count(void) { return 1; }
unsigned arch_cpu_self(void) { return 0; }
bool arch_in_interrupt(void) { return false; }

enum error arch_cpu_start(unsigned cpu, phys_t need, virt_t stack_top, void (*entry)(void))
{
    (void)cpu, (void)need, (void)stack_top, (void)entry;
    return E_CALL_CPU;
}

void arch_cpu_end(void)
{
    panic("cpu", __FILE__, __LINE__, NULL);
}

bool arch_cpu_stopped(unsigned cpu)
{
    (void)cpu;
    return true;
}

void arch_cpus_halt(void) { }

/* Nobody else makes it ready, but input may. */
void arch_cpu_idle(bool (*ready)(void *argument), void *argument)
{
    while (!ready(argument))
        arch_cpu_relax();
}

void arch_cpu_kick(unsigned cpu) { (void)cpu; }
void arch_cpu_relax(void) { }
