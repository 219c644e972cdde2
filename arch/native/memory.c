/* SPDX-License-Identifier: MIT */
/*
 * The fake RAM: one reservation of address space in which physical address 0 is `space`, shaped as
 * QEMU's pc has it. What no page of the direct map makes accessible faults for real. The simulated
 * processor has a view of its own, as it may reach a frame by another address with other rights.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "arch/native/native.h"

#define KIB(n) (UINT64_C(n) << 10)
#define MIB(n) (UINT64_C(n) << 20)
#define GIB(n) (UINT64_C(n) << 30)

#define NULL_PAGE_END PAGE_SIZE
#define CONVENTIONAL_END UINT64_C(0x9fc00)
#define ACPI_SIZE KIB(128)

static unsigned char *space;
static unsigned char *bus;            /* the same memory, as the simulated processor reaches it */
static uint64_t space_size;
static uint64_t low_end, high_end;    /* of the RAM below and above 4 GiB; high_end 4 GiB: none */

static void *memory_view(int memory, int protection)
{
    return mmap(NULL, space_size, protection, MAP_SHARED | MAP_NORESERVE, memory, 0);
}

bool memory_open(uint64_t size)
{
    low_end = size < GIB(3) ? size : GIB(3);
    high_end = GIB(4) + (size - low_end);
    space_size = align_up(high_end, PAGE_SIZE);
    int memory = memfd_create("pfnlab", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, (off_t)space_size) != 0)
        return false;
    space = memory_view(memory, PROT_NONE);
    bus = memory_view(memory, PROT_READ | PROT_WRITE);
    close(memory);
    return space != MAP_FAILED && bus != MAP_FAILED
        && mprotect(space + IMAGE_START, IMAGE_END - IMAGE_START, PROT_READ | PROT_WRITE) == 0;
}

bool memory_guest_address(uintptr_t host, uint64_t *address)
{
    uintptr_t offset = host - (uintptr_t)space;
    if (offset >= space_size)
        return false;
    *address = offset;
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
        { { phys(IMAGE_START), IMAGE_END - IMAGE_START, RANGE_RESERVED }, "image" },
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

bool memory_is_ram(uint64_t start, uint64_t size)
{
    return is_within(start, size, NULL_PAGE_END, CONVENTIONAL_END)
        || is_within(start, size, MIB(1), low_end - ACPI_SIZE)
        || is_within(start, size, GIB(4), high_end);
}

uint64_t memory_end(void)
{
    return high_end > GIB(4) ? high_end : low_end;
}

void *memory_at(uint64_t address)
{
    return space + address;
}

void *memory_on_bus(uint64_t address)
{
    return bus + address;
}

uint64_t memory_address(const void *at)
{
    return (uint64_t)((const unsigned char *)at - space);
}

void memory_protect(uint64_t start, uint64_t size, int protection)
{
    /*
     * The host may have no room for so many borders. Then the process may touch what it should not;
     * what the guest's instructions may is decided by its page tables, always.
     */
    (void)!mprotect(space + start, size, protection);
}

void *arch_pointer(phys_t start, uint64_t size)
{
    return memory_is_ram(start.a, size) ? space + start.a : NULL;
}
