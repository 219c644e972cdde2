/* SPDX-License-Identifier: MIT */
#include "arch/s390x/loadparm.h"

#include "kernel/lib/format.h"
#include "kernel/lib/string.h"

static const struct { const char *name, *options; } presets[] = {
    { "AREAS16M", "areas=dma:16M,low:2G,normal" },
    { "LOWFIRST", "scan=low" },
    { "ONEAREA", "areas=normal" },
    { "TINYPOOL", "kpool=256K" },
};

/* Without the blanks at its ends; not NUL-terminated. */
static const char *trim(const char loadparm[LOADPARM_SIZE], size_t *length)
{
    size_t first = 0, end = LOADPARM_SIZE;

    while (end > 0 && loadparm[end - 1] == ' ')
        end--;
    while (first < end && loadparm[first] == ' ')
        first++;
    *length = end - first;
    return loadparm + first;
}

static const char *preset_options(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(presets); i++)
        if (strlen(presets[i].name) == length && memcmp(presets[i].name, name, length) == 0)
            return presets[i].options;
    return NULL;
}

void loadparm_apply(const char loadparm[LOADPARM_SIZE], const char *command_line, char *out,
                    size_t size)
{
    size_t length;
    const char *name = trim(loadparm, &length), *options = preset_options(name, length);
    struct text text;

    text_init(&text, out, size);
    if (options != NULL) {
        text_string(&text, options);
    } else if (length > 0) {
        text_string(&text, "loadparm=");
        text_bytes(&text, name, length);
    }
    if (length > 0 && command_line[0] != '\0')
        text_char(&text, ' ');
    text_string(&text, command_line);
}
