/* SPDX-License-Identifier: MIT */
#include "protocol/line.h"

#include "kernel/machine.h"
#include "protocol/edit.h"
#include "protocol/output.h"
#include "protocol/session.h"

enum mode { BLANK, QUIET, PERSON };

static struct {
    enum mode mode;
    bool after_cr;                /* a LF now belongs to the CR before it */
    bool spoiled, too_long;       /* of a quiet line */
    size_t length;
    char text[LINE_LENGTH];
} line;

static bool is_one_of(char c, const char *set)
{
    while (*set != '\0' && *set != c)
        set++;
    return *set != '\0';
}

static void quiet_byte(char c)
{
    if (c == '\t')
        c = ' ';
    if (c < ' ' || c > '~')
        line.spoiled = true;
    if (line.length == LINE_LENGTH)
        line.too_long = true;
    else
        line.text[line.length++] = c;
}

/* What looks like an answer is never answered, however damaged: two guests may hear each other. */
static void quiet_end(void)
{
    bool person = line.text[0] != '>';

    line.mode = BLANK;
    if (is_one_of(line.text[0], ":=?%;"))
        return;
    if (line.too_long)
        session_refuse(E_LINK_LONG, person);
    else if (line.spoiled)
        session_refuse(E_LINK_BYTE, person);
    else
        session_line(line.text, line.length, person);
    if (person && !session_is_strict())
        edit_prompt();
}

static void end_of_line(void)
{
    enum mode mode = line.mode;

    line.mode = BLANK;
    if (mode == QUIET)
        quiet_end();
    else if (!session_is_strict())
        edit_end();
}

/* ^C drops what was begun. One that stopped a command was answered, with a prompt behind it. */
static void cancel(void)
{
    bool answered = machine_interrupt_passed();

    if (line.mode == PERSON || (line.mode == BLANK && !answered && !session_is_strict()))
        edit_cancel();
    line.mode = BLANK;
}

static void begin_byte(char c)
{
    line.length = 0;
    line.spoiled = line.too_long = false;
    line.mode = session_is_strict() || is_one_of(c, ">:=?%;") ? QUIET : PERSON;
}

static void feed_byte(char c)
{
    bool after_cr = line.after_cr;

    line.after_cr = c == '\r';
    if (c == '\n' && after_cr)
        return;
    if (c == '\r' || c == '\n') {
        end_of_line();
        return;
    }
    if (c == 0x03) {
        cancel();
        return;
    }
    if (line.mode == BLANK)
        begin_byte(c);
    if (line.mode == QUIET)
        quiet_byte(c);
    else if (!edit_byte(c))
        line.mode = BLANK;
}

void line_begin(void)
{
    line.mode = BLANK;
    line.after_cr = false;
    output_on_interruption(edit_redraw);
    edit_begin();
}

void line_feed(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        feed_byte(bytes[i]);
}
