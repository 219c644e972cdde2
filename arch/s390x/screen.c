/* SPDX-License-Identifier: MIT */
#include "arch/s390x/screen.h"

static bool shows_something(const struct screen *screen)
{
    size_t i = screen->length > 0 && screen->line[0] == '>';

    while (i < screen->length && screen->line[i] == ' ')
        i++;
    return i < screen->length;
}

void screen_flush(struct screen *screen, void (*put)(const char *line, size_t length))
{
    while (screen->length > 0 && screen->line[screen->length - 1] == ' ')
        screen->length--;
    if (shows_something(screen))
        put(screen->line, screen->length);
    screen->length = screen->cursor = 0;
}

void screen_write(struct screen *screen, const char *text, size_t size,
                  void (*put)(const char *line, size_t length))
{
    for (; size > 0; text++, size--) {
        if (*text == '\n')
            screen_flush(screen, put);
        else if (*text == '\r')
            screen->cursor = 0;
        else if (*text == '\b')
            screen->cursor -= screen->cursor > 0;
        else if (*text >= ' ' && *text <= '~') {
            if (screen->cursor == SCREEN_COLUMNS)
                screen_flush(screen, put);
            screen->line[screen->cursor++] = *text;
            if (screen->cursor > screen->length)
                screen->length = screen->cursor;
        }
    }
}
