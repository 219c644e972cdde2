/* SPDX-License-Identifier: MIT */
/* Instructions that C does not have, and this CPU's own page. For code that runs with DAT on. */
#ifndef PFNLAB_S390X_CPU_H
#define PFNLAB_S390X_CPU_H

#include <stdint.h>

#include "arch/s390x/lowcore.h"

static inline uint64_t lowcore_u64(unsigned offset)
{
    return *(volatile uint64_t *)(LC_VIEW + offset);
}

static inline uint32_t lowcore_u32(unsigned offset)
{
    return *(volatile uint32_t *)(LC_VIEW + offset);
}

static inline uint16_t lowcore_u16(unsigned offset)
{
    return *(volatile uint16_t *)(LC_VIEW + offset);
}

static inline uint8_t lowcore_u8(unsigned offset)
{
    return *(volatile uint8_t *)(LC_VIEW + offset);
}

static inline void lowcore_set_u32(unsigned offset, uint32_t value)
{
    *(volatile uint32_t *)(LC_VIEW + offset) = value;
}

/* The system mask before; give it to system_mask_restore(). */
static inline uint8_t interrupts_off(void)
{
    uint8_t mask;
    __asm__ volatile ("stnsm %0, 0xfe" : "=Q"(mask) : : "memory");
    return mask;
}

static inline uint8_t interrupts_on(void)
{
    uint8_t mask;
    __asm__ volatile ("stosm %0, 0x01" : "=Q"(mask) : : "memory");
    return mask;
}

/* DAT off: addresses are real, page 0 of this CPU's own page, which nobody may touch by C. */
static inline uint8_t translation_off(void)
{
    uint8_t mask;
    __asm__ volatile ("stnsm %0, 0xfb" : "=Q"(mask) : : "memory");
    return mask;
}

static inline void system_mask_restore(uint8_t mask)
{
    __asm__ volatile ("ssm %0" : : "Q"(mask) : "memory");
}

/* All that this CPU keeps of translation tables. */
static inline void translations_drop(void)
{
    __asm__ volatile ("ptlb" : : : "memory");
}

/* With interrupts off: wait for one, which is served; returns with interrupts on. */
void cpu_wait(void);

/* For good, telling why (lowcore.h). */
static inline _Noreturn void cpu_stop(uint64_t why)
{
    const uint64_t psw[2] = { PSW_DISABLED_WAIT, why };
    for (;;)
        __asm__ volatile ("lpswe %0" : : "Q"(psw) : "memory");
}

#endif
