/* SPDX-License-Identifier: MIT */
/*
 * commands.def and types.def as data: what the parser, `help`, completion and the dispatcher share.
 */
#ifndef PFNLAB_TABLE_H
#define PFNLAB_TABLE_H

#include "protocol/protocol.h"

enum kind { KIND_session, KIND_query, KIND_mutator };

enum place { PLACE_ARG, PLACE_OPT, PLACE_KEY };

enum type {
    TYPE_none,
#define NUMBER(name, min, max, text) TYPE_##name,
#define WORDS(name, text, ...) TYPE_##name,
#define JOINED(name, text, ...) TYPE_##name,
#define FORM(name, form, text) TYPE_##name,
#include "protocol/types.def"
#undef NUMBER
#undef WORDS
#undef JOINED
#undef FORM
    TYPE_COUNT
};

enum form {
    FORM_none, FORM_number, FORM_words, FORM_joined, FORM_set, FORM_word, FORM_value, FORM_rest
};

struct type_row {
    const char *name;
    enum form form;
    const char *form_name;
    uint64_t min, max;             /* FORM_number */
    const char *const *words;      /* FORM_words, FORM_joined */
    size_t nwords;
    const char *text;
};

struct argument {
    const char *name;
    enum type type;
    enum place place;
};

/* The arguments of any command: values[0] is `self`, values[1 + n] the nth argument of its row. */
#define ARGUMENTS_MAX 12u
union arguments {
    struct value values[ARGUMENTS_MAX];
#define ALIAS(alias, name)
#define COMMAND(name, kind, list, result, about) struct args_##name name;
#include "protocol/commands.def"
#undef COMMAND
#undef ALIAS
};

struct command {
    const char *name;
    enum kind kind;
    const struct argument *arguments;
    size_t narguments;
    enum type result;
    const char *text;
    enum error (*run)(const union arguments *arguments, struct reply *reply);
};

struct alias {
    const char *name, *of;
};

extern const struct command commands[];
extern const size_t commands_count;
extern const struct alias aliases[];
extern const size_t aliases_count;
extern const struct type_row types[TYPE_COUNT];
extern const char *const kind_names[];

/* The command of that name or alias, or NULL. */
const struct command *command_find(const char *name, size_t length);

/* The index of the argument of that name, or narguments. */
size_t command_argument(const struct command *command, const char *name, size_t length);

/* True if `word` is exactly the `length` characters at `text`. */
bool word_is(const char *text, size_t length, const char *word);

#endif
