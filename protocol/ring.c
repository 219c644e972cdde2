/* SPDX-License-Identifier: MIT */
#include "protocol/ring.h"

#include "kernel/lib/string.h"

static struct ring ring;

void ring_line(const char *text, size_t length)
{
    struct ring_line *line = &ring.lines[ring.count % RING_LINES];

    length = length < sizeof(line->text) ? length : sizeof(line->text) - 1;
    line->sigil = '\0';
    memcpy(line->text, text, length);
    line->text[length] = '\0';
    ring.count++;
}

void ring_answer(char sigil)
{
    ring.lines[(ring.count - 1) % RING_LINES].sigil = sigil;
}
