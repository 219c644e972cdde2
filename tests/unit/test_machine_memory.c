/* SPDX-License-Identifier: MIT */
/* What is behind addresses is touched there, with the rights that they have. */
#include "tests/unit/machine_support.h"

#include "kernel/machine_memory.h"
#include "kernel/mm/zone.h"

#define AT(page) virt((page) * PAGE_SIZE)
#define FAR_ALIAS (WINDOW + 3)        /* of page 30, which no pointer reaches */

static int begin_memory(void **unused)
{
    lab.mmu = &arch_mmu;
    memset(far_words, 0x22, sizeof(far_words));
    return begin(unused);
}

static bool all_bytes(const void *bytes, uint64_t from, uint64_t end, unsigned char value)
{
    for (uint64_t i = from; i < end; i++)
        if (((const unsigned char *)bytes)[i] != value)
            return false;
    return true;
}

/* Page 17 by a pointer, page 30 only at its address in the window: to the byte. */
static void zeroes_are_written_wherever_it_is(void **unused)
{
    static const struct { uint64_t from, size; } parts[] = {
        { 0, PAGE_SIZE }, { 16, 40 }, { 48, 33 }, { 3, 1 }, { 4095, 1 }, { 1, 200 },
    };
    const struct { unsigned page; void *bytes; unsigned char before; } places[] = {
        { WINDOW, words + 512, 0x11 }, { FAR_ALIAS, far_words, 0x22 },
        { FIRST + 1, words + 512, 0x11 },
    };
    virt_t bad;

    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        for (unsigned j = 0; j < ARRAY_SIZE(parts); j++) {
            uint64_t from = parts[j].from, end = from + parts[j].size;
            virt_t at = virt(AT(places[i].page).a + from);

            (void)begin_memory(unused);
            assert_int_equal(machine_memory.zero(at, parts[j].size, &bad), OK);
            assert_true(all_bytes(places[i].bytes, 0, from, places[i].before));
            assert_true(all_bytes(places[i].bytes, from, end, 0));
            assert_true(all_bytes(places[i].bytes, end, PAGE_SIZE, places[i].before));
        }
    }
}

static void content_goes_from_any_to_any(void **unused)
{
    const unsigned pages[] = { FIRST, WINDOW, FAR_ALIAS };
    unsigned char *const bytes[] = {
        (unsigned char *)words, (unsigned char *)(words + 512), (unsigned char *)far_words,
    };
    virt_t bad;

    for (unsigned to = 0; to < 3; to++) {
        for (unsigned from = 0; from < 3; from++) {
            if (to == from)
                continue;
            (void)begin_memory(unused);
            for (unsigned i = 0; i < PAGE_SIZE; i++)
                bytes[from][i] = (unsigned char)(i * 7);
            assert_int_equal(machine_memory.copy(virt(AT(pages[to]).a + 16),
                                                 virt(AT(pages[from]).a + 48), 1003, &bad), OK);
            assert_memory_equal(bytes[to] + 16, bytes[from] + 48, 1003);
            assert_true(bytes[to][15] != bytes[from][47] || to == 1);
            assert_int_equal(bytes[to][16 + 1003], to == 2 ? 0x22 : 0x11);
        }
    }
}

static void a_pattern_is_written_and_seen_to_be_whole(void **unused)
{
    const virt_t at = virt(AT(FAR_ALIAS).a + 1001);
    unsigned char *far = (unsigned char *)far_words;
    virt_t bad;

    (void)unused;
    assert_int_equal(machine_memory.stamp(at, 500, &bad), OK);
    assert_true(all_bytes(far, 0, 1001, 0x22) && all_bytes(far, 1501, PAGE_SIZE, 0x22));
    assert_int_equal(zone_intact(far + 1001, at.a, 500), 500);
    assert_true(machine_memory.inspect(at, 500, &bad));
    for (unsigned byte = 0; byte < 500; byte += 7) {
        far[1001 + byte] ^= 4;
        assert_false(machine_memory.inspect(at, 500, &bad));
        assert_int_equal(bad.a, at.a + byte);
        far[1001 + byte] ^= 4;
    }
}

/* By a pointer to page 18 it could be written. */
static void rights_are_those_of_the_address(void **unused)
{
    const virt_t last = virt(AT(WINDOW + 2).a + PAGE_SIZE - 8);
    virt_t bad;

    (void)unused;
    assert_int_equal(machine_memory.zero(last, 8, &bad), E_FAULT_PROTECTION);
    assert_int_equal(bad.a, last.a);
    assert_int_equal(machine_memory.stamp(last, 8, &bad), E_FAULT_PROTECTION);
    assert_int_equal(machine_memory.copy(last, AT(FIRST), 8, &bad), E_FAULT_PROTECTION);
    assert_int_equal(machine_memory.copy(AT(FIRST), last, 8, &bad), OK);
    assert_int_equal(machine_memory.copy(AT(FIRST), AT(WINDOW + 4), 8, &bad), E_FAULT_ADDRESS);
    assert_int_equal(bad.a, AT(WINDOW + 4).a);
    assert_false(machine_memory.inspect(AT(WINDOW + 4), 8, &bad));
    assert_true(all_bytes(words + 1024, 0, PAGE_SIZE, 0x11));
    /* Nothing is written before each page was looked at. */
    assert_int_equal(machine_memory.zero(AT(WINDOW + 3), PAGE_SIZE + 1, &bad), E_FAULT_ADDRESS);
    assert_int_equal(bad.a, AT(WINDOW + 4).a);
    assert_true(all_bytes(far_words, 0, PAGE_SIZE, 0x22));
}

static void a_fault_on_the_way_is_told(void **unused)
{
    virt_t bad;

    (void)unused;
    broken = AT(FAR_ALIAS).a + 64;
    assert_int_equal(machine_memory.zero(AT(FAR_ALIAS), 100, &bad), E_FAULT_ADDRESS);
    assert_int_equal(machine_memory.copy(AT(FIRST), AT(FAR_ALIAS), 100, &bad), E_FAULT_ADDRESS);
    assert_false(machine_memory.inspect(AT(FAR_ALIAS), 100, &bad));
    assert_false(trap_guarded());
}

static void an_injected_map_has_nothing_behind_it(void **unused)
{
    virt_t bad;

    (void)unused;
    assert_true(machine_memory.is_there());
    lab.injected = true;
    assert_false(machine_memory.is_there());
    assert_int_equal(machine_memory.zero(AT(FIRST), 8, &bad), E_CALL_UNSUPPORTED);
    assert_int_equal(machine_memory.copy(AT(FIRST), AT(FIRST + 1), 8, &bad), E_CALL_UNSUPPORTED);
    assert_int_equal(machine_memory.stamp(AT(FIRST), 8, &bad), E_CALL_UNSUPPORTED);
    assert_false(machine_memory.inspect(AT(FIRST), 8, &bad));
    assert_true(all_bytes(words, 0, PAGE_SIZE, 0x11));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(zeroes_are_written_wherever_it_is, begin_memory),
        cmocka_unit_test_setup(content_goes_from_any_to_any, begin_memory),
        cmocka_unit_test_setup(a_pattern_is_written_and_seen_to_be_whole, begin_memory),
        cmocka_unit_test_setup(rights_are_those_of_the_address, begin_memory),
        cmocka_unit_test_setup(a_fault_on_the_way_is_told, begin_memory),
        cmocka_unit_test_setup(an_injected_map_has_nothing_behind_it, begin_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
