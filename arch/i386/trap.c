/* SPDX-License-Identifier: MIT */
/* Gates and task state segments: Intel SDM volume 3, sections 6.11 and 7.2. */
#include "arch/i386/frame.h"
#include "arch/i386/machine.h"
#include "arch/x86/cpu.h"
#include "arch/x86/selectors.h"
#include "arch/x86/trap.h"
#include "kernel/lib/string.h"

#define GATE_INTERRUPT 0x8e00u        /* present, interrupts off */
#define GATE_TASK 0x8500u
#define TSS_AVAILABLE 0x89u
#define EFLAGS_RESERVED 0x2u          /* always set */

struct gate { uint16_t offset_low, selector, flags, offset_high; };

struct tss {
    uint32_t link, stacks[6], cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi,
             es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
};

struct __attribute__((packed)) table_pointer { uint16_t limit; uint32_t base; };

extern const char trap_entries[], trap_ignored[], double_fault_entry[], double_fault_stack_top[];
extern uint64_t gdt[];

static struct gate idt[256];
static struct tss main_tss[ARCH_CPUS_MAX], double_fault_tss[ARCH_CPUS_MAX];

void trap_entered(const struct trap_frame *frame);
_Noreturn void double_fault_entered(void);

static uint32_t read_cr3(void)
{
    uint32_t value;
    __asm__ volatile ("mov %%cr3, %0" : "=r"(value));
    return value;
}

uint64_t fault_address(void)
{
    uint32_t value;
    __asm__ volatile ("mov %%cr2, %0" : "=r"(value));
    return value;
}

static void gate_set(unsigned vector, const char *entry)
{
    uintptr_t at = (uintptr_t)entry;
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)at, .offset_high = (uint16_t)(at >> 16),
        .selector = SELECTOR_CODE, .flags = GATE_INTERRUPT,
    };
}

static void tss_describe(unsigned selector, const struct tss *tss)
{
    uint64_t base = (uintptr_t)tss, limit = sizeof(*tss) - 1;
    gdt[selector / sizeof(*gdt)] = limit | (base & 0xffffff) << 16
        | (uint64_t)TSS_AVAILABLE << 40 | (base >> 24) << 56;
}

/*
 * A switch to another task saves the registers here; makes the descriptors available again. The
 * selector of either task tells which CPU it is.
 */
static void tss_load(unsigned cpu)
{
    unsigned offset = cpu << SELECTOR_TSS_SHIFT;
    tss_describe(SELECTOR_TSS + offset, &main_tss[cpu]);
    tss_describe(SELECTOR_TSS_DOUBLE_FAULT + offset, &double_fault_tss[cpu]);
    __asm__ volatile ("ltr %w0" : : "r"(SELECTOR_TSS + offset) : "memory");
}

static struct trap_frame frame_of(const struct tss *tss)
{
    return (struct trap_frame){
        .edi = tss->edi, .esi = tss->esi, .ebp = tss->ebp, .ebx = tss->ebx, .edx = tss->edx,
        .ecx = tss->ecx, .eax = tss->eax, .vector = VECTOR_DOUBLE_FAULT, .eip = tss->eip,
        .cs = tss->cs, .eflags = tss->eflags,
        .pushed_esp = tss->esp - (sizeof(struct trap_frame)
                                  - offsetof(struct trap_frame, vector)),
    };
}

/*
 * A double fault mostly means that the stack overflowed. Its gate switches to a task with a stack
 * of its own; here that one becomes the main task again, so that a panic that is survived finds its
 * guard and the next double fault is served, too.
 */
_Noreturn void double_fault_entered(void)
{
    unsigned cpu = cpu_self();
    struct trap_frame frame = frame_of(&main_tss[cpu]);
    tss_load(cpu);
    /* Else the next return from an interrupt would be one to the task before. */
    __asm__ volatile ("push %0; popf; clts" : : "i"(EFLAGS_RESERVED) : "memory", "cc");
    trap_entered(&frame);
    __builtin_unreachable();
}

static void double_fault_open(unsigned cpu, uintptr_t stack)
{
    main_tss[cpu] = (struct tss){ .io_map = sizeof(struct tss) };
    double_fault_tss[cpu] = (struct tss){
        .cr3 = read_cr3(), .eip = (uintptr_t)double_fault_entry, .esp = stack,
        .eflags = EFLAGS_RESERVED, .ebx = (uintptr_t)&main_tss[cpu],
        .cs = SELECTOR_CODE, .ds = SELECTOR_DATA, .es = SELECTOR_DATA,
        .ss = SELECTOR_DATA, .io_map = sizeof(struct tss),
    };
    tss_load(cpu);
}

void trap_set_root(uintptr_t root)
{
    double_fault_tss[0].cr3 = root;
}

/* A task gate names one descriptor, thus one CPU's: each has a table of its own. */
static void idt_open(struct gate *table, unsigned cpu)
{
    const struct table_pointer pointer = { sizeof(idt) - 1, (uintptr_t)table };
    table[VECTOR_DOUBLE_FAULT] = (struct gate){
        .selector = (uint16_t)(SELECTOR_TSS_DOUBLE_FAULT + (cpu << SELECTOR_TSS_SHIFT)),
        .flags = GATE_TASK,
    };
    __asm__ volatile ("lidt %0" : : "m"(pointer) : "memory");
}

void trap_open_cpu(unsigned cpu, uintptr_t stack_top)
{
    struct gate *table = (struct gate *)(stack_top - sizeof(idt));
    memcpy(table, idt, sizeof(idt));
    double_fault_open(cpu, (uintptr_t)table);
    idt_open(table, cpu);
}

void trap_open(void)
{
    for (unsigned vector = 0; vector < VECTORS; vector++)
        gate_set(vector, trap_entries + vector * ENTRY_SIZE);
    gate_set(VECTOR_SPURIOUS, trap_ignored);
    double_fault_open(0, (uintptr_t)double_fault_stack_top);
    idt_open(idt, 0);
}

void trap_entered(const struct trap_frame *frame)
{
    const struct x86_trap trap = {
        .vector = frame->vector, .code = frame->code,
        .pc = frame->eip, .frame_pointer = frame->ebp, .frame = frame,
    };
    trap_handle(&trap);
}

static uint32_t frame_esp(const struct trap_frame *frame)
{
    return frame->pushed_esp + (sizeof(*frame) - offsetof(struct trap_frame, vector));
}

void frame_registers(const struct trap_frame *f, void (*reg)(const char *, uint64_t))
{
    const struct { const char *name; uint32_t value; } registers[] = {
        { "eip", f->eip }, { "esp", frame_esp(f) }, { "ebp", f->ebp }, { "eflags", f->eflags },
        { "eax", f->eax }, { "ebx", f->ebx }, { "ecx", f->ecx }, { "edx", f->edx },
        { "esi", f->esi }, { "edi", f->edi }, { "cs", f->cs }, { "code", f->code },
        { "cr2", (uint32_t)fault_address() }, { "cr3", read_cr3() },
    };
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
        reg(registers[i].name, registers[i].value);
}

void current_registers(void (*reg)(const char *, uint64_t))
{
    uint32_t esp, eflags;
    __asm__ volatile ("mov %%esp, %0; pushf; pop %1" : "=r"(esp), "=r"(eflags));
    reg("eip", (uintptr_t)__builtin_return_address(0));
    reg("esp", esp);
    reg("ebp", (uintptr_t)__builtin_frame_address(0));
    reg("eflags", eflags);
    reg("cr3", read_cr3());
}
