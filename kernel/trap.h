/* SPDX-License-Identifier: MIT */
/*
 * Faults and failed assertions as values: run a function under guard, and learn how it ended.
 */
#ifndef PFNLAB_TRAP_H
#define PFNLAB_TRAP_H

#include "kernel/base.h"

/* What the processor reported, in words of all machines; arch code fills it in. */
struct fault {
    enum error class;             /* one of FAULT_* */
    bool has_address;
    uint64_t address;             /* the address touched, if the machine tells it */
    uint64_t pc;                  /* of the instruction that faulted */
    uint64_t code;                /* the machine's own code: vector, program interruption code */
};

enum outcome { ENDED, FAULTED, ASSERTED, PANICKED };

/*
 * How a guarded function ended; `fault` with FAULTED, `file` and the rest with ASSERTED, the kind
 * of the panic as `condition` with PANICKED, and whose it was.
 */
struct ending {
    enum outcome outcome;
    struct fault fault;
    const char *condition, *file;
    int line;
    unsigned cpu;
};

/*
 * Run `function(argument)`. Guards nest; the innermost one catches, but a panic only the outermost.
 * The stack of the function is abandoned when it does not end by itself, and the locks that it took
 * are given back. Each CPU has its own guards.
 */
struct ending trap_run(void (*function)(void *argument), void *argument);

/* True while some guard of this CPU is active. */
bool trap_guarded(void);

/*
 * Our end of the world: "% panic kind=KIND ..." with registers and backtrace over the panic output,
 * then a halt with a failing status, or what panic_set_stay() says. Used where no guard
 * is active and for what cannot go on.
 * All other CPUs are halted first, for good; of CPUs that panic at once the first one speaks.
 * `kind` is a word; `file` and `fault` may be NULL. Every line is an event of the protocol, with
 * its checksum: "% panic kind= [at=FILE:LINE] [fault= address= code=] cpu= pc=", a "% reg NAME="
 * for each register, "% bt" with return addresses, "% end panic". A panic in a panic says
 * "% panic kind=double" and halts at once.
 */
_Noreturn void panic(const char *kind, const char *file, int line, const struct fault *fault);

/* True while panic() runs: nothing unwinds any more. */
bool panicking(void);

/*
 * Whether a panic is survived (onpanic=stay; not unless this is called): after its lines CPU 0,
 * whichever panicked, unwinds to the outermost trap_run(), which ends PANICKED, or where there is
 * none, to the arch_guard() around it all: there must be one. All other CPUs stand still from then
 * on. A panic in a panic halts all the same.
 */
void panic_set_stay(bool stay);

/* True once a panic was survived: from then on there is but a failing end. */
bool panic_survived(void);

/* For panic(), on CPU 0, whichever it was that panicked: unwind as said above. */
_Noreturn void trap_panicked(const char *kind, unsigned cpu);

/* Where panic() writes; whole lines, polled, no locks, no allocation. Set once by main. */
void panic_set_output(void (*write)(const char *text, size_t size));

#endif
