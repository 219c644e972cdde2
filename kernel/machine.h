/* SPDX-License-Identifier: MIT */
/*
 * What a command may ask of the machine under the lab, so that protocol/ needs no arch.h.
 */
#ifndef PFNLAB_MACHINE_H
#define PFNLAB_MACHINE_H

#include "kernel/base.h"
#include "kernel/trap.h"

const char *machine_name(void);

/*
 * One access of `width` (1, 2, 4, 8) bytes at a naturally aligned address of real memory. On error
 * nothing has changed. CALL_ALIGN, CALL_RANGE (the width), CALL_UNSUPPORTED (an injected map has no
 * memory; the allocators' memory lies beyond what this machine can reach); else *fault tells the
 * address and place: FAULT_* as the processor reports, and for writes FAULT_PROTECTION, without
 * trying, where the address is not memory that the allocators own (the kernel itself, its pool,
 * devices).
 */
MUST_USE enum error machine_read(uint64_t address, unsigned width, uint64_t *value,
                                 struct fault *fault);
MUST_USE enum error machine_write(uint64_t address, unsigned width, uint64_t value,
                                  struct fault *fault);

/*
 * Frames as a pattern made of `seed` and the address of each 8-byte word. verify: *at is the first
 * address that differs, FAULT_PATTERN. CALL_UNSUPPORTED: this machine cannot reach the frames.
 * FAULT_PROTECTION: not memory that the allocators own. CALL_RANGE: 0 pages, or beyond PFN_LIMIT.
 * STOP_INTERRUPTED: ^C; *at is how far it got. On an injected map nothing can be reached.
 */
MUST_USE enum error machine_fill(pfn_t first, uint64_t pages, uint64_t seed, phys_t *at);
MUST_USE enum error machine_verify(pfn_t first, uint64_t pages, uint64_t seed, phys_t *at);

/* Zero frames; false if they cannot be reached. The shape of pages_hooks.zero. */
bool machine_zero(pfn_t first, uint64_t pages);

/*
 * Shall the command that runs stop? True if a ^C came in that stands behind it on the line and has
 * stopped no other one: a client may send both in one go. Once true, true until
 * machine_interrupt_clear(), at the beginning of the next command.
 */
bool machine_interrupted(void);
void machine_interrupt_clear(void);

/* The line has come to the next ^C: it is behind us and stops nothing any more. */
void machine_interrupt_passed(void);

uint64_t machine_ticks(void);
uint64_t machine_ticks_per_second(void);

/* The machine ends: status 0 is orderly, but not after a panic that was survived. */
_Noreturn void machine_off(int status);

#endif
