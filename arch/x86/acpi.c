/* SPDX-License-Identifier: MIT */
#include "arch/x86/acpi.h"

#include "kernel/lib/string.h"

/* Where a BIOS leaves the root pointer: its own memory, or its data area's first KiB. */
enum { BIOS_START = 0xe0000, BIOS_END = 0x100000, DATA_AREA_SEGMENT = 0x40e, DATA_AREA_SIZE = 1024,
       ROOT_STEP = 16 };

enum { REVISION_2 = 2 };
enum { TABLE_MAX = 1 << 20 };             /* what claims to be longer is damaged */

struct root {
    char signature[8];
    uint8_t checksum, oem[6], revision;
    uint32_t rsdt, length;
    uint32_t xsdt[2];
    uint8_t extended_checksum, reserved[3];
};
enum { ROOT_1_SIZE = 20 };

struct header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum, oem[6], oem_table[8], rest[12];
};

/* A MADT's header is followed by two words, then by entries of type and length. */
enum { MADT_ENTRIES = sizeof(struct header) + 8 };
enum { TYPE_LOCAL_APIC = 0 };
struct local_apic {
    uint8_t type, length, processor, id;
    uint8_t flags[4];
};
enum { ENABLED = 1 };

static bool is_whole(boot_view view, uint64_t at, uint64_t size)
{
    const uint8_t *bytes = size <= TABLE_MAX ? view(at, size) : NULL;
    uint8_t sum = 0;

    for (uint64_t i = 0; bytes != NULL && i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return bytes != NULL && sum == 0;
}

static uint64_t root_find(boot_view view, uint64_t from, uint64_t end)
{
    static const char signature[8] = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' };

    for (uint64_t at = from; at < end; at += ROOT_STEP) {
        const void *bytes = view(at, sizeof(signature));

        if (bytes != NULL && memcmp(bytes, signature, sizeof(signature)) == 0
            && is_whole(view, at, ROOT_1_SIZE))
            return at;
    }
    return 0;
}

static uint64_t root_search(boot_view view)
{
    uint16_t segment = 0;
    uint64_t at = root_find(view, BIOS_START, BIOS_END), area;

    if (at != 0 || !boot_copy(view, DATA_AREA_SEGMENT, &segment, sizeof(segment)))
        return at;
    area = (uint64_t)segment << 4;
    return area == 0 ? 0 : root_find(view, area, area + DATA_AREA_SIZE);
}

static bool is_madt(boot_view view, uint64_t at)
{
    struct header header;

    return boot_copy(view, at, &header, sizeof(header))
        && memcmp(header.signature, "APIC", sizeof(header.signature)) == 0
        && is_whole(view, at, header.length);
}

/* The root table at `table` has addresses of `width` bytes. */
static uint64_t madt_in(boot_view view, uint64_t table, unsigned width)
{
    struct header header;

    if (!boot_copy(view, table, &header, sizeof(header)) || !is_whole(view, table, header.length))
        return 0;
    for (uint64_t at = sizeof(header); at + width <= header.length; at += width) {
        uint64_t address = 0;

        if (boot_copy(view, table + at, &address, width) && is_madt(view, address))
            return address;
    }
    return 0;
}

uint64_t acpi_find_madt(boot_view view)
{
    struct root root = { .revision = 0 };
    uint64_t at = root_search(view), xsdt;

    if (at == 0 || !boot_copy(view, at, &root, ROOT_1_SIZE))
        return 0;
    if (root.revision >= REVISION_2 && !boot_copy(view, at, &root, sizeof(root)))
        return 0;
    xsdt = (uint64_t)root.xsdt[1] << 32 | root.xsdt[0];
    return root.revision >= REVISION_2 && xsdt != 0 ? madt_in(view, xsdt, sizeof(uint64_t))
                                                    : madt_in(view, root.rsdt, sizeof(uint32_t));
}

void acpi_read_cpus(boot_view view, uint64_t madt, struct acpi_cpus *out)
{
    struct header header;
    struct local_apic entry;

    out->count = 0;
    if (!boot_copy(view, madt, &header, sizeof(header)))
        return;
    for (uint64_t at = madt + MADT_ENTRIES; at + 2 <= madt + header.length; at += entry.length) {
        if (!boot_copy(view, at, &entry, 2) || entry.length < 2)
            return;
        if (entry.type == TYPE_LOCAL_APIC && entry.length >= sizeof(entry)
            && boot_copy(view, at, &entry, sizeof(entry)) && (entry.flags[0] & ENABLED) != 0
            && out->count < ACPI_CPUS_MAX)
            out->apic[out->count++] = entry.id;
    }
}
