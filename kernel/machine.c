/* SPDX-License-Identifier: MIT */
#include "kernel/machine.h"

#include <stdatomic.h>

#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/lock.h"
#include "kernel/lib/string.h"
#include "kernel/machine_access.h"
#include "kernel/smp.h"
#include "kernel/trap.h"

#define STATUS_FAILED 1
#define ZERO_STEP ((size_t)2 << 20)   /* bytes zeroed between two looks for a ^C */

/*
 * ^C by their number on the line: how many came in, and up to which one they had their effect. CPU
 * 0's, which has the line; the others see what it has seen.
 */
static uint64_t interrupts_came, interrupts_passed, interrupts_heeded;
static _Atomic bool interrupt_seen;   /* by the command that runs */

#define SIGN_LOOKS 8u                 /* a clock may be slower than what is at work */
static void (*tell_sign)(void);
static bool gives_sign;               /* CPU 0, just now */
/*
 * Of each CPU, its own: looks for a ^C, and when it gives or wants the next sign, in ticks. CPU 0's
 * is 0 until a command looks at the clock: most end before, and need not.
 */
static struct { uint64_t looks, next; } signs[SMP_MAX];

const char *machine_name(void)
{
    return arch_name;
}

/* ---- one access ---- */

void access_load(void *argument)
{
    struct access *access = argument;

    access->value = arch_load(access->address, access->width);
}

void access_store(void *argument)
{
    struct access *access = argument;

    arch_store(access->address, access->width, access->value);
}

void access_execute(void *argument)
{
    struct access *access = argument;

    arch_execute(access->address);
}

/* A failed assertion is not the access's: it goes on to the guard around this one. */
enum error access_run(void (*function)(void *), void *argument, struct fault *fault)
{
    struct ending ending = trap_run(function, argument);

    if (ending.outcome == ASSERTED)
        assert_failed(ending.condition, ending.file, ending.line);
    if (ending.outcome == ENDED)
        return OK;
    *fault = ending.fault;
    return ending.fault.class;
}

bool access_is_owned(const struct mmu_mapping *mapping, uint64_t address, uint64_t size)
{
    phys_t at = phys(mapping->phys.a + (address - mapping->unit.a));

    return phys_is_memory(&lab.phys, at.a, size) && !smp_has(phys_pfn(at));
}

/* Memory, but at an address that this machine's instructions do not have for it. */
static bool out_of_reach(uint64_t address, unsigned width)
{
    struct mmu_mapping mapping;

    return !machine_mmu()->query(virt(address), &mapping)
        && phys_is_memory(&lab.phys, address, width);
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
    struct mmu_mapping mapping;

    if (e != OK)
        return e;
    if (machine_mmu()->query(access.address, &mapping)
        && !access_is_owned(&mapping, address, width)) {
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

/* ---- patterns ---- */

/* One page of a pattern; `direct` is where its memory is, or NULL: by single accesses only. */
struct page_work {
    uint64_t at, end, seed;           /* at: how far it got */
    uint64_t *direct;
    bool differs;
};

static void page_fill(void *argument)
{
    struct page_work *work = argument;

    for (; work->at < work->end; work->at += 8) {
        uint64_t value = pattern_word(work->at, work->seed);

        if (work->direct != NULL)
            *work->direct++ = value;
        else
            arch_store(virt(work->at), 8, value);
    }
}

static void page_verify(void *argument)
{
    struct page_work *work = argument;

    for (; work->at < work->end && !work->differs;) {
        uint64_t value = work->direct != NULL ? *work->direct++ : arch_load(virt(work->at), 8);

        work->differs = value != pattern_word(work->at, work->seed);
        work->at += work->differs ? 0 : 8;
    }
}

static enum error page_check(uint64_t address, uint64_t **direct)
{
    struct mmu_mapping mapping;

    if (!machine_mmu()->query(virt(address), &mapping))
        return out_of_reach(address, 8) ? E_CALL_UNSUPPORTED : E_FAULT_ADDRESS;
    if (!access_is_owned(&mapping, address, PAGE_SIZE))
        return E_FAULT_PROTECTION;
    *direct = mapping.phys.a == mapping.unit.a ? arch_pointer(phys(address), PAGE_SIZE) : NULL;
    return OK;
}

static enum error page_run(uint64_t address, uint64_t seed, void (*worker)(void *), phys_t *at)
{
    struct page_work work = { .at = address, .end = address + PAGE_SIZE, .seed = seed };
    struct fault fault;
    enum error e = page_check(address, &work.direct);

    if (e == OK)
        e = access_run(worker, &work, &fault);
    *at = phys(work.at);
    return e == OK && work.differs ? E_FAULT_PATTERN : e;
}

/* Nothing is written before each page was looked at. */
static enum error each_page(pfn_t first, uint64_t pages, uint64_t seed, void (*worker)(void *),
                            phys_t *at)
{
    uint64_t *direct;
    enum error e = OK;

    lock_hold_none("fill");
    if (lab.injected)
        return E_CALL_UNSUPPORTED;
    if (pages == 0 || first.n >= PFN_LIMIT || pages > PFN_LIMIT - first.n)
        return E_CALL_RANGE;
    for (uint64_t i = 0; e == OK && i < pages; i++) {
        *at = pfn_phys(pfn(first.n + i));
        e = page_check(at->a, &direct);
    }
    *at = e == OK ? pfn_phys(first) : *at;
    for (uint64_t i = 0; e == OK && i < pages; i++)
        e = machine_interrupted() ? E_STOP_INTERRUPTED
            : page_run(pfn_phys(pfn(first.n + i)).a, seed, worker, at);
    return e;
}

enum error machine_fill(pfn_t first, uint64_t pages, uint64_t seed, phys_t *at)
{
    return each_page(first, pages, seed, page_fill, at);
}

enum error machine_verify(pfn_t first, uint64_t pages, uint64_t seed, phys_t *at)
{
    return each_page(first, pages, seed, page_verify, at);
}

enum error machine_zero(pfn_t first, uint64_t pages)
{
    size_t left = (size_t)(pages << PAGE_SHIFT), step;
    unsigned char *memory = arch_pointer(pfn_phys(first), pages << PAGE_SHIFT);

    lock_hold_none("fill");
    machine_at_work();
    if (memory == NULL)
        return E_CALL_UNSUPPORTED;
    for (;; memory += step, left -= step) {
        step = left < ZERO_STEP ? left : ZERO_STEP;
        memset(memory, 0, step);
        if (left == step)
            return OK;
        if (machine_interrupted())
            return E_STOP_INTERRUPTED;
    }
}

static void count_interrupts(void)
{
    while (arch_console_interrupted())
        interrupts_came++;
}

void machine_on_sign(void (*tell)(void))
{
    tell_sign = tell;
}

static uint64_t sign_period(void)
{
    return arch_ticks_per_second() / MACHINE_SIGNS;
}

/* CPU 0's next one. */
static bool sign_is_due(uint64_t now)
{
    if (signs[0].next == 0)
        signs[0].next = now + sign_period();
    return now >= signs[0].next;
}

/* If none was given lately, whoever wants it. */
static void give_sign(void)
{
    uint64_t now = arch_ticks();

    if (!sign_is_due(now))
        return;
    signs[0].next = now + sign_period();
    gives_sign = true;
    tell_sign();
    gives_sign = false;
}

bool machine_gives_sign(void)
{
    return gives_sign;
}

/* Nobody waits for the line with a lock that another one may want. */
void machine_at_work(void)
{
    unsigned cpu = arch_cpu_self();
    uint64_t now;

    if (signs[cpu].looks++ % SIGN_LOOKS != 0 || tell_sign == NULL || sign_period() == 0)
        return;
    now = arch_ticks();
    if (cpu == 0) {
        if (sign_is_due(now) && (lock_depth() == 0 || smp_is_alone()))
            give_sign();
    } else if (now >= signs[cpu].next) {
        signs[cpu].next = now + sign_period();
        smp_ask(give_sign);
    }
}

bool machine_interrupted(void)
{
    machine_at_work();
    return machine_wait_interrupted();
}

bool machine_wait_interrupted(void)
{
    if (arch_cpu_self() != 0)
        return atomic_load_explicit(&interrupt_seen, memory_order_relaxed);
    count_interrupts();
    if (interrupts_came > interrupts_passed && interrupts_came > interrupts_heeded) {
        interrupts_heeded = interrupts_came;
        atomic_store_explicit(&interrupt_seen, true, memory_order_relaxed);
    }
    return atomic_load_explicit(&interrupt_seen, memory_order_relaxed);
}

void machine_interrupt_clear(void)
{
    signs[0].next = 0;
    atomic_store_explicit(&interrupt_seen, false, memory_order_relaxed);
}

bool machine_interrupt_passed(void)
{
    count_interrupts();
    if (interrupts_passed == interrupts_came)
        return false;
    return ++interrupts_passed <= interrupts_heeded;
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
    arch_cpus_halt();
    arch_halt(status);
}
