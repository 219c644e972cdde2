/* SPDX-License-Identifier: MIT */
/* Commands of the page allocator. */
#include "protocol/handlers.h"
#include "protocol/origins.h"

/* The keys that all requests for pages share, and what the command itself asks for. */
struct wish {
    const struct value *areas, *align, *min, *max, *at, *fresh, *dontzero;
    const struct value *attributes;   /* NULL or not given: the default */
    uint64_t pages;
    unsigned order_of_alignment;  /* by the command; align= may ask for more */
};

#define WISH_PLACE(args) \
    .align = &(args)->align, .min = &(args)->min, .max = &(args)->max, .at = &(args)->at, \
    .fresh = &(args)->fresh, .dontzero = &(args)->dontzero
#define WISH_KEYS(args) WISH_PLACE(args), .attributes = &(args)->attributes

static enum error wish_alignment(const struct wish *wish, struct reply *reply, uint16_t *order)
{
    *order = (uint16_t)wish->order_of_alignment;
    if (!wish->align->given)
        return OK;
    if (wish->align->number > MAX_BLOCK_PAGES * PAGE_SIZE)
        return refuse_range(reply, "align", MAX_BLOCK_PAGES * PAGE_SIZE);
    if (wish->align->number > PAGE_SIZE << *order)
        *order = (uint16_t)order_for(wish->align->number >> PAGE_SHIFT);
    return OK;
}

static enum error wish_request(const struct wish *wish, struct reply *reply,
                               struct page_request *request)
{
    enum error e = wish_alignment(wish, reply, &request->align);

    request->areas = wish->areas->given ? (uint32_t)wish->areas->number : ALL_AREAS;
    request->pages = wish->pages;
    request->min = phys_pfn(phys(align_up(wish->min->number, PAGE_SIZE)));
    request->max = wish->max->given ? phys_pfn(phys(wish->max->number)) : pfn(PFN_LIMIT);
    if (wish->areas->given && wish->areas->limit.n < request->max.n)
        request->max = wish->areas->limit;
    request->fresh = wish->fresh->number != 0;
    request->exact = wish->at->given;
    if (e == OK && request->exact)
        e = page_frame(reply, wish->at, &request->at);
    if (e != OK || !request->exact || is_aligned(request->at.n, UINT64_C(1) << request->align))
        return e;
    reply_key_address(reply, "at", wish->at->number);
    reply_text(reply, "not a multiple of the alignment that the request has");
    return E_MEM_UNALIGNED;
}

static enum error grant(const struct wish *wish, struct reply *reply)
{
    struct page_request request = { .pages = 0 };
    enum error e = need_pages(reply);
    pfn_t frame, blame = pfn(0);
    bool zeroed;

    if (e == OK)
        e = wish_request(wish, reply, &request);
    if (e != OK)
        return e;
    if (wish->attributes != NULL && wish->attributes->given)
        e = attributes_alloc(&lab.attributes, &request, reply_tag(reply),
                             wish->dontzero->number != 0, (unsigned)wish->attributes->number,
                             &frame, &zeroed, &blame);
    else
        e = pages_alloc(&lab.pages, &request, reply_tag(reply), wish->dontzero->number != 0,
                        &frame, &zeroed, &blame);
    if (e == E_MEM_NONE || (e != OK && request.exact))
        journal_refusal(&lab_journal, &(struct refusal){
            .what = REFUSED_PAGES, .tag = reply_tag(reply), .pages = request,
        });
    if (e == E_MEM_NONE && request.exact) {
        reply_key_address(reply, "at", pfn_phys(blame).a);
        reply_text(reply, "the page is free, and not one that the request allows");
    }
    if (e != OK)
        return blame_frame(reply, e, blame);
    origin_note(ORIGIN_BLOCK, pfn_phys(frame).a);
    reply_address(reply, pfn_phys(frame).a);
    if (!zeroed && wish->dontzero->number == 0)
        reply_key_number(reply, "zeroed", 0);
    return OK;
}

enum error cmd_alloc_page(const struct args_alloc_page *args, struct reply *reply)
{
    return grant(&(struct wish){ WISH_KEYS(args), .areas = &args->area, .pages = 1 }, reply);
}

enum error cmd_alloc_pages(const struct args_alloc_pages *args, struct reply *reply)
{
    unsigned order = (unsigned)args->order.number;

    return grant(&(struct wish){
        WISH_KEYS(args), .areas = &args->area, .pages = UINT64_C(1) << order,
        .order_of_alignment = order,
    }, reply);
}

#define ALLOC_PAGES_WITH(args, wanted) \
    (struct wish){ \
        WISH_PLACE(args), .areas = &(args)->area, .pages = UINT64_C(1) << (args)->order.number, \
        .order_of_alignment = (unsigned)(args)->order.number, \
        .attributes = &(struct value){ .given = true, .number = (wanted) }, \
    }

enum error cmd_alloc_pages_ro(const struct args_alloc_pages_ro *args, struct reply *reply)
{
    unsigned wanted = MMU_READ_ONLY | attributes_default(lab.mmu);

    return grant(&ALLOC_PAGES_WITH(args, wanted), reply);
}

enum error cmd_alloc_pages_nx(const struct args_alloc_pages_nx *args, struct reply *reply)
{
    return grant(&ALLOC_PAGES_WITH(args, MMU_NO_EXECUTE), reply);
}

enum error cmd_alloc_pages_uncached(const struct args_alloc_pages_uncached *args,
                                    struct reply *reply)
{
    unsigned wanted = MMU_UNCACHED | attributes_default(lab.mmu);

    return grant(&ALLOC_PAGES_WITH(args, wanted), reply);
}

enum error cmd_alloc_pages_area(const struct args_alloc_pages_area *args, struct reply *reply)
{
    unsigned order = (unsigned)args->order.number;

    return grant(&(struct wish){
        WISH_KEYS(args), .areas = &args->areas, .pages = UINT64_C(1) << order,
        .order_of_alignment = order,
    }, reply);
}

enum error cmd_memalign_pages_area(const struct args_memalign_pages_area *args,
                                   struct reply *reply)
{
    const uint64_t most = MAX_BLOCK_PAGES * PAGE_SIZE;
    uint64_t size = args->size.number, alignment = args->alignment.number;

    if (alignment > most)
        return refuse_range(reply, "alignment", most);
    if (size > most)
        return refuse_range(reply, "size", most);
    return grant(&(struct wish){
        WISH_KEYS(args), .areas = &args->areas,
        .pages = UINT64_C(1) << order_for(align_up(size, PAGE_SIZE) >> PAGE_SHIFT),
        .order_of_alignment = order_for(alignment >> PAGE_SHIFT),
    }, reply);
}

enum error cmd_alloc_pages_exact(const struct args_alloc_pages_exact *args, struct reply *reply)
{
    if (args->pages.number > MAX_BLOCK_PAGES)
        return refuse_range(reply, "pages", MAX_BLOCK_PAGES);
    return grant(&(struct wish){
        WISH_KEYS(args), .areas = &args->area, .pages = args->pages.number,
    }, reply);
}

/* ---- by address ---- */

/* The block as it is before pages of it are freed. */
static enum error free_pages(pfn_t first, uint64_t count, uint64_t *freed, pfn_t *blame)
{
    struct page_info block = { .pages = 0 };
    enum error e;

    if (count > 0 && first.n < PFN_LIMIT)
        pages_query(&lab.pages, first, &block);
    e = attributes_free(&lab.attributes, first, count, freed, blame);
    if (e == OK && count > 0)
        origin_cut(&block, first, count);
    else if (e == OK)
        origin_forget(ORIGIN_BLOCK, pfn_phys(first).a);
    return e;
}

enum error cmd_free(const struct args_free *args, struct reply *reply)
{
    enum error e;
    uint64_t freed;
    pfn_t frame, blame;

    if (!args->pages.given && heap_answers(args->address.number))
        return free_object(args->address.number, args->force.number != 0, reply);
    e = need_pages(reply);
    if (e == OK)
        e = page_frame(reply, &args->address, &frame);
    if (e == OK)
        e = refuse_heap(reply, args->address.number);
    if (e != OK)
        return e;
    e = free_pages(frame, args->pages.number, &freed, &blame);
    if (e != OK)
        return blame_frame(reply, e, blame);
    reply_number(reply, freed);
    return OK;
}

/* Frames from an address on, for reserve and its reverse. */
static enum error frames(const struct value *address, const struct value *pages,
                         struct reply *reply, pfn_t *first)
{
    enum error e = need_pages(reply);

    if (e == OK)
        e = page_frame(reply, address, first);
    if (e == OK && pages->number > PFN_LIMIT - first->n)
        e = refuse_range(reply, "pages", PFN_LIMIT - first->n);
    return e;
}

enum error cmd_reserve(const struct args_reserve *args, struct reply *reply)
{
    pfn_t first, blame = pfn(0);
    enum error e = frames(&args->address, &args->pages, reply, &first);

    if (e != OK)
        return e;
    e = pages_reserve(&lab.pages, first, args->pages.number, reply_tag(reply), &blame);
    if (e != OK)
        return blame_frame(reply, e, blame);
    reply_address(reply, pfn_phys(first).a);
    return OK;
}

enum error cmd_unreserve(const struct args_unreserve *args, struct reply *reply)
{
    pfn_t first, blame = pfn(0);
    enum error e = frames(&args->address, &args->pages, reply, &first);

    if (e != OK)
        return e;
    e = attributes_unreserve(&lab.attributes, first, args->pages.number, reply_tag(reply), &blame);
    return blame_frame(reply, e, blame);
}

/* ---- the scan order ---- */

/* Append the areas of a mask that are not in the order yet, highest first. */
static void append_areas(uint8_t *order, size_t *n, uint32_t *missing, uint32_t areas)
{
    for (size_t i = lab.nareas; i-- > 0;) {
        if ((areas & *missing & UINT32_C(1) << i) == 0)
            continue;
        order[(*n)++] = (uint8_t)i;
        *missing &= ~(UINT32_C(1) << i);
    }
}

enum error cmd_scan_order(const struct args_scan_order *args, struct reply *reply)
{
    const char *at = args->areas.text, *end = at + args->areas.length;
    enum error e = need_pages(reply);
    uint8_t order[MAX_AREAS];
    uint32_t missing = ALL_AREAS;
    size_t n = 0;

    while (e == OK && at < end) {
        const char *word = at;
        uint32_t areas;
        pfn_t limit;

        while (at < end && *at != '|')
            at++;
        e = lab_area_set(word, (size_t)(at - word), &areas, &limit);
        if (e == OK)
            append_areas(order, &n, &missing, areas);
        at++;
    }
    if (e != OK)
        return e;
    append_areas(order, &n, &missing, ALL_AREAS);
    return lab_scan_order(order);
}
