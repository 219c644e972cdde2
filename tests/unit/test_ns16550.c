/* SPDX-License-Identifier: MIT */
/* The driver on a device of a few variables that follows the data sheet. */
#include "arch/common/ns16550.h"
#include "tests/unit/support.h"

enum { DATA = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, LSR = 5 };
enum { FIFO_SIZE = 16 };

static struct {
    uint8_t written[8];
    const char *input;            /* what the other side still sends */
    size_t input_size;
    char sent[64];
    size_t sent_size;
    unsigned busy;                /* polls until the transmitter is empty */
    unsigned room;                /* bytes that it takes, as far as a poll told */
    unsigned polls;
    bool is_old;                  /* has no FIFOs */
} device;

/* What the other side sends comes at once: the FIFO has as much as it holds. */
static uint8_t identify(void)
{
    size_t trigger = (device.written[FCR] & 0xc0) == 0xc0 ? 14 : 1;
    if (device.is_old)
        return device.input_size != 0 ? 0x04 : 0x01;
    return device.input_size >= trigger ? 0xc4 : device.input_size != 0 ? 0xcc : 0xc1;
}

static uint8_t device_read(unsigned reg)
{
    if (reg == DATA) {
        assert_true(device.input_size != 0);
        device.input_size--;
        return (uint8_t)*device.input++;
    }
    device.polls++;
    if (reg == IIR)
        return identify();
    assert_int_equal(reg, LSR);
    bool idle = device.busy == 0;
    if (!idle)
        device.busy--;
    device.room = !idle ? 0 : device.is_old ? 1 : FIFO_SIZE;
    return (uint8_t)((device.input_size != 0 ? 0x01 : 0) | (idle ? 0x60 : 0));
}

static void device_write(unsigned reg, uint8_t value)
{
    if (reg == DATA && (device.written[LCR] & 0x80) == 0) {
        assert_true(device.room > 0 && device.sent_size < sizeof(device.sent));
        device.room--;
        device.sent[device.sent_size++] = (char)value;
        device.busy = 3;
        return;
    }
    device.written[reg] = value;
}

static struct ns16550 uart;

static int setup(void **state)
{
    (void)state;
    device.input_size = device.sent_size = device.busy = device.room = 0;
    device.is_old = false;
    uart = (struct ns16550){ .read = device_read, .write = device_write };
    ns16550_open(&uart, false);
    return 0;
}

static void give(const char *input, size_t size)
{
    device.input = input;
    device.input_size = size;
}

static void test_open(void **state)
{
    (void)state;
    assert_int_equal(device.written[DATA], 1);        /* the divisor */
    assert_int_equal(device.written[LCR], 0x03);
    assert_int_equal(device.written[FCR], 0xc7);
    ns16550_open(&uart, true);
    assert_int_equal(device.written[FCR], 0x07);
    assert_int_equal(device.written[4], 0x0b);
    assert_int_equal(device.written[IER], 0x01);
}

static void test_receive_in_order(void **state)
{
    (void)state;
    char buffer[8];
    give("hello", 5);
    assert_int_equal(ns16550_take(&uart, buffer, 8), 0);
    ns16550_receive(&uart);
    assert_int_equal(ns16550_take(&uart, buffer, 2), 2);
    assert_memory_equal(buffer, "he", 2);
    give("!", 1);
    ns16550_receive(&uart);
    assert_int_equal(ns16550_take(&uart, buffer, 8), 4);
    assert_memory_equal(buffer, "llo!", 4);
    assert_int_equal(ns16550_take(&uart, buffer, 8), 0);
}

/* What the trigger level promises is read without a look before each byte. */
static void test_few_looks(void **state)
{
    (void)state;
    char buffer[32];
    give("0123456789abcdefg", 17);
    device.polls = 0;
    ns16550_receive(&uart);
    assert_int_equal(ns16550_take(&uart, buffer, 32), 17);
    assert_memory_equal(buffer, "0123456789abcdefg", 17);
    assert_int_equal(device.polls, 2 + 3 + 1);
    device.polls = 0;
    ns16550_send(&uart, "0123456789abcdef", FIFO_SIZE);
    assert_int_equal(device.polls, 2);
}

/* A device that does not tell of FIFOs gets, and is asked for, byte by byte. */
static void test_no_fifo(void **state)
{
    (void)state;
    char buffer[8];
    device.is_old = true;
    ns16550_open(&uart, false);
    give("hello", 5);
    ns16550_receive(&uart);
    assert_int_equal(ns16550_take(&uart, buffer, 8), 5);
    assert_memory_equal(buffer, "hello", 5);
    ns16550_send(&uart, "world", 5);
    assert_memory_equal(device.sent, "world", 5);
}

static void test_full_ring_leaves_the_rest(void **state)
{
    (void)state;
    static char input[NS16550_RING + 20], output[NS16550_RING + 20];
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (char)('a' + i % 26);
    give(input, sizeof(input));
    ns16550_receive(&uart);
    assert_int_equal(device.input_size, 20);
    assert_int_equal(ns16550_take(&uart, output, 7), 7);
    ns16550_receive(&uart);
    assert_int_equal(device.input_size, 13);
    assert_int_equal(ns16550_take(&uart, output + 7, sizeof(output)), NS16550_RING);
    ns16550_receive(&uart);
    assert_int_equal(ns16550_take(&uart, output + 7 + NS16550_RING, 20), 13);
    assert_memory_equal(input, output, sizeof(input));
}

static void test_send_waits_and_receives(void **state)
{
    (void)state;
    char buffer[8];
    device.busy = 5;
    give("xy", 2);
    ns16550_send(&uart, "abc", 3);
    assert_int_equal(device.sent_size, 3);
    assert_memory_equal(device.sent, "abc", 3);
    assert_int_equal(ns16550_take(&uart, buffer, 8), 2);
    assert_memory_equal(buffer, "xy", 2);
    assert_int_equal(device.busy != 0, 1);
    ns16550_flush(&uart);
    assert_int_equal(device.busy, 0);
    ns16550_send(&uart, "0123456789abcdefghi", 19);
    assert_memory_equal(device.sent, "abc0123456789abcdefghi", 22);
}

static void test_interrupts_are_counted(void **state)
{
    (void)state;
    char buffer[8];
    assert_false(ns16550_take_interrupt(&uart));
    give("a\003\003b", 4);
    ns16550_receive(&uart);
    assert_true(ns16550_take_interrupt(&uart));
    assert_int_equal(ns16550_take(&uart, buffer, 8), 4);      /* the bytes are still there */
    assert_true(ns16550_take_interrupt(&uart));
    assert_false(ns16550_take_interrupt(&uart));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_open, setup),
        cmocka_unit_test_setup(test_receive_in_order, setup),
        cmocka_unit_test_setup(test_few_looks, setup),
        cmocka_unit_test_setup(test_no_fifo, setup),
        cmocka_unit_test_setup(test_full_ring_leaves_the_rest, setup),
        cmocka_unit_test_setup(test_send_waits_and_receives, setup),
        cmocka_unit_test_setup(test_interrupts_are_counted, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
