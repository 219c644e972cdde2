/* SPDX-License-Identifier: MIT */
/*
 * The slot that lacks least, for `why`.
 *
 * A slot is looked for at the edges of runs of equal pages. With an alignment of at least the size
 * that finds the best one: a slot that is partly free holds the beginning of a run. The slots at
 * one edge of each run come in rising order, so what lies in one is a difference of two tallies
 * that only move up: each run is looked at a fixed number of times, however long a slot is.
 */
#include "kernel/machine.h"
#include "protocol/why.h"

#define EDGES 3u
#define STOP_STEP 64u                 /* runs between two looks for a ^C */

enum use { USE_FREE, USE_TAKEN, USE_NEVER };

/* What lies before a page: before the run that it has come to, and the part of that run. */
struct tally {
    struct window run;
    enum use use;                     /* of the run */
    uint64_t pages[USE_NEVER + 1];    /* of each use, before the run */
    uint64_t blocks;                  /* runs that are taken, before this one */
};

struct search {
    const struct space *space;
    const struct page_request *request;
    struct window window;
    struct { struct tally first, end; } edges[EDGES];
    uint64_t looks;
    bool stopped;
};

static uint64_t look(struct search *search, uint64_t at, enum use *use)
{
    struct page_info info;
    uint64_t n = search->space->run(at, search->window.limit, &info);

    if (search->looks++ % STOP_STEP == 0 && machine_interrupted())
        search->stopped = true;
    if (info.state == PAGE_FREE)
        *use = search->request->fresh && !info.fresh ? USE_NEVER : USE_FREE;
    else
        *use = info.state == PAGE_UNMANAGED ? USE_NEVER : USE_TAKEN;
    return n;
}

static void tally_move(struct tally *tally, struct search *search, uint64_t to)
{
    while (tally->run.limit < to && !search->stopped) {
        tally->pages[tally->use] += tally->run.limit - tally->run.first;
        tally->blocks += tally->use == USE_TAKEN;
        tally->run.first = tally->run.limit;
        tally->run.limit += look(search, tally->run.first, &tally->use);
    }
}

static uint64_t tally_pages(const struct tally *tally, enum use use, uint64_t at)
{
    return tally->pages[use] + (tally->use == use ? at - tally->run.first : 0);
}

/* Of slots at one edge, none below the one before it. */
static struct slot slot_at(struct search *search, unsigned edge, uint64_t at)
{
    struct tally *first = &search->edges[edge].first, *end = &search->edges[edge].end;
    uint64_t limit = at + search->request->pages;

    tally_move(first, search, at);
    tally_move(end, search, limit);
    if (tally_pages(end, USE_NEVER, limit) != tally_pages(first, USE_NEVER, at))
        return (struct slot){ .missing = UINT64_MAX };
    return (struct slot){
        .at = at,
        .missing = tally_pages(end, USE_TAKEN, limit) - tally_pages(first, USE_TAKEN, at),
        .blocks = end->blocks + (end->use == USE_TAKEN)
            - first->blocks - (first->use == USE_TAKEN && first->run.limit == at),
    };
}

static bool has_slot(const struct search *search, uint64_t at)
{
    const struct window *window = &search->window;

    return at >= window->first && at < window->limit
        && search->request->pages <= window->limit - at;
}

/* Slots at the edges of one run. */
static void try_edges(struct search *search, struct window run, struct slot *best)
{
    const struct page_request *request = search->request;
    uint64_t step = UINT64_C(1) << request->align, lead = search->space->lead;
    uint64_t at[EDGES] = {
        align_down(run.first + lead, step) - lead, align_up(run.first + lead, step) - lead,
        run.limit >= request->pages ? align_down(run.limit - request->pages + lead, step) - lead
                                    : 0,
    };

    for (unsigned i = 0; i < EDGES; i++) {
        struct slot slot;

        if (!has_slot(search, at[i]))
            continue;
        slot = slot_at(search, i, at[i]);
        if (slot.missing < best->missing
            || (slot.missing == best->missing && slot.missing < UINT64_MAX && slot.at < best->at))
            *best = slot;
    }
}

static void search_begin(struct search *search, uint64_t first)
{
    for (unsigned i = 0; i < EDGES; i++) {
        struct tally none = { .run = { first, first } };

        search->edges[i].first = search->edges[i].end = none;
    }
    search->looks = 0;
    search->stopped = false;
}

enum error why_best_slot(const struct space *space, struct window window,
                         const struct page_request *request, struct slot *best)
{
    struct search search = { .space = space, .request = request, .window = window };
    uint64_t n;

    *best = (struct slot){ .missing = UINT64_MAX };
    if (request->exact) {
        search_begin(&search, request->at.n);
        if (has_slot(&search, request->at.n))
            *best = slot_at(&search, 0, request->at.n);
        return search.stopped ? E_STOP_INTERRUPTED : OK;
    }
    search_begin(&search, window.first);
    for (uint64_t at = window.first; at < window.limit && !search.stopped; at += n) {
        enum use use;

        n = look(&search, at, &use);
        try_edges(&search, (struct window){ at, at + n }, best);
    }
    return search.stopped ? E_STOP_INTERRUPTED : OK;
}
