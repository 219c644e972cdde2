/* SPDX-License-Identifier: MIT */
#include "protocol/output.h"

#include "kernel/lib/crc.h"
#include "kernel/lib/string.h"
#include "kernel/smp.h"

static const struct channel *channel;
static void (*interrupted)(void);

/*
 * False after an echo or a prompt, and within a line: the next line must end that one first. So at
 * first: what firmware left on the line must not become part of ours.
 */
static bool at_line_start;

void output_open(const struct channel *to)
{
    channel = to;
    interrupted = NULL;
    at_line_start = false;
}

void output_on_interruption(void (*redraw)(void))
{
    interrupted = redraw;
}

void output_raw(const char *text, size_t length)
{
    if (length == 0)
        return;
    at_line_start = false;
    channel->write(text, length);
    at_line_start = text[length - 1] == '\n';
}

void output_string(const char *text)
{
    output_raw(text, strlen(text));
}

bool output_at_line_start(void)
{
    return at_line_start;
}

void output_fresh_line(void)
{
    if (!at_line_start)
        output_string("\r\n");
}

static size_t put_crc(char *to, uint16_t crc)
{
    memcpy(to, " *", 2);
    for (unsigned i = 0; i < 4; i++)
        to[2 + i] = "0123456789abcdef"[crc >> (12 - 4 * i) & 15];
    return CRC_LENGTH;
}

/* A line that any CPU may have, on its way to CPU 0. */
struct message {
    const char *text;
    size_t length;
    bool crc;
};

static void put_line(const char *text, size_t length, bool crc)
{
    char line[LINE_LENGTH + 4];
    size_t n = 0;

    ASSERT(length <= BODY_LENGTH);
    if (!at_line_start) {
        memcpy(line, "\r\n", 2);
        n = 2;
    }
    memcpy(line + n, text, length);
    n += length;
    if (crc)
        n += put_crc(line + n, crc16(text, length));
    memcpy(line + n, "\r\n", 2);
    output_raw(line, n + 2);
}

static void message_line(void *argument)
{
    const struct message *message = argument;

    put_line(message->text, message->length, message->crc);
}

static void message_between(void *argument)
{
    bool open = !at_line_start;

    message_line(argument);
    if (open && interrupted != NULL)
        interrupted();
}

void output_line(const char *text, size_t length, bool crc)
{
    smp_call(message_line, &(struct message){ text, length, crc });
}

void output_between(const char *text, size_t length, bool crc)
{
    smp_call(message_between, &(struct message){ text, length, crc });
}

void output_sign(const char *text, size_t length)
{
    put_line(text, length, true);
}

void output_log(const char *text, size_t length)
{
    char line[BODY_LENGTH] = "; ";
    size_t n = 2;

    for (size_t i = 0; i < length && n < sizeof(line); i++)
        line[n++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '.';
    output_between(line, n, false);
}
