/* SPDX-License-Identifier: MIT */
#include "protocol/stress_worker.h"

#include "kernel/machine.h"

#define VIRTUAL_PAGES 3u              /* of a vmalloc, at most */
#define EXACT_PAGES 11u
#define RESERVED_PAGES 2u
#define OBJECT_SIZE 3000u

void stress_worker_begin(struct stress_worker *worker, const struct stress_plan *plan,
                         unsigned cpu)
{
    *worker = (struct stress_worker){
        .plan = plan, .cpu = cpu,
        .x = (plan->seed + cpu + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1,
    };
}

/* xorshift64*, as the other stress; a number below `n` from its high half. */
static unsigned draw(struct stress_worker *worker, unsigned n)
{
    worker->x ^= worker->x >> 12;
    worker->x ^= worker->x << 25;
    worker->x ^= worker->x >> 27;
    return (unsigned)((worker->x * UINT64_C(0x2545f4914f6cdd1d) >> 32) * n >> 32);
}

/* ---- marks ---- */

/* The first and the last word of each page; of an object the first one. */
static uint64_t marks_of(const struct stress_block *block)
{
    return block->kind == STRESS_HEAP ? 1 : 2 * block->pages;
}

static uint64_t place_of(const struct stress_block *block, uint64_t i)
{
    return block->at + (i / 2 << PAGE_SHIFT) + (i % 2 == 0 ? 0 : PAGE_SIZE - 8);
}

/* What cannot be reached is not marked: an injected map, or frames beyond 32 bits of address. */
static enum error mark_put(struct stress_worker *worker, struct stress_block *block)
{
    enum error e = OK;

    block->mark = (uint64_t)(worker->cpu + 1) << 48 | worker->serial++;
    for (uint64_t i = 0; e == OK && i < marks_of(block); i++) {
        struct fault fault = { .has_address = false };

        worker->bad = place_of(block, i);
        e = machine_write(worker->bad, 8, block->mark + i, &fault);
    }
    block->marked = e == OK;
    return e == E_CALL_UNSUPPORTED ? OK : e;
}

static enum error mark_verify(struct stress_worker *worker, const struct stress_block *block)
{
    enum error e = OK;

    for (uint64_t i = 0; e == OK && block->marked && i < marks_of(block); i++) {
        struct fault fault = { .has_address = false };
        uint64_t value = 0;

        worker->bad = place_of(block, i);
        e = machine_read(worker->bad, 8, &value, &fault);
        if (e == OK && value != block->mark + i)
            e = E_FAULT_PATTERN;
    }
    return e;
}

/* ---- one of each kind ---- */

static enum error take_pages(struct stress_worker *worker, struct stress_block *block)
{
    const struct stress_plan *plan = worker->plan;
    struct page_request request = { .areas = plan->areas, .max = plan->max };
    pfn_t first, blame;
    bool zeroed;
    enum error e;

    if (block->kind == STRESS_PAGES) {
        request.align = draw(worker, plan->order + 1);
        request.pages = UINT64_C(1) << request.align;
    } else {
        request.pages = 1 + draw(worker, EXACT_PAGES);
    }
    e = pages_alloc(&lab.pages, &request, 0, draw(worker, 8) != 0, &first, &zeroed,
                    &blame);
    block->at = pfn_phys(first).a;
    block->pages = request.pages;
    return e;
}

static enum error take_reserved(struct stress_worker *worker, struct stress_block *block)
{
    pfn_t first = pfn(worker->last.n + draw(worker, RESERVED_PAGES)), blame;

    block->at = pfn_phys(first).a;
    block->pages = 1 + draw(worker, RESERVED_PAGES);
    return pages_reserve(&lab.pages, first, block->pages, 0, &blame);
}

static enum error take_virtual(struct stress_worker *worker, struct stress_block *block)
{
    struct vmap_request request = {
        .place = { .kind = VIRT_VMALLOC },
        .attributes = attributes_default(lab.mmu), .areas = worker->plan->areas,
        .max = worker->plan->max, .dontzero = draw(worker, 4) != 0,
    };
    virt_t at = { 0 }, blame;
    bool zeroed;
    enum error e;

    block->pages = 1 + draw(worker, VIRTUAL_PAGES);
    request.place.front = draw(worker, 2);
    e = vmap_pages(&request, block->pages << PAGE_SHIFT, false);
    if (e == OK)
        e = vmap_alloc(&lab.vmap, &request, &at, &zeroed, &blame);
    block->at = at.a;
    return e;
}

static enum error take_object(struct stress_worker *worker, struct stress_block *block)
{
    const struct heap_request request = {
        .size = 8 + draw(worker, OBJECT_SIZE), .align = 8,
    };
    virt_t at;
    bool zeroed;
    enum error e = heap_alloc(&lab.heap, &request, &at, &zeroed);

    block->at = at.a;
    block->pages = 0;
    return e;
}

static enum error give(struct stress_worker *worker, const struct stress_block *block)
{
    pfn_t first = phys_pfn(phys(block->at)), frame;
    uint64_t pages;
    virt_t blame;

    switch (block->kind) {
    case STRESS_PAGES: case STRESS_EXACT:
        worker->last = first;
        return attributes_free(&lab.attributes, first, 0, &pages, &frame);
    case STRESS_RESERVE:
        return attributes_unreserve(&lab.attributes, first, block->pages, 0,
                                    &frame);
    case STRESS_HEAP:
        return heap_free(&lab.heap, virt(block->at), false, &pages, &blame);
    default:
        return vmap_free(&lab.vmap, virt(block->at), VIRT_VMALLOC, false, &pages, &blame);
    }
}

/* ---- what is done with what is held ---- */

/* The marks of a block are seen at another address of its memory, too. */
static enum error look_by_map(struct stress_worker *worker, const struct stress_block *block)
{
    const struct vmap_request request = {
        .place = { .kind = VIRT_VMAP, .pages = block->pages,
                   .size = block->pages << PAGE_SHIFT },
        .attributes = attributes_default(lab.mmu),
    };
    struct stress_block other = *block;
    uint64_t pages;
    virt_t at, blame;
    enum error e = vmap_map(&lab.vmap, &request, phys(block->at), &at, &blame), undone;

    if (e != OK) {
        worker->fails++;
        return OK;
    }
    other.at = at.a;
    e = mark_verify(worker, &other);
    undone = vmap_unmap(&lab.vmap, at, &pages);
    return e != OK ? e : undone;
}

static enum error protect(const struct stress_block *block, unsigned attributes)
{
    virt_t blame;
    pfn_t frame;

    return block->kind == STRESS_VIRTUAL
        ? vmap_protect(&lab.vmap, virt(block->at), block->pages, attributes, &blame)
        : attributes_protect(&lab.attributes, phys_pfn(phys(block->at)), block->pages, attributes,
                             &frame);
}

/* A page that becomes read-only cannot be written any more; then it can be again. */
static enum error try_protected(struct stress_worker *worker, const struct stress_block *block)
{
    unsigned usual = attributes_default(lab.mmu);
    struct fault fault;
    enum error e = protect(block, usual | MMU_READ_ONLY);

    if (e != OK) {
        worker->fails++;
        return OK;
    }
    worker->bad = block->at;
    e = machine_write(block->at, 8, 0, &fault);
    if (e != E_FAULT_PROTECTION)
        return e == OK ? E_FAULT_OTHER : e;
    e = protect(block, usual);
    return e == OK ? mark_verify(worker, block) : e;
}

static bool holds_pages(const struct stress_block *block)
{
    return block->marked && block->kind != STRESS_RESERVE && block->kind != STRESS_HEAP;
}

static enum error visit(struct stress_worker *worker, enum stress_kind kind)
{
    const struct stress_block *block = &worker->blocks[draw(worker, (unsigned)worker->count)];

    if (!holds_pages(block))
        return OK;
    if (kind == STRESS_PROTECT)
        return try_protected(worker, block);
    return block->kind == STRESS_VIRTUAL ? mark_verify(worker, block)
                                         : look_by_map(worker, block);
}

/* ---- steps ---- */

static enum error give_one(struct stress_worker *worker, size_t i)
{
    struct stress_block block = worker->blocks[i];
    enum error e = mark_verify(worker, &block);

    if (e == OK)
        e = give(worker, &block);
    if (e == OK)
        worker->blocks[i] = worker->blocks[--worker->count];
    return e;
}

static enum error take_one(struct stress_worker *worker, enum stress_kind kind)
{
    struct stress_block *block = &worker->blocks[worker->count];
    enum error e;

    *block = (struct stress_block){ .kind = kind };
    switch (kind) {
    case STRESS_RESERVE: e = take_reserved(worker, block); break;
    case STRESS_VIRTUAL: e = take_virtual(worker, block); break;
    case STRESS_HEAP: e = take_object(worker, block); break;
    default: e = take_pages(worker, block);
    }
    if (e != OK) {
        worker->fails++;
        return OK;
    }
    worker->count++;
    return mark_put(worker, block);
}

static enum stress_kind choose(struct stress_worker *worker)
{
    unsigned kind;

    do
        kind = draw(worker, STRESS_KINDS);
    while ((worker->plan->mix >> kind & 1) == 0);
    return (enum stress_kind)kind;
}

/* Five of eight take something, so that the table fills up. */
enum error stress_worker_step(struct stress_worker *worker)
{
    enum stress_kind kind = choose(worker);
    bool visits = kind == STRESS_MAP || kind == STRESS_PROTECT;

    if (worker->count == STRESS_BLOCKS || (worker->count > 0 && draw(worker, 8) >= 5))
        return give_one(worker, draw(worker, (unsigned)worker->count));
    if (visits && worker->count > 0)
        return visit(worker, kind);
    return take_one(worker, visits ? STRESS_PAGES : kind);
}

enum error stress_worker_end(struct stress_worker *worker)
{
    enum error e = OK;

    while (e == OK && worker->count > 0)
        e = give_one(worker, worker->count - 1);
    return e;
}
