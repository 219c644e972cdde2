/* SPDX-License-Identifier: MIT */
#include "protocol/trace.h"

#include "kernel/lab.h"
#include "kernel/lib/format.h"
#include "protocol/output.h"

static void event(enum pages_event what, pfn_t first, uint64_t pages, uint32_t tag)
{
    static const char *const names[] = {
        [PAGES_ALLOC] = "alloc", [PAGES_FREE] = "free",
        [PAGES_RESERVE] = "reserve", [PAGES_UNRESERVE] = "unreserve",
    };
    char buffer[128];
    struct text line;

    text_init(&line, buffer, sizeof(buffer));
    text_string(&line, "% ");
    if (what == PAGES_LOST) {
        text_string(&line, "lost events=");
        text_decimal(&line, pages);
        output_between(line.buffer, line.length, true);
        return;
    }
    text_string(&line, names[what]);
    text_string(&line, " addr=");
    text_hex(&line, pfn_phys(first).a, 16);
    text_string(&line, " pages=");
    text_decimal(&line, pages);
    text_string(&line, " tag=");
    text_decimal(&line, tag);
    output_between(line.buffer, line.length, true);
}

void trace_set(bool on)
{
    lab_set_event_hook(on ? event : NULL);
}
