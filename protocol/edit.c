/* SPDX-License-Identifier: MIT */
#include "protocol/edit.h"

#include "kernel/lib/string.h"
#include "protocol/complete.h"
#include "protocol/output.h"
#include "protocol/session.h"

#define PROMPT "> "

enum {
    CTRL_A = 1, CTRL_B, CTRL_D = 4, CTRL_E, CTRL_F, BS = 8, TAB, CTRL_K = 11, CTRL_L, CTRL_N = 14,
    CTRL_P = 16, CTRL_U = 21, CTRL_W = 23, ESC = 27, DEL = 127
};

static struct {
    char text[LINE_LENGTH];
    size_t length, cursor;
    bool spoiled, too_long;
    char escape[8];               /* ESC and what followed it, until the sequence is whole */
    size_t escape_length;
    char history[HISTORY_LINES][LINE_LENGTH];
    size_t history_length[HISTORY_LINES];   /* 0: none */
    size_t newest;                /* index of the line entered last */
    size_t back;                  /* lines that the person went back from the present */
} edit;

/* ---- the screen ---- */

/* In few writes: each one is an operation of the machine. */
static void go_back(size_t columns)
{
    static const char backs[] = "\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b";
    const size_t most = sizeof(backs) - 1;

    for (; columns > most; columns -= most)
        output_raw(backs, most);
    output_raw(backs, columns);
}

void edit_redraw(void)
{
    output_fresh_line();
    output_string(PROMPT);
    output_raw(edit.text, edit.length);
    go_back(edit.length - edit.cursor);
}

void edit_prompt(void)
{
    edit.length = edit.cursor = edit.escape_length = edit.back = 0;
    edit.spoiled = edit.too_long = false;
    edit_redraw();
}

void edit_begin(void)
{
    memset(&edit, 0, sizeof(edit));
    edit_prompt();
}

/* ---- changes ---- */

static void refuse_key(void)
{
    output_string("\a");
}

/* Once for each line: where what is said comes back, a bell for each bell would never end. */
static void refuse_line(bool *why)
{
    if (!edit.spoiled && !edit.too_long)
        refuse_key();
    *why = true;
}

void edit_insert(const char *text, size_t length)
{
    size_t behind = edit.length - edit.cursor;

    if (length > LINE_LENGTH - edit.length) {
        refuse_line(&edit.too_long);
        return;
    }
    memmove(edit.text + edit.cursor + length, edit.text + edit.cursor, behind);
    memcpy(edit.text + edit.cursor, text, length);
    edit.length += length;
    output_raw(edit.text + edit.cursor, length + behind);
    edit.cursor += length;
    go_back(behind);
}

static void move_to(size_t cursor)
{
    if (cursor < edit.cursor)
        go_back(edit.cursor - cursor);
    else
        output_raw(edit.text + edit.cursor, cursor - edit.cursor);
    edit.cursor = cursor;
}

/* Take out [from, to); the cursor goes there. */
static void erase(size_t from, size_t to)
{
    size_t behind = edit.length - to;

    move_to(from);
    memmove(edit.text + from, edit.text + to, behind);
    edit.length -= to - from;
    output_raw(edit.text + from, behind);
    for (size_t i = from; i < to; i++)
        output_string(" ");
    go_back(behind + to - from);
}

static void erase_line(void)
{
    erase(0, edit.length);
    edit.spoiled = edit.too_long = false;
}

static void erase_word(void)
{
    size_t from = edit.cursor;

    while (from > 0 && edit.text[from - 1] == ' ')
        from--;
    while (from > 0 && edit.text[from - 1] != ' ')
        from--;
    erase(from, edit.cursor);
}

/* ---- history ---- */

/* The index of the line entered `back` lines ago; 1 is the newest. */
static size_t history_index(size_t back)
{
    return (edit.newest + HISTORY_LINES + 1 - back) % HISTORY_LINES;
}

static void history_add(void)
{
    size_t newest = edit.newest;

    if (edit.history_length[newest] == edit.length
        && memcmp(edit.history[newest], edit.text, edit.length) == 0)
        return;
    newest = (newest + 1) % HISTORY_LINES;
    memcpy(edit.history[newest], edit.text, edit.length);
    edit.history_length[newest] = edit.length;
    edit.newest = newest;
}

static void history_go(size_t back)
{
    size_t at = history_index(back);

    if (back > HISTORY_LINES || (back > 0 && edit.history_length[at] == 0)) {
        refuse_key();
        return;
    }
    erase_line();
    if (back > 0)
        edit_insert(edit.history[at], edit.history_length[at]);
    edit.back = back;
}

/* ---- keys ---- */

static void key_previous(void) { history_go(edit.back + 1); }

static void key_next(void)
{
    if (edit.back > 0)
        history_go(edit.back - 1);
}

static void key_left(void)
{
    if (edit.cursor > 0)
        move_to(edit.cursor - 1);
}

static void key_right(void)
{
    if (edit.cursor < edit.length)
        move_to(edit.cursor + 1);
}

static void key_delete(void)
{
    if (edit.cursor < edit.length)
        erase(edit.cursor, edit.cursor + 1);
}

static void key_backspace(void)
{
    if (edit.cursor > 0)
        erase(edit.cursor - 1, edit.cursor);
}

static void control_key(char c)
{
    switch (c) {
    case CTRL_A: move_to(0); break;
    case CTRL_B: key_left(); break;
    case CTRL_D: key_delete(); break;
    case CTRL_E: move_to(edit.length); break;
    case CTRL_F: key_right(); break;
    case BS: case DEL: key_backspace(); break;
    case TAB: complete(edit.text, edit.cursor); break;
    case CTRL_K: erase(edit.cursor, edit.length); break;
    case CTRL_L: edit_redraw(); break;
    case CTRL_N: key_next(); break;
    case CTRL_P: key_previous(); break;
    case CTRL_U: erase_line(); break;
    case CTRL_W: erase_word(); break;
    default: refuse_line(&edit.spoiled); break;
    }
}

/* The keys of terminals: ESC [ A, ESC O A, ESC [ 3 ~. */
static void escape_key(void)
{
    char last = edit.escape[edit.escape_length - 1];

    if (last == '~' && edit.escape_length > 2)
        last = edit.escape[2];
    switch (last) {
    case 'A': key_previous(); break;
    case 'B': key_next(); break;
    case 'C': key_right(); break;
    case 'D': key_left(); break;
    case 'H': case '1': case '7': move_to(0); break;
    case 'F': case '4': case '8': move_to(edit.length); break;
    case '3': key_delete(); break;
    default: refuse_key(); break;
    }
}

static void escape_byte(char c)
{
    bool introducer = edit.escape_length == 1 && (c == '[' || c == 'O');
    bool parameter = edit.escape_length > 1 && ((c >= '0' && c <= '9') || c == ';');

    edit.escape[edit.escape_length++] = c;
    if ((introducer || parameter) && edit.escape_length < sizeof(edit.escape))
        return;
    escape_key();
    edit.escape_length = 0;
}

bool edit_byte(char c)
{
    if (output_at_line_start())
        edit_redraw();
    if (edit.escape_length > 0)
        escape_byte(c);
    else if (c == ESC)
        edit.escape[edit.escape_length++] = c;
    else if (c >= ' ' && c <= '~')
        edit_insert(&c, 1);
    else
        control_key(c);
    return edit.length > 0 || edit.spoiled || edit.too_long || edit.escape_length > 0;
}

/* ---- the end of the line ---- */

static bool is_blank_line(void)
{
    for (size_t i = 0; i < edit.length; i++)
        if (edit.text[i] != ' ')
            return false;
    return true;
}

void edit_end(void)
{
    move_to(edit.length);
    output_fresh_line();
    if (edit.too_long) {
        session_refuse(E_LINK_LONG, true);
    } else if (edit.spoiled) {
        session_refuse(E_LINK_BYTE, true);
    } else if (!is_blank_line()) {
        history_add();
        session_line(edit.text, edit.length, true);
    }
    edit.length = edit.cursor = 0;
    if (!session_is_strict())
        edit_prompt();
}

void edit_cancel(void)
{
    if (!output_at_line_start())
        output_string("^C");
    edit_prompt();
}
