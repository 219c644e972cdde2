/* SPDX-License-Identifier: MIT */
/* ACPI's tables as firmware lays them out, made by hand in a small memory; damaged ones, too. */
#include <string.h>

#include "arch/x86/acpi.h"
#include "tests/unit/support.h"

#define BIOS 0xe0000u
#define DATA_AREA 0x9fc00u
#define ROOT (BIOS + 0x590)
#define RSDT 0x1000u
#define XSDT 0x2000u
#define MADT 0x3004u                  /* not aligned, as tables need not be */
#define OTHER 0x5000u

static unsigned char memory[0x100000];
static struct acpi_cpus out;

static const void *view(uint64_t address, uint64_t size)
{
    return address != 0 && address <= sizeof(memory) && size <= sizeof(memory) - address
        ? memory + address : NULL;
}

static void put(uint32_t at, uint64_t value, size_t width)
{
    memcpy(memory + at, &value, width);
}

/* Let the bytes add up to 0 by the one at `place`. */
static void sum(uint32_t at, uint32_t size, uint32_t place)
{
    memory[at + place] = 0;
    for (uint32_t i = 0; i < size; i++)
        if (i != place)
            memory[at + place] = (unsigned char)(memory[at + place] - memory[at + i]);
}

static void put_table(uint32_t at, const char *signature, uint32_t length)
{
    memcpy(memory + at, signature, 4);
    put(at + 4, length, 4);
    sum(at, length, 9);
}

static void put_root(uint32_t at, unsigned revision)
{
    memcpy(memory + at, "RSD PTR ", 8);
    memory[at + 15] = (unsigned char)revision;
    put(at + 16, RSDT, 4);
    put(at + 20, 36, 4);
    put(at + 24, revision >= 2 ? XSDT : 0, 8);
    sum(at, 20, 8);
    sum(at, 36, 32);
}

static uint32_t put_cpu(uint32_t at, unsigned id, unsigned flags)
{
    put(at, 0 | 8u << 8 | id << 24, 4);
    put(at + 4, flags, 4);
    return at + 8;
}

/* CPUs 0, 4 and 7; one that is not there; an IO APIC between them. */
static int setup(void **state)
{
    uint32_t at = MADT + 44;

    (void)state;
    memset(memory, 0, sizeof(memory));
    memset(&out, 0xa5, sizeof(out));
    at = put_cpu(at, 0, 1);
    at = put_cpu(at, 4, 1);
    put(at, 1 | 12u << 8, 2);
    at = put_cpu(at + 12, 5, 0);
    at = put_cpu(at, 7, 1);
    put_table(MADT, "APIC", at - MADT);
    put_table(OTHER, "FACP", 36);
    put(RSDT + 36, OTHER, 4);
    put(RSDT + 40, MADT, 4);
    put_table(RSDT, "RSDT", 44);
    put(XSDT + 36, OTHER, 8);
    put(XSDT + 44, MADT, 8);
    put_table(XSDT, "XSDT", 52);
    put_root(ROOT, 0);
    return 0;
}

static void assert_found(void)
{
    assert_int_equal(acpi_find_madt(view), MADT);
    acpi_read_cpus(view, MADT, &out);
    assert_int_equal(out.count, 3);
    assert_memory_equal(out.apic, ((uint8_t[]){ 0, 4, 7 }), 3);
}

static void test_the_old_root(void **state)
{
    (void)state;
    assert_found();
}

static void test_the_new_root_has_another_table(void **state)
{
    (void)state;
    put_root(ROOT, 2);
    put(RSDT + 40, OTHER, 4);
    sum(RSDT, 44, 9);
    assert_found();
}

static void test_a_new_root_without_the_new_table(void **state)
{
    (void)state;
    put_root(ROOT, 2);
    put(ROOT + 24, 0, 8);
    assert_found();
}

static void test_a_root_in_the_data_area(void **state)
{
    (void)state;
    memset(memory + ROOT, 0, 20);
    put(0x40e, DATA_AREA >> 4, 2);
    put_root(DATA_AREA + 1024 - 16, 0);
    assert_found();
    memset(memory + 0x40e, 0, 2);
    assert_int_equal(acpi_find_madt(view), 0);
}

static void test_what_is_damaged_is_not_there(void **state)
{
    static const uint32_t places[] = { ROOT + 9, RSDT + 10, MADT + 10, RSDT + 7, MADT + 7 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        memory[places[i]] ^= 0x40;
        assert_int_equal(acpi_find_madt(view), 0);
        memory[places[i]] ^= 0x40;
    }
    put(RSDT + 40, 0xfffffff0, 4);
    sum(RSDT, 44, 9);
    assert_int_equal(acpi_find_madt(view), 0);
}

static void test_entries_end_where_they_make_no_sense(void **state)
{
    (void)state;
    memory[MADT + 44 + 8 + 1] = 1;            /* the second entry is shorter than its head */
    acpi_read_cpus(view, MADT, &out);
    assert_int_equal(out.count, 1);
    memory[MADT + 44 + 8 + 1] = 4;            /* one that is too short for a CPU */
    put(MADT + 44 + 12, 0xfeff, 2);           /* then one that nobody knows, beyond the end */
    acpi_read_cpus(view, MADT, &out);
    assert_int_equal(out.count, 1);
    acpi_read_cpus(view, UINT64_C(1) << 40, &out);
    assert_int_equal(out.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_old_root, setup),
        cmocka_unit_test_setup(test_the_new_root_has_another_table, setup),
        cmocka_unit_test_setup(test_a_new_root_without_the_new_table, setup),
        cmocka_unit_test_setup(test_a_root_in_the_data_area, setup),
        cmocka_unit_test_setup(test_what_is_damaged_is_not_there, setup),
        cmocka_unit_test_setup(test_entries_end_where_they_make_no_sense, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
