/* SPDX-License-Identifier: MIT */
/*
 * What happened to pages, and in whose name: the last events, names of the owners, and the request
 * that was refused last. Nothing here decides anything; all of it is for questions.
 */
#ifndef PFNLAB_MM_JOURNAL_H
#define PFNLAB_MM_JOURNAL_H

#include "kernel/mm/pages.h"
#include "kernel/mm/virt.h"

#define JOURNAL_EVENTS 1024u          /* kept; older ones are overwritten */
#define JOURNAL_NAMES 64u
#define OWNER_NAME_SIZE 16u           /* bytes with the NUL */

struct journal_event {
    enum pages_event event;
    uint32_t tag;
    pfn_t first;
    uint64_t pages;
};

/* The requests from tag `from` on, up to the next one, are made in this name; "" is nobody's. */
struct owner_name {
    uint32_t from;
    char name[OWNER_NAME_SIZE];
};

/* What found no place. */
enum refused {
    REFUSED_NOTHING,                  /* so far */
    REFUSED_PAGES,                    /* `pages` */
    REFUSED_ADDRESSES,                /* `place` */
    REFUSED_MAPPED,                   /* `place`, and frames to be behind it, each as `pages` */
    REFUSED_EARLY,                    /* `size` bytes of early memory, a multiple of `align` */
    REFUSED_OTHER,                    /* nothing of these */
};

struct refusal {
    enum refused what;
    uint32_t tag;                     /* of the request */
    struct page_request pages;
    struct virt_request place;
    uint64_t size, align;
};

struct journal {
    struct lock lock;                 /* guards all of it, but for names: only commands give them */
    uint64_t count;                   /* events since journal_clear(), kept or not */
    struct journal_event events[JOURNAL_EVENTS];
    unsigned nnames;
    struct owner_name names[JOURNAL_NAMES];
    _Atomic uint32_t refusals;        /* counted, wrapping; read without the lock */
    struct refusal refusal;           /* the last of them */
};

/* Forget everything, while no other CPU is at work. */
void journal_clear(struct journal *journal);

void journal_event(struct journal *journal, enum pages_event event, pfn_t first, uint64_t pages,
                   uint32_t tag);

/* Something found no place. Of CPUs that are refused at once any one is remembered. */
void journal_refusal(struct journal *journal, const struct refusal *refusal);

/*
 * How many there were, wrapping: is the last one that of the command that asks before and after?
 * Nothing is handed over by it.
 */
uint32_t journal_refusals(const struct journal *journal);

/* Event number `index` of those that were counted; it must be one of the last JOURNAL_EVENTS. */
const struct journal_event *journal_at(const struct journal *journal, uint64_t index);

/*
 * From the request numbered `tag`, not 0, on the owner is called so; tags from there on that had a
 * name lose it. MEM_METADATA: JOURNAL_NAMES are there. CALL_WORD: the name is too long.
 */
MUST_USE enum error journal_name(struct journal *journal, uint32_t tag, const char *name,
                                 size_t length);

/* The name of the owner of what request `tag` allocated; NULL if it has none. */
const char *journal_name_of(const struct journal *journal, uint32_t tag);

#endif
