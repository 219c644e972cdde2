/* SPDX-License-Identifier: MIT */
/* Address ranges of a window, against the number of the range that each page is in. */
#include <stdio.h>
#include <string.h>

#include "kernel/mm/kpool.h"
#include "kernel/mm/virt.h"
#include "tests/fuzz/ops.h"

#define FIRST (UINT64_C(1) << 40)     /* where the native guest's window begins */
#define ROOM 512u                     /* pages of the window at most */
#define POOL_PAGES 32u

/* A range of the model; pages are counted from the window's first. */
struct range {
    uint64_t at, front, pages, back;  /* pages: 0 if it is given back */
    enum virt_kind kind;
    uint32_t tag;
};

static unsigned char pool_memory[POOL_PAGES << PAGE_SHIFT] __attribute__((aligned(4096)));
static struct kpool pool;
static struct virt window;
static uint64_t npages;
static uint16_t in_range[ROOM];       /* 1 + index of the range, 0: free */
static struct range ranges[ROOM];
static size_t nranges;

static virt_t address_of(uint64_t page) { return (virt_t){ FIRST + (page << PAGE_SHIFT) }; }

static void begin(struct input *in)
{
    struct node_source nodes;

    npages = 1 + take_short(in) % ROOM;
    nranges = 0;
    memset(in_range, 0, sizeof(in_range));
    script_request("map_begin");
    script_request("map_add 1M 1M");
    script_request("map_commit");
    kpool_init(&pool, pool_memory, POOL_PAGES);
    nodes = kpool_source(&pool);
    virt_init(&window, address_of(0), address_of(npages), &nodes);
}

/* ---- the model ---- */

/* The first page in the way of [start, end), or `end`. */
static uint64_t first_taken(uint64_t start, uint64_t end)
{
    while (start < end && start < npages && in_range[start] == 0)
        start++;
    return start;
}

static enum error model_exactly(const struct virt_request *q, uint64_t at, uint64_t *blame)
{
    uint64_t first = FIRST >> PAGE_SHIFT, end = at + q->pages + q->back, taken;

    *blame = first + at - q->front;
    if (at < q->front || at - q->front >= npages)
        return E_MEM_UNMANAGED;
    taken = first_taken(at - q->front, end);
    *blame = first + taken;
    if (taken < end)
        return taken < npages ? E_MEM_BUSY : E_MEM_UNMANAGED;
    *blame = first + at;
    return is_aligned(first + at, UINT64_C(1) << q->align) ? OK : E_MEM_NONE;
}

static enum error model_lowest(const struct virt_request *q, uint64_t *at)
{
    uint64_t all = q->front + q->pages + q->back;

    for (uint64_t start = 0; start + all <= npages; start++) {
        *at = start + q->front;
        if (is_aligned((FIRST >> PAGE_SHIFT) + *at, UINT64_C(1) << q->align)
            && first_taken(start, start + all) == start + all)
            return OK;
    }
    return E_MEM_NONE;
}

static void model_take(const struct virt_request *q, uint64_t at)
{
    ranges[nranges++] = (struct range){ at, q->front, q->pages, q->back, q->kind, q->tag };
    for (uint64_t page = at - q->front; page < at + q->pages + q->back; page++)
        in_range[page] = (uint16_t)nranges;
}

static enum error model_find(uint64_t address, enum virt_kind kind, struct range **found)
{
    uint64_t page = (address - FIRST) >> PAGE_SHIFT;

    if (address < FIRST || page >= npages)
        return E_MEM_UNMANAGED;
    if (!is_aligned(address, PAGE_SIZE))
        return E_MEM_UNALIGNED;
    if (in_range[page] == 0)
        return E_MEM_FREE;
    *found = &ranges[in_range[page] - 1];
    if ((*found)->at != page)
        return E_MEM_INSIDE;
    return (*found)->kind == kind ? OK : E_MEM_KIND;
}

/* ---- operations ---- */

static struct virt_request take_request(struct input *in)
{
    unsigned flags = take_byte(in), guards = flags & 1 ? 1 + take_byte(in) % 8 : 0;
    struct virt_request q = {
        .pages = 1 + take_byte(in) % (flags & 2 ? 200 : 9), .exact = (flags & 4) != 0,
        .align = flags & 8 ? take_byte(in) % 9 : 0,
        .kind = flags & 16 ? VIRT_VMAP : VIRT_PAGES,
        .front = flags & 32 ? guards : 0, .back = flags & 64 ? guards : 0,
    };

    q.at = address_of(q.exact ? take_short(in) % (npages + 4) : 0);
    q.size = q.pages << PAGE_SHIFT;
    return q;
}

static uint32_t script_alloc(const struct virt_request *q)
{
    static const char *const guards[] = { "", " guard=front", " guard=back", " guard=both" };
    char keys[128] = "";
    size_t n = 0;

    if (q->front + q->back > 0)
        n += (size_t)snprintf(keys, sizeof(keys), "%s guard_pages=%llu",
                              guards[(q->front > 0) + 2 * (q->back > 0)],
                              (unsigned long long)(q->front > 0 ? q->front : q->back));
    if (q->exact)
        snprintf(keys + n, sizeof(keys) - n, " at=0x%llx", (unsigned long long)q->at.a);
    if (q->kind == VIRT_PAGES)
        return script_request("alloc_vpages %llu align=0x%llx%s", (unsigned long long)q->pages,
                              1ull << (q->align + PAGE_SHIFT), keys);
    return script_request("vmap 1M 0x%llx align=0x%llx%s", (unsigned long long)q->size,
                          1ull << (q->align + PAGE_SHIFT), keys);
}

static void step_alloc(struct input *in)
{
    struct virt_request q = take_request(in);
    uint64_t at = (q.at.a - FIRST) >> PAGE_SHIFT, blamed = 0;
    virt_t got = { 0 }, blame;
    enum error e;

    if (nranges == ROOM)
        return;
    q.tag = script_alloc(&q);
    e = q.exact ? model_exactly(&q, at, &blamed) : model_lowest(&q, &at);
    if (e == OK)
        script_address(address_of(at).a);
    else
        script_error(e, blamed << PAGE_SHIFT);
    SAME(virt_alloc(&window, &q, &got, &blame), e, "virt_alloc");
    SAME(got.a, e == OK ? address_of(at).a : 0, "virt_alloc gives");
    SAME(blame.a, e == OK ? 0 : blamed << PAGE_SHIFT, "virt_alloc blames");
    if (e == OK)
        model_take(&q, at);
}

/* Where a range begins, mostly. */
static uint64_t take_address(struct input *in)
{
    unsigned choice = take_byte(in);
    uint64_t address = address_of(take_short(in) % (npages + 4)).a;

    if (choice < 200 && nranges > 0)
        address = address_of(ranges[choice % nranges].at).a;
    return choice == 255 ? address + 8 : choice == 254 ? address - (npages << PAGE_SHIFT) : address;
}

/* As both find it; NULL if it is refused. */
static const struct virt_range *find(uint64_t address, enum virt_kind kind, struct range **model)
{
    const struct virt_range *found = NULL;
    enum error e = model_find(address, kind, model);

    SAME(virt_find(&window, (virt_t){ address }, kind, &found), e, "virt_find");
    if (e != OK)
        return NULL;
    SAME(found->first.a, address, "virt_find finds");
    SAME(found->pages, (*model)->pages, "pages of a range");
    SAME(found->front, (*model)->front, "guards in front");
    SAME(found->back, (*model)->back, "guards behind");
    SAME(found->tag, (*model)->tag, "owner of a range");
    return found;
}

static void step_free(struct input *in)
{
    uint64_t address = take_address(in);
    enum virt_kind kind = take_byte(in) & 1 ? VIRT_VMAP : VIRT_PAGES;
    struct range *model = NULL;
    enum error e = model_find(address, kind, &model);
    const struct virt_range *found;

    script_request("%s 0x%llx", kind == VIRT_PAGES ? "free_vpages" : "vunmap",
                   (unsigned long long)address);
    if (e == OK)
        script_number(model->pages);
    else
        script_error(e, address);
    found = find(address, kind, &model);
    if (found == NULL)
        return;
    virt_free(&window, found);
    memset(in_range + model->at - model->front, 0,
           (model->front + model->pages + model->back) * sizeof(*in_range));
    model->pages = 0;
}

/* realloc does this for a heap: the transcript has nothing like it for a range of addresses. */
static void step_resize(struct input *in)
{
    uint64_t address = take_address(in), pages, end, limit;
    struct range *model = NULL;
    const struct virt_range *found = find(address, VIRT_PAGES, &model);
    enum error e;

    if (found == NULL)
        return;
    pages = 1 + take_byte(in) % (model->pages + 9);
    end = model->at + model->pages + model->back;
    limit = model->at + pages + model->back;
    e = limit <= end || (limit <= npages && first_taken(end, limit) == limit) ? OK : E_MEM_NONE;
    SAME(virt_resize(&window, found, pages << PAGE_SHIFT), e, "virt_resize");
    if (e != OK)
        return;
    for (uint64_t page = limit < end ? limit : end; page < (limit < end ? end : limit); page++)
        in_range[page] = limit < end ? 0 : in_range[model->at];
    model->pages = pages;
}

static void step_next(struct input *in)
{
    uint64_t page = take_short(in) % npages;
    const struct virt_range *next = virt_next(&window, address_of(page));

    while (page < npages && in_range[page] == 0)
        page++;
    SAME(next != NULL, page < npages, "there is a next range");
    if (next != NULL)
        SAME(next->first.a, address_of(ranges[in_range[page] - 1].at).a, "virt_next finds");
}

static void check(void)
{
    struct page_violation violation = { .text = "" };

    if (!virt_check(&window, &violation))
        ops_fail("invariant", violation.invariant, violation.text);
}

static void step(struct input *in)
{
    static void (*const steps[])(struct input *) = {
        step_alloc, step_alloc, step_alloc, step_free, step_free, step_next, step_resize,
    };

    steps[take_byte(in) % ARRAY_SIZE(steps)](in);
}

static void end(void)
{
    uint64_t used = 0;

    for (uint64_t page = 0; page < npages; page++)
        used += in_range[page] != 0;
    SAME(window.used, used, "pages in use");
}

const struct ops ops_virt = { "virt", begin, step, check, end };
