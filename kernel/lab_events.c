/* SPDX-License-Identifier: MIT */
/*
 * What happened to pages is written down at once, and told when no lock is held. What happens below
 * a lock of a layer above (the heap's) waits; so a CPU keeps a few events until its command is
 * done. CPU 0, which needs nobody's help to talk, tells at once what finds no room; another one
 * drops it.
 */
#include "kernel/lab.h"
#include "kernel/lab_parts.h"
#include "kernel/lock.h"
#include "kernel/smp.h"

#define EVENTS_KEPT 16u

struct kept {
    unsigned n;
    struct journal_event events[EVENTS_KEPT];
};

static struct kept kept_by[SMP_MAX];
static void (*listener)(enum pages_event event, pfn_t first, uint64_t pages, uint32_t tag);

void lab_set_event_hook(void (*event)(enum pages_event event, pfn_t first, uint64_t pages,
                                      uint32_t tag))
{
    listener = event;
}

void lab_event_record(enum pages_event event, pfn_t first, uint64_t pages, uint32_t tag)
{
    journal_event(&lab_journal, event, first, pages, tag);
}

void lab_tell_kept(void)
{
    struct kept *kept = &kept_by[smp_self()];
    unsigned n = kept->n;

    kept->n = 0;
    for (unsigned i = 0; i < n && listener != NULL; i++)
        listener(kept->events[i].event, kept->events[i].first, kept->events[i].pages,
                 kept->events[i].tag);
}

void lab_event_tell(enum pages_event event, pfn_t first, uint64_t pages, uint32_t tag)
{
    struct kept *kept = &kept_by[smp_self()];
    bool must_wait = lock_depth() > 0 && kept->n < EVENTS_KEPT;

    if (listener == NULL)
        return;
    if (must_wait) {
        kept->events[kept->n++] = (struct journal_event){ event, tag, first, pages };
    } else if (lock_depth() == 0 || smp_self() == 0) {
        lab_tell_kept();
        listener(event, first, pages, tag);
    }
}
