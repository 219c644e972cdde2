/* SPDX-License-Identifier: MIT */
/*
 * From the text of a command to its argument struct, by the types of the command table. Nothing
 * runs and nothing changes here.
 */
#ifndef PFNLAB_PARSE_H
#define PFNLAB_PARSE_H

#include "protocol/reply_struct.h"
#include "protocol/table.h"

/* [a-z][a-z0-9_.]* */
bool parse_is_word(const char *text, size_t length);

/*
 * The next blank-separated piece of *text, which moves behind it; length 0 at the end. The piece
 * points into the line.
 */
struct piece {
    const char *text;
    size_t length;
};
struct piece parse_piece(const char **text, const char *end);

/*
 * Read the arguments of `command` from [text, end) into `args`. An error's fields (which argument,
 * which range) are put into `reply`. CALL_MISSING, CALL_SURPLUS, CALL_KEY, CALL_TWICE, and by the
 * types: CALL_NUMBER, CALL_RANGE, CALL_ALIGN, CALL_WORD, CALL_AREA, CALL_REFERENCE.
 */
MUST_USE enum error parse_arguments(const struct command *command, const char *text,
                                    const char *end, union arguments *args, struct reply *reply);

#endif
