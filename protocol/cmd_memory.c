/* SPDX-License-Identifier: MIT */
/* Commands that touch memory. */
#include "kernel/machine.h"
#include "protocol/handlers.h"

static unsigned width_of(const struct value *width)
{
    return width->given ? (unsigned)width->number : 8;
}

/* Addresses of instructions differ from build to build: they are for people. */
static enum error blame_access(struct reply *reply, enum error e, uint64_t address,
                               const struct fault *fault)
{
    if (e == E_CALL_ALIGN)
        return refuse_argument(reply, "address", e);
    if (e == E_CALL_UNSUPPORTED)
        return e;
    reply_key_address(reply, "at", fault->has_address ? fault->address : address);
    reply_text(reply, error_text(e));
    if (fault->pc != 0) {
        text_string(&reply->note, " (pc ");
        text_hex(&reply->note, fault->pc, 1);
        text_string(&reply->note, ")");
    }
    return e;
}

enum error cmd_peek(const struct args_peek *args, struct reply *reply)
{
    struct fault fault = { .has_address = false };
    uint64_t value;
    enum error e = machine_read(args->address.number, width_of(&args->width), &value, &fault);

    if (e != OK)
        return blame_access(reply, e, args->address.number, &fault);
    reply_address(reply, value);
    return OK;
}

enum error cmd_poke(const struct args_poke *args, struct reply *reply)
{
    unsigned width = width_of(&args->width);
    uint64_t most = UINT64_MAX >> (64 - 8 * width);
    struct fault fault = { .has_address = false };
    enum error e;

    if (args->value.number > most)
        return refuse_range(reply, "value", most);
    e = machine_write(args->address.number, width, args->value.number, &fault);
    return e == OK ? OK : blame_access(reply, e, args->address.number, &fault);
}

/* ---- the pattern ---- */

/* The block that begins at a frame. */
static enum error block_stretch(pfn_t first, uint64_t *count)
{
    struct page_info info;

    pages_query(&lab.pages, first, &info);
    *count = info.pages;
    switch (info.state) {
    case PAGE_FREE: return E_MEM_FREE;
    case PAGE_RESERVED: return E_MEM_RESERVED;
    case PAGE_UNMANAGED: return E_MEM_UNMANAGED;
    case PAGE_ALLOCATED: break;
    }
    return info.block.n == first.n ? OK : E_MEM_INSIDE;
}

/* The range of the window whose usable pages begin at an address. */
static enum error range_stretch(virt_t first, uint64_t *count)
{
    struct virt_range range;

    if (!vmap_next(&lab.vmap, first, &range) || range.busy
        || first.a < range.first.a - (range.front << PAGE_SHIFT))
        return E_MEM_FREE;
    *count = range.pages;
    return range.first.a == first.a ? OK : E_MEM_INSIDE;
}

/* The pages meant: so many, or the block or range that begins there. */
static enum error stretch(const struct value *address, const struct value *pages,
                          struct reply *reply, pfn_t *first, uint64_t *count)
{
    const virt_t at = virt(address->number);
    enum error e = need_pages(reply);

    if (e == OK)
        e = page_frame(reply, address, first);
    if (e != OK)
        return e;
    *count = pages->number;
    if (pages->given && *count > PFN_LIMIT - first->n)
        return refuse_range(reply, "pages", PFN_LIMIT - first->n);
    if (pages->given)
        return OK;
    if (!lab.injected && at.a >= lab.window.a && at.a < lab.window_limit.a)
        e = range_stretch(at, count);
    else
        e = block_stretch(*first, count);
    return blame_frame(reply, e, *first);
}

static enum error blame_pattern(struct reply *reply, enum error e, phys_t at)
{
    switch (e) {
    case E_FAULT_ADDRESS: case E_FAULT_PROTECTION: case E_FAULT_OTHER: case E_FAULT_PATTERN:
    case E_STOP_INTERRUPTED:
        reply_key_address(reply, "at", at.a);
        return e;
    default:
        return e;
    }
}

typedef enum error pattern_worker(pfn_t first, uint64_t pages, uint64_t seed, phys_t *at);

static enum error pattern(const struct value *address, const struct value *pages, uint64_t seed,
                          pattern_worker *worker, struct reply *reply)
{
    pfn_t first;
    uint64_t count;
    phys_t at = phys(address->number);
    enum error e = stretch(address, pages, reply, &first, &count);

    return e == OK ? blame_pattern(reply, worker(first, count, seed, &at), at) : e;
}

enum error cmd_fill(const struct args_fill *args, struct reply *reply)
{
    return pattern(&args->address, &args->pages, args->seed.number, machine_fill, reply);
}

enum error cmd_verify(const struct args_verify *args, struct reply *reply)
{
    return pattern(&args->address, &args->pages, args->seed.number, machine_verify, reply);
}
