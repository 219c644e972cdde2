/* SPDX-License-Identifier: MIT */
/* Starting, calling and stopping processors: Intel SDM volume 3, sections 8.4 and 11.6. */
#include "arch/x86/cpus.h"

#include <stdatomic.h>

#include "arch/common/cpus.h"
#include "arch/x86/acpi.h"
#include "arch/x86/apic.h"
#include "arch/x86/cpu.h"
#include "arch/x86/fw_cfg.h"
#include "arch/x86/machine.h"
#include "arch/x86/trap.h"
#include "kernel/lib/string.h"

_Static_assert(ARCH_CPUS_MAX == SELECTOR_CPUS, "each has its place in the GDT");
_Static_assert(ACPI_CPUS_MAX <= ARCH_CPUS_MAX, "each that is told of has a number");
_Static_assert(TRAP_STACK_SIZE < ARCH_CPU_STACK, "and a stack beside that of its double faults");

#define TABLE_SIZE 8192u
#define MSR_EFER 0xc0000080u
#define EFER_LMA (UINT64_C(1) << 10)      /* of a mode that is entered, not asked for */

/* A write to this port, where nothing is, takes about a microsecond on a PC, and less elsewhere. */
#define DELAY_PORT 0x80u
enum { AFTER_INIT = 10000, AFTER_START = 200, FOR_ARRIVAL = 5000000, FOR_HALT = 5000000 };

/* How a CPU waits for another one; the sleep is in ticks of its APIC. */
enum { LOOKS_AWAKE = 256, SLEEP = 50000 };

const struct arch_cpu_need arch_cpu_need = {
    .size = PAGE_SIZE, .align = PAGE_SIZE, .limit = UINT64_C(1) << 20, .name = "trampoline",
};

extern const char trampoline[], trampoline_end[];

static struct acpi_cpus found;            /* by number, once CPU 0 is in front */
static unsigned count = 1;
static struct flush asked;                /* of cpus_flush() */
static atomic_bool halting, halted[ARCH_CPUS_MAX];
static void (*_Atomic released)(void);    /* what CPU 0 does when it is let go */

/* For start.S and cpu_arrived(): what the CPU that comes begins with. One comes at a time. */
uint32_t cpu_start_cr0, cpu_start_cr3, cpu_start_cr4, cpu_start_efer;
uintptr_t cpu_start_stack;
static unsigned coming;
static void (*coming_entry)(void);
_Noreturn void cpu_arrived(void);

/* ---- Who is there ---- */

static uint8_t table[TABLE_SIZE];

static const void *table_view(uint64_t at, uint64_t size)
{
    return at <= TABLE_SIZE && size <= TABLE_SIZE - at ? table + at : NULL;
}

/* UEFI leaves no root pointer for a boot loader that hands over none; QEMU has the table itself. */
void cpus_find(boot_view view)
{
    uint64_t madt = acpi_find_madt(view);
    if (madt != 0)
        acpi_read_cpus(view, madt, &found);
    else if (fw_cfg_acpi_table("APIC", table, sizeof(table)) != 0)
        acpi_read_cpus(table_view, 0, &found);
}

/* In the tables CPU 0 need not be the first. */
void cpus_open(void)
{
    if (!apic_open(true))
        return;
    for (unsigned i = 0; i < found.count; i++)
        if (found.apic[i] == apic_id()) {
            found.apic[i] = found.apic[0];
            found.apic[0] = apic_id();
            count = found.count;
            return;
        }
}

unsigned arch_cpu_count(void)
{
    return count;
}

unsigned arch_cpu_self(void)
{
    return cpu_self();
}

/* ---- Starting ---- */

static void delay(unsigned times)
{
    while (times-- > 0)
        outb(DELAY_PORT, 0);
}

static uintptr_t read_cr(unsigned n)
{
    uintptr_t value;
    if (n == 0)
        __asm__ volatile ("mov %%cr0, %0" : "=r"(value));
    else if (n == 3)
        __asm__ volatile ("mov %%cr3, %0" : "=r"(value));
    else
        __asm__ volatile ("mov %%cr4, %0" : "=r"(value));
    return value;
}

/* Paging by the tables of all, with the features that they need. */
static void start_prepare(unsigned cpu, virt_t stack_top, void (*entry)(void))
{
    bool has_efer = (arch_mmu.attributes & MMU_NO_EXECUTE) != 0 || sizeof(void *) == 8;
    cpu_start_cr0 = (uint32_t)read_cr(0);
    cpu_start_cr3 = (uint32_t)read_cr(3);
    cpu_start_cr4 = (uint32_t)read_cr(4);
    cpu_start_efer = has_efer ? (uint32_t)(rdmsr(MSR_EFER) & ~EFER_LMA) : 0;
    cpu_start_stack = (uintptr_t)stack_top.a - TRAP_STACK_SIZE;
    coming = cpu;
    coming_entry = entry;
    cpus_set_stack(cpu, stack_top);
}

static bool has_arrived(unsigned cpu, unsigned times)
{
    while (!cpus_is_running(cpu) && times-- > 0)
        delay(1);
    return cpus_is_running(cpu);
}

static bool start_run(unsigned cpu, unsigned page)
{
    apic_send(found.apic[cpu], APIC_INIT);
    delay(AFTER_INIT);
    apic_send(found.apic[cpu], APIC_START(page));
    if (has_arrived(cpu, AFTER_START))
        return true;
    /* The second one is for processors that need it; those that came do not hear it. */
    apic_send(found.apic[cpu], APIC_START(page));
    return has_arrived(cpu, FOR_ARRIVAL);
}

enum error arch_cpu_start(unsigned cpu, phys_t need, virt_t stack_top, void (*entry)(void))
{
    void *page = arch_pointer(need, PAGE_SIZE);
    if (cpu == 0 || cpu >= count)
        return E_CALL_CPU;
    ASSERT(page != NULL && need.a < arch_cpu_need.limit);
    memcpy(page, trampoline, (size_t)(trampoline_end - trampoline));
    start_prepare(cpu, stack_top, entry);
    if (start_run(cpu, (unsigned)(need.a >> PAGE_SHIFT)))
        return OK;
    apic_send(found.apic[cpu], APIC_INIT);
    atomic_store(&cpus_running[cpu], false);
    return E_FAULT_START;
}

/* From start.S: with the stack and the page tables of all, interrupts off. */
void cpu_arrived(void)
{
    void (*entry)(void) = coming_entry;
    trap_open_cpu(coming, cpu_start_stack + TRAP_STACK_SIZE);
    paging_open_cpu();
    (void)apic_open(false);
    cpus_come(translations_drop);
    if (atomic_load(&halting))
        cpus_halt_here();
    interrupts_on();
    entry();
    panic("cpu", __FILE__, __LINE__, NULL);
}

/* ---- Ending ---- */

/* With the write the stack becomes somebody else's. */
void arch_cpu_end(void)
{
    unsigned cpu = cpu_self();
    interrupts_off();
    __asm__ volatile ("movb $0, (%0)\n1: cli\n\thlt\n\tjmp 1b"
                      : : "r"(&cpus_running[cpu]) : "memory");
    __builtin_unreachable();
}

bool arch_cpu_stopped(unsigned cpu)
{
    return !cpus_is_running(cpu);
}

/* ---- Calling ---- */

static void interrupt(unsigned cpu)
{
    apic_send(found.apic[cpu], APIC_FIXED(VECTOR_CPU));
}

void cpus_flush(const struct flush *flush)
{
    if ((flush->n == 0 && !flush->all) || cpus_others() == 0)
        return;
    asked = *flush;
    cpus_forget(interrupt);
}

static void forget(void)
{
    struct flush mine = asked;
    flush_run(&mine, translation_drop, translations_drop);
}

void cpus_interrupt(void)
{
    apic_acknowledge();
    cpus_forget_here(forget);
}

void arch_cpu_kick(unsigned cpu)
{
    if (cpus_is_running(cpu) && count > 1)
        interrupt(cpu);
}

void arch_cpu_idle(bool (*ready)(void *argument), void *argument)
{
    uintptr_t flags = interrupts_off();
    while (!ready(argument))
        wait_for_interrupt();
    interrupts_restore(flags);
}

/*
 * Where CPUs are threads of a host that has fewer of its own, who is waited for may wait for the
 * processor that this one burns: one look in so many comes after a short sleep.
 */
void arch_cpu_relax(void)
{
    static unsigned looks[ARCH_CPUS_MAX];
    uintptr_t flags;
    __asm__ volatile ("pause" : : : "memory");
    if (++looks[cpu_self()] % LOOKS_AWAKE != 0 || count == 1)
        return;
    flags = interrupts_off();
    if ((flags & EFLAGS_IF) != 0) {
        apic_alarm(SLEEP);
        wait_for_interrupt();
    }
    interrupts_restore(flags);
}

/* ---- Halting ---- */

/*
 * From the interrupt that tells it, or from an exception of its own, which may come first: then
 * nobody else says of this CPU that it does not run, and whoever asks it to forget would wait.
 */
void cpus_halt_here(void)
{
    if (!atomic_load(&halting) || cpus_may_halt())
        return;
    atomic_store(&cpus_running[cpu_self()], false);
    atomic_store(&halted[cpu_self()], true);
    while (cpu_self() != 0)
        __asm__ volatile ("cli; hlt");
    /* It may be let go, and no interrupt can tell it so. */
    while (atomic_load(&released) == NULL)
        __asm__ volatile ("pause" : : : "memory");
    controllers_acknowledge();
    atomic_load(&released)();
}

/* One that did not hear that it should halt does not hear this. */
void arch_cpus_leave(void (*function)(void))
{
    if (!atomic_load(&halted[0]))
        arch_halt(1);
    cpus_leave();
    atomic_store(&released, function);
    for (;;)
        __asm__ volatile ("cli; hlt");
}

/* INIT would start CPU 0 anew, and other interrupts can be off. One that is dead is left so. */
static void halt(unsigned cpu)
{
    apic_send(found.apic[cpu], APIC_NMI);
    for (unsigned n = 0; n < FOR_HALT && !atomic_load(&halted[cpu]); n++)
        delay(1);
    atomic_store(&cpus_running[cpu], false);
}

void arch_cpus_halt(void)
{
    unsigned self = cpu_self();
    interrupts_off();
    while (!cpus_may_halt())
        __asm__ volatile ("cli; hlt");
    atomic_store(&halting, true);
    for (unsigned cpu = 0; cpu < count; cpu++)
        if (cpu != self && !atomic_load(&halted[cpu]) && cpus_is_running(cpu))
            halt(cpu);
}
