/* SPDX-License-Identifier: MIT */
/* Two 8259A (Intel data sheet 231468), behind the local APIC's LINT0 (SDM volume 3, chapter 11). */
#include "arch/x86/cpu.h"
#include "arch/x86/trap.h"

enum { MASTER = 0x20, SLAVE = 0xa0, DATA = 1 };
enum { ICW1_INIT_ICW4 = 0x11, ICW4_8086 = 0x01, END_OF_INTERRUPT = 0x20, CASCADE = 2 };

#define ALL_BUT_COM1 0xefu

#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_ENABLED (1u << 11)
#define APIC_BASE_MASK UINT64_C(0xffffff000)
#define CPUID_APIC (1u << 9)
enum { APIC_SPURIOUS = 0xf0, APIC_LINT0 = 0x350 };
#define APIC_SOFTWARE_ENABLE 0x100u
#define LINT0_EXTINT 0x700u

/* microvm has LINT0 masked at reset, and firmware need not have left it open elsewhere. */
static void lint0_open(void)
{
    if ((cpuid(1).d & CPUID_APIC) == 0)
        return;
    uint64_t base = rdmsr(MSR_APIC_BASE);
    if ((base & APIC_BASE_ENABLED) == 0)
        return;
    volatile uint32_t *apic = (volatile uint32_t *)(uintptr_t)(base & APIC_BASE_MASK);
    apic[APIC_SPURIOUS / sizeof(*apic)] = APIC_SOFTWARE_ENABLE | VECTOR_SPURIOUS;
    apic[APIC_LINT0 / sizeof(*apic)] = LINT0_EXTINT;
}

static void controller_open(uint16_t port, uint8_t vector, uint8_t cascade, uint8_t mask)
{
    outb(port, ICW1_INIT_ICW4);
    outb(port + DATA, vector);
    outb(port + DATA, cascade);
    outb(port + DATA, ICW4_8086);
    outb(port + DATA, mask);
}

void pic_open(void)
{
    controller_open(MASTER, VECTOR_IRQ, 1 << CASCADE, ALL_BUT_COM1);
    controller_open(SLAVE, VECTOR_IRQ + 8, CASCADE, 0xff);
    lint0_open();
}

void pic_acknowledge(void)
{
    outb(MASTER, END_OF_INTERRUPT);
}
