/* SPDX-License-Identifier: MIT */
/* Vectors and error codes: Intel SDM volume 3, sections 6.3.1 and 4.7. */
#include "arch/x86/trap.h"

#include "arch/common/cpus.h"
#include "arch/x86/apic.h"
#include "arch/x86/cpu.h"
#include "arch/x86/cpus.h"

enum { GENERAL_PROTECTION = 13, PAGE_FAULT = 14 };
enum { CODE_PRESENT = 1 << 0, CODE_RESERVED_BIT = 1 << 3, CODE_FETCH = 1 << 4 };

#define IRQ_COM1 4u

/* CPU 0's stacks lie in the image (link.ld). */
extern char image_start[], image_end[];

/* Of each CPU: the context of an exception that was not unwound yet; is it serving an interrupt? */
static struct x86_trap interrupted[ARCH_CPUS_MAX];
static bool serving[ARCH_CPUS_MAX];

void trap_forget(void)
{
    interrupted[cpu_self()].frame = NULL;
}

bool arch_in_interrupt(void)
{
    return serving[cpu_self()];
}

static enum error page_fault_class(uint64_t code)
{
    /* Emulators disagree whether "present" is set with a reserved bit: look at that one first. */
    if ((code & CODE_RESERVED_BIT) != 0)
        return E_FAULT_OTHER;
    if ((code & CODE_PRESENT) == 0)
        return E_FAULT_ADDRESS;
    return (code & CODE_FETCH) != 0 ? E_FAULT_EXECUTE : E_FAULT_PROTECTION;
}

static struct fault describe(const struct x86_trap *trap)
{
    struct fault fault = { .class = E_FAULT_OTHER, .pc = trap->pc, .code = trap->vector };
    if (trap->vector == PAGE_FAULT || trap->vector == VECTOR_DOUBLE_FAULT) {
        fault.has_address = true;
        fault.address = fault_address();
    }
    if (trap->vector == PAGE_FAULT)
        fault.class = page_fault_class(trap->code);
    if (trap->vector == GENERAL_PROTECTION && trap->has_wild_address) {
        fault.class = E_FAULT_ADDRESS;
        fault.has_address = true;
        fault.address = trap->wild_address;
    }
    return fault;
}

void controllers_acknowledge(void)
{
    if (cpu_self() == 0)
        pic_acknowledge();
    apic_acknowledge();
}

/* The stack is gone. An interrupt may have found that out. */
static _Noreturn void double_fault(const struct fault *fault)
{
    controllers_acknowledge();
    panic("double_fault", NULL, 0, fault);
}

/* Any other is a spurious one of the controllers: all their other lines are masked. */
static void serve(unsigned vector)
{
    bool *flag = &serving[cpu_self()];
    *flag = true;
    if (vector == VECTOR_IRQ + IRQ_COM1) {
        pic_acknowledge();
        console_interrupt();
    } else if (vector == VECTOR_CPU) {
        cpus_interrupt();
    }
    *flag = false;
}

void trap_handle(const struct x86_trap *trap)
{
    if (trap->vector >= VECTOR_IRQ) {
        serve(trap->vector);
        return;
    }
    serving[cpu_self()] = false;
    cpus_halt_here();
    struct fault fault = describe(trap);
    interrupted[cpu_self()] = *trap;
    if (trap->vector == VECTOR_DOUBLE_FAULT)
        double_fault(&fault);
    kernel_fault(&fault);
}

void arch_registers(void (*reg)(const char *name, uint64_t value))
{
    const struct x86_trap *trap = &interrupted[cpu_self()];
    if (trap->frame != NULL)
        frame_registers(trap->frame, reg);
    else
        current_registers(reg);
}

/* A frame pointer outside of the stacks ends a backtrace. */
static bool is_frame(uintptr_t at)
{
    bool is_in_image = at >= (uintptr_t)image_start
        && at < (uintptr_t)image_end - 2 * sizeof(at);
    return at % sizeof(at) == 0 && (is_in_image || cpus_is_stack(at, 2 * sizeof(at)));
}

size_t arch_backtrace(uint64_t *addresses, size_t max)
{
    const struct x86_trap *trap = &interrupted[cpu_self()];
    uintptr_t at = trap->frame != NULL ? trap->frame_pointer
                                       : (uintptr_t)__builtin_frame_address(0);
    size_t n = 0;
    /* A frame is the caller's frame pointer, then the return address; 0 ends the chain. */
    while (n < max && is_frame(at)) {
        const uintptr_t *frame = (const uintptr_t *)at;
        if (frame[1] == 0)
            break;
        addresses[n++] = frame[1];
        if (frame[0] <= at)
            break;
        at = frame[0];
    }
    return n;
}
