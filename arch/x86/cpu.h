/* SPDX-License-Identifier: MIT */
/* Instructions that C does not have, for both widths. */
#ifndef PFNLAB_X86_CPU_H
#define PFNLAB_X86_CPU_H

#include <stdint.h>

#include "arch/x86/selectors.h"

#define EFLAGS_IF 0x200u

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile ("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile ("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile ("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile ("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile ("wrmsr" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)
                      : "memory");
}

/* Which CPU this is; CPU 0 before trap_open(). */
static inline unsigned cpu_self(void)
{
    uint32_t task;
    __asm__ volatile ("str %0" : "=r"(task));
    return task < SELECTOR_TSS ? 0 : (task - SELECTOR_TSS) >> SELECTOR_TSS_SHIFT;
}

struct cpuid { uint32_t a, b, c, d; };

static inline struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid r;
    __asm__ volatile ("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "0"(leaf), "2"(0));
    return r;
}

/* The flags before; give them to interrupts_restore(). */
static inline uintptr_t interrupts_off(void)
{
    uintptr_t flags;
    __asm__ volatile ("pushf; pop %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void interrupts_on(void)
{
    __asm__ volatile ("sti" : : : "memory");
}

static inline void interrupts_restore(uintptr_t flags)
{
    if ((flags & EFLAGS_IF) != 0)
        interrupts_on();
}

/* With interrupts off: wait for one. The one instruction after sti cannot be interrupted. */
static inline void wait_for_interrupt(void)
{
    __asm__ volatile ("sti; hlt; cli" : : : "memory");
}

/* The translation of one address, with all that the processor keeps of tables above it. */
static inline void translation_drop(uint64_t at)
{
    __asm__ volatile ("invlpg (%0)" : : "r"((uintptr_t)at) : "memory");
}

static inline void translations_drop(void)
{
    uintptr_t root;
    __asm__ volatile ("mov %%cr3, %0; mov %0, %%cr3" : "=r"(root) : : "memory");
}

#endif
