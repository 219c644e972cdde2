/* SPDX-License-Identifier: MIT */
/*
 * Any bytes on the serial line of a whole guest, the native machine without its console. What must
 * hold for each line, however mad:
 *   a quiet line is answered by exactly one final, with as many rows before it as the final says;
 *   a line that looks like an answer is not answered at all, a typed one by one final at most;
 *   what is said is printable, within the announced length, and an event's checksum is right;
 *   nothing is a bug.*: no assertion fails, nothing faults;
 * and after all of it a good line works and every invariant holds.
 *
 * Two bytes stand for what no mutation finds: 0xfd at the end of a line is its checksum, 0xfc
 * behind a first `>` the tag that comes next.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/native/native.h"
#include "kernel/lab.h"
#include "kernel/lib/crc.h"
#include "kernel/machine.h"
#include "protocol/batch.h"
#include "protocol/line.h"
#include "protocol/output.h"
#include "protocol/session.h"
#include "protocol/trace.h"
#include "tests/fuzz/fuzz.h"

#define MEMORY (UINT64_C(16) << 20)
#define PATIENCE 500u             /* polls for ^C; from then on each finds one */
#define CHECKSUM 0xfd
#define NEXT_TAG 0xfc
#define CTRL_C 0x03

/* ---- the console ---- */

static unsigned polls;                /* left until each one finds a ^C */
static unsigned interrupts;           /* ^C of this input */
static bool told;

bool arch_console_interrupted(void)
{
    polls -= polls > 0;
    told = !told && polls == 0;
    interrupts += told;
    return told;
}

/* From here on no ^C of before is felt. */
static void forget_interrupts(unsigned patience)
{
    polls = patience;
    told = false;
    for (; interrupts > 0; interrupts--)
        (void)machine_interrupt_passed();
    machine_interrupt_clear();
}

/* `poweroff` ends the input. */
static jmp_buf off;

void arch_halt(int status)
{
    if (status != 0)
        fuzz_fail("the guest panicked");
    longjmp(off, 1);
}

void console_open(void) { }
void console_restore(void) { }

/* Commands that break the guest on purpose are not what is tested. */
enum error __wrap_cmd_panic(const struct args_panic *args, struct reply *reply);
enum error __wrap_cmd_panic(const struct args_panic *args, struct reply *reply)
{
    (void)args, (void)reply;
    return E_CALL_UNSUPPORTED;
}

enum error __wrap_cmd_corrupt(const struct args_corrupt *args, struct reply *reply);
enum error __wrap_cmd_corrupt(const struct args_corrupt *args, struct reply *reply)
{
    (void)args, (void)reply;
    return E_CALL_UNSUPPORTED;
}

/* ---- what was said ---- */

static struct {
    char line[LINE_LENGTH + 2];   /* the one that has not ended */
    size_t length;
    char final[LINE_LENGTH + 2];
    unsigned rows, finals;
    bool quiet;                   /* the piece that is fed is: no echo is among the lines */
} heard;

static void check_event(void)
{
    char sum[8];
    size_t body = heard.length - CRC_LENGTH;

    if (heard.length < CRC_LENGTH)
        fuzz_fail("an event without a checksum: %s", heard.line);
    snprintf(sum, sizeof(sum), " *%04x", crc16(heard.line, body));
    if (strcmp(heard.line + body, sum) != 0)
        fuzz_fail("an event's checksum is wrong: %s", heard.line);
}

static void check_final(void)
{
    const char *error = heard.line + 1 + strspn(heard.line + 1, "0123456789");
    const char *count = strstr(heard.line, " n=");
    unsigned n;

    if (heard.line[0] == '?' && strncmp(error, " bug.", 5) == 0)
        fuzz_fail("%s", heard.line);
    if (heard.line[0] == '=' && count != NULL && sscanf(count, " n=%u", &n) == 1 && n != heard.rows)
        fuzz_fail("%u rows, and the final says: %s", heard.rows, heard.line);
    memcpy(heard.final, heard.line, heard.length + 1);
    heard.finals++;
}

static void line_said(void)
{
    heard.line[heard.length] = '\0';
    /* A line that a prompt began ends before the first one of ours. */
    if (heard.quiet && heard.line[0] != '>')
        for (size_t i = 0; i < heard.length; i++)
            if (heard.line[i] < ' ' || heard.line[i] > '~')
                fuzz_fail("byte 0x%02x in: %s", (unsigned char)heard.line[i], heard.line);
    switch (heard.line[0]) {
    case ':': heard.rows++; break;
    case '=': case '?': check_final(); break;
    case '%': check_event(); break;
    default: break;
    }
    heard.length = 0;
}

static void said(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n') {
            line_said();
        } else if (text[i] != '\r' && heard.length <= LINE_LENGTH) {
            heard.line[heard.length++] = text[i];
            if (heard.quiet && heard.line[0] != '>' && heard.length > LINE_LENGTH)
                fuzz_fail("a line beyond the limit: %.60s...", heard.line);
        }
    }
}

static const struct channel channel = { .write = said };

/* ---- the guest ---- */

static unsigned long lines;           /* of all inputs */

static void tell_lines(void)
{
    printf("%lu lines\n", lines);
}

static void no_log(const char *text) { (void)text; }

static void boot(void)
{
    static bool booted;
    struct sigaction at_abort;

    if (booted)
        return;
    booted = true;
    if (!memory_open(MEMORY))
        fuzz_fail("the host refuses the memory of the guest");
    /* Faults are the guest's; an abort() is the fuzzer's, which keeps the input then. */
    sigaction(SIGABRT, NULL, &at_abort);
    arch_init();
    sigaction(SIGABRT, &at_abort, NULL);
    lab_boot("", no_log);
    atexit(tell_lines);
}

/* As a guest that has just started, whatever the last input left. */
static void begin(void)
{
    uint64_t needed;

    boot();
    forget_interrupts(PATIENCE);
    output_open(&channel);
    lab.dead = false;
    trace_set(false);
    lab_map_begin();
    if (lab_map_commit(STAGE_EARLY, &needed) != OK || lab_map_machine(STAGE_PAGE) != OK)
        fuzz_fail("the lab does not begin afresh");
    session_begin();
    batch_begin();
    memset(&heard, 0, sizeof(heard));
    line_begin();
}

static void feed(const char *text, size_t size)
{
    heard.rows = heard.finals = 0;
    line_feed(text, size);
}

/* ---- the input ---- */

struct piece_read {
    char text[2 * LINE_LENGTH + 32];
    size_t length;
};

static void put(struct piece_read *piece, const char *text, size_t size)
{
    if (piece->length + size <= sizeof(piece->text)) {
        memcpy(piece->text + piece->length, text, size);
        piece->length += size;
    }
}

/* The bytes up to a line's end or a ^C, which is left out, with the two special ones replaced. */
static void read_piece(struct input *in, struct piece_read *piece)
{
    char number[16];

    piece->length = 0;
    while (!input_ended(in) && *in->at != '\n' && *in->at != '\r' && *in->at != CTRL_C) {
        char c = (char)take_byte(in);
        bool ends = input_ended(in) || *in->at == '\n' || *in->at == '\r';

        if ((uint8_t)c == CHECKSUM && ends)
            put(piece, number, (size_t)snprintf(number, sizeof(number), " *%04x",
                                                crc16(piece->text, piece->length)));
        else if ((uint8_t)c == NEXT_TAG && piece->length == 1 && piece->text[0] == '>')
            put(piece, number, (size_t)snprintf(number, sizeof(number), "%u",
                                                session_last() + 1));
        else
            put(piece, &c, 1);
    }
}

static bool looks_like_an_answer(const struct piece_read *piece)
{
    return piece->length > 0 && memchr(":=?%;", piece->text[0], 5) != NULL;
}

/* How many finals the line may have. */
static void check_answers(const struct piece_read *piece, bool strict, char end)
{
    unsigned least = 0, most = 1;

    if (end == CTRL_C || piece->length == 0 || looks_like_an_answer(piece))
        most = 0;
    else if (strict || piece->text[0] == '>')
        least = 1;
    if (heard.finals < least || heard.finals > most || (most == 0 && heard.rows > 0))
        fuzz_fail("%u finals to: %.*s", heard.finals, (int)piece->length, piece->text);
}

static void run_pieces(struct input *in)
{
    static struct piece_read piece;

    while (!input_ended(in)) {
        bool strict = session_is_strict();
        char end;

        read_piece(in, &piece);
        heard.quiet = strict || looks_like_an_answer(&piece)
                      || (piece.length > 0 && piece.text[0] == '>');
        feed(piece.text, piece.length);
        if (heard.finals > 0)
            fuzz_fail("an answer before the end of: %.*s", (int)piece.length, piece.text);
        if (input_ended(in))
            return;
        end = (char)take_byte(in);
        feed(&end, 1);
        lines++;
        check_answers(&piece, strict, end);
    }
}

static void good_line_works(void)
{
    static const char lines[] = "\x03\n>0 sync 7\n>77 echo 0x5\n";
    struct page_violation violation = { .text = "" };

    forget_interrupts(UINT_MAX);
    heard.quiet = false;
    feed(lines, sizeof(lines) - 1);
    if (strcmp(heard.final, "=77 0x0000000000000005") != 0)
        fuzz_fail("a good line is answered: %s", heard.final);
    if (lab_check(&violation) != OK)
        fuzz_fail("invariant %u: %s", violation.invariant, violation.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, data + size };

    begin();
    if (setjmp(off) == 0) {
        run_pieces(&in);
        good_line_works();
    }
    return 0;
}
