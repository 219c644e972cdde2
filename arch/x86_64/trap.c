/* SPDX-License-Identifier: MIT */
/* Gates and the TSS: Intel SDM volume 3, sections 6.14 and 7.7. */
#include "arch/x86/selectors.h"
#include "arch/x86/trap.h"
#include "arch/x86_64/frame.h"

#define GATE_INTERRUPT 0x8e00u        /* present, interrupts off */
#define TSS_AVAILABLE 0x89u
#define IST_DOUBLE_FAULT 1u

struct gate { uint16_t offset_low, selector, flags, offset_middle; uint32_t offset_high, zero; };

struct __attribute__((packed)) tss {
    uint32_t zero0;
    uint64_t rsp[3], zero1, ist[7], zero2;
    uint16_t zero3, io_map;
};

struct __attribute__((packed)) table_pointer { uint16_t limit; uint64_t base; };

extern const char trap_entries[], trap_ignored[], access_start[], access_end[],
    double_fault_stack_top[];
extern uint64_t gdt[];

static struct gate idt[256];
static struct tss tss[ARCH_CPUS_MAX];

void trap_entered(const struct trap_frame *frame);

static void gate_set(unsigned vector, const char *entry, unsigned ist)
{
    uint64_t at = (uintptr_t)entry;
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)at, .offset_middle = (uint16_t)(at >> 16),
        .offset_high = (uint32_t)(at >> 32),
        .selector = SELECTOR_CODE, .flags = (uint16_t)(GATE_INTERRUPT | ist),
    };
}

/* A double fault mostly means that the stack overflowed: it gets one of its own. */
static void tss_open(unsigned cpu, uintptr_t double_fault_stack)
{
    uint64_t base = (uintptr_t)&tss[cpu], limit = sizeof(*tss) - 1;
    unsigned selector = SELECTOR_TSS + (cpu << SELECTOR_TSS_SHIFT);
    uint64_t *descriptor = &gdt[selector / sizeof(*gdt)];
    tss[cpu] = (struct tss){ .io_map = sizeof(*tss) };
    tss[cpu].ist[IST_DOUBLE_FAULT - 1] = double_fault_stack;
    descriptor[0] = limit | (base & 0xffffff) << 16 | (uint64_t)TSS_AVAILABLE << 40
        | (base >> 24 & 0xff) << 56;
    descriptor[1] = base >> 32;
    __asm__ volatile ("ltr %w0" : : "r"(selector) : "memory");
}

void trap_open_cpu(unsigned cpu, uintptr_t stack_top)
{
    const struct table_pointer pointer = { sizeof(idt) - 1, (uintptr_t)idt };
    tss_open(cpu, stack_top);
    __asm__ volatile ("lidt %0" : : "m"(pointer));
}

void trap_open(void)
{
    for (unsigned vector = 0; vector < VECTORS; vector++)
        gate_set(vector, trap_entries + vector * ENTRY_SIZE,
                 vector == VECTOR_DOUBLE_FAULT ? IST_DOUBLE_FAULT : 0);
    gate_set(VECTOR_SPURIOUS, trap_ignored, 0);
    trap_open_cpu(0, (uintptr_t)double_fault_stack_top);
}

static bool is_canonical(uint64_t address)
{
    return address + (UINT64_C(1) << 47) < UINT64_C(1) << 48;
}

void trap_entered(const struct trap_frame *frame)
{
    const struct x86_trap trap = {
        .vector = (unsigned)frame->vector, .code = frame->code,
        .pc = frame->rip, .frame_pointer = frame->rbp,
        /* A processor may notice it with the call, or with the fetch that follows. */
        .has_wild_address = (frame->rip >= (uintptr_t)access_start
                             && frame->rip < (uintptr_t)access_end)
            || !is_canonical(frame->rip),
        .wild_address = frame->rdi,
        .frame = frame,
    };
    trap_handle(&trap);
}

static uint64_t read_cr3(void)
{
    uint64_t value;
    __asm__ volatile ("mov %%cr3, %0" : "=r"(value));
    return value;
}

uint64_t fault_address(void)
{
    uint64_t value;
    __asm__ volatile ("mov %%cr2, %0" : "=r"(value));
    return value;
}

void frame_registers(const struct trap_frame *f, void (*reg)(const char *, uint64_t))
{
    const struct { const char *name; uint64_t value; } registers[] = {
        { "rip", f->rip }, { "rsp", f->rsp }, { "rbp", f->rbp }, { "rflags", f->rflags },
        { "rax", f->rax }, { "rbx", f->rbx }, { "rcx", f->rcx }, { "rdx", f->rdx },
        { "rsi", f->rsi }, { "rdi", f->rdi }, { "r8", f->r8 }, { "r9", f->r9 },
        { "r10", f->r10 }, { "r11", f->r11 }, { "r12", f->r12 }, { "r13", f->r13 },
        { "r14", f->r14 }, { "r15", f->r15 }, { "cs", f->cs }, { "code", f->code },
        { "cr2", fault_address() }, { "cr3", read_cr3() },
    };
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
        reg(registers[i].name, registers[i].value);
}

void current_registers(void (*reg)(const char *, uint64_t))
{
    uint64_t rsp, rflags;
    __asm__ volatile ("mov %%rsp, %0; pushfq; pop %1" : "=r"(rsp), "=r"(rflags));
    reg("rip", (uintptr_t)__builtin_return_address(0));
    reg("rsp", rsp);
    reg("rbp", (uintptr_t)__builtin_frame_address(0));
    reg("rflags", rflags);
    reg("cr3", read_cr3());
}
