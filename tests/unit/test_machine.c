/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_arch.h"

#include "kernel/lab.h"
#include "kernel/lib/string.h"
#include "kernel/machine.h"

/* Memory of the machine: pages 16 to 19; page 19 is the kernel's. Page 30 is out of its reach. */
#define FIRST 16u
#define PAGES 4u
#define FAR (30 * PAGE_SIZE)

const char arch_name[] = "fake";
struct lab lab;

static uint64_t words[PAGES * 512];
static struct phys_extent records[8];
static bool reachable, asserts;
static unsigned pressed;             /* ^C that came in and were not told yet */
static unsigned polls_until_pressed;
static uint64_t broken;               /* an address that faults */
static struct fault where;

void *arch_pointer(phys_t start, uint64_t size)
{
    uint64_t offset = start.a - FIRST * PAGE_SIZE;

    if (!reachable || offset > sizeof(words) || size > sizeof(words) - offset)
        return NULL;
    return (unsigned char *)words + offset;
}

static unsigned char *byte_at(uint64_t address)
{
    if (asserts)
        kernel_assert_failed("x", "y.c", 3);
    if (address == broken || address / PAGE_SIZE - FIRST >= PAGES)
        kernel_fault(&(struct fault){ E_FAULT_ADDRESS, true, address, 0x77, 14 });
    return (unsigned char *)words + (address - FIRST * PAGE_SIZE);
}

uint64_t arch_load(virt_t address, unsigned width)
{
    uint64_t value = 0;

    memcpy(&value, byte_at(address.a), width);
    return value;
}

void arch_store(virt_t address, unsigned width, uint64_t value)
{
    memcpy(byte_at(address.a), &value, width);
}

bool arch_console_interrupted(void)
{
    if (polls_until_pressed > 0 && --polls_until_pressed == 0)
        pressed++;
    return pressed > 0 && pressed-- > 0;
}

uint64_t arch_ticks(void)
{
    return 5;
}

uint64_t arch_ticks_per_second(void)
{
    return 1000;
}

void panic(const char *kind, const char *file, int line, const struct fault *fault)
{
    (void)kind, (void)file, (void)line, (void)fault;
    arch_halt(1);
}

bool panicking(void)
{
    return false;
}

static bool survived;

bool panic_survived(void)
{
    return survived;
}

static int begin(void **unused)
{
    const struct phys_range memory = { { FIRST * PAGE_SIZE }, PAGES * PAGE_SIZE, RANGE_USABLE };
    const struct phys_range kernel = { { 19 * PAGE_SIZE }, PAGE_SIZE, RANGE_RESERVED };
    const struct phys_range far = { { FAR }, PAGE_SIZE, RANGE_USABLE };

    (void)unused;
    memset(words, 0x11, sizeof(words));
    lab.injected = asserts = false;
    pressed = 0;
    reachable = true;
    polls_until_pressed = 0;
    broken = 0;
    where = (struct fault){ .class = OK };
    machine_interrupt_clear();
    phys_init(&lab.phys, records, ARRAY_SIZE(records));
    return phys_add(&lab.phys, &memory) != OK || phys_add(&lab.phys, &kernel) != OK
        || phys_add(&lab.phys, &far) != OK;
}

static void reads_what_it_wrote(void **unused)
{
    uint64_t value;

    (void)unused;
    assert_string_equal(machine_name(), "fake");
    for (unsigned width = 1; width <= 8; width *= 2) {
        uint64_t address = FIRST * PAGE_SIZE + 8 * width;
        uint64_t wanted = UINT64_C(0x8877665544332211) >> (64 - 8 * width);

        assert_int_equal(machine_write(address, width, wanted, &where), OK);
        assert_int_equal(machine_read(address, width, &value, &where), OK);
        assert_int_equal(value, wanted);
        assert_int_equal(machine_read(address + 8, 8, &value, &where), OK);
        assert_int_equal(value, UINT64_C(0x1111111111111111));
    }
    /* The kernel's own memory may be read. */
    assert_int_equal(machine_read(19 * PAGE_SIZE, 4, &value, &where), OK);
}

static void refuses_without_trying(void **unused)
{
    uint64_t value = 99;

    (void)unused;
    assert_int_equal(machine_read(FIRST * PAGE_SIZE + 1, 8, &value, &where), E_CALL_ALIGN);
    assert_int_equal(machine_read(FIRST * PAGE_SIZE, 3, &value, &where), E_CALL_RANGE);
    assert_int_equal(machine_read(FIRST * PAGE_SIZE, 0, &value, &where), E_CALL_RANGE);
    assert_int_equal(machine_read(FIRST * PAGE_SIZE, 16, &value, &where), E_CALL_RANGE);
    assert_int_equal(machine_write(FIRST * PAGE_SIZE + 2, 4, 0, &where), E_CALL_ALIGN);
    assert_int_equal(machine_write(19 * PAGE_SIZE, 8, 0, &where), E_FAULT_PROTECTION);
    assert_true(where.has_address);
    assert_int_equal(where.address, 19 * PAGE_SIZE);
    assert_int_equal(words[3 * 512], UINT64_C(0x1111111111111111));
    assert_int_equal(machine_write(UINT64_MAX - 7, 8, 0, &where), E_FAULT_PROTECTION);
    lab.injected = true;
    assert_int_equal(machine_read(FIRST * PAGE_SIZE, 8, &value, &where), E_CALL_UNSUPPORTED);
    assert_int_equal(machine_write(FIRST * PAGE_SIZE, 8, 0, &where), E_CALL_UNSUPPORTED);
    assert_int_equal(value, 99);
}

static void faults_are_values(void **unused)
{
    uint64_t value = 99;

    (void)unused;
    assert_int_equal(machine_read(8, 8, &value, &where), E_FAULT_ADDRESS);
    assert_int_equal(where.address, 8);
    assert_int_equal(where.pc, 0x77);
    broken = FIRST * PAGE_SIZE + 8;
    assert_int_equal(machine_write(broken, 8, 0, &where), E_FAULT_ADDRESS);
    assert_int_equal(where.address, broken);
    assert_int_equal(value, 99);
    assert_false(trap_guarded());
}

/* Above 4 GiB on a 32-bit machine: memory that is there is told from none. */
static void memory_out_of_reach_is_refused(void **unused)
{
    uint64_t value = 99;

    (void)unused;
    assert_int_equal(machine_read(FAR, 8, &value, &where), E_CALL_UNSUPPORTED);
    assert_int_equal(machine_read(FAR + PAGE_SIZE - 1, 1, &value, &where), E_CALL_UNSUPPORTED);
    assert_int_equal(machine_write(FAR, 8, 0, &where), E_CALL_UNSUPPORTED);
    assert_int_equal(where.class, OK);
    assert_int_equal(machine_read(FAR + PAGE_SIZE, 8, &value, &where), E_FAULT_ADDRESS);
    assert_int_equal(machine_write(FAR + PAGE_SIZE, 8, 0, &where), E_FAULT_PROTECTION);
    assert_int_equal(value, 99);
}

static void read_in_a_command(void *argument)
{
    uint64_t value;

    (void)argument;
    asserts = true;
    (void)!machine_read(FIRST * PAGE_SIZE, 8, &value, &where);
}

static void assertions_reach_the_command(void **unused)
{
    (void)unused;
    /* machine.c hands it on to assert_failed(), which is the tests' own here. */
    expect_assert_failure(read_in_a_command(NULL));
    trap_state.depth = nguards = 0;
}

static void patterns_tell_every_change(void **unused)
{
    phys_t at;

    (void)unused;
    assert_int_equal(machine_fill(pfn(FIRST), 3, 7, &at), OK);
    assert_int_equal(machine_verify(pfn(FIRST), 3, 7, &at), OK);
    assert_int_equal(machine_verify(pfn(FIRST + 1), 1, 7, &at), OK);
    assert_int_equal(words[3 * 512], UINT64_C(0x1111111111111111));
    assert_int_equal(machine_verify(pfn(FIRST), 3, 8, &at), E_FAULT_PATTERN);
    assert_int_equal(at.a, FIRST * PAGE_SIZE);
    words[512 + 5] ^= UINT64_C(1) << 63;
    assert_int_equal(machine_verify(pfn(FIRST), 3, 7, &at), E_FAULT_PATTERN);
    assert_int_equal(at.a, (FIRST + 1) * PAGE_SIZE + 40);
    /* A page in another's place is not taken for it. */
    memcpy(words, words + 1024, PAGE_SIZE);
    assert_int_equal(machine_verify(pfn(FIRST), 1, 7, &at), E_FAULT_PATTERN);
}

static void patterns_stay_off_what_is_not_ours(void **unused)
{
    phys_t at;

    (void)unused;
    assert_int_equal(machine_fill(pfn(FIRST), 4, 7, &at), E_FAULT_PROTECTION);
    assert_int_equal(machine_fill(pfn(FIRST), 0, 7, &at), E_CALL_RANGE);
    assert_int_equal(machine_fill(pfn(FIRST), UINT64_MAX, 7, &at), E_CALL_RANGE);
    assert_int_equal(machine_fill(pfn(PFN_LIMIT), 1, 7, &at), E_CALL_RANGE);
    assert_int_equal(machine_verify(pfn(1), 1, 7, &at), E_FAULT_PROTECTION);
    assert_int_equal(machine_fill(pfn(30), 1, 7, &at), E_CALL_UNSUPPORTED);
    lab.injected = true;
    assert_int_equal(machine_fill(pfn(FIRST), 1, 7, &at), E_CALL_UNSUPPORTED);
    for (unsigned i = 0; i < PAGES * 512; i++)
        assert_int_equal(words[i], UINT64_C(0x1111111111111111));
}

static void control_c_stops_a_long_pattern(void **unused)
{
    phys_t at;

    (void)unused;
    polls_until_pressed = 3;
    assert_int_equal(machine_fill(pfn(FIRST), 3, 7, &at), E_STOP_INTERRUPTED);
    assert_int_equal(at.a, (FIRST + 2) * PAGE_SIZE);
    assert_true(machine_interrupted());
    assert_true(machine_interrupted());
    assert_int_equal(machine_verify(pfn(FIRST), 1, 7, &at), E_STOP_INTERRUPTED);
    machine_interrupt_clear();
    assert_false(machine_interrupted());
    machine_interrupt_passed();
    assert_int_equal(machine_verify(pfn(FIRST), 2, 7, &at), OK);
}

/* The next command begins. */
static bool next_is_interrupted(void)
{
    machine_interrupt_clear();
    return machine_interrupted();
}

static void control_c_stops_one_command_and_none_behind_it(void **unused)
{
    (void)unused;
    pressed = 3;
    assert_true(next_is_interrupted());
    assert_false(next_is_interrupted());
    for (unsigned i = 0; i < 3; i++)
        machine_interrupt_passed();
    pressed = 2;
    machine_interrupt_passed();
    machine_interrupt_passed();
    assert_false(next_is_interrupted());
    /* One that stands behind both lines, and came in before the first one began. */
    pressed = 2;
    machine_interrupt_passed();
    assert_true(next_is_interrupted());
    assert_false(next_is_interrupted());
    machine_interrupt_passed();
    /* One that was never told of owes nothing to the next. */
    machine_interrupt_passed();
    pressed = 1;
    assert_true(next_is_interrupted());
    machine_interrupt_passed();
}

static void zeroes_what_it_reaches(void **unused)
{
    (void)unused;
    assert_true(machine_zero(pfn(FIRST + 1), 2));
    assert_int_equal(words[511], UINT64_C(0x1111111111111111));
    for (unsigned i = 512; i < 1536; i++)
        assert_int_equal(words[i], 0);
    assert_int_equal(words[1536], UINT64_C(0x1111111111111111));
    assert_false(machine_zero(pfn(FIRST + 3), 2));
    reachable = false;
    assert_false(machine_zero(pfn(FIRST), 1));
    assert_int_equal(words[0], UINT64_C(0x1111111111111111));
}

static void passes_the_rest_on(void **unused)
{
    (void)unused;
    assert_int_equal(machine_ticks(), 5);
    assert_int_equal(machine_ticks_per_second(), 1000);
    if (setjmp(halted) == 0)
        machine_off(3);
    assert_int_equal(halt_status, 3);
    if (setjmp(halted) == 0)
        machine_off(0);
    assert_int_equal(halt_status, 0);
}

static void no_end_is_orderly_after_a_panic(void **unused)
{
    (void)unused;
    survived = true;
    if (setjmp(halted) == 0)
        machine_off(0);
    assert_int_equal(halt_status, 1);
    survived = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reads_what_it_wrote, begin),
        cmocka_unit_test_setup(refuses_without_trying, begin),
        cmocka_unit_test_setup(faults_are_values, begin),
        cmocka_unit_test_setup(memory_out_of_reach_is_refused, begin),
        cmocka_unit_test_setup(assertions_reach_the_command, begin),
        cmocka_unit_test_setup(patterns_tell_every_change, begin),
        cmocka_unit_test_setup(patterns_stay_off_what_is_not_ours, begin),
        cmocka_unit_test_setup(control_c_stops_a_long_pattern, begin),
        cmocka_unit_test_setup(control_c_stops_one_command_and_none_behind_it, begin),
        cmocka_unit_test_setup(zeroes_what_it_reaches, begin),
        cmocka_unit_test_setup(passes_the_rest_on, begin),
        cmocka_unit_test_setup(no_end_is_orderly_after_a_panic, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
