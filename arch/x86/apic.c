/* SPDX-License-Identifier: MIT */
#include "arch/x86/apic.h"

#include <stddef.h>

#include "arch/x86/cpu.h"
#include "arch/x86/vectors.h"

#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_ENABLED (1u << 11)
#define APIC_BASE_MASK UINT64_C(0xffffff000)
#define CPUID_APIC (1u << 9)

enum { ID = 0x20, END_OF_INTERRUPT = 0xb0, SPURIOUS = 0xf0, COMMAND = 0x300, COMMAND_TO = 0x310,
       TIMER = 0x320, LINT0 = 0x350, TIMER_COUNT = 0x380, TIMER_DIVIDE = 0x3e0 };
#define SOFTWARE_ENABLE 0x100u
#define LINT0_EXTINT 0x700u
#define MASKED 0x10000u
#define DIVIDE_BY_1 0xbu
#define COMMAND_PENDING 0x1000u
#define ID_SHIFT 24

static volatile uint32_t *apic;           /* NULL: none; all CPUs see their own there */

static void write(unsigned at, uint32_t value)
{
    apic[at / sizeof(*apic)] = value;
}

static uint32_t read(unsigned at)
{
    return apic[at / sizeof(*apic)];
}

/*
 * microvm has the lines masked and the whole APIC off at reset, and UEFI leaves a spurious vector
 * among the exceptions: nothing is taken for granted.
 */
bool apic_open(bool has_lines)
{
    uint64_t base;

    if ((cpuid(1).d & CPUID_APIC) == 0)
        return false;
    base = rdmsr(MSR_APIC_BASE);
    if ((base & APIC_BASE_ENABLED) == 0 || (base & APIC_BASE_MASK) != APIC_PAGE)
        return false;
    apic = (volatile uint32_t *)(uintptr_t)APIC_PAGE;
    write(SPURIOUS, SOFTWARE_ENABLE | VECTOR_SPURIOUS);
    write(LINT0, has_lines ? LINT0_EXTINT : MASKED);
    write(TIMER, MASKED);
    write(TIMER_DIVIDE, DIVIDE_BY_1);
    return true;
}

uint8_t apic_id(void)
{
    return (uint8_t)(read(ID) >> ID_SHIFT);
}

void apic_send(uint8_t id, uint32_t what)
{
    __asm__ volatile ("" : : : "memory");
    write(COMMAND_TO, (uint32_t)id << ID_SHIFT);
    write(COMMAND, what);
    while ((read(COMMAND) & COMMAND_PENDING) != 0)
        ;
}

void apic_alarm(uint32_t ticks)
{
    write(TIMER, VECTOR_CPU);
    write(TIMER_COUNT, ticks);
}

void apic_acknowledge(void)
{
    if (apic != NULL)
        write(END_OF_INTERRUPT, 0);
}
