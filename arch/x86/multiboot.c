/* SPDX-License-Identifier: MIT */
#include "arch/x86/multiboot.h"
#include "kernel/lib/string.h"

enum { HAS_MEMORY = 1 << 0, HAS_COMMAND_LINE = 1 << 2, HAS_MODULES = 1 << 3, HAS_MAP = 1 << 6,
       HAS_LOADER_NAME = 1 << 9 };

enum { TYPE_USABLE = 1 };

struct info {
    uint32_t flags, mem_lower, mem_upper, boot_device, command_line, modules_count, modules,
             symbols[4], map_length, map, drives_length, drives, config_table, loader_name;
};

struct module { uint32_t start, end, string, reserved; };

/* `size` does not count itself. 64-bit fields are not aligned. */
struct map_entry { uint32_t size, base[2], length[2], type; };

static uint64_t join(const uint32_t half[2])
{
    return (uint64_t)half[1] << 32 | half[0];
}

bool boot_copy(boot_view view, uint64_t at, void *to, size_t size)
{
    const void *from = view(at, size);
    if (from == NULL)
        return false;
    memcpy(to, from, size);
    return true;
}

static bool add(struct boot_info *out, uint64_t start, uint64_t size, enum range_kind kind,
                const char *name)
{
    if (size == 0)
        return true;
    if (out->count == BOOT_RANGES)
        return false;
    /* A firmware's range that wraps ends with the address space. */
    if (size > UINT64_MAX - start)
        size = UINT64_MAX - start;
    out->ranges[out->count++] = (struct boot_range){ { phys(start), size, kind }, name };
    return true;
}

/* Copies a string from the loader's memory, which it need not end inside of; returns its length. */
static size_t copy_string(boot_view view, uint64_t at, char *to, size_t size)
{
    size_t n = 0;
    for (; n + 1 < size; n++) {
        const char *c = view(at + n, 1);
        if (c == NULL || *c == 0)
            break;
        to[n] = *c >= 0x20 && *c <= 0x7e ? *c : '?';
    }
    to[n] = 0;
    return n;
}

/* QEMU puts the image's name before the arguments; GRUB leaves it out. */
static bool is_name_first(boot_view view, const struct info *info)
{
    char name[5];
    if ((info->flags & HAS_LOADER_NAME) == 0)
        return false;
    copy_string(view, info->loader_name, name, sizeof(name));
    return strcmp(name, "qemu") == 0;
}

static void read_command_line(boot_view view, const struct info *info, struct boot_info *out)
{
    char *line = out->command_line;
    uint64_t at = info->command_line;
    const char *c;
    line[0] = 0;
    if ((info->flags & HAS_COMMAND_LINE) == 0)
        return;
    if (is_name_first(view, info)) {
        while ((c = view(at, 1)) != NULL && *c != 0 && *c != ' ')
            at++;
    }
    while ((c = view(at, 1)) != NULL && *c == ' ')
        at++;
    size_t length = copy_string(view, at, line, BOOT_COMMAND_LINE);
    while (length != 0 && line[length - 1] == ' ')
        line[--length] = 0;
}

static const char *read_map(boot_view view, const struct info *info, struct boot_info *out)
{
    uint64_t end = (uint64_t)info->map + info->map_length;
    struct map_entry entry;
    for (uint64_t at = info->map; at + sizeof(entry) <= end; ) {
        if (!boot_copy(view, at, &entry, sizeof(entry))
            || entry.size < sizeof(entry) - sizeof(entry.size))
            return "the memory map is damaged";
        bool usable = entry.type == TYPE_USABLE;
        if (!add(out, join(entry.base), join(entry.length),
                 usable ? RANGE_USABLE : RANGE_RESERVED, usable ? "memory" : "firmware"))
            return "the memory map has too many ranges";
        at += (uint64_t)entry.size + sizeof(entry.size);
    }
    return NULL;
}

/* A loader without a map tells two sizes, in KiB: from 0 on, and from 1 MiB on. */
static const char *read_sizes(const struct info *info, struct boot_info *out)
{
    if ((info->flags & HAS_MEMORY) == 0)
        return "the boot loader tells of no memory";
    bool fits = add(out, 0, (uint64_t)info->mem_lower << 10, RANGE_USABLE, "memory")
        && add(out, 1u << 20, (uint64_t)info->mem_upper << 10, RANGE_USABLE, "memory");
    return fits ? NULL : "the memory map has too many ranges";
}

static const char *read_modules(boot_view view, const struct info *info, struct boot_info *out)
{
    if ((info->flags & HAS_MODULES) == 0)
        return NULL;
    for (uint32_t i = 0; i < info->modules_count; i++) {
        struct module module;
        if (!boot_copy(view, info->modules + (uint64_t)i * sizeof(module), &module, sizeof(module))
            || module.end < module.start)
            return "the list of modules is damaged";
        if (!add(out, module.start, module.end - module.start, RANGE_RESERVED, "module"))
            return "there are too many modules";
    }
    return NULL;
}

const char *multiboot_read(boot_view view, uint32_t info_address, struct boot_info *out)
{
    struct info info;
    const char *problem;
    out->count = 0;
    out->command_line[0] = 0;
    if (!boot_copy(view, info_address, &info, sizeof(info)))
        return "the boot information is out of reach";
    read_command_line(view, &info, out);
    problem = (info.flags & HAS_MAP) != 0 ? read_map(view, &info, out) : read_sizes(&info, out);
    return problem != NULL ? problem : read_modules(view, &info, out);
}
