/* SPDX-License-Identifier: MIT */
/* Commands of the heap and of the stages that it lives through. */
#include "kernel/machine.h"
#include "protocol/dump.h"
#include "protocol/handlers.h"
#include "protocol/origins.h"

static const char *const stage_names[] = {
    [STAGE_EARLY] = "early", [STAGE_PAGE] = "page", [STAGE_VIRTUAL] = "virtual",
};

const char *stage_name(enum lab_stage stage)
{
    return stage_names[stage];
}

/* ---- objects ---- */

/* Memory that could not be written or read: where. Returns `e`. */
static enum error blame_access(struct reply *reply, enum error e, virt_t at)
{
    if (e == E_FAULT_ADDRESS || e == E_FAULT_PROTECTION || e == E_FAULT_OTHER)
        reply_key_address(reply, "at", at.a);
    return e;
}

/* What an object wanted of the layer below; of a size near 2^64 that was nothing. */
static void note_refusal(uint64_t size, bool redzone, uint64_t align, struct reply *reply)
{
    uint64_t all = size + (redzone ? HEAP_ZONE_MIN : 0);
    uint64_t pages = all <= HEAP_SMALL && align <= HEAP_SMALL ? 1 : ((all - 1) >> PAGE_SHIFT) + 1;
    unsigned order = align > PAGE_SIZE ? order_for(align >> PAGE_SHIFT) : 0;
    bool mapped = lab.stage == STAGE_VIRTUAL;
    struct refusal refusal = {
        .what = mapped ? REFUSED_MAPPED : lab.stage == STAGE_PAGE ? REFUSED_PAGES : REFUSED_EARLY,
        .tag = reply_tag(reply),
        .pages = {
            .areas = mapped ? ALL_AREAS : lab.heap_frames.areas, .pages = mapped ? 1 : pages,
            .align = (uint16_t)(mapped ? 0 : order),
            .max = mapped ? pfn(PFN_LIMIT) : lab.heap_frames.max,
        },
        .place = { .pages = pages, .align = order },
        .size = pages << PAGE_SHIFT, .align = align > PAGE_SIZE ? align : PAGE_SIZE,
    };

    if (size <= UINT64_MAX - PAGE_SIZE)
        journal_refusal(&lab_journal, &refusal);
}

static enum error grant(const struct heap_request *request, struct reply *reply)
{
    virt_t at;
    bool zeroed;
    enum error e = heap_alloc(&lab.heap, request, &at, &zeroed);

    if (e == E_CALL_RANGE)
        return refuse_range(reply, "alignment", HEAP_ALIGN_MAX);
    if (e == E_MEM_NONE)
        note_refusal(request->size, request->redzone, request->align, reply);
    if (e != OK)
        return blame_access(reply, e, at);
    origin_note(ORIGIN_OBJECT, at.a);
    reply_address(reply, at.a);
    if (!zeroed)
        reply_key_number(reply, "zeroed", 0);
    return OK;
}

enum error cmd_malloc(const struct args_malloc *args, struct reply *reply)
{
    return grant(&(struct heap_request){
        .size = args->size.number, .align = 1, .tag = reply_tag(reply),
        .redzone = args->redzone.number != 0,
    }, reply);
}

/* The greatest size of which so many fit: a 32-bit machine has no division of 64 bits. */
static uint64_t most_times(uint64_t count)
{
    uint64_t most = 0, product;

    for (uint64_t bit = UINT64_C(1) << 63; bit != 0; bit >>= 1)
        if (!__builtin_mul_overflow(count, most | bit, &product))
            most |= bit;
    return most;
}

enum error cmd_calloc(const struct args_calloc *args, struct reply *reply)
{
    uint64_t size;

    if (__builtin_mul_overflow(args->count.number, args->size.number, &size))
        return refuse_range(reply, "size", most_times(args->count.number));
    return grant(&(struct heap_request){
        .size = size, .align = 1, .tag = reply_tag(reply),
        .zero = true,
    }, reply);
}

enum error cmd_memalign(const struct args_memalign *args, struct reply *reply)
{
    return grant(&(struct heap_request){
        .size = args->size.number, .align = args->alignment.number, .tag = reply_tag(reply),
        .redzone = args->redzone.number != 0,
    }, reply);
}

/* What the heap said of an address: "at=" for errors that blame one. Returns `e`. */
static enum error blame_object(struct reply *reply, enum error e, virt_t at)
{
    switch (e) {
    case E_MEM_UNMANAGED: case E_MEM_INSIDE: case E_MEM_FREE: case E_MEM_RESERVED:
    case E_MEM_KIND: case E_MEM_OVERRUN:
        reply_key_address(reply, "at", at.a);
        return e;
    default:
        return blame_access(reply, e, at);
    }
}

enum error cmd_realloc(const struct args_realloc *args, struct reply *reply)
{
    virt_t at, blame;
    bool copied;
    enum error e = heap_realloc(&lab.heap, virt(args->address.number), args->size.number, &at,
                                &copied, &blame);

    if (e == E_MEM_NONE)
        note_refusal(args->size.number, false, 1, reply);
    if (e != OK)
        return blame_object(reply, e, blame);
    origin_move(ORIGIN_OBJECT, args->address.number, at.a);
    reply_address(reply, at.a);
    if (!copied)
        reply_key_number(reply, "copied", 0);
    return OK;
}

/* In the window, and no page that may be freed as such: an injected map may have some there. */
static bool is_virtual(uint64_t address)
{
    struct page_info info;

    if (address < lab.window.a || address >= lab.window_limit.a)
        return false;
    pages_query(&lab.pages, phys_pfn(phys(address)), &info);
    return info.state == PAGE_UNMANAGED;
}

/* Early memory, for the heap to say whose it is. */
static bool is_early(uint64_t address)
{
    struct phys_extent extent;

    return phys_find(&lab.phys, phys(address), &extent) == OK;
}

bool heap_answers(uint64_t address)
{
    return lab.stage == STAGE_EARLY || heap_has(&lab.heap, virt(address), false)
        || heap_has(&lab.heap, virt(address), true) || is_virtual(address) || is_early(address);
}

enum error free_object(uint64_t address, bool force, struct reply *reply)
{
    uint64_t pages;
    virt_t blame;
    enum error e = heap_free(&lab.heap, virt(address), force, &pages, &blame);

    if (e != OK)
        return blame_object(reply, e, blame);
    origin_forget(ORIGIN_OBJECT, address);
    reply_number(reply, pages);
    return OK;
}

enum error refuse_heap(struct reply *reply, uint64_t address)
{
    if (!heap_has(&lab.heap, virt(address), false))
        return OK;
    reply_key_address(reply, "at", address);
    return E_MEM_KIND;
}

/* ---- what there is ---- */

static void totals_row(struct reply *reply, unsigned class, struct heap_totals *sum)
{
    struct heap_totals totals;

    heap_totals(&lab.heap, class, &totals);
    row_begin(reply);
    if (totals.size != 0)
        row_number(reply, totals.size);
    else
        row_word(reply, "pages");
    row_key_number(reply, "objects", totals.objects);
    row_key_number(reply, "pages", totals.pages);
    row_key_number(reply, "bytes", totals.bytes);
    sum->objects += totals.objects;
    sum->pages += totals.pages;
    sum->bytes += totals.bytes;
}

enum error cmd_heap(const struct args_heap *args, struct reply *reply)
{
    struct listing listing = { .n = 0 };
    struct heap_totals sum = { .objects = 0 };
    bool more = true;

    (void)args;
    for (unsigned class = 0; more && class <= HEAP_CLASSES; class++) {
        totals_row(reply, class, &sum);
        more = listing_row(&listing, reply);
    }
    reply_key_word(reply, "stage", stage_name(lab.stage));
    reply_key_number(reply, "objects", sum.objects);
    reply_key_number(reply, "pages", sum.pages);
    reply_key_number(reply, "bytes", sum.bytes);
    return listing_end(&listing, reply, true, 0);
}

enum error dump_heap(const struct dump_range *range, struct reply *reply)
{
    const uint64_t limit = pfn_phys(range->limit).a;
    struct listing listing = { .n = 0 };
    struct heap_object object;
    struct heap_walk walk;
    bool more = true, there;

    heap_walk_begin(&walk, &lab.heap, virt(range->address), machine_interrupted);
    there = heap_walk_next(&walk, &object);
    while (more && there && object.at.a < limit) {
        row_begin(reply);
        row_address(reply, object.at.a);
        row_number(reply, object.size);
        row_key_word(reply, "stage", stage_name((enum lab_stage)object.stage));
        row_key_number(reply, "owner", object.tag);
        if (object.zone != 0)
            row_key_number(reply, "redzone", object.zone);
        more = listing_row(&listing, reply);
        there = heap_walk_next(&walk, &object);
    }
    listing.interrupted = listing.interrupted || walk.stopped;
    return listing_end(&listing, reply, !there || object.at.a >= limit, object.at.a);
}

/* ---- stages ---- */

enum error cmd_stage(const struct args_stage *args, struct reply *reply)
{
    (void)args;
    reply_word(reply, stage_name(lab.stage));
    return OK;
}

enum error cmd_advance(const struct args_advance *args, struct reply *reply)
{
    uint64_t needed = 0;
    enum error e = lab_advance(&needed);

    (void)args;
    reply_key_word(reply, "stage", stage_name(lab.stage));
    return blame_needed(reply, e, needed);
}
