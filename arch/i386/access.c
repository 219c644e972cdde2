/* SPDX-License-Identifier: MIT */
/* Single accesses to memory, of every width that the wire knows. */
#include "arch/arch.h"

#define VECTOR_PAGE_FAULT 14

/* What the processor would say if it could hear of such an address. */
static _Noreturn void fault_beyond(uint64_t address, const void *pc)
{
    const struct fault fault = {
        .class = E_FAULT_ADDRESS, .has_address = true, .address = address,
        .pc = (uintptr_t)pc, .code = VECTOR_PAGE_FAULT,
    };
    kernel_fault(&fault);
}

/*
 * The x87 moves 64 bits at once and keeps each of them (SDM volume 3, section 8.1.1): pairs of
 * 32-bit accesses would let a device or another processor see a half. The state is reset each time
 * because a store that faults leaves its operand on the register stack.
 */
static uint64_t load_8(uintptr_t at)
{
    uint64_t value;
    __asm__ volatile ("fninit; fildll %1; fistpll %0"
                      : "=m"(value) : "m"(*(const volatile uint64_t *)at));
    return value;
}

static void store_8(uintptr_t at, uint64_t value)
{
    __asm__ volatile ("fninit; fildll %1; fistpll %0"
                      : "=m"(*(volatile uint64_t *)at) : "m"(value));
}

uint64_t arch_load(virt_t address, unsigned width)
{
    uintptr_t at = (uintptr_t)address.a;
    if (address.a > UINTPTR_MAX)
        fault_beyond(address.a, __builtin_return_address(0));
    switch (width) {
    case 1: return *(const volatile uint8_t *)at;
    case 2: return *(const volatile uint16_t *)at;
    case 4: return *(const volatile uint32_t *)at;
    default: return load_8(at);
    }
}

void arch_store(virt_t address, unsigned width, uint64_t value)
{
    uintptr_t at = (uintptr_t)address.a;
    if (address.a > UINTPTR_MAX)
        fault_beyond(address.a, __builtin_return_address(0));
    switch (width) {
    case 1: *(volatile uint8_t *)at = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)at = (uint16_t)value; break;
    case 4: *(volatile uint32_t *)at = (uint32_t)value; break;
    default: store_8(at, value);
    }
}

void arch_execute(virt_t address)
{
    if (address.a > UINTPTR_MAX)
        fault_beyond(address.a, __builtin_return_address(0));
    ((void (*)(void))(uintptr_t)address.a)();
}
