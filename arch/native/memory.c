/* SPDX-License-Identifier: MIT */
/*
 * The fake RAM: one reservation of address space in which physical address 0 is `space`, shaped as
 * QEMU's pc has it. What is not mapped faults for real.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "arch/native/native.h"

#define KIB(n) (UINT64_C(n) << 10)
#define MIB(n) (UINT64_C(n) << 20)
#define GIB(n) (UINT64_C(n) << 30)

#define NULL_PAGE_END PAGE_SIZE
#define CONVENTIONAL_END UINT64_C(0x9fc00)
#define ACPI_SIZE KIB(128)
#define IMAGE_SIZE MIB(2)                /* nothing is there: so that the map looks as on x86 */

static unsigned char *space;
static uint64_t space_size;
static uint64_t low_end, high_end;    /* of the RAM below and above 4 GiB; high_end 4 GiB: none */

/* The address that the access to the page behind the space stands for. */
static volatile uint64_t wild_address;

bool memory_open(uint64_t size)
{
    low_end = size < GIB(3) ? size : GIB(3);
    high_end = GIB(4) + (size - low_end);
    space_size = align_up(high_end, PAGE_SIZE);
    void *at = mmap(NULL, space_size + PAGE_SIZE, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return false;
    space = at;
    return mprotect(space + MIB(1), IMAGE_SIZE, PROT_READ | PROT_WRITE) == 0;
}

bool memory_guest_address(uintptr_t host, uint64_t *address)
{
    uintptr_t offset = host - (uintptr_t)space;
    if (offset >= space_size + PAGE_SIZE)
        return false;
    *address = offset < space_size ? offset : wild_address;
    return true;
}

void arch_memory_map(void (*range)(const struct phys_range *range, const char *name))
{
    const struct { struct phys_range range; const char *name; } map[] = {
        { { phys(0), CONVENTIONAL_END, RANGE_USABLE }, "memory" },
        { { phys(0), NULL_PAGE_END, RANGE_RESERVED }, "null" },
        { { phys(CONVENTIONAL_END), KIB(640) - CONVENTIONAL_END, RANGE_RESERVED }, "firmware" },
        { { phys(0xf0000), 0x10000, RANGE_RESERVED }, "firmware" },
        { { phys(MIB(1)), low_end - ACPI_SIZE - MIB(1), RANGE_USABLE }, "memory" },
        { { phys(MIB(1)), IMAGE_SIZE, RANGE_RESERVED }, "image" },
        { { phys(low_end - ACPI_SIZE), ACPI_SIZE, RANGE_RESERVED }, "firmware" },
        { { phys(GIB(4)), high_end - GIB(4), RANGE_USABLE }, "memory" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(map); i++)
        if (map[i].range.size != 0)
            range(&map[i].range, map[i].name);
}

static bool is_within(uint64_t start, uint64_t size, uint64_t from, uint64_t end)
{
    return start >= from && start <= end && size <= end - start;
}

static bool is_ram(uint64_t start, uint64_t size)
{
    return is_within(start, size, NULL_PAGE_END, CONVENTIONAL_END)
        || is_within(start, size, MIB(1), low_end - ACPI_SIZE)
        || is_within(start, size, GIB(4), high_end);
}

bool arch_map_memory(phys_t start, uint64_t size, void *(*table_page)(void))
{
    (void)table_page;
    if (!is_ram(start.a, size))
        return false;
    uint64_t first = align_down(start.a, PAGE_SIZE);
    uint64_t end = align_up(start.a + size, PAGE_SIZE);
    return mprotect(space + first, end - first, PROT_READ | PROT_WRITE) == 0;
}

void *arch_pointer(phys_t start, uint64_t size)
{
    return is_ram(start.a, size) ? space + start.a : NULL;
}

/* Addresses outside the space go to the page behind it, never to this process's own memory. */
static volatile void *host_address(virt_t address, unsigned width)
{
    if (is_within(address.a, width, 0, space_size))
        return space + address.a;
    wild_address = address.a;
    return space + space_size;
}

uint64_t arch_load(virt_t address, unsigned width)
{
    volatile void *at = host_address(address, width);
    switch (width) {
    case 1: return *(volatile uint8_t *)at;
    case 2: return *(volatile uint16_t *)at;
    case 4: return *(volatile uint32_t *)at;
    default: return *(volatile uint64_t *)at;
    }
}

void arch_store(virt_t address, unsigned width, uint64_t value)
{
    volatile void *at = host_address(address, width);
    switch (width) {
    case 1: *(volatile uint8_t *)at = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)at = (uint16_t)value; break;
    case 4: *(volatile uint32_t *)at = (uint32_t)value; break;
    default: *(volatile uint64_t *)at = value; break;
    }
}
