/* SPDX-License-Identifier: MIT */
#include "protocol/complete.h"

#include "kernel/lab.h"
#include "kernel/lib/string.h"
#include "protocol/edit.h"
#include "protocol/output.h"
#include "protocol/parse.h"

#define COLUMNS 79u               /* of a terminal, none of them the last */

/* The search for what begins like the last piece of the line. */
struct search {
    struct piece stem;            /* what is typed of it */
    bool list;                    /* print the candidates, rather than count them */
    size_t column;                /* where the list is on the screen */
    size_t count;
    const char *first;
    size_t common;                /* characters that all candidates share with the first */
    const char *tail;             /* what follows a completed one */
};

static size_t shared(const char *a, const char *b, size_t max)
{
    size_t n = 0;

    while (n < max && a[n] != '\0' && a[n] == b[n])
        n++;
    return n;
}

static void list_word(struct search *search, const char *word, const char *tail)
{
    size_t width = 2 + strlen(word) + (tail[0] == '=');

    if (search->column + width > COLUMNS) {
        output_string("\r\n");
        search->column = 0;
    }
    output_string("  ");
    output_string(word);
    output_string(tail[0] == '=' ? "=" : "");
    search->column += width;
}

static void candidate(struct search *search, const char *word, const char *tail)
{
    if (strlen(word) < search->stem.length
        || memcmp(word, search->stem.text, search->stem.length) != 0)
        return;
    if (search->list)
        list_word(search, word, tail);
    if (search->count++ == 0) {
        search->first = word;
        search->common = strlen(word);
        search->tail = tail;
    }
    search->common = shared(search->first, word, search->common);
}

static void candidate_commands(struct search *search)
{
    for (size_t i = 0; i < commands_count; i++)
        candidate(search, commands[i].name, " ");
    for (size_t i = 0; i < aliases_count; i++)
        candidate(search, aliases[i].name, " ");
}

static void candidate_areas(struct search *search)
{
    static const char *const more[] = { "any", "dma24", "dma31", "dma32" };

    for (size_t i = 0; i < lab.nareas; i++)
        candidate(search, lab.areas[i].name, "");
    for (size_t i = 0; i < ARRAY_SIZE(more); i++)
        candidate(search, more[i], "");
}

static void candidate_values(struct search *search, enum type type)
{
    if (types[type].form == FORM_set)
        candidate_areas(search);
    for (size_t i = 0; i < types[type].nwords; i++)
        candidate(search, types[type].words[i], types[type].form == FORM_joined ? "" : " ");
}

static void candidate_keys(struct search *search, const struct command *command)
{
    for (size_t i = 0; i < command->narguments; i++)
        if (command->arguments[i].place == PLACE_KEY)
            candidate(search, command->arguments[i].name, "=");
}

/* The nth argument that is given by position, or narguments. */
static size_t positional(const struct command *command, size_t n)
{
    for (size_t i = 0; i < command->narguments; i++)
        if (command->arguments[i].place != PLACE_KEY && n-- == 0)
            return i;
    return command->narguments;
}

/* Keep of `piece` what is behind the last `mark`; true and *before what was in front of it. */
static bool split_last(struct piece *piece, char mark, struct piece *before)
{
    for (size_t i = piece->length; i > 0; i--) {
        if (piece->text[i - 1] == mark) {
            *before = (struct piece){ piece->text, i - 1 };
            piece->text += i;
            piece->length -= i;
            return true;
        }
    }
    return false;
}

static void candidate_argument(struct search *search, const struct command *command, size_t n)
{
    struct piece key, sets;
    bool keyed = split_last(&search->stem, '=', &key);
    size_t i = keyed ? command_argument(command, key.text, key.length) : positional(command, n);

    if (!keyed && i == command->narguments)
        candidate_keys(search, command);
    (void)split_last(&search->stem, '|', &sets);
    if (i < command->narguments && command->arguments[i].type == TYPE_word)
        candidate_commands(search);
    else if (i < command->narguments)
        candidate_values(search, command->arguments[i].type);
}

/* By which position the command takes a line of its own; 0 if it does not, or there is none. */
static size_t line_position(const struct command *command)
{
    size_t i = command == NULL ? 0 : command_argument(command, "line", 4), n = 0;

    if (command == NULL || i == command->narguments || command->arguments[i].type != TYPE_rest)
        return 0;
    while (positional(command, n) != i)
        n++;
    return n;
}

/* Where the innermost line begins: in "on 2 store 0 LINE" it is LINE. */
static const char *line_within(const char *text, const char *end)
{
    for (;;) {
        const char *at = text;
        struct piece name = parse_piece(&at, end);
        size_t before = line_position(command_find(name.text, name.length));

        for (size_t i = 0; i < before; i++)
            (void)parse_piece(&at, end);
        if (before == 0 || at == end)
            return text;
        text = at;
    }
}

static void find_candidates(struct search *search, const char *text, size_t length)
{
    const char *const end = text + length;
    const char *at = line_within(text, end);
    struct piece name = parse_piece(&at, end), piece = name;
    const struct command *command = command_find(name.text, name.length);
    size_t n = 0;

    while (at < end) {
        piece = parse_piece(&at, end);
        n++;
    }
    search->stem = piece;
    if (n == 0)
        candidate_commands(search);
    else if (command != NULL)
        candidate_argument(search, command, n - 1);
}

void complete(const char *text, size_t length)
{
    struct search search = { .list = false };

    find_candidates(&search, text, length);
    if (search.count == 0) {
        output_string("\a");
    } else if (search.common > search.stem.length || search.count == 1) {
        edit_insert(search.first + search.stem.length, search.common - search.stem.length);
        if (search.count == 1)
            edit_insert(search.tail, strlen(search.tail));
    } else {
        search = (struct search){ .list = true };
        output_string("\r\n");
        find_candidates(&search, text, length);
        edit_redraw();
    }
}
