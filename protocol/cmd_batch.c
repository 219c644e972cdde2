/* SPDX-License-Identifier: MIT */
/* Stored lines, run at the guest's own speed. */
#include "kernel/lib/string.h"
#include "kernel/machine.h"
#include "protocol/batch.h"
#include "protocol/dispatch.h"
#include "protocol/handlers.h"
#include "protocol/session.h"

static struct {
    char text[LINE_LENGTH];
    size_t length;
} stored[STORED_LINES];

static struct reply nested;       /* of the stored line that runs */

void batch_begin(void)
{
    for (size_t i = 0; i < STORED_LINES; i++)
        stored[i].length = 0;
}

/* A batch does not hold a batch, nor what is about the line itself. */
static bool may_be_stored(const struct command *command)
{
    return command->kind != KIND_session && !word_is(command->name, strlen(command->name), "store")
        && !word_is(command->name, strlen(command->name), "run");
}

enum error cmd_store(const struct args_store *args, struct reply *reply)
{
    const struct command *command = dispatch_find(args->line.text, args->line.length);

    if (command == NULL)
        return refuse_argument(reply, "line", E_CALL_COMMAND);
    if (!may_be_stored(command))
        return refuse_argument(reply, "line", E_CALL_WORD);
    memcpy(stored[args->place.number].text, args->line.text, args->line.length);
    stored[args->place.number].length = args->line.length;
    return OK;
}

static enum error run_line(size_t i, uint32_t owner)
{
    enum error e;

    reply_begin(&nested);
    nested.owner = owner;
    nested.row_sink = reply_drop_row;
    e = machine_interrupted() ? E_STOP_INTERRUPTED
                              : dispatch_nested(stored[i].text, stored[i].length, &nested);
    if (e != OK)
        nested.result.given = false;
    session_remember(&nested.result, e != OK);
    return e;
}

enum error cmd_run(const struct args_run *args, struct reply *reply)
{
    uint64_t times = args->times.given ? args->times.number : 1, done = 0;

    for (size_t i = 0; i < args->count.number; i++)
        if (stored[i].length == 0)
            return refuse_argument(reply, "count", E_CALL_STATE);
    for (uint64_t pass = 0; pass < times; pass++) {
        for (size_t i = 0; i < args->count.number; i++, done++) {
            enum error e = run_line(i, reply_tag(reply));

            if (e == OK)
                continue;
            reply_key_number(reply, "line", i);
            reply_key_number(reply, "done", done);
            return e;
        }
    }
    reply_number(reply, done);
    return OK;
}
