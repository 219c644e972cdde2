/* SPDX-License-Identifier: MIT */
/*
 * What a command may ask of the machine under the lab, so that protocol/ needs no arch.h.
 */
#ifndef PFNLAB_MACHINE_H
#define PFNLAB_MACHINE_H

#include "kernel/base.h"
#include "kernel/mmu.h"
#include "kernel/trap.h"

const char *machine_name(void);

/* The page tables of the machine, for all CPUs: each operation is one step to the others. */
const struct mmu *machine_mmu(void);

/*
 * One access of `width` (1, 2, 4, 8) bytes at a naturally aligned address, of the direct map or of
 * the window. On error nothing has changed. CALL_ALIGN, CALL_RANGE (the width), CALL_UNSUPPORTED
 * (an injected map has no memory; the allocators' memory lies beyond what this machine can reach);
 * else *fault tells the address and place: FAULT_* as the processor reports, and for writes
 * FAULT_PROTECTION, without trying, where what is mapped there is not memory that the allocators
 * own (the kernel itself, its pool, devices).
 */
MUST_USE enum error machine_read(uint64_t address, unsigned width, uint64_t *value,
                                 struct fault *fault);
MUST_USE enum error machine_write(uint64_t address, unsigned width, uint64_t value,
                                  struct fault *fault);

/*
 * Pages, by their addresses as above, as a pattern made of `seed` and the address of each 8-byte
 * word. *at is how far it got. verify: FAULT_PATTERN, *at differs. CALL_UNSUPPORTED: this machine
 * cannot reach the page. FAULT_PROTECTION: not memory that the allocators own, or read-only;
 * FAULT_ADDRESS: not mapped. CALL_RANGE: 0 pages, or beyond PFN_LIMIT. STOP_INTERRUPTED: ^C. On an
 * injected map nothing can be reached.
 */
MUST_USE enum error machine_fill(pfn_t first, uint64_t pages, uint64_t seed, phys_t *at);
MUST_USE enum error machine_verify(pfn_t first, uint64_t pages, uint64_t seed, phys_t *at);

/* What came of the kinds of access to an address, each by its ACCESS_* bit. */
struct machine_probe {
    unsigned tried, done;
    enum error read, write, execute;  /* FAULT_* of what was tried and not done */
};

/*
 * Read a byte, write the same value back, and execute a return instruction that is put there and
 * taken away again: nothing has changed. Not tried is what would touch more than memory that the
 * allocators own: writing and executing where that is allowed, but for the probes of arch_parts().
 * CALL_UNSUPPORTED: an injected map. MEM_METADATA: no page table for making the page writable for
 * a moment. (A read-only page in a larger unit takes one, which a plan of `fail` counts.)
 */
MUST_USE enum error machine_probe(uint64_t address, struct machine_probe *probe);

/* Promise and observation for the pages of one set of attributes, or for a part of the kernel. */
struct machine_truth {
    const char *part;                 /* NULL: a set of attributes */
    virt_t first;                     /* of a part */
    unsigned attributes;              /* of a set: those asked for, and those read back */
    unsigned entry;
    unsigned promised, observed;      /* ACCESS_* */
};

/*
 * Call `row` for each set of attributes that this machine has, tried on a page of the window, for
 * what could be done there right after it was unmapped (as a part, "unmapped"), and for each part
 * of the kernel; until it returns false. Leaves nothing mapped. MEM_NONE: no address
 * is left in the window. MEM_METADATA: no page table. CALL_UNSUPPORTED: nothing can be mapped.
 * BUG_DEAD: a panic was survived that came in the middle of a change of page tables.
 */
MUST_USE enum error machine_truth(bool (*row)(void *context, const struct machine_truth *truth),
                                  void *context);

/*
 * Let CPU `cpu`, which runs and idles, touch a page of the window all the time, and take the page
 * away `rounds` times: unmapped while it is read, made read-only while it is written. Counted are
 * accesses that began after that was done and succeeded all the same: none should be. On CPU 0.
 * Leaves nothing mapped. Errors as machine_truth(); FAULT_*: the page could not be touched while it
 * was there; STOP_INTERRUPTED: ^C.
 */
struct machine_shootdown {
    uint64_t rounds, after_unmap, after_protect;
};
MUST_USE enum error machine_shootdown(unsigned cpu, uint64_t rounds,
                                      struct machine_shootdown *result);

/* Zero frames: pages_hooks.zero. What is at most 2 MiB is done before ^C is looked for. */
MUST_USE enum error machine_zero(pfn_t first, uint64_t pages);

/*
 * Shall the command that runs stop? True if a ^C came in that stands behind it on the line and has
 * stopped no other one: a client may send both in one go. Once true, true until
 * machine_interrupt_clear(), at the beginning of the next command. On any CPU: what CPU 0 has seen.
 */
bool machine_interrupted(void);
void machine_interrupt_clear(void);

/* The same for who waits for another CPU: no sign of life comes of it. */
bool machine_wait_interrupted(void);

/*
 * A sign of life: `tell` is called, on CPU 0, when a command has come to a machine_at_work() a
 * MACHINE_SIGNS'th of a second after its first few, or after the last sign, on any CPU that is at
 * work; on machines without a clock never. machine_interrupted() is such a place, and so is
 * whatever is called often where long work looks for no ^C. So a command that gets no further gives
 * no sign, whatever interrupts come meanwhile; and the clock is not read for a short one.
 *
 * CPU 0 may hold locks then, if no other CPU is at work, which could wait for them; another CPU may
 * hold some, too, as it goes on at once. machine_gives_sign(): CPU 0 does.
 */
#define MACHINE_SIGNS 10u             /* a second */
void machine_at_work(void);
void machine_on_sign(void (*tell)(void));
bool machine_gives_sign(void);

/*
 * The line has come to the next ^C: it is behind us and stops nothing any more. True if it has
 * stopped a command.
 */
bool machine_interrupt_passed(void);

uint64_t machine_ticks(void);
uint64_t machine_ticks_per_second(void);

/* The machine ends: status 0 is orderly, but not after a panic that was survived. */
_Noreturn void machine_off(int status);

#endif
