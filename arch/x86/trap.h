/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts, for both widths. The entry code and the layout of the saved registers
 * are a port's; it translates them into struct x86_trap.
 */
#ifndef PFNLAB_X86_TRAP_H
#define PFNLAB_X86_TRAP_H

#include "arch/arch.h"
#include "arch/x86/vectors.h"

struct trap_frame;                /* the saved registers, a port's own */

struct x86_trap {
    unsigned vector;
    uint64_t code;                /* error code, 0 where the processor pushes none */
    uintptr_t pc, frame_pointer;
    /* For a #GP raised by arch_load() or arch_store(): the address that cannot be expressed. */
    bool has_wild_address;
    uint64_t wild_address;
    const struct trap_frame *frame;
};

/* From the entry code, interrupts off. Returns for an interrupt, never for an exception. */
void trap_handle(const struct x86_trap *trap);

/* What the port supplies: tables and entry points; every saved register. */
void trap_open(void);

/*
 * The same on another CPU, which is `cpu` from then on. The end of its stack, as much of it as
 * TRAP_STACK_SIZE, serves double faults and what the port keeps for each CPU.
 */
#define TRAP_STACK_SIZE 0x2000u
void trap_open_cpu(unsigned cpu, uintptr_t stack_top);

void frame_registers(const struct trap_frame *frame, void (*reg)(const char *, uint64_t));
void current_registers(void (*reg)(const char *, uint64_t));
uint64_t fault_address(void);     /* CR2 */

/* The port's arch_unwind() calls this: this CPU's interrupted context is gone. */
void trap_forget(void);

/* Receive what the UART has; on its interrupt. */
void console_interrupt(void);

/* The two interrupt controllers: only COM1's line is let through. */
void pic_open(void);
void pic_acknowledge(void);

/* Of an interrupt of this CPU that is left without its end, as both would wait for a word. */
void controllers_acknowledge(void);

#endif
