/* SPDX-License-Identifier: MIT */
/*
 * The serial command protocol (PROTOCOL.md): what the rest of the kernel sees of it, and what a
 * handler sees. commands.def is expanded here into argument structs and handler prototypes: a row
 * without a handler does not link, a handler without a row does not compile.
 */
#ifndef PFNLAB_PROTOCOL_H
#define PFNLAB_PROTOCOL_H

#include "protocol/channel.h"

/* Limits, announced by `sync`. */
#define PROTOCOL_VERSION 1u
#define LINE_LENGTH 1023u       /* bytes of a line, its end not counted; requests and replies */
#define RX_WINDOW 4096u         /* bytes of unanswered requests that may be under way */
#define SLOTS 256u              /* of so many tagged requests results and finals are kept */
#define VARIABLES 256u          /* $v0 .. */
#define STORED_LINES 64u        /* places of the batch */

/* ---- for main.c ---- */

/* Print the boot event and the prompt, then serve requests for ever. */
_Noreturn void protocol_serve(const struct channel *channel);

/* Free text to the log: one "; text" line. Atomic between lines; usable before protocol_serve(). */
void protocol_log(const char *text);

/* The panic output: writes through the channel, redrawing nothing. */
void protocol_panic_write(const char *text, size_t size);

/* Bind the channel early, so that protocol_log() works while booting. */
void protocol_open(const struct channel *channel);

/* ---- for handlers ---- */

/*
 * One parsed argument. `given` is false for an absent optional one, all else is then 0.
 * Flags, orders, words of closed sets: `number` (for words: the index in the set). Areas: `number`
 * is the mask, `limit` the first frame too high.
 */
struct value {
    bool given;
    bool is_number;
    bool hex;                  /* the number was written in hex, or a variable holds an address */
    uint64_t number;
    pfn_t limit;
    const char *text;          /* as written; not NUL-terminated */
    size_t length;
};

struct reply;                  /* where a handler says what it found (reply.h) */

#define ARG(type, name) struct value name;
#define OPT(type, name) struct value name;
#define KEY(type, name) struct value name;
#define ALIAS(alias, name)
#define COMMAND(name, kind, arguments, result, text) \
    struct args_##name { struct value self; arguments };
#include "protocol/commands.def"
#undef COMMAND

#define COMMAND(name, kind, arguments, result, text) \
    MUST_USE enum error cmd_##name(const struct args_##name *args, struct reply *reply);
#include "protocol/commands.def"
#undef COMMAND
#undef ALIAS
#undef KEY
#undef OPT
#undef ARG

#endif
