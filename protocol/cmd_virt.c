/* SPDX-License-Identifier: MIT */
/* Commands of the virtual allocator. */
#include "protocol/handlers.h"
#include "protocol/origins.h"

/* The keys that all requests for addresses share. */
struct wish {
    const struct value *align, *at, *guard, *guard_pages;
};

#define WISH_PLACE(args) \
    .at = &(args)->at, .guard = &(args)->guard, .guard_pages = &(args)->guard_pages
#define WISH_KEYS(args) WISH_PLACE(args), .align = &(args)->align

enum { GUARD_FRONT, GUARD_BACK, GUARD_BOTH };   /* in the order of the type's words */

/* The error as it is told: "at=" where an address is to blame. */
static enum error blame_address(struct reply *reply, enum error e, virt_t at)
{
    switch (e) {
    case E_MEM_UNMANAGED: case E_MEM_UNALIGNED: case E_MEM_FREE: case E_MEM_INSIDE: case E_MEM_KIND:
    case E_MEM_BUSY: case E_MEM_OVERRUN: case E_FAULT_ADDRESS: case E_FAULT_PROTECTION:
        reply_key_address(reply, "at", at.a);
        return e;
    default:
        return e;
    }
}

static enum error wish_guards(const struct wish *wish, struct reply *reply,
                              struct virt_request *place)
{
    uint64_t window = (lab.window_limit.a - lab.window.a) >> PAGE_SHIFT;
    uint64_t pages = wish->guard_pages->given ? wish->guard_pages->number : 1;

    if (pages > window)
        return refuse_range(reply, "guard_pages", window);
    if (!wish->guard->given)
        return wish->guard_pages->given ? refuse_argument(reply, "guard", E_CALL_MISSING) : OK;
    if (wish->guard->number != GUARD_BACK)
        place->front = pages;
    if (wish->guard->number != GUARD_FRONT)
        place->back = pages;
    return OK;
}

static enum error wish_place(const struct wish *wish, struct reply *reply,
                             struct virt_request *place)
{
    enum error e = wish_guards(wish, reply, place);

    place->tag = reply_tag(reply);
    if (wish->align->given && wish->align->number > PAGE_SIZE)
        place->align = order_for(wish->align->number >> PAGE_SHIFT);
    place->exact = wish->at->given;
    place->at = virt(wish->at->number);
    if (e == OK && !is_aligned(place->at.a, PAGE_SIZE))
        return blame_address(reply, E_MEM_UNALIGNED, place->at);
    return e;
}

static unsigned attributes_of(const struct value *attributes)
{
    return attributes->given ? (unsigned)attributes->number : attributes_default(lab.mmu);
}

/* What an allocation of addresses ended in; `frames` are those that were to be behind them. */
static enum error granted(struct reply *reply, enum error e, const struct virt_request *place,
                          const struct page_request *frames, virt_t out, virt_t blame)
{
    if (e == E_MEM_NONE || (place->exact && (e == E_MEM_BUSY || e == E_MEM_UNMANAGED)))
        journal_refusal(&lab_journal, &(struct refusal){
            .what = frames != NULL ? REFUSED_MAPPED : REFUSED_ADDRESSES, .tag = place->tag,
            .place = *place,
            .pages = frames != NULL ? *frames : (struct page_request){ .pages = 0 },
        });
    if (e == E_MEM_NONE && place->exact && blame.a != 0)
        reply_key_address(reply, "at", blame.a);
    if (e != OK)
        return blame_address(reply, e, blame);
    origin_note(ORIGIN_RANGE, out.a);
    reply_address(reply, out.a);
    return OK;
}

/* ---- vmalloc ---- */

static enum error vmalloc(const struct wish *wish, uint64_t size, const struct value *areas,
                          const struct value *redzone, const struct value *dontzero,
                          const struct value *attributes, struct reply *reply)
{
    struct vmap_request request = {
        .place.kind = VIRT_VMALLOC, .attributes = attributes_of(attributes),
        .areas = areas->given ? (uint32_t)areas->number : ALL_AREAS,
        .max = areas->given ? areas->limit : pfn(PFN_LIMIT), .dontzero = dontzero->number != 0,
    };
    virt_t out = virt(0), blame = virt(0);
    bool zeroed;
    enum error e = need_pages(reply);

    if (e == OK)
        e = wish_place(wish, reply, &request.place);
    if (e == OK)
        e = vmap_pages(&request, size, redzone->number != 0);
    if (e != OK)
        return e;
    e = vmap_alloc(&lab.vmap, &request, &out, &zeroed, &blame);
    e = granted(reply, e, &request.place,
                &(struct page_request){ .areas = request.areas, .max = request.max, .pages = 1 },
                out, blame);
    if (e == OK && !zeroed)
        reply_key_number(reply, "zeroed", 0);
    return e;
}

enum error cmd_vmalloc(const struct args_vmalloc *args, struct reply *reply)
{
    return vmalloc(&(struct wish){ WISH_KEYS(args) }, args->size.number, &args->area,
                   &args->redzone, &args->dontzero, &args->attributes, reply);
}

enum error cmd_vmemalign(const struct args_vmemalign *args, struct reply *reply)
{
    return vmalloc(&(struct wish){ WISH_PLACE(args), .align = &args->alignment },
                   args->size.number, &args->area, &args->redzone, &args->dontzero,
                   &args->attributes, reply);
}

enum error cmd_vfree(const struct args_vfree *args, struct reply *reply)
{
    enum error e = need_pages(reply);
    virt_t blame;
    uint64_t pages;

    if (e != OK)
        return e;
    e = vmap_free(&lab.vmap, virt(args->address.number), VIRT_VMALLOC, args->force.number != 0,
                  &pages, &blame);
    if (e != OK)
        return blame_address(reply, e, blame);
    origin_forget(ORIGIN_RANGE, args->address.number);
    reply_number(reply, pages);
    return OK;
}

/* ---- vmap ---- */

/* What large units want, on every machine alike: where both sides can be aligned so. */
static bool takes_units(uint64_t physical, uint64_t size, unsigned shift)
{
    const uint64_t unit = UINT64_C(1) << shift;

    return is_aligned(physical, unit) && size >= unit;
}

/* At the best alignment of which there is an address left. */
static enum error map_aligned(struct vmap_request *request, uint64_t physical, uint64_t size,
                              virt_t *out, virt_t *blame)
{
    static const unsigned shifts[] = { 30, 21 };
    enum error e = E_MEM_NONE;

    for (size_t i = 0; e == E_MEM_NONE && i < ARRAY_SIZE(shifts); i++) {
        request->place.align = shifts[i] - PAGE_SHIFT;
        if (takes_units(physical, size, shifts[i]))
            e = vmap_map(&lab.vmap, request, phys(physical), out, blame);
    }
    request->place.align = 0;
    return e != E_MEM_NONE ? e : vmap_map(&lab.vmap, request, phys(physical), out, blame);
}

static enum error vmap(const struct wish *wish, uint64_t physical, uint64_t size,
                       unsigned attributes, struct reply *reply)
{
    struct vmap_request request = { .place.kind = VIRT_VMAP, .attributes = attributes };
    virt_t out = virt(0), blame = virt(0);
    enum error e = need_pages(reply);

    if (e == OK && !is_aligned(physical, PAGE_SIZE))
        return blame_address(reply, E_MEM_UNALIGNED, virt(physical));
    if (e == OK && physical == 0)
        return refuse_argument(reply, "physical", E_CALL_RANGE);
    if (e == OK && size > ADDRESS_LIMIT - physical)
        return refuse_range(reply, "size", ADDRESS_LIMIT - physical);
    if (e == OK)
        e = wish_place(wish, reply, &request.place);
    if (e == OK)
        e = vmap_pages(&request, size, false);
    if (e != OK)
        return e;
    /* What is asked for by address or alignment is not to be aligned better. */
    if (wish->at->given || wish->align->given)
        e = vmap_map(&lab.vmap, &request, phys(physical), &out, &blame);
    else
        e = map_aligned(&request, physical, size, &out, &blame);
    return granted(reply, e, &request.place, NULL, out, blame);
}

enum error cmd_vmap(const struct args_vmap *args, struct reply *reply)
{
    return vmap(&(struct wish){ WISH_KEYS(args) }, args->physical.number, args->size.number,
                attributes_of(&args->attributes), reply);
}

enum error cmd_ioremap(const struct args_ioremap *args, struct reply *reply)
{
    return vmap(&(struct wish){ WISH_KEYS(args) }, args->physical.number, args->size.number,
                MMU_UNCACHED | attributes_default(lab.mmu), reply);
}

enum error cmd_vunmap(const struct args_vunmap *args, struct reply *reply)
{
    enum error e = need_pages(reply);
    uint64_t pages;

    if (e != OK)
        return e;
    e = vmap_unmap(&lab.vmap, virt(args->address.number), &pages);
    if (e != OK)
        return blame_address(reply, e, virt(args->address.number));
    origin_forget(ORIGIN_RANGE, args->address.number);
    reply_number(reply, pages);
    return OK;
}

/* ---- addresses only ---- */

enum error cmd_alloc_vpages(const struct args_alloc_vpages *args, struct reply *reply)
{
    const uint64_t most = UINT64_MAX >> PAGE_SHIFT;
    struct virt_request place = { .kind = VIRT_PAGES, .pages = args->pages.number };
    virt_t out = virt(0), blame = virt(0);
    enum error e = need_pages(reply);

    if (e == OK && args->pages.number > most)
        return refuse_range(reply, "pages", most);
    if (e == OK)
        e = wish_place(&(struct wish){ WISH_KEYS(args) }, reply, &place);
    place.size = place.pages << PAGE_SHIFT;
    if (e != OK)
        return e;
    e = vmap_take_addresses(&lab.vmap, &place, &out, &blame);
    return granted(reply, e, &place, NULL, out, blame);
}

enum error cmd_free_vpages(const struct args_free_vpages *args, struct reply *reply)
{
    enum error e = need_pages(reply);
    uint64_t pages;

    if (e != OK)
        return e;
    e = vmap_give_addresses(&lab.vmap, virt(args->address.number), &pages);
    if (e != OK)
        return blame_address(reply, e, virt(args->address.number));
    origin_forget(ORIGIN_RANGE, args->address.number);
    reply_number(reply, pages);
    return OK;
}

/* ---- protect ---- */

/* Pages of the direct map, which are at their own addresses. */
static enum error protect_direct(uint64_t at, uint64_t pages, unsigned wanted, struct reply *reply)
{
    pfn_t blame = pfn(0);
    enum error e;

    if (at >= ADDRESS_LIMIT)
        return blame_address(reply, E_FAULT_ADDRESS, virt(at));
    if (pages > (ADDRESS_LIMIT - at) >> PAGE_SHIFT)
        return refuse_range(reply, "pages", (ADDRESS_LIMIT - at) >> PAGE_SHIFT);
    e = attributes_protect(&lab.attributes, phys_pfn(phys(at)), pages, wanted, &blame);
    /* Nobody's memory: the kernel's if there is any, else a hole. */
    if (e == E_MEM_UNMANAGED)
        e = lab.mmu->query(virt(pfn_phys(blame).a), &(struct mmu_mapping){ .shift = 0 })
            ? E_FAULT_PROTECTION : E_FAULT_ADDRESS;
    return blame_address(reply, e, virt(pfn_phys(blame).a));
}

enum error cmd_protect(const struct args_protect *args, struct reply *reply)
{
    uint64_t at = args->address.number, pages = args->pages.number;
    unsigned wanted = (unsigned)args->attributes.number;
    bool in_window = at >= lab.window.a && at < lab.window_limit.a;
    uint64_t last = in_window ? lab.window_limit.a - 1 : UINT64_MAX;
    uint64_t most = ((last - at) >> PAGE_SHIFT) + 1;
    enum error e = need_pages(reply);
    virt_t blame;

    if (e == OK && !is_aligned(at, PAGE_SIZE))
        return blame_address(reply, E_MEM_UNALIGNED, virt(at));
    if (e == OK && pages > most)
        return refuse_range(reply, "pages", most);
    if (e == OK && !in_window)
        return protect_direct(at, pages, wanted, reply);
    if (e != OK)
        return e;
    e = vmap_protect(&lab.vmap, virt(at), pages, wanted, &blame);
    return blame_address(reply, e, blame);
}
