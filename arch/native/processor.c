/* SPDX-License-Identifier: MIT */
/*
 * The simulated processors, one for each CPU: each keeps translations until they are flushed, so
 * that a forgotten flush is seen. An access is one step: whoever flushes waits until it is done.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>

#include "arch/native/native.h"

/* The simulated TLB: each slot has the unit of one of the pages that fall to it. */
#define TLB_SLOTS 64u
struct processor {
    _Alignas(128) pthread_mutex_t mutex;      /* held for an access, and to drop translations */
    struct mmu_mapping tlb[TLB_SLOTS];        /* shift 0: nothing */
};

static struct processor processors[ARCH_CPUS_MAX] = {
    [0 ... ARCH_CPUS_MAX - 1] = { .mutex = PTHREAD_MUTEX_INITIALIZER },
};

void processors_open(void)
{
    for (unsigned cpu = 0; cpu < arch_cpu_count(); cpu++)
        pthread_mutex_init(&processors[cpu].mutex, NULL);
}

void processors_drop(uint64_t at)
{
    for (unsigned cpu = 0; cpu < arch_cpu_count(); cpu++) {
        struct processor *processor = &processors[cpu];

        pthread_mutex_lock(&processor->mutex);
        for (size_t i = 0; i < TLB_SLOTS; i++)
            if ((at ^ processor->tlb[i].unit.a) >> processor->tlb[i].shift == 0)
                processor->tlb[i].shift = 0;
        pthread_mutex_unlock(&processor->mutex);
    }
}

void processors_drop_all(void)
{
    for (unsigned cpu = 0; cpu < arch_cpu_count(); cpu++) {
        pthread_mutex_lock(&processors[cpu].mutex);
        memset(processors[cpu].tlb, 0, sizeof(processors[cpu].tlb));
        pthread_mutex_unlock(&processors[cpu].mutex);
    }
}

/* One access of a CPU, from its beginning to its end. */
struct step {
    struct processor *processor;
    uint64_t address;
    unsigned width, access;           /* ACCESS_* */
    enum error refused;               /* the fault if the mapping does not allow it */
    const void *pc;
};

static _Noreturn void fault(const struct step *step, enum error class)
{
    const struct fault fault = {
        .class = class, .has_address = true, .address = step->address, .pc = (uintptr_t)step->pc,
    };
    pthread_mutex_unlock(&step->processor->mutex);
    kernel_fault(&fault);
}

static const struct mmu_mapping *translate(const struct step *step)
{
    uint64_t address = step->address;
    struct mmu_mapping *slot = &step->processor->tlb[address >> PAGE_SHIFT & (TLB_SLOTS - 1)];

    if (slot->shift == 0 || (address ^ slot->unit.a) >> slot->shift != 0)
        if (!paging_walk(address, slot)) {
            slot->shift = 0;
            return NULL;
        }
    return slot;
}

/* Where the memory is, until step_end(); or the fault of the access. */
static volatile void *step_begin(struct step *step)
{
    const struct mmu_mapping *mapping;
    uint64_t physical;

    step->processor = &processors[arch_cpu_self()];
    pthread_mutex_lock(&step->processor->mutex);
    mapping = translate(step);
    if (mapping == NULL)
        fault(step, E_FAULT_ADDRESS);
    if ((mmu_accesses(mapping->attributes) & step->access) == 0)
        fault(step, step->refused);
    physical = mapping->phys.a + (step->address - mapping->unit.a);
    /* As an emulator: a mapping of nothing. */
    if (!memory_is_ram(physical, step->width))
        fault(step, E_FAULT_ADDRESS);
    return memory_on_bus(physical);
}

static void step_end(const struct step *step)
{
    pthread_mutex_unlock(&step->processor->mutex);
}

static uint64_t load(const volatile void *at, unsigned width)
{
    switch (width) {
    case 1: return *(const volatile uint8_t *)at;
    case 2: return *(const volatile uint16_t *)at;
    case 4: return *(const volatile uint32_t *)at;
    default: return *(const volatile uint64_t *)at;
    }
}

static void store(volatile void *at, unsigned width, uint64_t value)
{
    switch (width) {
    case 1: *(volatile uint8_t *)at = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)at = (uint16_t)value; break;
    case 4: *(volatile uint32_t *)at = (uint32_t)value; break;
    default: *(volatile uint64_t *)at = value; break;
    }
}

uint64_t arch_load(virt_t address, unsigned width)
{
    struct step step = {
        .address = address.a, .width = width, .access = ACCESS_READ,
        .refused = E_FAULT_PROTECTION, .pc = __builtin_return_address(0),
    };
    uint64_t value = load(step_begin(&step), width);

    step_end(&step);
    return value;
}

void arch_store(virt_t address, unsigned width, uint64_t value)
{
    struct step step = {
        .address = address.a, .width = width, .access = ACCESS_WRITE,
        .refused = E_FAULT_PROTECTION, .pc = __builtin_return_address(0),
    };

    store(step_begin(&step), width, value);
    step_end(&step);
}

/* This processor knows one instruction. */
const uint8_t arch_return_code[] = { 0xc3 };
const size_t arch_return_code_size = sizeof(arch_return_code);

void arch_execute(virt_t address)
{
    struct step step = {
        .address = address.a, .width = 1, .access = ACCESS_EXECUTE,
        .refused = E_FAULT_EXECUTE, .pc = __builtin_return_address(0),
    };

    if (load(step_begin(&step), 1) != arch_return_code[0])
        fault(&step, E_FAULT_OTHER);
    step_end(&step);
}
