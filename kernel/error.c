/* SPDX-License-Identifier: MIT */
#include "kernel/base.h"

static const struct {
    const char *category, *word, *text;
} errors[ERROR_COUNT] = {
#define ERROR(symbol, category, word, text) [E_##symbol] = { #category, #word, text },
#include "kernel/errors.def"
#undef ERROR
};

const char *error_category(enum error e) { return errors[e].category; }
const char *error_word(enum error e) { return errors[e].word; }
const char *error_text(enum error e) { return errors[e].text; }
