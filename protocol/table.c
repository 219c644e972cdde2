/* SPDX-License-Identifier: MIT */
#include "protocol/table.h"

#include "kernel/lab.h"
#include "kernel/lib/string.h"

/* Each handler behind one signature, so that a command's argument struct is the only way in. */
#define ALIAS(alias, name)
#define COMMAND(name, kind, list, result, about) \
    static enum error run_##name(const union arguments *args, struct reply *reply) \
    { \
        return cmd_##name(&args->name, reply); \
    } \
    _Static_assert(sizeof(struct args_##name) <= ARGUMENTS_MAX * sizeof(struct value), #name);
#include "protocol/commands.def"
#undef COMMAND

/* One row more than there are arguments: a command may have none. */
#define ARG(type, name) { #name, TYPE_##type, PLACE_ARG },
#define OPT(type, name) { #name, TYPE_##type, PLACE_OPT },
#define KEY(type, name) { #name, TYPE_##type, PLACE_KEY },
#define COMMAND(name, kind, list, result, about) \
    static const struct argument arguments_##name[] = { list { NULL, TYPE_none, PLACE_KEY } };
#include "protocol/commands.def"
#undef COMMAND
#undef KEY
#undef OPT
#undef ARG

#define COMMAND(name, kind, list, result, about) \
    { #name, KIND_##kind, arguments_##name, ARRAY_SIZE(arguments_##name) - 1, TYPE_##result, \
      about, run_##name },
const struct command commands[] = {
#include "protocol/commands.def"
};
#undef COMMAND
#undef ALIAS
const size_t commands_count = ARRAY_SIZE(commands);

#define COMMAND(name, kind, list, result, about)
#define ALIAS(alias, name) { #alias, #name },
const struct alias aliases[] = {
#include "protocol/commands.def"
};
#undef ALIAS
#undef COMMAND
const size_t aliases_count = ARRAY_SIZE(aliases);

#define CORRUPTION_WORD(word, invariant) word,
#define NUMBER(name, min, max, text)
#define WORDS(name, text, ...) static const char *const words_##name[] = { __VA_ARGS__ };
#define JOINED(name, text, ...) WORDS(name, text, __VA_ARGS__)
#define FORM(name, form, text)
#include "protocol/types.def"
#undef NUMBER
#undef WORDS
#undef JOINED
#undef FORM

const struct type_row types[TYPE_COUNT] = {
    [TYPE_none] = { .name = "none", .form = FORM_none },
#define NUMBER(name, min, max, text) \
    [TYPE_##name] = { #name, FORM_number, "number", min, max, NULL, 0, text },
#define WORDS(name, text, ...) \
    [TYPE_##name] = { #name, FORM_words, "words", 0, 0, words_##name, ARRAY_SIZE(words_##name), \
                      text },
#define JOINED(name, text, ...) \
    [TYPE_##name] = { #name, FORM_joined, "joined", 0, 0, words_##name, ARRAY_SIZE(words_##name), \
                      text },
#define FORM(name, form, text) [TYPE_##name] = { #name, FORM_##form, #form, 0, 0, NULL, 0, text },
#include "protocol/types.def"
#undef NUMBER
#undef WORDS
#undef JOINED
#undef FORM
};

const char *const kind_names[] = { "session", "query", "mutator" };

bool word_is(const char *text, size_t length, const char *word)
{
    size_t i = 0;

    /* Mostly the first character differs. */
    while (i < length && word[i] != '\0' && word[i] == text[i])
        i++;
    return i == length && word[i] == '\0';
}

const struct command *command_find(const char *name, size_t length)
{
    for (size_t i = 0; i < commands_count; i++)
        if (word_is(name, length, commands[i].name))
            return &commands[i];
    for (size_t i = 0; i < aliases_count; i++)
        if (word_is(name, length, aliases[i].name))
            return command_find(aliases[i].of, strlen(aliases[i].of));
    return NULL;
}

size_t command_argument(const struct command *command, const char *name, size_t length)
{
    size_t i = 0;

    while (i < command->narguments && !word_is(name, length, command->arguments[i].name))
        i++;
    return i;
}
