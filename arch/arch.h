/* SPDX-License-Identifier: MIT */
/*
 * THE contract between the lab and a machine: all that a port supplies, and all that it may call.
 * No weak symbols, no optional functions: a port is whole or it does not link. A port includes
 * kernel/base.h, kernel/mmu.h, kernel/trap.h, kernel/lib and this file, never an allocator or the
 * protocol.
 * arch/README.md tells in which order to bring one up.
 */
#ifndef PFNLAB_ARCH_H
#define PFNLAB_ARCH_H

#include "kernel/base.h"
#include "kernel/mmu.h"
#include "kernel/trap.h"

/* ---- What a port supplies: data ---- */

extern const char arch_name[];                      /* as in ./run-guest.sh NAME */
extern const struct area_limit arch_areas[];        /* the default area table, ascending */
extern const size_t arch_areas_count;

/* Address translation; what depends on the processor is filled in by arch_init(). */
extern struct mmu arch_mmu;

/* The code of a function that returns at once: what arch_execute() may find. */
extern const uint8_t arch_return_code[];
extern const size_t arch_return_code_size;

/* ---- What a port supplies: functions ---- */

/*
 * Traps and console up, boot information copied to safety. Called once, first, by kernel_main().
 * Allocates nothing. A machine that cannot run the kernel says so on the console and halts.
 */
void arch_init(void);

/* The kernel command line without the image's name; static, NUL-terminated, printable ASCII. */
const char *arch_command_line(void);

/*
 * Report physical memory: calls `range` for each range the firmware tells of and for each one that
 * must not be used (the image, boot modules, what the port itself needs) as RANGE_RESERVED. Any
 * order, overlaps allowed. Names are for people ("image", "module", "firmware").
 */
void arch_memory_map(void (*range)(const struct phys_range *range, const char *name));

/*
 * Make [start, start + size) of real memory reachable through arch_pointer(); called for each run
 * of usable memory before it is touched. `table` returns `size` bytes (as table_source.take) of
 * reachable memory for good, or NULL. False: it cannot be reached on this machine (beyond what a
 * 32-bit port maps), or no table; arch_pointer() then answers NULL.
 */
bool arch_map_memory(phys_t start, uint64_t size, void *(*table)(uint64_t size));

/* Where physical memory can be touched; NULL if any byte of the range cannot be. */
void *arch_pointer(phys_t start, uint64_t size);

/*
 * The part of the address space that is left to the virtual allocator unless told otherwise:
 * [*first, *limit), page aligned, nothing in it mapped. Called after arch_map_memory().
 */
void arch_window(virt_t *first, virt_t *limit);

/*
 * Report the kernel's own parts and what can be done with them: code, constants, data, stacks, the
 * guard page below each stack, page 0. At `probe` lies arch_return_code, if anything does, and
 * nothing that is in use: it may be read, written back and executed.
 */
struct arch_part {
    const char *name;                 /* text, rodata, data, stack, guard, null */
    virt_t first;
    uint64_t size;                    /* bytes */
    virt_t probe;
    unsigned accesses;                /* ACCESS_*: all others fault */
};
void arch_parts(void (*part)(const struct arch_part *part));

/*
 * Read or write `width` bytes (1, 2, 4, 8) at `address`, an address as the machine's instructions
 * see it, naturally aligned, by one access. May fault: callers run it under trap_run(). An address
 * that the machine cannot even express raises the fault as the hardware would (FAULT_ADDRESS).
 */
uint64_t arch_load(virt_t address, unsigned width);
void arch_store(virt_t address, unsigned width, uint64_t value);

/*
 * Call the function at `address`, which must be arch_return_code where it can be executed at all.
 * May fault, as above: FAULT_EXECUTE where code is forbidden.
 */
void arch_execute(virt_t address);

/*
 * Received bytes, at least 1 and at most `size`, as soon as there are any; 0 with `wait` false and
 * none there. Waiting is idle (halted), not a spin. Reception goes on in the background or inside
 * arch_console_write() into a ring of at least ARCH_CONSOLE_RING bytes. Returns SIZE_MAX at the end
 * of the input, where a machine has one (native).
 */
#define ARCH_CONSOLE_RING 4096u
size_t arch_console_read(char *buffer, size_t size, bool wait);

/*
 * Send all of it. On CPU 0, or after arch_cpus_halt(). Whole lines where possible: one machine
 * operation a call on SCLP.
 */
void arch_console_write(const char *text, size_t size);

/*
 * True once for each ^C (0x03) that arrived since the last call, whether read yet or not. Cheap
 * enough for an inner loop; the byte itself still comes through arch_console_read().
 */
bool arch_console_interrupted(void);

/*
 * Run `function(argument)` and return true; or return false because arch_unwind() was called in it,
 * on this CPU, innermost call first. Callee-saved registers are restored, interrupts are as at the
 * call.
 */
bool arch_guard(void (*function)(void *argument), void *argument);
_Noreturn void arch_unwind(void);

/* The registers of the interrupted context, or the current ones: calls `reg` for each. */
void arch_registers(void (*reg)(const char *name, uint64_t value));

/* Return addresses, newest first, of the interrupted or the current context; returns how many. */
size_t arch_backtrace(uint64_t *addresses, size_t max);

/* ---- Several CPUs ---- */

/*
 * They have numbers from 0, the one that boots, to arch_cpu_count() - 1, whatever the machine calls
 * them; after arch_init() the count does not change. CPU 0 alone has the console and its
 * interrupts. All others stand still until arch_cpu_start().
 *
 * Interrupts stay on while a lock is held (kernel/lock.h): a handler of an interrupt takes none,
 * and neither waits nor unwinds. So every running CPU always answers what the port asks of it by an
 * inter-processor interrupt, such as dropping a translation.
 */
#define ARCH_CPUS_MAX 256u
unsigned arch_cpu_count(void);

/* The CPU that asks. Cheap; in any context, before arch_init() too. */
unsigned arch_cpu_self(void);

/* True in a handler of an interrupt, for assertions; not in that of a fault. */
bool arch_in_interrupt(void);

/*
 * What the start of a CPU takes beside a stack: `size` bytes of real memory, aligned to `align`,
 * all of them below `limit`; as long as the CPU runs if `kept` (s390x: its prefix area, 8 KiB below
 * 2 GiB; Principles of Operation, "Prefixing"), else until it has started (x86: the page where it
 * begins in real mode, below 1 MiB; Intel SDM volume 3, section 8.4.4). With size 0 nothing.
 */
struct arch_cpu_need {
    uint64_t size, align, limit;
    bool kept;
    const char *name;                 /* a word: prefix, trampoline */
};
extern const struct arch_cpu_need arch_cpu_need;

/*
 * Start CPU `cpu`, which stands still and is not CPU 0. Returns once it runs entry() on the stack
 * that ends at `stack_top` (mapped, ARCH_CPU_STACK bytes at least; where threads of a host are
 * CPUs, on one of theirs), in the kernel's address space, with traps, guards and a stack for what a
 * stack overflow brings of its own, and interrupts on. entry() never returns. `need` is memory as
 * arch_cpu_need says, of any content. FAULT_START: it did not come within some seconds; it
 * stands still, nothing of the memory is in use.
 */
#define ARCH_CPU_STACK (UINT64_C(32) << 10)
MUST_USE enum error arch_cpu_start(unsigned cpu, phys_t need, virt_t stack_top,
                                   void (*entry)(void));

/* The CPU that calls, not CPU 0, stands still from now on. */
_Noreturn void arch_cpu_end(void);

/*
 * True once CPU `cpu`, which called or is about to call arch_cpu_end(), touches neither its stack
 * nor its `need` any more: it can be started again.
 */
bool arch_cpu_stopped(unsigned cpu);

/*
 * Stop all other CPUs for good, wherever they are, and return when they have stopped: in a panic,
 * and before arch_halt(). From then on arch_console_write() works on this CPU, whichever it is.
 */
void arch_cpus_halt(void);

/*
 * On another CPU than 0, after arch_cpus_halt(): let CPU 0, and it alone, go on, by function(),
 * which does not return, on the stack where it was halted, interrupts off. This CPU stands still.
 */
_Noreturn void arch_cpus_leave(void (*function)(void));

/*
 * Idle (halted, not a spin) until ready(argument) says true; it is asked at once, and after each
 * arch_cpu_kick() of this CPU, also one that comes while it was being asked. On CPU 0 also after
 * input has arrived.
 */
void arch_cpu_idle(bool (*ready)(void *argument), void *argument);

/* Let CPU `cpu` look again, if it idles. What was written before is seen by it. */
void arch_cpu_kick(unsigned cpu);

/* In a loop that waits for another CPU: be nice to it. */
void arch_cpu_relax(void);

/*
 * A free-running counter for measuring inside one run (TSC, TOD, clock): ticks, and its rate in Hz
 * (0: unknown).
 */
uint64_t arch_ticks(void);
uint64_t arch_ticks_per_second(void);

/*
 * Machine off; other CPUs were halted. status 0: orderly; else the emulator ends so that
 * run-guest.sh calls it a panic.
 */
_Noreturn void arch_halt(int status);

/* ---- What a port calls ---- */

/* The machine-independent start, on a stack of at least 16 KiB, interrupts off, .bss clear. */
_Noreturn void kernel_main(void);

/*
 * A processor exception that is not an interrupt. Under a guard it does not return (it unwinds);
 * else it panics. The port keeps the interrupted registers for arch_registers() until then.
 */
_Noreturn void kernel_fault(const struct fault *fault);

#endif
