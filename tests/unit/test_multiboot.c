/* SPDX-License-Identifier: MIT */
/* Structures as QEMU and GRUB lay them out, made by hand in a small memory. */
#include <string.h>

#include "arch/x86/multiboot.h"
#include "tests/unit/support.h"

#define BASE 0x9000u
#define INFO 0x9500u
#define MAP 0xb000u
#define MODULES 0x9600u
#define TEXT 0x9800u
#define LOADER 0x9f00u

static unsigned char memory[0x8000];
static struct boot_info out;

static const void *view(uint64_t address, uint64_t size)
{
    if (address < BASE || address - BASE > sizeof(memory)
        || size > sizeof(memory) - (address - BASE))
        return NULL;
    return memory + (address - BASE);
}

static void put32(uint32_t at, uint32_t value)
{
    memcpy(memory + (at - BASE), &value, sizeof(value));
}

static void put_text(uint32_t at, const char *text)
{
    memcpy(memory + (at - BASE), text, strlen(text) + 1);
}

/* One entry of the map; returns where the next one goes. */
static uint32_t put_range(uint32_t at, uint64_t base, uint64_t length, uint32_t type,
                          uint32_t extra)
{
    put32(at, 20 + extra);
    put32(at + 4, (uint32_t)base);
    put32(at + 8, (uint32_t)(base >> 32));
    put32(at + 12, (uint32_t)length);
    put32(at + 16, (uint32_t)(length >> 32));
    put32(at + 20, type);
    return at + 24 + extra;
}

static void put_map(uint32_t end)
{
    put32(INFO + 44, end - MAP);
    put32(INFO + 48, MAP);
}

static int setup(void **state)
{
    (void)state;
    memset(memory, 0xa5, sizeof(memory));
    memset(&out, 0xa5, sizeof(out));
    put32(INFO, 1 << 2 | 1 << 6 | 1 << 9);
    put32(INFO + 16, TEXT);
    put32(INFO + 64, LOADER);
    put_text(TEXT, "");
    put_text(LOADER, "GRUB 2.06");
    put_map(put_range(MAP, 0x100000, 0x3ee0000, 1, 0));
    return 0;
}

static void assert_range(size_t i, uint64_t start, uint64_t size, enum range_kind kind,
                         const char *name)
{
    assert_true(i < out.count);
    assert_int_equal(out.ranges[i].range.start.a, start);
    assert_int_equal(out.ranges[i].range.size, size);
    assert_int_equal(out.ranges[i].range.kind, kind);
    assert_string_equal(out.ranges[i].name, name);
}

static void test_map(void **state)
{
    (void)state;
    uint32_t at = put_range(MAP, 0, 0x9fc00, 1, 0);
    at = put_range(at, 0x9fc00, 0x400, 2, 0);
    at = put_range(at, 0, 0, 0, 0);               /* microvm ends its map so */
    at = put_range(at, 0xd0000, 0x20000, 4, 4);   /* a longer entry, and a type of its own */
    at = put_range(at, UINT64_C(0x100000000), UINT64_C(0xc0000000), 1, 0);
    put_map(at);
    assert_null(multiboot_read(view, INFO, &out));
    assert_int_equal(out.count, 4);
    assert_range(0, 0, 0x9fc00, RANGE_USABLE, "memory");
    assert_range(1, 0x9fc00, 0x400, RANGE_RESERVED, "firmware");
    assert_range(2, 0xd0000, 0x20000, RANGE_RESERVED, "firmware");
    assert_range(3, UINT64_C(0x100000000), UINT64_C(0xc0000000), RANGE_USABLE, "memory");
}

static void test_range_that_wraps_is_cut(void **state)
{
    (void)state;
    put_map(put_range(MAP, 0x1000, UINT64_MAX, 2, 0));
    assert_null(multiboot_read(view, INFO, &out));
    assert_range(0, 0x1000, UINT64_MAX - 0x1000, RANGE_RESERVED, "firmware");
}

static void test_unaligned_map(void **state)
{
    (void)state;
    uint32_t at = put_range(MAP + 1, 0x1000, 0x2000, 1, 1);
    at = put_range(at, 0x5000, 0x3000, 1, 0);
    put32(INFO + 44, at - (MAP + 1));
    put32(INFO + 48, MAP + 1);
    assert_null(multiboot_read(view, INFO, &out));
    assert_int_equal(out.count, 2);
    assert_range(1, 0x5000, 0x3000, RANGE_USABLE, "memory");
}

static void test_damaged_map(void **state)
{
    (void)state;
    put_map(put_range(MAP, 0x1000, 0x2000, 1, 0));
    put32(MAP, 0);                                /* would never advance */
    assert_non_null(multiboot_read(view, INFO, &out));
    put32(MAP, 20);
    put32(INFO + 48, BASE + sizeof(memory) - 8);  /* ends out of reach */
    assert_non_null(multiboot_read(view, INFO, &out));
}

static void test_too_many_ranges(void **state)
{
    (void)state;
    uint32_t at = MAP;
    for (unsigned i = 0; i < BOOT_RANGES; i++)
        at = put_range(at, 0x1000 * i, 0x1000, 1, 0);
    put_map(at);
    assert_null(multiboot_read(view, INFO, &out));
    assert_int_equal(out.count, BOOT_RANGES);
    put_map(put_range(at, 0x1000 * BOOT_RANGES, 0x1000, 2, 0));
    assert_non_null(multiboot_read(view, INFO, &out));
}

static void test_sizes_without_map(void **state)
{
    (void)state;
    put32(INFO, 1);
    put32(INFO + 4, 639);
    put32(INFO + 8, 64448);
    assert_null(multiboot_read(view, INFO, &out));
    assert_int_equal(out.count, 2);
    assert_range(0, 0, 639 << 10, RANGE_USABLE, "memory");
    assert_range(1, 1 << 20, 64448 << 10, RANGE_USABLE, "memory");
    put32(INFO, 0);
    assert_non_null(multiboot_read(view, INFO, &out));
}

static void test_modules(void **state)
{
    (void)state;
    put32(INFO, 1 << 3 | 1 << 6);
    put32(INFO + 20, 2);
    put32(INFO + 24, MODULES);
    put32(MODULES, 0x300000);
    put32(MODULES + 4, 0x300123);
    put32(MODULES + 16, 0x400000);
    put32(MODULES + 20, 0x401000);
    assert_null(multiboot_read(view, INFO, &out));
    assert_int_equal(out.count, 3);
    assert_range(1, 0x300000, 0x123, RANGE_RESERVED, "module");
    assert_range(2, 0x400000, 0x1000, RANGE_RESERVED, "module");
    put32(MODULES + 20, 0x3fffff);                /* ends before it begins */
    assert_non_null(multiboot_read(view, INFO, &out));
}

static void assert_line(const char *loader, const char *given, const char *expected)
{
    put_text(LOADER, loader);
    put_text(TEXT, given);
    assert_null(multiboot_read(view, INFO, &out));
    assert_string_equal(out.command_line, expected);
}

static void test_command_line(void **state)
{
    (void)state;
    assert_line("qemu", "build/kernel32.elf a=1 b", "a=1 b");
    assert_line("qemu", "build/kernel32.elf ", "");
    assert_line("qemu", "k", "");
    assert_line("qemu", "k   a  b ", "a  b");
    assert_line("GRUB 2.06-13", "a=1 b", "a=1 b");
    assert_line("GRUB 2.06-13", " a ", "a");
    assert_line("GRUB 2.06-13", "a\tb\x80", "a?b?");
}

static void test_command_line_too_long(void **state)
{
    (void)state;
    static char text[BOOT_COMMAND_LINE + 100];
    memset(text, 'x', sizeof(text) - 1);
    put32(INFO, 1 << 2 | 1 << 6);                 /* the loader's name is not told */
    put32(INFO + 16, MAP + 0x1000);
    put_text(MAP + 0x1000, text);
    assert_null(multiboot_read(view, INFO, &out));
    assert_int_equal(strlen(out.command_line), BOOT_COMMAND_LINE - 1);
    put32(INFO + 16, BASE + sizeof(memory) - 3);  /* ends with the memory */
    memory[sizeof(memory) - 3] = memory[sizeof(memory) - 2] = memory[sizeof(memory) - 1] = 'y';
    assert_null(multiboot_read(view, INFO, &out));
    assert_string_equal(out.command_line, "yyy");
    put32(INFO, 1 << 6);
    assert_null(multiboot_read(view, INFO, &out));
    assert_string_equal(out.command_line, "");
}

static void test_out_of_reach(void **state)
{
    (void)state;
    assert_non_null(multiboot_read(view, 0, &out));
    assert_int_equal(out.count, 0);
    assert_string_equal(out.command_line, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_map, setup),
        cmocka_unit_test_setup(test_range_that_wraps_is_cut, setup),
        cmocka_unit_test_setup(test_unaligned_map, setup),
        cmocka_unit_test_setup(test_damaged_map, setup),
        cmocka_unit_test_setup(test_too_many_ranges, setup),
        cmocka_unit_test_setup(test_sizes_without_map, setup),
        cmocka_unit_test_setup(test_modules, setup),
        cmocka_unit_test_setup(test_command_line, setup),
        cmocka_unit_test_setup(test_command_line_too_long, setup),
        cmocka_unit_test_setup(test_out_of_reach, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
