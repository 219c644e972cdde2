/* SPDX-License-Identifier: MIT */
/*
 * Starting, calling and stopping processors by SIGP (Principles of Operation, "CPU Signaling and
 * Response" and "Prefixing").
 */
#include "arch/s390x/cpus.h"

#include "arch/common/cpus.h"
#include "arch/s390x/cpu.h"
#include "arch/s390x/machine.h"
#include "kernel/lib/string.h"

/* Condition codes of SIGP. */
enum { ACCEPTED = 0, STATUS_STORED = 1, BUSY = 2, NOT_OPERATIONAL = 3 };

#define TRAP_STACK 0x2000u            /* of a CPU's stack: its end */
#define ARRIVAL_SECONDS 5u
#define HALT_SECONDS 1u               /* to stop by itself */
#define LOOKS_A_SECOND 100u           /* at least: an emulator may stand still, not its clock */

/* How a CPU waits for another one; the sleep is 50 microseconds of the clock. */
enum { LOOKS_AWAKE = 256, SLEEP = 50 << 12 };

_Static_assert(TRAP_STACK < ARCH_CPU_STACK, "there is a stack beside it");

/* A prefix has 31 bits, of which the machine takes some and silently drops the others. */
const struct arch_cpu_need arch_cpu_need = {
    .size = LC_SIZE, .align = LC_SIZE, .limit = UINT64_C(1) << 31, .kept = true, .name = "prefix",
};

static uint16_t addresses[ARCH_CPUS_MAX];
static unsigned count = 1;
static void (*coming_entry)(void);        /* of the one CPU that comes */
_Noreturn void cpu_arrived(void);
_Atomic uint32_t cpus_halting;            /* not 0: who is called stops (start.S) */

/* ---- Who is there ---- */

static unsigned sigp(uint16_t address, unsigned order, uint32_t parameter, uint32_t *status)
{
    register uint64_t value __asm__("1") = parameter;
    unsigned cc;

    do {
        __asm__ volatile ("sigp %1, %2, 0(%3)\n\t"
                          "ipm %0\n\t"
                          "srl %0, 28"
                          : "=&d"(cc), "+d"(value) : "d"((uint64_t)address), "a"(order)
                          : "cc", "memory");
    } while (cc == BUSY);
    if (status != NULL)
        *status = (uint32_t)value;
    return cc;
}

/* Or not there at all. */
static bool is_stopped(uint16_t address)
{
    uint32_t status = 0;
    unsigned cc = sigp(address, SIGP_SENSE, 0, &status);

    return cc == NOT_OPERATIONAL
        || (cc == STATUS_STORED && (status & SIGP_STATUS_STOPPED) != 0);
}

void cpus_open(const uint8_t *told, unsigned n)
{
    uint16_t self;

    __asm__ volatile ("stap %0" : "=Q"(self));
    addresses[0] = self;
    for (unsigned i = 0; i < n && count < ARCH_CPUS_MAX; i++)
        if (told[i] != self && sigp(told[i], SIGP_SENSE, 0, NULL) != NOT_OPERATIONAL)
            addresses[count++] = told[i];
}

unsigned arch_cpu_count(void)
{
    return count;
}

unsigned arch_cpu_self(void)
{
    return lowcore_u32(LC_NUMBER);
}

/* Nothing but a few instructions of start.S. */
bool arch_in_interrupt(void)
{
    return false;
}

/* ---- Starting ---- */

static void put(char *lowcore, unsigned offset, uint64_t value)
{
    memcpy(lowcore + offset, &value, sizeof(value));
}

/* The control registers of all, but the console is CPU 0's. */
static void put_controls(char *lowcore)
{
    uint64_t controls[16];

    __asm__ volatile ("stctg %%c0, %%c15, %0" : "=QS"(controls));
    controls[0] &= ~(uint64_t)CR0_SERVICE_SIGNAL;
    memcpy(lowcore + LC_CONTROLS, controls, sizeof(controls));
}

static void put_lowcore(char *lowcore, unsigned cpu, virt_t stack_top)
{
    const uint32_t number = cpu;

    memset(lowcore, 0, LC_SIZE);
    memcpy(lowcore + LC_RESTART_NEW, psws, NEW_PSWS_SIZE);
    put(lowcore, LC_RESTART_NEW, PSW_REAL);
    put(lowcore, LC_RESTART_NEW + 8, (uintptr_t)restart_entry);
    put(lowcore, LC_TRAP_STACK, stack_top.a - FRAME_SIZE);
    put(lowcore, LC_STACK, stack_top.a - TRAP_STACK - FRAME_SIZE);
    put(lowcore, LC_FORGOTTEN, (uintptr_t)&cpus_forgotten[cpu]);
    memcpy(lowcore + LC_NUMBER, &number, sizeof(number));
    put_controls(lowcore);
}

/* How long others are waited for yet, and when that was known, in ticks. */
struct patience {
    uint64_t left, at;
};

static struct patience patience_of(unsigned seconds)
{
    return (struct patience){ seconds * arch_ticks_per_second(), arch_ticks() };
}

/* A look at another CPU was in vain: may there be one more? */
static bool is_patient(struct patience *patience)
{
    uint64_t now = arch_ticks(), passed = now - patience->at;
    uint64_t most = arch_ticks_per_second() / LOOKS_A_SECOND;

    passed = passed < most ? passed : most;
    patience->left -= passed < patience->left ? passed : patience->left;
    patience->at = now;
    if (patience->left == 0)
        return false;
    arch_cpu_relax();
    return true;
}

static bool has_arrived(unsigned cpu)
{
    struct patience left = patience_of(ARRIVAL_SECONDS);

    while (!cpus_is_running(cpu) && is_patient(&left))
        continue;
    return cpus_is_running(cpu);
}

static void stop(uint16_t address)
{
    while (!is_stopped(address))
        (void)sigp(address, SIGP_STOP, 0, NULL);
}

enum error arch_cpu_start(unsigned cpu, phys_t need, virt_t stack_top, void (*entry)(void))
{
    char *lowcore = arch_pointer(need, LC_SIZE);

    if (cpu == 0 || cpu >= count)
        return E_CALL_CPU;
    ASSERT(lowcore != NULL && is_aligned(need.a, LC_SIZE) && need.a < arch_cpu_need.limit);
    put_lowcore(lowcore, cpu, stack_top);
    cpus_set_stack(cpu, stack_top);
    coming_entry = entry;
    if (sigp(addresses[cpu], SIGP_INITIAL_CPU_RESET, 0, NULL) == ACCEPTED
        && sigp(addresses[cpu], SIGP_SET_PREFIX, (uint32_t)need.a, NULL) == ACCEPTED
        && sigp(addresses[cpu], SIGP_RESTART, 0, NULL) == ACCEPTED && has_arrived(cpu))
        return OK;
    stop(addresses[cpu]);
    atomic_store(&cpus_running[cpu], false);
    (void)arch_cpu_stopped(cpu);
    return E_FAULT_START;
}

/* From start.S: with DAT and its stack, interrupts off. */
void cpu_arrived(void)
{
    void (*entry)(void) = coming_entry;

    cpus_come(translations_drop);
    interrupts_on();
    entry();
    panic("cpu", __FILE__, __LINE__, NULL);
}

/* ---- Ending ---- */

/* With the write the stack becomes somebody else's. */
void arch_cpu_end(void)
{
    unsigned cpu = arch_cpu_self();

    interrupts_off();
    __asm__ volatile ("mvi 0(%0), 0\n"
                      "1:\tsigp %%r1, %1, %2\n\t"
                      "j 1b"
                      : : "a"(&cpus_running[cpu]), "d"((uint64_t)addresses[cpu]), "n"(SIGP_STOP)
                      : "1", "cc", "memory");
    __builtin_unreachable();
}

/* The reset takes away its prefix: whatever happens to it now, it does not store there. */
bool arch_cpu_stopped(unsigned cpu)
{
    if (cpus_is_running(cpu) || !is_stopped(addresses[cpu]))
        return false;
    (void)sigp(addresses[cpu], SIGP_INITIAL_CPU_RESET, 0, NULL);
    return true;
}

/* ---- Calling ---- */

/* What is told when one is pending already is as good. */
static void interrupt(unsigned cpu)
{
    (void)sigp(addresses[cpu], SIGP_EXTERNAL_CALL, 0, NULL);
}

void cpus_flush(void)
{
    if (cpus_others() != 0)
        cpus_forget(interrupt);
}

void arch_cpu_kick(unsigned cpu)
{
    if (cpus_is_running(cpu))
        interrupt(cpu);
}

void arch_cpu_idle(bool (*ready)(void *argument), void *argument)
{
    uint8_t mask = interrupts_off();

    while (!ready(argument)) {
        cpu_wait();
        (void)interrupts_off();
    }
    system_mask_restore(mask);
}

static void sleep(void)
{
    uint64_t until = arch_ticks() + SLEEP;
    uint8_t mask = interrupts_off();

    if ((mask & SYSTEM_MASK_EXTERNAL) != 0) {
        __asm__ volatile ("sckc %0" : : "Q"(until) : "memory");
        cpu_wait();
    }
    system_mask_restore(mask);
}

/*
 * The voluntary end of a time slice (DIAGNOSE 0x44) means nothing to QEMU. Where CPUs are threads
 * of a host that has fewer of its own, who is waited for may wait for the processor that this one
 * burns: one look in so many comes after a short sleep.
 */
void arch_cpu_relax(void)
{
    static unsigned looks[ARCH_CPUS_MAX];

    __asm__ volatile ("diag %%r0, %%r0, 0x44" : : : "memory");
    if (++looks[arch_cpu_self()] % LOOKS_AWAKE == 0 && count > 1)
        sleep();
}

/* ---- Halting ---- */

/*
 * Who is called stops by itself, if it can be interrupted. QEMU 7.2 hangs for ever where one CPU
 * stops another one that invalidates a translation at that moment: that one waits until nobody
 * executes an instruction, and SIGP waits for it.
 */
static void halt(unsigned cpu, struct patience *left)
{
    while (!is_stopped(addresses[cpu]) && is_patient(left))
        continue;
    stop(addresses[cpu]);
    atomic_store(&cpus_running[cpu], false);
}

/*
 * QEMU takes a disabled wait for the machine's end only where all other CPUs have stopped, and the
 * stop of the last one for an orderly end: so they stop first.
 */
void arch_cpus_halt(void)
{
    unsigned self = arch_cpu_self();
    struct patience left;
    uint64_t control_0;

    interrupts_off();
    while (!cpus_may_halt())
        arch_cpu_relax();
    atomic_store(&cpus_halting, 1);
    for (unsigned cpu = 0; cpu < count; cpu++)
        if (cpu != self && cpus_is_running(cpu))
            interrupt(cpu);
    left = patience_of(HALT_SECONDS);     /* one for all: they were called at the same time */
    for (unsigned cpu = 0; cpu < count; cpu++)
        if (cpu != self)
            halt(cpu, &left);
    atomic_store(&cpus_halting, 0);       /* a call that waits for this one is not about that */
    __asm__ volatile ("stctg %%c0, %%c0, %0" : "=QS"(control_0));
    control_0 |= CR0_SERVICE_SIGNAL;
    __asm__ volatile ("lctlg %%c0, %%c0, %0" : : "QS"(control_0));
}

/* CPU 0 has no prefix: its page is where that of this one would be without one. */
void arch_cpus_leave(void (*function)(void))
{
    uint32_t prefix;
    uint64_t control_0;
    char *lowcore;

    __asm__ volatile ("stpx %0" : "=Q"(prefix));
    lowcore = arch_pointer(phys(prefix), LC_SIZE);
    put(lowcore, LC_RESTART_NEW, PSW_REAL | PSW_DAT);
    put(lowcore, LC_RESTART_NEW + 8, (uintptr_t)function);
    __asm__ volatile ("stctg %%c0, %%c0, %0" : "=QS"(control_0));
    control_0 &= ~(uint64_t)CR0_SERVICE_SIGNAL;
    __asm__ volatile ("lctlg %%c0, %%c0, %0" : : "QS"(control_0));
    cpus_leave();
    (void)sigp(addresses[0], SIGP_RESTART, 0, NULL);
    arch_cpu_end();
}
