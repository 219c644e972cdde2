/* SPDX-License-Identifier: MIT */
#include "arch/s390x/program.h"
#include "tests/unit/support.h"

#define HERE 0x11000u
#define TEID_ADDRESS UINT64_C(0x123456789000)

static struct fault fault_of(uint16_t code, uint64_t psw_address, uint64_t teid)
{
    const struct program_check check = {
        .code = code, .ilc = 4, .psw_address = psw_address, .teid = teid,
    };
    return program_fault(&check);
}

static void test_suppressed_point_behind(void **state)
{
    static const uint16_t codes[] = { 0x01, 0x02, 0x04, 0x05, 0x06, 0x07, 0x09, 0x12 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        assert_int_equal(fault_of(codes[i], HERE + 4, 0).pc, HERE);
}

static void test_nullified_point_at(void **state)
{
    static const uint16_t codes[] = { 0x10, 0x11, 0x38, 0x39, 0x3a, 0x3b };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        struct fault fault = fault_of(codes[i], HERE, TEID_ADDRESS | 0x800);

        assert_int_equal(fault.pc, HERE);
        assert_int_equal(fault.class, E_FAULT_ADDRESS);
        assert_true(fault.has_address);
        assert_int_equal(fault.address, TEID_ADDRESS);
        assert_int_equal(fault.code, codes[i]);
    }
}

/* No TEID is stored for it: what stands there is of another exception. */
static void test_addressing_has_no_address(void **state)
{
    struct fault fault = fault_of(0x05, HERE + 4, TEID_ADDRESS);

    (void)state;
    assert_int_equal(fault.class, E_FAULT_ADDRESS);
    assert_false(fault.has_address);
    assert_int_equal(fault.address, 0);
}

static void test_access_knows_its_address(void **state)
{
    const struct program_check check = {
        .code = 0x05, .ilc = 6, .psw_address = HERE + 6, .teid = TEID_ADDRESS,
        .is_access = true, .access_address = 0x4000000123,
    };
    struct fault fault = program_fault(&check);

    (void)state;
    assert_true(fault.has_address);
    assert_int_equal(fault.address, 0x4000000123);
    assert_int_equal(fault.pc, HERE);
}

static void test_protection(void **state)
{
    (void)state;
    assert_int_equal(fault_of(0x04, HERE, TEID_ADDRESS | 0x404).class, E_FAULT_PROTECTION);
    assert_int_equal(fault_of(0x04, HERE, TEID_ADDRESS | 0x884).class, E_FAULT_EXECUTE);
    assert_int_equal(fault_of(0x04, HERE, TEID_ADDRESS | 0x404).address, TEID_ADDRESS);
}

/* The page of the TEID is that of the instruction: then it is the instruction that is not there. */
static void test_fetch_is_exact(void **state)
{
    const uint64_t teid = 0x11000 | 0x800;

    (void)state;
    assert_int_equal(fault_of(0x11, HERE + 0x234, teid).address, HERE + 0x234);
    assert_int_equal(fault_of(0x04, HERE + 0x238, teid | 0x84).address, HERE + 0x234);
    /* It began on the page before. */
    assert_int_equal(fault_of(0x11, HERE - 2, teid).address, HERE);
    /* Code that writes to its own page. */
    assert_int_equal(fault_of(0x04, HERE + 0x238, 0x11000 | 0x404).address, HERE);
}

/* Page 0 is not mapped, but a store is refused before that is seen, by QEMU not by Hercules. */
static void test_low_addresses_are_not_there(void **state)
{
    const struct program_check check = {
        .code = 0x04, .ilc = 6, .psw_address = HERE, .teid = 0x404,
        .is_access = true, .access_address = 0x1f0,
    };

    (void)state;
    assert_int_equal(fault_of(0x04, HERE, 0x404).class, E_FAULT_ADDRESS);
    assert_int_equal(program_fault(&check).class, E_FAULT_ADDRESS);
    assert_int_equal(program_fault(&check).address, 0x1f0);
    assert_int_equal(fault_of(0x04, HERE, 0x2404).class, E_FAULT_PROTECTION);
}

static void test_others(void **state)
{
    (void)state;
    assert_int_equal(fault_of(0x01, HERE, 0).class, E_FAULT_OTHER);
    assert_int_equal(fault_of(0x06, HERE, 0).class, E_FAULT_OTHER);
    assert_int_equal(fault_of(0x12, HERE, 0).class, E_FAULT_OTHER);
}

static void test_per_event_is_a_bit(void **state)
{
    (void)state;
    assert_int_equal(fault_of(0x85, HERE, 0).class, E_FAULT_ADDRESS);
    assert_int_equal(fault_of(0x85, HERE, 0).code, 0x05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suppressed_point_behind),
        cmocka_unit_test(test_nullified_point_at),
        cmocka_unit_test(test_addressing_has_no_address),
        cmocka_unit_test(test_access_knows_its_address),
        cmocka_unit_test(test_protection),
        cmocka_unit_test(test_fetch_is_exact),
        cmocka_unit_test(test_low_addresses_are_not_there),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_per_event_is_a_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
