/* SPDX-License-Identifier: MIT */
/*
 * A reply while it is made. Rows go out as they end; the final line is composed when the command
 * has returned, so that value, fields and text may be set in any order.
 */
#ifndef PFNLAB_REPLY_STRUCT_H
#define PFNLAB_REPLY_STRUCT_H

#include "kernel/lib/format.h"
#include "protocol/output.h"
#include "protocol/reply.h"

/* What is kept of a mutator's final line, the tag left out: `again` must find it whole. */
#define FINAL_SIZE 160u

/* A number that a request returned, as `$` and its kin keep it. */
struct result {
    bool given;
    bool hex;                     /* an address: printed with 16 hex digits */
    uint64_t number;
};

struct reply {
    /* How the request was dressed; the reply is dressed alike. */
    bool tagged, crc;
    bool person;                  /* typed at the prompt */
    uint32_t tag;
    uint32_t owner;               /* of what is allocated: the tag, or that of the batch around */

    struct result result;
    bool ends_guest;              /* after the final line */
    /* Where rows go; false: the command should stop. */
    bool (*row_sink)(const char *text, size_t length, bool crc);

    /* The final line is this one, of an earlier request; NULL if it is to be composed. */
    const char *repeat;
    size_t repeat_length;
    char repeat_sigil;

    struct text value, fields, note, row;
    char value_buffer[64], fields_buffer[512], note_buffer[256], row_buffer[BODY_LENGTH + 1];
};

/* A row_sink for what has no place on the line. */
bool reply_drop_row(const char *text, size_t length, bool crc);

/* An empty reply, rows to the line, not dressed. */
void reply_begin(struct reply *reply);

/* Forget value, fields and text, not the dress. */
void reply_clear(struct reply *reply);

/*
 * The final line behind sigil and tag (" 0x.. key=.. ; text"), at most `limit` characters; if that
 * is too little, the text is cut.
 */
void reply_compose(struct reply *reply, enum error e, size_t limit, struct text *line);

/* Sigil, tag and `rest` as one line. */
void reply_send(const struct reply *reply, char sigil, const char *rest, size_t length);

/* A number in the form that its kind has. */
void text_result(struct text *t, const struct result *result);

/* The number of the reply, in that form. */
void reply_result(struct reply *reply, const struct result *result);

/* A field of the final line, from text that may hold any byte: dropped unless it is a word. */
void reply_key_argument(struct reply *reply, const char *text, size_t length);

/* `at=FILE:LINE`, in the letters that a value may have. */
void reply_key_place(struct reply *reply, const char *file, int line);

#endif
