/* SPDX-License-Identifier: MIT */
#include "kernel/machine.h"

#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/lib/string.h"
#include "kernel/trap.h"

#define STATUS_FAILED 1

/* One access under guard. */
struct access {
    virt_t address;
    unsigned width;
    uint64_t value;
};

/* ^C by their number on the line: how many came in, and up to which one they had their effect. */
static uint64_t interrupts_came, interrupts_passed, interrupts_heeded;
static bool interrupt_seen;           /* by the command that runs */

const char *machine_name(void)
{
    return arch_name;
}

static void access_load(void *argument)
{
    struct access *access = argument;

    access->value = arch_load(access->address, access->width);
}

static void access_store(void *argument)
{
    struct access *access = argument;

    arch_store(access->address, access->width, access->value);
}

/* Memory, but beyond what this machine's instructions can address. */
static bool out_of_reach(uint64_t address, unsigned width)
{
    return phys_is_memory(&lab.phys, address, width)
        && arch_pointer(phys(address), width) == NULL;
}

static enum error access_check(uint64_t address, unsigned width)
{
    if (lab.injected)
        return E_CALL_UNSUPPORTED;
    if (width > 8 || !is_power_of_two(width))
        return E_CALL_RANGE;
    if (!is_aligned(address, width))
        return E_CALL_ALIGN;
    return out_of_reach(address, width) ? E_CALL_UNSUPPORTED : OK;
}

/* A failed assertion is not the access's: it goes on to the guard around this one. */
static enum error access_run(void (*function)(void *), struct access *access, struct fault *fault)
{
    struct ending ending = trap_run(function, access);

    if (ending.outcome == ASSERTED)
        assert_failed(ending.condition, ending.file, ending.line);
    if (ending.outcome == ENDED)
        return OK;
    *fault = ending.fault;
    return ending.fault.class;
}

enum error machine_read(uint64_t address, unsigned width, uint64_t *value, struct fault *fault)
{
    struct access access = { .address = virt(address), .width = width };
    enum error e = access_check(address, width);

    if (e == OK)
        e = access_run(access_load, &access, fault);
    if (e == OK)
        *value = access.value;
    return e;
}

enum error machine_write(uint64_t address, unsigned width, uint64_t value, struct fault *fault)
{
    struct access access = { .address = virt(address), .width = width, .value = value };
    enum error e = access_check(address, width);

    if (e != OK)
        return e;
    if (!phys_is_memory(&lab.phys, address, width)) {
        *fault = (struct fault){
            .class = E_FAULT_PROTECTION, .has_address = true, .address = address,
        };
        return E_FAULT_PROTECTION;
    }
    return access_run(access_store, &access, fault);
}

/* Differs in every word of memory, and in each for another seed; odd multipliers lose no bit. */
static uint64_t pattern_word(uint64_t address, uint64_t seed)
{
    uint64_t x = (address ^ seed * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xd6e8feb86659fd93);

    return x ^ x >> 32;
}

static bool page_fill(uint64_t *words, uint64_t address, uint64_t seed, phys_t *at)
{
    (void)at;
    for (size_t i = 0; i < PAGE_SIZE / 8; i++)
        words[i] = pattern_word(address + 8 * i, seed);
    return true;
}

static bool page_verify(uint64_t *words, uint64_t address, uint64_t seed, phys_t *at)
{
    for (size_t i = 0; i < PAGE_SIZE / 8; i++) {
        if (words[i] != pattern_word(address + 8 * i, seed)) {
            *at = phys(address + 8 * i);
            return false;
        }
    }
    return true;
}

typedef bool page_worker(uint64_t *words, uint64_t address, uint64_t seed, phys_t *at);

static enum error each_page(pfn_t first, uint64_t pages, uint64_t seed, page_worker *worker,
                            phys_t *at)
{
    uint64_t *words;

    if (lab.injected)
        return E_CALL_UNSUPPORTED;
    if (pages == 0 || first.n >= PFN_LIMIT || pages > PFN_LIMIT - first.n)
        return E_CALL_RANGE;
    if (!phys_is_memory(&lab.phys, pfn_phys(first).a, pages << PAGE_SHIFT))
        return E_FAULT_PROTECTION;
    words = arch_pointer(pfn_phys(first), pages << PAGE_SHIFT);
    if (words == NULL)
        return E_CALL_UNSUPPORTED;
    *at = pfn_phys(first);
    for (uint64_t i = 0; i < pages; i++, words += PAGE_SIZE / 8) {
        if (machine_interrupted())
            return E_STOP_INTERRUPTED;
        if (!worker(words, at->a, seed, at))
            return E_FAULT_PATTERN;
        at->a += PAGE_SIZE;
    }
    return OK;
}

enum error machine_fill(pfn_t first, uint64_t pages, uint64_t seed, phys_t *at)
{
    return each_page(first, pages, seed, page_fill, at);
}

enum error machine_verify(pfn_t first, uint64_t pages, uint64_t seed, phys_t *at)
{
    return each_page(first, pages, seed, page_verify, at);
}

bool machine_zero(pfn_t first, uint64_t pages)
{
    uint64_t size = pages << PAGE_SHIFT;
    void *memory = arch_pointer(pfn_phys(first), size);

    if (memory == NULL)
        return false;
    memset(memory, 0, (size_t)size);
    return true;
}

static void count_interrupts(void)
{
    while (arch_console_interrupted())
        interrupts_came++;
}

bool machine_interrupted(void)
{
    count_interrupts();
    if (interrupts_came > interrupts_passed && interrupts_came > interrupts_heeded) {
        interrupts_heeded = interrupts_came;
        interrupt_seen = true;
    }
    return interrupt_seen;
}

void machine_interrupt_clear(void)
{
    interrupt_seen = false;
}

void machine_interrupt_passed(void)
{
    count_interrupts();
    if (interrupts_passed < interrupts_came)
        interrupts_passed++;
}

uint64_t machine_ticks(void)
{
    return arch_ticks();
}

uint64_t machine_ticks_per_second(void)
{
    return arch_ticks_per_second();
}

void machine_off(int status)
{
    if (panic_survived())
        status = STATUS_FAILED;
    arch_halt(status);
}
