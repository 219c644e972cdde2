/* SPDX-License-Identifier: MIT */
/* Requests byte for byte, and answers as QEMU and Hercules give them, whole and damaged. */
#include <stdlib.h>
#include <string.h>

#include "arch/s390x/ebcdic.h"
#include "arch/s390x/sccb.h"
#include "tests/unit/support.h"

static struct sccb sccb;
static char text[SCCB_SIZE];
static bool asks;

static int clear(void **state)
{
    (void)state;
    memset(&sccb, 0xee, sizeof(sccb));
    return 0;
}

static void test_mask_request(void **state)
{
    static const uint8_t expected[28] = {
        0, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0x80, 0, 0, 0x40, 0x40, 0, 0, 0x40,
    };

    (void)state;
    sccb_set_mask(&sccb, SCCB_ASCII | SCCB_OPERATOR_COMMAND, SCCB_ASCII | SCCB_MESSAGE);
    assert_memory_equal(sccb.bytes, expected, sizeof(expected));
}

static void test_mask_answer(void **state)
{
    (void)state;
    sccb_set_mask(&sccb, 0, 0);
    memcpy(sccb.bytes + 20, "\x40\x80\x00\x41", 4);
    assert_int_equal(sccb_sclp_receives(&sccb), 0x40800041);
}

static void test_ascii_request(void **state)
{
    static const uint8_t expected[] = {
        0, 17, 0, 0, 0, 0, 0, 0, 0, 9, 0x1a, 0, 0, 0, '=', ' ', '1',
    };

    (void)state;
    sccb_set_ascii(&sccb, "= 1", 3);
    assert_memory_equal(sccb.bytes, expected, sizeof(expected));
}

static void test_the_longest_requests_fit(void **state)
{
    (void)state;
    memset(text, 'x', sizeof(text));
    sccb_set_ascii(&sccb, text, SCCB_ASCII_MAX);
    assert_int_equal(sccb.bytes[SCCB_SIZE - 1], 'x');
    expect_assert_failure(sccb_set_ascii(&sccb, text, SCCB_ASCII_MAX + 1));
    sccb_set_message(&sccb, text, SCCB_MESSAGE_MAX);
    assert_int_equal(sccb.bytes[36 + SCCB_MESSAGE_MAX - 1], ebcdic_from_ascii('x'));
}

static void test_message_request(void **state)
{
    static const uint8_t expected[] = {
        0, 38, 0, 0, 0, 0, 0, 0, 0, 30, 0x02, 0, 0, 0,
        0, 24, 0, 1, 0xd4, 0xc4, 0xc2, 0x40, 0, 0, 0, 1,
        0, 12, 0, 4, 0x10, 0, 0, 0, 0, 0, 0x7e, 0xf1,
    };

    (void)state;
    sccb_set_message(&sccb, "=1", 2);
    assert_memory_equal(sccb.bytes, expected, sizeof(expected));
}

static void test_empty_request(void **state)
{
    static const uint8_t expected[8] = { 0x10, 0, 0, 0, 0, 0x80, 0, 0 };

    (void)state;
    sccb_set_empty(&sccb);
    assert_memory_equal(sccb.bytes, expected, sizeof(expected));
    sccb.bytes[6] = 0x60;
    sccb.bytes[7] = 0xf0;
    assert_int_equal(sccb_response(&sccb), SCCB_NO_EVENT);
}

/* ---- Input ---- */

static size_t put_event(size_t at, uint8_t type, const void *data, size_t size)
{
    uint8_t *event = sccb.bytes + at;

    memset(event, 0, 6);
    event[0] = (uint8_t)((size + 6) >> 8);
    event[1] = (uint8_t)(size + 6);
    event[2] = type;
    memcpy(event + 6, data, size);
    at += size + 6;
    sccb.bytes[0] = (uint8_t)(at >> 8);
    sccb.bytes[1] = (uint8_t)at;
    return at;
}

static void test_ascii_input(void **state)
{
    size_t at;

    (void)state;
    sccb_set_empty(&sccb);
    at = put_event(8, 0x1a, "\0a\0b\r", 5);
    assert_int_equal(sccb_text(&sccb, text, sizeof(text), &asks), 4);
    assert_memory_equal(text, "a\0b\r", 4);
    /* Other kinds of ASCII data are not text; other events are not ours. */
    at = put_event(at, 0x1a, "\1x", 2);
    at = put_event(at, 0x1d, "zz", 2);
    put_event(at, 0x1a, "\0c", 2);
    assert_int_equal(sccb_text(&sccb, text, sizeof(text), &asks), 5);
    assert_memory_equal(text, "a\0b\rc", 5);
    assert_int_equal(sccb_text(&sccb, text, 4, &asks), 4);
}

static void test_a_full_page_of_input(void **state)
{
    static char data[SCCB_SIZE - 14];

    (void)state;
    memset(data + 1, 'y', sizeof(data) - 1);
    sccb_set_empty(&sccb);
    put_event(8, 0x1a, data, sizeof(data));
    assert_int_equal(sccb_text(&sccb, text, sizeof(text), &asks), sizeof(data) - 1);
    assert_int_equal(text[sizeof(data) - 2], 'y');
}

/* As Hercules 3.13 sends the operator's ".abc". */
static const uint8_t command[] = {
    0, 0x2d, 0x13, 0x10,
    0, 0x08, 0x13, 0x11, 1, 2, 3, 4,
    0, 0x21, 0x12, 0x12,
    0, 0x06, 0x15, 0x4d, 0, 0,
    0, 0x17, 0x13, 0x20,
    4, 0x04, 0, 0,
    15, 0x31, 6, 0x06, 0xd6, 0xc3, 0xc3, 0xc1, 2, 0x60, 5, 0x30, 0x81, 0x82, 0x83,
};

static void test_command_input(void **state)
{
    (void)state;
    sccb_set_empty(&sccb);
    put_event(8, 0x01, command, sizeof(command));
    assert_int_equal(sccb_text(&sccb, text, sizeof(text), &asks), 4);
    assert_memory_equal(text, "abc\n", 4);
}

/* ENQ at the end asks for an answer, ETB before it for the rest of the line. */
static void test_commands_of_a_program(void **state)
{
    uint8_t data[sizeof(command)];
    size_t last = sizeof(command) - 1;

    (void)state;
    memcpy(data, command, sizeof(data));
    sccb_set_empty(&sccb);
    put_event(8, 0x01, data, sizeof(data));
    (void)sccb_text(&sccb, text, sizeof(text), &asks);
    assert_false(asks);
    data[last] = 0x2d;
    put_event(8, 0x01, data, sizeof(data));
    assert_int_equal(sccb_text(&sccb, text, sizeof(text), &asks), 3);
    assert_memory_equal(text, "ab\n", 3);
    assert_true(asks);
    data[last - 1] = 0x26;
    put_event(8, 0x01, data, sizeof(data));
    assert_int_equal(sccb_text(&sccb, text, sizeof(text), &asks), 1);
    assert_memory_equal(text, "a", 1);
    /* ETB alone is no control of ours. */
    data[last] = 0x26;
    put_event(8, 0x01, data, sizeof(data));
    assert_int_equal(sccb_text(&sccb, text, sizeof(text), &asks), 4);
    assert_memory_equal(text, "a\x1a\x1a\n", 4);
    assert_false(asks);
}

/*
 * Whatever a byte becomes, nothing is read beyond the page and nothing written beyond the buffer:
 * the event ends with the page, and both lie where the sanitizer sees their ends.
 */
static void test_damaged_input(void **state)
{
    size_t size = sizeof(command), at = SCCB_SIZE - 6 - size;
    struct sccb *page = malloc(sizeof(*page));
    char *small = malloc(3);

    (void)state;
    sccb_set_empty(&sccb);
    put_event(8, 0x1d, text, at - 8 - 6);
    put_event(at, 0x01, command, size);
    for (size_t i = at; i < SCCB_SIZE; i++) {
        for (unsigned value = 0; value < 256; value++) {
            memcpy(page, &sccb, sizeof(*page));
            page->bytes[i] = (uint8_t)value;
            assert_in_range(sccb_text(page, small, 3, &asks), 0, 3);
        }
    }
    memcpy(page, &sccb, sizeof(*page));
    memset(page->bytes, 0xff, 2);
    assert_int_equal(sccb_text(page, text, sizeof(text), &asks), 4);
    free(small);
    free(page);
}

static void test_lengths_that_cannot_be(void **state)
{
    (void)state;
    sccb_set_empty(&sccb);
    memset(sccb.bytes, 0xff, SCCB_SIZE);
    assert_int_equal(sccb_text(&sccb, text, sizeof(text), &asks), 0);
    memset(sccb.bytes, 0, SCCB_SIZE);
    assert_int_equal(sccb_text(&sccb, text, sizeof(text), &asks), 0);
    /* An event that ends behind its block. */
    put_event(8, 0x1a, "\0abc", 4);
    sccb.bytes[1]--;
    assert_int_equal(sccb_text(&sccb, text, sizeof(text), &asks), 0);
    /* The line feed of a command needs room, too. */
    put_event(8, 0x01, command, sizeof(command));
    assert_int_equal(sccb_text(&sccb, text, 3, &asks), 3);
}

/* ---- READ INFO ---- */

static void put_loadparm(const char *name)
{
    for (int i = 0; i < 8; i++)
        sccb.bytes[24 + i] = ebcdic_from_ascii(name[i]);
}

static void test_info(void **state)
{
    struct sccb_info info;

    (void)state;
    memset(sccb.bytes, 0, SCCB_SIZE);
    put_loadparm("TINYPOOL");
    sccb.bytes[8] = 0x02;             /* 512 increments of 1 MiB */
    sccb.bytes[10] = 1;
    info = sccb_info(&sccb);
    assert_int_equal(info.memory, UINT64_C(512) << 20);
    assert_memory_equal(info.loadparm, "TINYPOOL", 8);
    sccb.bytes[25] = 0x03;
    sccb.bytes[26] = 0x00;
    assert_memory_equal(sccb_info(&sccb).loadparm, "T??YPOOL", 8);
}

static void test_info_of_large_machines(void **state)
{
    (void)state;
    memset(sccb.bytes, 0, SCCB_SIZE);
    put_loadparm("        ");
    sccb.bytes[102] = 0x01;           /* 256 MiB an increment */
    sccb.bytes[108] = 0x00;
    sccb.bytes[110] = 0x01;           /* 256 of them */
    assert_int_equal(sccb_info(&sccb).memory, UINT64_C(64) << 30);
    sccb.bytes[104 + 3] = 0x01;       /* and 2^32 */
    assert_int_equal(sccb_info(&sccb).memory, ((UINT64_C(1) << 32) + 256) << 28);
}

static void test_info_of_processors(void **state)
{
    struct sccb_info info;

    (void)state;
    memset(sccb.bytes, 0, SCCB_SIZE);
    assert_int_equal(sccb_info(&sccb).cpus, 0);
    sccb.bytes[17] = 3;
    sccb.bytes[19] = 128;
    sccb.bytes[128 + 16] = 7;
    sccb.bytes[128 + 32] = 9;
    info = sccb_info(&sccb);
    assert_int_equal(info.cpus, 3);
    assert_memory_equal(info.cpu, "\0\x07\x09", 3);
    sccb.bytes[16] = 0xff;            /* more than fit the page */
    assert_int_equal(sccb_info(&sccb).cpus, (SCCB_SIZE - 128) / 16);
    sccb.bytes[18] = 0xff;            /* behind it */
    assert_int_equal(sccb_info(&sccb).cpus, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_mask_request, clear),
        cmocka_unit_test_setup(test_mask_answer, clear),
        cmocka_unit_test_setup(test_ascii_request, clear),
        cmocka_unit_test_setup(test_the_longest_requests_fit, clear),
        cmocka_unit_test_setup(test_message_request, clear),
        cmocka_unit_test_setup(test_empty_request, clear),
        cmocka_unit_test_setup(test_ascii_input, clear),
        cmocka_unit_test_setup(test_a_full_page_of_input, clear),
        cmocka_unit_test_setup(test_command_input, clear),
        cmocka_unit_test_setup(test_commands_of_a_program, clear),
        cmocka_unit_test_setup(test_damaged_input, clear),
        cmocka_unit_test_setup(test_lengths_that_cannot_be, clear),
        cmocka_unit_test_setup(test_info, clear),
        cmocka_unit_test_setup(test_info_of_large_machines, clear),
        cmocka_unit_test_setup(test_info_of_processors, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
