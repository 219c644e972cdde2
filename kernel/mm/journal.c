/* SPDX-License-Identifier: MIT */
/* Names ascend by their tags; events are a ring. */
#include "kernel/mm/journal.h"

#include "kernel/lib/string.h"

void journal_clear(struct journal *journal)
{
    journal->lock = (struct lock)LOCK_INIT(LOCK_JOURNAL);
    journal->count = 0;
    journal->nnames = 0;
    atomic_store_explicit(&journal->refusals, 0, memory_order_relaxed);
    journal->refusal = (struct refusal){ .what = REFUSED_NOTHING };
}

void journal_event(struct journal *journal, enum pages_event event, pfn_t first, uint64_t pages,
                   uint32_t tag)
{
    lock_take(&journal->lock);
    journal->events[journal->count++ % JOURNAL_EVENTS] = (struct journal_event){
        .event = event, .tag = tag, .first = first, .pages = pages,
    };
    lock_release(&journal->lock);
}

void journal_refusal(struct journal *journal, const struct refusal *refusal)
{
    lock_take(&journal->lock);
    atomic_fetch_add_explicit(&journal->refusals, 1, memory_order_relaxed);
    journal->refusal = *refusal;
    lock_release(&journal->lock);
}

uint32_t journal_refusals(const struct journal *journal)
{
    return atomic_load_explicit(&journal->refusals, memory_order_relaxed);
}

const struct journal_event *journal_at(const struct journal *journal, uint64_t index)
{
    ASSERT(index < journal->count && journal->count - index <= JOURNAL_EVENTS);
    return &journal->events[index % JOURNAL_EVENTS];
}

/* How many names begin before `tag`. */
static unsigned names_before(const struct journal *journal, uint64_t tag)
{
    unsigned n = 0;

    while (n < journal->nnames && journal->names[n].from < tag)
        n++;
    return n;
}

enum error journal_name(struct journal *journal, uint32_t tag, const char *name, size_t length)
{
    unsigned n = names_before(journal, tag);

    if (length >= OWNER_NAME_SIZE)
        return E_CALL_WORD;
    if (n == JOURNAL_NAMES)
        return E_MEM_METADATA;
    journal->names[n].from = tag;
    memcpy(journal->names[n].name, name, length);
    journal->names[n].name[length] = '\0';
    journal->nnames = n + 1;
    return OK;
}

const char *journal_name_of(const struct journal *journal, uint32_t tag)
{
    unsigned n = names_before(journal, (uint64_t)tag + 1);

    return tag == 0 || n == 0 || journal->names[n - 1].name[0] == '\0'
        ? NULL : journal->names[n - 1].name;
}
