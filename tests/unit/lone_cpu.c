/* SPDX-License-Identifier: MIT */
/* A machine of one CPU, for tests that are about something else; it may pass for another one. */
#include "arch/arch.h"

unsigned lone_cpu;

unsigned arch_cpu_count(void) { return 1; }
unsigned arch_cpu_self(void) { return lone_cpu; }
bool arch_in_interrupt(void) { return false; }
void arch_cpu_relax(void) { }
void arch_cpus_halt(void) { }

void arch_cpus_leave(void (*function)(void))
{
    lone_cpu = 0;
    function();
    assert_failed("CPU 0 comes back", __FILE__, __LINE__);
}

void arch_cpu_kick(unsigned cpu) { (void)cpu; }
bool arch_cpu_stopped(unsigned cpu) { return cpu != 0; }
void arch_cpu_end(void) { assert_failed("the only CPU ends", __FILE__, __LINE__); }

const struct arch_cpu_need arch_cpu_need = { .name = "none" };

enum error arch_cpu_start(unsigned cpu, phys_t need, virt_t stack_top, void (*entry)(void))
{
    (void)cpu, (void)need, (void)stack_top, (void)entry;
    return E_FAULT_START;
}

void arch_cpu_idle(bool (*ready)(void *argument), void *argument)
{
    while (!ready(argument))
        continue;
}
