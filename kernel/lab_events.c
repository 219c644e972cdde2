/* SPDX-License-Identifier: MIT */
/*
 * What happened to pages is written down at once, and told when no lock is held: by CPU 0, from a
 * queue that all CPUs share, so that it is told in the order in which it happened.
 *
 * Whoever tells waits until all is told. So what waits is of commands that hold a lock of a layer
 * above, the heap's, while they take or give back many pages: mostly one after the other, which is
 * one entry. What finds no room is counted, and told as lost in its place.
 */
#include "kernel/lab.h"
#include "kernel/lab_parts.h"
#include "kernel/lock.h"
#include "kernel/smp.h"

#define QUEUE_ENTRIES 1024u

/* Events that follow one another: each begins where the one before ends. */
struct entry {
    struct journal_event event;       /* the first of them; if PAGES_LOST, `pages` is the count */
    uint64_t count;
};

static struct {
    struct lock lock;                 /* guards what follows */
    uint64_t first, end;              /* entries are numbered since boot */
    struct entry entries[QUEUE_ENTRIES];
} queue = { .lock = LOCK_INIT(LOCK_QUEUE) };

/* Changed by CPU 0 between commands, with an empty queue. */
static void (*listener)(enum pages_event event, pfn_t first, uint64_t pages, uint32_t tag);

void lab_set_event_hook(void (*event)(enum pages_event event, pfn_t first, uint64_t pages,
                                      uint32_t tag))
{
    listener = event;
}

static struct entry *entry_at(uint64_t number)
{
    return &queue.entries[number % QUEUE_ENTRIES];
}

/* Does the event go on where the last entry ends? */
static bool goes_on(const struct entry *last, const struct journal_event *event)
{
    return last->event.event == event->event && last->event.tag == event->tag
        && last->event.pages == event->pages
        && last->event.first.n + last->count * event->pages == event->first.n;
}

/* Under the lock. The last place is that of what is lost. */
static void put(const struct journal_event *event)
{
    struct entry *last = queue.end > queue.first ? entry_at(queue.end - 1) : NULL;
    uint64_t room = QUEUE_ENTRIES - (queue.end - queue.first);

    if (last != NULL && goes_on(last, event))
        last->count++;
    else if (room > 1)
        *entry_at(queue.end++) = (struct entry){ *event, 1 };
    else if (room == 1)
        *entry_at(queue.end++) = (struct entry){ { .event = PAGES_LOST, .pages = 1 }, 1 };
    else
        last->event.pages++;
}

void lab_event_record(enum pages_event event, pfn_t first, uint64_t pages, uint32_t tag)
{
    journal_event(&lab_journal, event, first, pages, tag);
    if (listener == NULL)
        return;
    lock_take(&queue.lock);
    put(&(struct journal_event){ event, tag, first, pages });
    lock_release(&queue.lock);
}

/* The next event of the queue; false: there is none. */
static bool get(struct journal_event *event)
{
    struct entry *next;
    bool found;

    lock_take(&queue.lock);
    found = queue.first < queue.end;
    next = entry_at(queue.first);
    if (found) {
        *event = next->event;
        next->event.first.n += event->pages;
        if (--next->count == 0)
            queue.first++;
    }
    lock_release(&queue.lock);
    return found;
}

static void tell_all(void *unused)
{
    struct journal_event next;

    (void)unused;
    while (get(&next))
        listener(next.event, next.first, next.pages, next.tag);
}

void lab_tell_kept(void)
{
    if (listener != NULL && lock_depth() == 0)
        smp_call(tell_all, NULL);
}
