/* SPDX-License-Identifier: MIT */
#include "protocol/reply_struct.h"

#include "kernel/lib/string.h"
#include "kernel/machine.h"
#include "protocol/parse.h"

static bool send_row(const char *text, size_t length, bool crc)
{
    output_line(text, length, crc);
    return !machine_interrupted();
}

bool reply_drop_row(const char *text, size_t length, bool crc)
{
    (void)text, (void)length, (void)crc;
    return !machine_interrupted();
}

void reply_begin(struct reply *reply)
{
    reply->tagged = reply->crc = reply->person = reply->ends_guest = false;
    reply->tag = reply->owner = 0;
    reply->row_sink = send_row;
    reply->repeat = NULL;
    reply_clear(reply);
}

void reply_clear(struct reply *reply)
{
    reply->result = (struct result){ .given = false };
    text_init(&reply->value, reply->value_buffer, sizeof(reply->value_buffer));
    text_init(&reply->fields, reply->fields_buffer, sizeof(reply->fields_buffer));
    text_init(&reply->note, reply->note_buffer, sizeof(reply->note_buffer));
    text_init(&reply->row, reply->row_buffer, sizeof(reply->row_buffer));
}

void text_result(struct text *t, const struct result *result)
{
    if (result->hex)
        text_hex(t, result->number, 16);
    else
        text_decimal(t, result->number);
}

/* ---- the final line ---- */

void reply_result(struct reply *reply, const struct result *result)
{
    ASSERT(reply->value.length == 0);
    reply->result = *result;
    text_char(&reply->value, ' ');
    text_result(&reply->value, result);
}

void reply_address(struct reply *reply, uint64_t address)
{
    reply_result(reply, &(struct result){ .given = true, .hex = true, .number = address });
}

void reply_number(struct reply *reply, uint64_t number)
{
    reply_result(reply, &(struct result){ .given = true, .number = number });
}

void reply_word(struct reply *reply, const char *word)
{
    ASSERT(reply->value.length == 0);
    text_char(&reply->value, ' ');
    text_string(&reply->value, word);
}

static void field_begin(struct text *t, const char *key)
{
    text_char(t, ' ');
    text_string(t, key);
    text_char(t, '=');
}

void reply_key_address(struct reply *reply, const char *key, uint64_t address)
{
    field_begin(&reply->fields, key);
    text_hex(&reply->fields, address, 16);
}

void reply_key_number(struct reply *reply, const char *key, uint64_t number)
{
    field_begin(&reply->fields, key);
    text_decimal(&reply->fields, number);
}

void reply_key_word(struct reply *reply, const char *key, const char *word)
{
    field_begin(&reply->fields, key);
    text_string(&reply->fields, word);
}

void reply_key_argument(struct reply *reply, const char *text, size_t length)
{
    if (length > AREA_NAME_SIZE * 2 || !parse_is_word(text, length))
        return;
    field_begin(&reply->fields, "arg");
    text_bytes(&reply->fields, text, length);
}

void reply_key_place(struct reply *reply, const char *file, int line)
{
    field_begin(&reply->fields, "at");
    for (; *file != '\0'; file++)
        text_char(&reply->fields, *file > ' ' && *file <= '~' && *file != ';' ? *file : '_');
    text_char(&reply->fields, ':');
    text_decimal(&reply->fields, (uint64_t)line);
}

void reply_text(struct reply *reply, const char *text)
{
    text_string(&reply->note, text);
}

void reply_compose(struct reply *reply, enum error e, size_t limit, struct text *line)
{
    const char *note = reply->note.length > 0 || e == OK ? reply->note.buffer : error_text(e);

    if (e == OK) {
        text_bytes(line, reply->value.buffer, reply->value.length);
    } else {
        text_char(line, ' ');
        text_string(line, error_category(e));
        text_char(line, '.');
        text_string(line, error_word(e));
    }
    text_bytes(line, reply->fields.buffer, reply->fields.length);
    ASSERT(!reply->value.truncated && !reply->fields.truncated && line->length <= limit);
    if (note[0] == '\0' || limit - line->length < 4)
        return;
    text_string(line, " ; ");
    text_bytes(line, note, strlen(note) < limit - line->length ? strlen(note)
                                                               : limit - line->length);
}

static void text_mark(struct text *t, char sigil, const struct reply *reply)
{
    text_char(t, sigil);
    if (reply->tagged)
        text_decimal(t, reply->tag);
}

void reply_send(const struct reply *reply, char sigil, const char *rest, size_t length)
{
    char buffer[BODY_LENGTH + 1];
    struct text line;

    text_init(&line, buffer, sizeof(buffer));
    text_mark(&line, sigil, reply);
    text_bytes(&line, rest, length);
    output_line(line.buffer, line.length, reply->crc);
}

/* ---- rows ---- */

void row_begin(struct reply *reply)
{
    text_init(&reply->row, reply->row_buffer, sizeof(reply->row_buffer));
    text_mark(&reply->row, ':', reply);
}

void row_address(struct reply *reply, uint64_t address)
{
    text_char(&reply->row, ' ');
    text_hex(&reply->row, address, 16);
}

void row_number(struct reply *reply, uint64_t number)
{
    text_char(&reply->row, ' ');
    text_decimal(&reply->row, number);
}

void row_word(struct reply *reply, const char *word)
{
    text_char(&reply->row, ' ');
    text_string(&reply->row, word);
}

void row_key_address(struct reply *reply, const char *key, uint64_t address)
{
    field_begin(&reply->row, key);
    text_hex(&reply->row, address, 16);
}

void row_key_number(struct reply *reply, const char *key, uint64_t number)
{
    field_begin(&reply->row, key);
    text_decimal(&reply->row, number);
}

void row_key_word(struct reply *reply, const char *key, const char *word)
{
    field_begin(&reply->row, key);
    text_string(&reply->row, word);
}

void row_text(struct reply *reply, const char *text)
{
    text_string(&reply->row, " ; ");
    text_string(&reply->row, text);
}

bool row_end(struct reply *reply)
{
    ASSERT(!reply->row.truncated);
    return reply->row_sink(reply->row.buffer, reply->row.length, reply->crc);
}

uint32_t reply_tag(const struct reply *reply)
{
    return reply->owner;
}
