/* SPDX-License-Identifier: MIT */
/* Commands about the line itself, and the two that end it. */
#include "kernel/lab.h"
#include "kernel/machine.h"
#include "protocol/help.h"
#include "protocol/session.h"
#include "protocol/stress_cpus.h"
#include "protocol/trace.h"

static void reply_hex(struct reply *reply, const char *key, uint64_t number, unsigned digits)
{
    text_char(&reply->fields, ' ');
    text_string(&reply->fields, key);
    text_char(&reply->fields, '=');
    text_hex(&reply->fields, number, digits);
}

static void reply_value(struct reply *reply, const struct value *value)
{
    reply_result(reply, &(struct result){
        .given = true, .hex = value->hex, .number = value->number,
    });
}

enum error cmd_sync(const struct args_sync *args, struct reply *reply)
{
    reply_value(reply, &args->nonce);
    reply_key_number(reply, "proto", PROTOCOL_VERSION);
    reply_key_word(reply, "arch", machine_name());
    reply_key_number(reply, "page", PAGE_SIZE);
    reply_key_number(reply, "line", LINE_LENGTH);
    reply_key_number(reply, "rx", RX_WINDOW);
    reply_key_number(reply, "slots", SLOTS);
    reply_key_number(reply, "vars", VARIABLES);
    if (machine_ticks_per_second() != 0)
        reply_key_number(reply, "signs", MACHINE_SIGNS);
    reply_key_number(reply, "last", session_last());
    reply_hex(reply, "schema", help_schema(), 4);
    return OK;
}

enum error cmd_again(const struct args_again *args, struct reply *reply)
{
    if (session_final(args->request.number, &reply->repeat, &reply->repeat_length,
                      &reply->repeat_sigil, &reply->result))
        return OK;
    reply_key_word(reply, "arg", "request");
    return E_CALL_REFERENCE;
}

enum error cmd_echo(const struct args_echo *args, struct reply *reply)
{
    if (args->value.is_number) {
        reply_value(reply, &args->value);
        return OK;
    }
    text_char(&reply->value, ' ');
    text_bytes(&reply->value, args->value.text, args->value.length);
    if (!reply->value.truncated)
        return OK;
    reply_clear(reply);
    reply_key_word(reply, "arg", "value");
    return E_CALL_RANGE;
}

enum error cmd_mark(const struct args_mark *args, struct reply *reply)
{
    (void)reply;
    output_log(args->text.text, args->text.length);
    return OK;
}

enum error cmd_trace(const struct args_trace *args, struct reply *reply)
{
    (void)reply;
    trace_set(args->on.number != 0);
    return OK;
}

enum error cmd_poweroff(const struct args_poweroff *args, struct reply *reply)
{
    (void)args;
    reply->ends_guest = true;
    return OK;
}

/* The last word of the type is the session's own. */
enum error cmd_corrupt(const struct args_corrupt *args, struct reply *reply)
{
    (void)reply;
    if (args->what.number < LAB_CORRUPTION_ROWS)
        return lab_corrupt(args->what.number);
    session_corrupt();
    return OK;
}

/* In the order of the words of `ending`. */
enum { END_PANIC, END_ASSERT, END_FAULT, END_OVERFLOW, END_HANG, END_BUSY };

/* Frame after frame, each of which is written to, until the stack ends: that is never `enough`. */
static unsigned stack_overflow(unsigned depth, unsigned enough)
{
    volatile unsigned frame[64];

    frame[0] = depth;
    return depth == enough ? depth : stack_overflow(depth + 1, enough) + frame[0];
}

enum error cmd_panic(const struct args_panic *args, struct reply *reply)
{
    bool an_assertion_on_request = false;

    if (args->cpu.given && args->how.number != END_BUSY)
        return refuse_argument(reply, "cpu", E_CALL_CONFLICT);
    switch (args->how.number) {
    case END_ASSERT:
        ASSERT(an_assertion_on_request);
        return OK;
    case END_FAULT:
        __builtin_trap();
    case END_OVERFLOW:
        (void)stack_overflow(0, UINT32_MAX);
        return OK;
    case END_HANG:
        for (;;)
            continue;
    case END_BUSY:
        return stress_panic(args->cpu.number, reply);
    default:
        panic("request", __FILE__, __LINE__, NULL);
    }
}
