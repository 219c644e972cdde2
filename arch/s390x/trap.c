/* SPDX-License-Identifier: MIT */
#include "arch/arch.h"
#include "arch/common/cpus.h"
#include "arch/s390x/cpu.h"
#include "arch/s390x/machine.h"
#include "arch/s390x/program.h"

#define REGISTERS 16u
#define STACK_POINTER 15u
#define RETURN_ADDRESS 14u

extern const char access_start[], access_end[];

void trap_program(void);

static uint64_t saved_register(unsigned n)
{
    return lowcore_u64(LC_PROGRAM_SAVED + n * (unsigned)sizeof(uint64_t));
}

static bool is_between(uint64_t at, const char *start, const char *end)
{
    return at >= (uintptr_t)start && at < (uintptr_t)end;
}

/* From program_entry. */
void trap_program(void)
{
    struct program_check check = {
        .code = lowcore_u16(LC_PROGRAM_CODE),
        .ilc = lowcore_u8(LC_PROGRAM_ILC) & 6,
        .teid = lowcore_u64(LC_TEID),
        .psw_address = lowcore_u64(LC_PROGRAM_OLD + 8),
        .access_address = saved_register(2),
    };
    struct fault fault;

    check.is_access = is_between(check.psw_address - check.ilc, access_start, access_end);
    fault = program_fault(&check);
    /* What went wrong while a fault was told is the teller's mistake, nobody's command. */
    if (lowcore_u32(LC_TRAPPED) > 1 && !panicking())
        panic("trap", NULL, 0, &fault);
    kernel_fault(&fault);
}

static bool is_interrupted(void)
{
    return lowcore_u32(LC_TRAPPED) != 0;
}

void arch_registers(void (*reg)(const char *name, uint64_t value))
{
    static const char names[REGISTERS][4] = {
        "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7",
        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    };
    uint64_t registers[REGISTERS];

    __asm__ volatile ("stmg %%r0, %%r15, %0" : "=QS"(registers));
    if (is_interrupted()) {
        reg("psw_mask", lowcore_u64(LC_PROGRAM_OLD));
        reg("psw_address", lowcore_u64(LC_PROGRAM_OLD + 8));
        reg("teid", lowcore_u64(LC_TEID));
    }
    for (unsigned i = 0; i < REGISTERS; i++)
        reg(names[i], is_interrupted() ? saved_register(i) : registers[i]);
}

static bool is_frame(uint64_t at)
{
    if (at % 8 != 0)
        return false;
    if (is_between(at, boot_stack, boot_stack_top))
        return (uintptr_t)boot_stack_top - at >= FRAME_SIZE;
    if (is_between(at, trap_stack, trap_stack_top))
        return (uintptr_t)trap_stack_top - at >= FRAME_SIZE;
    return cpus_is_stack(at, FRAME_SIZE);
}

static uint64_t frame_word(uint64_t frame, unsigned offset)
{
    return *(const uint64_t *)(uintptr_t)(frame + offset);
}

static uint64_t stack_pointer(void)
{
    uint64_t value;

    __asm__ volatile ("lgr %0, %%r15" : "=d"(value));
    return value;
}

size_t arch_backtrace(uint64_t *addresses, size_t max)
{
    uint64_t at = is_interrupted() ? saved_register(STACK_POINTER) : stack_pointer();
    size_t n = 0;

    /* A function without a frame has its return address in r14 only; it may be an old one, too. */
    if (is_interrupted() && max > 0
        && is_between(saved_register(RETURN_ADDRESS), start, text_end))
        addresses[n++] = saved_register(RETURN_ADDRESS);
    /* A function saves its return address in its caller's frame, whose address it chains. */
    while (n < max && is_frame(at)) {
        uint64_t caller = frame_word(at, 0), to;

        if (caller <= at || !is_frame(caller))
            break;
        to = frame_word(caller, FRAME_RETURN);
        if (to == 0)
            break;
        if (n != 1 || addresses[0] != to)
            addresses[n++] = to;
        at = caller;
    }
    return n;
}
