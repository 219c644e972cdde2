/* SPDX-License-Identifier: MIT */
#include "protocol/parse.h"

#include "kernel/lab.h"
#include "kernel/lib/number.h"
#include "kernel/lib/string.h"
#include "kernel/mmu.h"
#include "protocol/session.h"

/* The words of `attributes` behind rw, in the order of their bits. */
_Static_assert(MMU_READ_ONLY == 1 && MMU_NO_EXECUTE == 2 && MMU_UNCACHED == 4
               && MMU_WRITE_COMBINING == 8, "ro nx uncached wc");

static bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool parse_is_word(const char *text, size_t length)
{
    if (length == 0 || !is_letter(text[0]))
        return false;
    for (size_t i = 1; i < length; i++)
        if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '_' && text[i] != '.')
            return false;
    return true;
}

static void skip_blanks(const char **text, const char *end)
{
    while (*text < end && **text == ' ')
        ++*text;
}

struct piece parse_piece(const char **text, const char *end)
{
    struct piece piece;

    skip_blanks(text, end);
    piece.text = *text;
    while (*text < end && **text != ' ')
        ++*text;
    piece.length = (size_t)(*text - piece.text);
    return piece;
}

/* ---- values ---- */

/* $ is the last result, $7 that of request 7, $v7 the variable 7. */
static enum error find_result(struct piece piece, struct result *result)
{
    bool variable = piece.length > 1 && piece.text[1] == 'v';
    size_t skip = variable ? 2 : 1;
    uint64_t n = 0;

    if (piece.length == 1)
        *result = session_last_result();
    else if (number_parse(piece.text + skip, piece.length - skip, &n) != OK)
        return E_CALL_NUMBER;
    else
        *result = variable ? session_variable(n) : session_result(n);
    return result->given ? OK : E_CALL_REFERENCE;
}

/* One of these, or $7+20: so many more. */
static enum error parse_reference(struct piece piece, struct value *value)
{
    struct result result = { .given = false };
    struct piece one = { piece.text, 1 };
    uint64_t more = 0;
    enum error e = OK;

    if (one.length < piece.length && piece.text[1] == 'v')
        one.length++;
    while (one.length < piece.length && is_digit(piece.text[one.length]))
        one.length++;
    if (one.length < piece.length && piece.text[one.length] != '+')
        return E_CALL_NUMBER;
    if (one.length < piece.length)
        e = number_parse(piece.text + one.length + 1, piece.length - one.length - 1, &more);
    if (e == OK)
        e = find_result(one, &result);
    if (e != OK)
        return e;
    value->number = result.number + more;
    value->hex = result.hex;
    return value->number >= more ? OK : E_CALL_RANGE;
}

static enum error parse_number(struct piece piece, struct value *value)
{
    value->is_number = true;
    if (piece.length > 0 && piece.text[0] == '$')
        return parse_reference(piece, value);
    value->hex = piece.length > 1 && piece.text[1] == 'x';
    return number_parse(piece.text, piece.length, &value->number);
}

static enum error parse_ranged(const struct argument *argument, struct piece piece,
                               struct value *value)
{
    const struct type_row *type = &types[argument->type];
    enum error e = parse_number(piece, value);

    if (argument->type == TYPE_align && e == OK && !is_power_of_two(value->number))
        return E_CALL_ALIGN;
    if (e == OK && (value->number < type->min || value->number > type->max))
        e = E_CALL_RANGE;
    if (e == OK && argument->type == TYPE_width && !is_power_of_two(value->number))
        e = E_CALL_RANGE;
    return e;
}

static enum error parse_closed(const struct type_row *type, struct piece piece,
                               struct value *value)
{
    for (size_t i = 0; i < type->nwords; i++) {
        if (word_is(piece.text, piece.length, type->words[i])) {
            value->number = i;
            return OK;
        }
    }
    return E_CALL_WORD;
}

/* Word after word; one given twice is a mistake. */
static enum error parse_joined(const struct type_row *type, struct piece piece,
                               struct value *value)
{
    const char *end = piece.text + piece.length;
    uint64_t set = 0;

    for (;;) {
        struct piece word = { piece.text, 0 };
        struct value one;
        enum error e;

        while (word.text + word.length < end && word.text[word.length] != '|')
            word.length++;
        e = parse_closed(type, word, &one);
        if (e != OK)
            return e;
        if ((set >> one.number & 1) != 0)
            return E_CALL_TWICE;
        set |= UINT64_C(1) << one.number;
        if (word.text + word.length == end)
            break;
        piece.text = word.text + word.length + 1;
    }
    value->number = set;
    return OK;
}

/* rw is the absence of all others' restrictions; what is not cached cannot be combined. */
static enum error parse_attributes(const struct type_row *type, struct piece piece,
                                   struct value *value)
{
    enum { RW = 1, RO = 2, UNCACHED = 8, WC = 16 };
    enum error e = parse_joined(type, piece, value);

    if (e != OK)
        return e;
    if ((value->number & (RW | RO)) == (RW | RO)
        || (value->number & (UNCACHED | WC)) == (UNCACHED | WC))
        return E_CALL_CONFLICT;
    value->number >>= 1;
    return OK;
}

/* A limit that falls inside an area is a promise, and holds for all of the set. */
static enum error parse_areas(struct piece piece, struct value *value)
{
    const char *at = piece.text, *end = piece.text + piece.length;

    value->limit = pfn(PFN_LIMIT);
    for (;;) {
        const char *word = at;
        uint32_t areas;
        pfn_t limit;
        enum error e;

        while (at < end && *at != '|')
            at++;
        e = lab_area_set(word, (size_t)(at - word), &areas, &limit);
        if (e != OK)
            return e;
        value->number |= areas;
        if (limit.n < value->limit.n)
            value->limit = limit;
        if (at == end)
            return OK;
        at++;
    }
}

static enum error parse_value(const struct argument *argument, struct piece piece,
                              struct value *value)
{
    const struct type_row *type = &types[argument->type];

    *value = (struct value){ .given = true, .text = piece.text, .length = piece.length };
    switch (type->form) {
    case FORM_number:
        return parse_ranged(argument, piece, value);
    case FORM_words:
        return parse_closed(type, piece, value);
    case FORM_joined:
        return argument->type == TYPE_attributes ? parse_attributes(type, piece, value)
                                                 : parse_joined(type, piece, value);
    case FORM_set:
        return parse_areas(piece, value);
    case FORM_word:
        return parse_is_word(piece.text, piece.length) ? OK : E_CALL_WORD;
    case FORM_value:
        return parse_is_word(piece.text, piece.length) ? OK : parse_number(piece, value);
    default:
        return OK;
    }
}

/* ---- arguments ---- */

/* The index of the next argument by position, or narguments. */
static size_t next_place(const struct command *command, const union arguments *args)
{
    size_t i = 0;

    while (i < command->narguments
           && (command->arguments[i].place == PLACE_KEY || args->values[1 + i].given))
        i++;
    return i;
}

/* Is there a key in front of the value? Moves `piece` behind it. */
static bool split_key(struct piece *piece, struct piece *key)
{
    for (size_t i = 0; i < piece->length; i++) {
        if (piece->text[i] == '=') {
            *key = (struct piece){ piece->text, i };
            piece->text += i + 1;
            piece->length -= i + 1;
            return true;
        }
    }
    return false;
}

static void blame_argument(const struct argument *argument, enum error e, struct reply *reply)
{
    const struct type_row *type = &types[argument->type];

    reply_key_word(reply, "arg", argument->name);
    if (e == E_CALL_RANGE) {
        reply_key_number(reply, "min", type->form == FORM_number ? type->min : 0);
        reply_key_number(reply, "max", type->form == FORM_number ? type->max : UINT64_MAX);
    }
}

static enum error parse_argument(const struct command *command, struct piece piece,
                                 union arguments *args, struct reply *reply)
{
    struct piece key = { NULL, 0 };
    bool keyed = split_key(&piece, &key);
    size_t i = keyed ? command_argument(command, key.text, key.length)
                     : next_place(command, args);
    const struct argument *argument = &command->arguments[i];
    enum error e;

    if (keyed && (i == command->narguments || argument->type == TYPE_rest)) {
        reply_key_argument(reply, key.text, key.length);
        return E_CALL_KEY;
    }
    if (i == command->narguments)
        return E_CALL_SURPLUS;
    if (args->values[1 + i].given)
        e = E_CALL_TWICE;
    else
        e = parse_value(argument, piece, &args->values[1 + i]);
    if (e != OK)
        blame_argument(argument, e, reply);
    return e;
}

/* If the next argument is the rest of the line: take it. */
static bool take_rest(const struct command *command, const char *text, const char *end,
                      union arguments *args)
{
    size_t i = next_place(command, args);

    if (i == command->narguments || command->arguments[i].type != TYPE_rest || text == end)
        return false;
    args->values[1 + i] = (struct value){
        .given = true, .text = text, .length = (size_t)(end - text),
    };
    return true;
}

enum error parse_arguments(const struct command *command, const char *text, const char *end,
                           union arguments *args, struct reply *reply)
{
    size_t i;

    memset(args, 0, sizeof(*args));
    for (;;) {
        struct piece piece;
        enum error e;

        skip_blanks(&text, end);
        if (take_rest(command, text, end, args))
            break;
        piece = parse_piece(&text, end);
        if (piece.length == 0)
            break;
        e = parse_argument(command, piece, args, reply);
        if (e != OK)
            return e;
    }
    i = next_place(command, args);
    if (i == command->narguments || command->arguments[i].place != PLACE_ARG)
        return OK;
    reply_key_word(reply, "arg", command->arguments[i].name);
    return E_CALL_MISSING;
}
