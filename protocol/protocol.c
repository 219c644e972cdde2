/* SPDX-License-Identifier: MIT */
#include "kernel/lab.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/machine.h"
#include "protocol/batch.h"
#include "protocol/help.h"
#include "protocol/line.h"
#include "protocol/output.h"
#include "protocol/session.h"

static const struct channel *bound;

void protocol_open(const struct channel *channel)
{
    bound = channel;
    output_open(channel);
}

void protocol_log(const char *text)
{
    output_log(text, strlen(text));
}

void protocol_panic_write(const char *text, size_t size)
{
    if (bound == NULL)
        return;
    output_fresh_line();
    output_raw(text, size);
}

static void boot_event(void)
{
    char buffer[BODY_LENGTH + 1];
    struct text line;

    text_init(&line, buffer, sizeof(buffer));
    text_string(&line, "% boot proto=");
    text_decimal(&line, PROTOCOL_VERSION);
    text_string(&line, " arch=");
    text_string(&line, machine_name());
    text_string(&line, " page=");
    text_decimal(&line, PAGE_SIZE);
    text_string(&line, " schema=");
    text_hex(&line, help_schema(), 4);
    output_between(line.buffer, line.length, true);
}

void protocol_serve(const struct channel *channel)
{
    static char bytes[256];
    size_t n;

    if (bound != channel)
        protocol_open(channel);
    session_begin();
    batch_begin();
    boot_event();
    line_begin();
    while ((n = channel->read(bytes, sizeof(bytes))) != SIZE_MAX)
        line_feed(bytes, n);
    output_fresh_line();
    machine_off(0);
}
