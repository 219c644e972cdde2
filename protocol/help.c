/* SPDX-License-Identifier: MIT */
#include "protocol/help.h"

#include "kernel/lib/crc.h"
#include "kernel/lib/string.h"
#include "protocol/reply_struct.h"

/* ---- the rows of the table, for programs ---- */

static bool command_row(struct reply *reply, const struct command *command)
{
    static const char *const prefixes[] = { "", "opt.", "key." };

    row_begin(reply);
    row_word(reply, command->name);
    row_word(reply, kind_names[command->kind]);
    for (size_t i = 0; i < command->narguments; i++) {
        const struct argument *argument = &command->arguments[i];

        row_key_word(reply, argument->name, prefixes[argument->place]);
        text_string(&reply->row, types[argument->type].name);
    }
    row_key_word(reply, "returns", types[command->result].name);
    row_text(reply, command->text);
    return row_end(reply);
}

static bool alias_row(struct reply *reply, const struct alias *alias)
{
    row_begin(reply);
    row_word(reply, alias->name);
    row_word(reply, "alias");
    row_key_word(reply, "of", alias->of);
    return row_end(reply);
}

static bool type_row(struct reply *reply, const struct type_row *type)
{
    row_begin(reply);
    row_word(reply, type->name);
    row_word(reply, "type");
    row_word(reply, type->form_name);
    for (size_t i = 0; i < type->nwords; i++)
        row_word(reply, type->words[i]);
    if (type->form == FORM_number) {
        row_key_number(reply, "min", type->min);
        row_key_number(reply, "max", type->max);
    }
    row_text(reply, type->text);
    return row_end(reply);
}

/* What `help NAME` is about; a command and a type may have one name. Both are NULL without NAME. */
struct subject {
    const struct command *command;
    const struct type_row *type;
};

static bool subject_is_all(const struct subject *subject)
{
    return subject->command == NULL && subject->type == NULL;
}

/* The rows of the subject; returns how many, *stop if interrupted. */
static size_t table_rows(struct reply *reply, const struct subject *subject, bool *stop)
{
    const struct command *command = subject->command;
    bool all = subject_is_all(subject);
    size_t n = 0;

    for (size_t i = 0; i < commands_count && !*stop; i++)
        if (all || command == &commands[i])
            n++, *stop = !command_row(reply, &commands[i]);
    for (size_t i = 0; i < aliases_count && !*stop; i++)
        if (all || (command != NULL && strcmp(aliases[i].of, command->name) == 0))
            n++, *stop = !alias_row(reply, &aliases[i]);
    for (size_t i = 1; i < TYPE_COUNT && !*stop; i++)
        if (all || subject->type == &types[i])
            n++, *stop = !type_row(reply, &types[i]);
    return n;
}

static uint16_t schema;

static bool schema_row(const char *text, size_t length, bool crc)
{
    (void)crc;
    schema = crc16_more(schema, text, length);
    schema = crc16_more(schema, "\n", 1);
    return true;
}

uint16_t help_schema(void)
{
    static struct reply reply;
    bool stop = false;

    schema = CRC16_BEGIN;
    reply_begin(&reply);
    reply.row_sink = schema_row;
    (void)table_rows(&reply, &(struct subject){ NULL, NULL }, &stop);
    return schema;
}

/* ---- the same for people ---- */

#define COLUMNS 77u               /* of a terminal, less the "; " in front */
#define TEXT_COLUMN 30u

static void text_pad(struct text *t, size_t column)
{
    do
        text_char(t, ' ');
    while (t->length < column);
}

static void text_usage(struct text *t, const struct command *command)
{
    text_string(t, command->name);
    for (size_t i = 0; i < command->narguments; i++) {
        const struct argument *argument = &command->arguments[i];
        bool must = argument->place == PLACE_ARG;

        if (argument->place == PLACE_KEY)
            continue;
        text_string(t, must ? " " : " [");
        for (const char *c = argument->name; *c != '\0'; c++)
            text_char(t, *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
        text_string(t, must ? "" : "]");
    }
}

/* How much of `text` fits in `room` columns without tearing a word. */
static size_t fitting(const char *text, size_t room)
{
    size_t length = strlen(text), n = room;

    if (length <= room)
        return length;
    while (n > 0 && text[n] != ' ')
        n--;
    return n > 0 ? n : room;
}

/* Usage on the left, text on the right, in the 80 columns of a terminal. */
static void usage_line(const struct command *command)
{
    char buffer[BODY_LENGTH + 1];
    const char *text = command->text;
    struct text line;

    text_init(&line, buffer, sizeof(buffer));
    text_usage(&line, command);
    while (*text != '\0') {
        size_t n;

        text_pad(&line, TEXT_COLUMN);
        n = fitting(text, COLUMNS - line.length);
        text_bytes(&line, text, n);
        output_log(line.buffer, line.length);
        text += n;
        text += *text == ' ';
        text_init(&line, buffer, sizeof(buffer));
    }
}

static void text_range(struct text *t, const struct type_row *type)
{
    if (type->form == FORM_number && type->max < UINT32_MAX) {
        text_string(t, ", ");
        text_decimal(t, type->min);
        text_string(t, " to ");
        text_decimal(t, type->max);
    }
    for (size_t i = 0; i < type->nwords; i++) {
        text_string(t, i == 0 ? ": " : ", ");
        text_string(t, type->words[i]);
    }
}

static void argument_line(const struct argument *argument)
{
    char buffer[BODY_LENGTH + 1];
    struct text line;

    text_init(&line, buffer, sizeof(buffer));
    text_string(&line, "    ");
    text_string(&line, argument->place == PLACE_OPT ? "[" : "");
    text_string(&line, argument->name);
    text_string(&line, argument->place == PLACE_KEY ? "=" : "");
    text_string(&line, argument->place == PLACE_OPT ? "]" : "");
    text_pad(&line, 18);
    text_string(&line, types[argument->type].text);
    text_range(&line, &types[argument->type]);
    output_log(line.buffer, line.length);
}

static void type_line(const struct type_row *type)
{
    char buffer[BODY_LENGTH + 1];
    struct text line;

    text_init(&line, buffer, sizeof(buffer));
    text_string(&line, type->name);
    text_pad(&line, 18);
    text_string(&line, type->text);
    text_range(&line, type);
    output_log(line.buffer, line.length);
}

static void alias_line(const struct alias *alias)
{
    char buffer[BODY_LENGTH + 1];
    struct text line;

    text_init(&line, buffer, sizeof(buffer));
    text_string(&line, "    also spelled ");
    text_string(&line, alias->name);
    output_log(line.buffer, line.length);
}

static void people_one(const struct command *command)
{
    usage_line(command);
    for (size_t i = 0; i < command->narguments; i++)
        argument_line(&command->arguments[i]);
    for (size_t i = 0; i < aliases_count; i++)
        if (strcmp(aliases[i].of, command->name) == 0)
            alias_line(&aliases[i]);
}

static void people_all(void)
{
    static const char hint[] = "help NAME tells arguments and keys. $ is the last result. "
                               "Tab completes.";

    for (size_t i = 0; i < commands_count; i++)
        usage_line(&commands[i]);
    output_log(hint, sizeof(hint) - 1);
}

static struct subject subject_find(const struct value *name)
{
    struct subject subject = { command_find(name->text, name->length), NULL };

    for (size_t i = 1; i < TYPE_COUNT; i++)
        if (word_is(name->text, name->length, types[i].name))
            subject.type = &types[i];
    return subject;
}

enum error cmd_help(const struct args_help *args, struct reply *reply)
{
    struct subject subject = { NULL, NULL };
    bool stop = false;

    if (args->command.given) {
        subject = subject_find(&args->command);
        if (subject_is_all(&subject))
            return E_CALL_COMMAND;
    }
    if (!reply->person) {
        reply_key_number(reply, "n", table_rows(reply, &subject, &stop));
        return stop ? E_STOP_INTERRUPTED : OK;
    }
    if (subject_is_all(&subject))
        people_all();
    if (subject.command != NULL)
        people_one(subject.command);
    if (subject.type != NULL)
        type_line(subject.type);
    return OK;
}
