/* SPDX-License-Identifier: MIT */
/* The PC as the lab sees it: start, memory map, areas, end. */
#include "arch/arch.h"
#include "arch/x86/console.h"
#include "arch/x86/cpu.h"
#include "arch/x86/cpus.h"
#include "arch/x86/machine.h"
#include "arch/x86/trap.h"
#include "kernel/lib/string.h"

/*
 * Ports of emulators; elsewhere nobody listens. QEMU's isa-debug-exit, as run-guest.sh places it,
 * ends it with status 2 v + 1 for a value v. Bochs writes the value to its output (port_e9_hack)
 * and ends when it is sent a word.
 */
enum { EXIT_PORT = 0xf4, VALUE_PORT = 0xe9, SHUTDOWN_PORT = 0x8900 };
enum { EXIT_VALUE_ORDERLY = 0x10, EXIT_VALUE_PANIC = 0x11 };
static const char shutdown_word[] = "Shutdown";

struct boot_info boot_info;

/* Before paging_open() all that a boot loader can reach is mapped one to one. */
static const void *physical(uint64_t address, uint64_t size)
{
    return address != 0 && address + size <= UINT64_C(1) << 32 ? (void *)(uintptr_t)address : NULL;
}

_Noreturn void machine_refuse(const char *why)
{
    arch_console_write("\r\n; ", 4);
    arch_console_write(why, strlen(why));
    arch_console_write("\r\n", 2);
    arch_halt(1);
}

void arch_init(void)
{
    console_open();
    trap_open();
    if (boot_magic != MULTIBOOT_MAGIC)
        machine_refuse("not started by a Multiboot 1 boot loader");
    const char *problem = multiboot_read(physical, boot_address, &boot_info);
    if (problem != NULL)
        machine_refuse(problem);
    cpus_find(physical);
    paging_open();
    pic_open();
    clock_open();
    cpus_open();
    interrupts_on();
}

const char *arch_command_line(void)
{
    return boot_info.command_line;
}

void arch_memory_map(void (*range)(const struct phys_range *range, const char *name))
{
    /* A pointer to page 0 is a fault, always: it is not mapped. */
    static const struct phys_range null = { { 0 }, PAGE_SIZE, RANGE_RESERVED };
    static const struct phys_range image =
        { { IMAGE_START }, IMAGE_END - IMAGE_START, RANGE_RESERVED };
    for (size_t i = 0; i < boot_info.count; i++)
        range(&boot_info.ranges[i].range, boot_info.ranges[i].name);
    range(&null, "null");
    range(&image, "image");
}

_Noreturn void arch_halt(int status)
{
    uint8_t value = status == 0 ? EXIT_VALUE_ORDERLY : EXIT_VALUE_PANIC;
    interrupts_off();
    console_flush();
    outb(EXIT_PORT, value);
    outb(VALUE_PORT, value);
    for (const char *c = shutdown_word; *c != 0; c++)
        outb(SHUTDOWN_PORT, (uint8_t)*c);
    for (;;)
        __asm__ volatile ("cli; hlt");
}
