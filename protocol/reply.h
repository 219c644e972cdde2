/* SPDX-License-Identifier: MIT */
/*
 * What a handler says. Fields and rows collect in one line buffer and go out whole; the dispatcher
 * writes the final line, with the fields set here, after the handler has returned.
 */
#ifndef PFNLAB_REPLY_H
#define PFNLAB_REPLY_H

#include "protocol/protocol.h"

/* The number that a mutator returns, or the first field of a query: `= VALUE`. At most once. */
void reply_address(struct reply *reply, uint64_t address);       /* 0x and 16 hex digits */
void reply_number(struct reply *reply, uint64_t number);         /* decimal */
void reply_word(struct reply *reply, const char *word);

/* key=value fields behind it, on success and on error ("? mem.busy at=0x..."). */
void reply_key_address(struct reply *reply, const char *key, uint64_t address);
void reply_key_number(struct reply *reply, const char *key, uint64_t number);
void reply_key_word(struct reply *reply, const char *key, const char *word);

/* Text behind ';' of the final line, for people; printable ASCII. */
void reply_text(struct reply *reply, const char *text);

/*
 * Rows, for queries only: begin, fields, end. row_end() sends the line and returns false if the
 * command should stop (^C): the handler then returns E_STOP_INTERRUPTED.
 */
void row_begin(struct reply *reply);
void row_address(struct reply *reply, uint64_t address);
void row_number(struct reply *reply, uint64_t number);
void row_word(struct reply *reply, const char *word);
void row_key_address(struct reply *reply, const char *key, uint64_t address);
void row_key_number(struct reply *reply, const char *key, uint64_t number);
void row_key_word(struct reply *reply, const char *key, const char *word);
void row_text(struct reply *reply, const char *text);
MUST_USE bool row_end(struct reply *reply);

/* The tag of the request that runs, 0 if it has none: the owner of what it allocates. */
uint32_t reply_tag(const struct reply *reply);

#endif
