/* SPDX-License-Identifier: MIT */
#include "protocol/dispatch.h"

#include "kernel/lab.h"
#include "kernel/lib/string.h"
#include "kernel/machine.h"
#include "kernel/smp.h"
#include "kernel/trap.h"
#include "protocol/session.h"

/* What goes into the guard and comes out of it. */
struct call {
    const char *text;
    size_t length;
    struct reply *reply;
    enum error error;
};

const struct command *dispatch_find(const char *text, size_t length)
{
    struct piece name = parse_piece(&text, text + length);

    return command_find(name.text, name.length);
}

/* Of "on CPU LINE" it is LINE that counts, at any depth; `on` itself, where LINE is no command. */
bool dispatch_is_mutator(const char *text, size_t length)
{
    const char *end = text + length;
    const struct command *command = NULL;
    bool is_on = true;

    while (is_on) {
        struct piece name = parse_piece(&text, end);
        const struct command *found = command_find(name.text, name.length);

        is_on = word_is(name.text, name.length, "on");
        command = found != NULL ? found : command;
        (void)parse_piece(&text, end);
    }
    return command != NULL && command->kind == KIND_mutator;
}

/* What brings a dead lab back to life; after a panic the machine itself is suspect. */
static bool makes_afresh(const struct command *command)
{
    if (panic_survived())
        return false;
    return word_is(command->name, strlen(command->name), "reset")
        || word_is(command->name, strlen(command->name), "map_machine");
}

/* What is about the line, the lab as a whole or the CPUs themselves is CPU 0's; all can panic. */
static bool is_of_cpu_0(const struct command *command)
{
    static const char *const names[] = {
        "on", "cpu", "reset", "map_begin", "map_area", "map_add", "map_commit", "map_machine",
        "advance", "phys_hand_over",
    };
    size_t length = strlen(command->name);

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (word_is(command->name, length, names[i]))
            return true;
    return command->kind == KIND_session && !word_is(command->name, length, "panic");
}

/*
 * Run a command. What it lacks of the kernel's own memory by plan is told as such; and `why` shall
 * not explain an older refusal where a command says nothing of its own.
 */
static enum error command_run(const struct command *command, const union arguments *args,
                              struct reply *reply)
{
    uint64_t refused = fail_refusals(&lab.fail);
    uint32_t explained = journal_refusals(&lab_journal), shortages = tables_shortages(&lab_tables);
    enum error e = command->run(args, reply);

    if (e == E_MEM_NONE && command->kind == KIND_mutator
        && journal_refusals(&lab_journal) == explained)
        journal_refusal(&lab_journal, &(struct refusal){
            .what = REFUSED_OTHER, .tag = reply_tag(reply),
        });
    if (e == E_MEM_METADATA && tables_shortages(&lab_tables) != shortages)
        reply_text(reply, "the memory of page tables (tables=) has no room for one more");
    return e == E_MEM_METADATA && fail_refusals(&lab.fail) > refused ? E_MEM_INJECTED : e;
}

/* A mutator's number goes into the variable that its argument `as` names. */
static void store_variable(const struct command *command, const union arguments *args,
                           const struct reply *reply)
{
    size_t i = command_argument(command, "as", 2);

    if (i < command->narguments && args->values[1 + i].given)
        session_set_variable(args->values[1 + i].number, &reply->result);
}

enum error dispatch_nested(const char *text, size_t length, struct reply *reply)
{
    const char *const line = text, *end = text + length;
    struct piece name = parse_piece(&text, end);
    const struct command *command = command_find(name.text, name.length);
    union arguments args;
    enum error e;

    if (command == NULL)
        return E_CALL_COMMAND;
    if (smp_self() != 0 && is_of_cpu_0(command)) {
        reply_text(reply, "only CPU 0 can do this");
        return E_CALL_STATE;
    }
    e = parse_arguments(command, text, end, &args, reply);
    if (e != OK)
        return e;
    if (lab.dead && dispatch_is_mutator(line, length) && !makes_afresh(command)) {
        if (panic_survived())
            reply_text(reply, "refused after a panic: poweroff is all that is left");
        return E_BUG_DEAD;
    }
    e = command_run(command, &args, reply);
    if (e == OK)
        store_variable(command, &args, reply);
    return e;
}

static void call_run(void *argument)
{
    struct call *call = argument;

    call->error = dispatch_nested(call->text, call->length, call->reply);
}

static enum error call_asserted(const struct ending *ending, struct reply *reply)
{
    reply_key_place(reply, ending->file, ending->line);
    reply_text(reply, ending->condition);
    return E_BUG_ASSERT;
}

static enum error call_faulted(const struct fault *fault, struct reply *reply)
{
    reply_key_word(reply, "class", error_word(fault->class));
    if (fault->has_address)
        reply_key_address(reply, "addr", fault->address);
    reply_key_address(reply, "pc", fault->pc);
    return E_BUG_FAULT;
}

enum error dispatch_ended(const struct ending *ending, struct reply *reply)
{
    if (ending->outcome == ASSERTED)
        return call_asserted(ending, reply);
    if (ending->outcome == FAULTED)
        return call_faulted(&ending->fault, reply);
    reply_key_word(reply, "kind", ending->condition);
    reply_key_number(reply, "cpu", ending->cpu);
    return E_BUG_PANIC;
}

enum error dispatch_guarded(const char *text, size_t length, struct reply *reply)
{
    struct call call = { .text = text, .length = length, .reply = reply };
    struct ending ending = trap_run(call_run, &call);

    lab_tell_kept();
    if (ending.outcome == ENDED)
        return call.error;
    lab.dead = true;
    reply_clear(reply);
    return dispatch_ended(&ending, reply);
}

enum error dispatch(const char *text, size_t length, struct reply *reply)
{
    machine_interrupt_clear();
    return dispatch_guarded(text, length, reply);
}
