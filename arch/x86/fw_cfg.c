/* SPDX-License-Identifier: MIT */
#include "arch/x86/fw_cfg.h"

#include "arch/x86/cpu.h"
#include "kernel/lib/string.h"

enum { SELECT_PORT = 0x510, DATA_PORT = 0x511 };
enum { SIGNATURE = 0x00, DIRECTORY = 0x19 };

/* Numbers are big-endian. */
struct file {
    uint8_t size[4], select[2], reserved[2];
    char name[56];
};

static void item_select(uint16_t item)
{
    outw(SELECT_PORT, item);
}

/* The next bytes of the item. */
static void item_read(void *to, size_t size)
{
    uint8_t *bytes = to;

    for (size_t i = 0; i < size; i++)
        bytes[i] = inb(DATA_PORT);
}

static void item_skip(uint64_t size)
{
    while (size-- > 0)
        (void)inb(DATA_PORT);
}

static uint32_t number(const uint8_t *at, size_t size)
{
    uint32_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

/* Selects the file; returns its size. */
static uint32_t file_open(const char *name)
{
    uint8_t count[4];
    struct file file;

    item_select(DIRECTORY);
    item_read(count, sizeof(count));
    for (uint32_t n = number(count, sizeof(count)); n > 0; n--) {
        item_read(&file, sizeof(file));
        file.name[sizeof(file.name) - 1] = 0;
        if (strcmp(file.name, name) == 0) {
            item_select((uint16_t)number(file.select, sizeof(file.select)));
            return number(file.size, sizeof(file.size));
        }
    }
    return 0;
}

static bool is_qemu(void)
{
    char signature[4];

    item_select(SIGNATURE);
    item_read(signature, sizeof(signature));
    return memcmp(signature, "QEMU", sizeof(signature)) == 0;
}

/* The tables lie one behind the other; each begins with its signature and its length. */
size_t fw_cfg_acpi_table(const char signature[4], void *to, size_t size)
{
    struct { char signature[4]; uint32_t length; } head;
    uint64_t left = is_qemu() ? file_open("etc/acpi/tables") : 0;

    for (; left >= sizeof(head); left -= head.length) {
        item_read(&head, sizeof(head));
        if (head.length < sizeof(head) || head.length > left)
            return 0;
        if (memcmp(head.signature, signature, sizeof(head.signature)) != 0) {
            item_skip(head.length - sizeof(head));
            continue;
        }
        if (head.length > size)
            return 0;
        memcpy(to, &head, sizeof(head));
        item_read((uint8_t *)to + sizeof(head), head.length - sizeof(head));
        return head.length;
    }
    return 0;
}
