/* SPDX-License-Identifier: MIT */
#include "kernel/smp_memory.h"

#include "arch/arch.h"
#include "kernel/lab.h"

/* Early memory stays that of phys, whatever the stage is when it is given back. */
static enum error early_take(uint64_t size, uint64_t align, uint64_t limit, phys_t *out)
{
    const struct phys_request request = {
        .size = size, .align = align, .max = limit < ADDRESS_LIMIT ? limit : ADDRESS_LIMIT,
        .direction = PHYS_HIGH,
    };

    return phys_alloc(&lab.phys, &request, out);
}

static enum error early_give(phys_t at)
{
    uint64_t size;

    return phys_free(&lab.phys, at, &size);
}

static bool is_early(phys_t at)
{
    struct phys_extent extent;

    return phys_find(&lab.phys, at, &extent) == OK;
}

/* ---- what the machine needs ---- */

static enum error need_take(struct smp_info *info, uint32_t tag)
{
    const struct arch_cpu_need *need = &arch_cpu_need;
    const struct page_request request = {
        .areas = ALL_AREAS, .pages = need->size >> PAGE_SHIFT,
        .align = order_for(need->align >> PAGE_SHIFT), .max = phys_pfn(phys(need->limit)),
    };
    pfn_t first, blame;
    bool zeroed;
    enum error e;

    if (lab.stage < STAGE_PAGE)
        return early_take(need->size, need->align, need->limit, &info->need);
    e = pages_alloc_use(&lab.pages, &request, tag, PAGES_CPU, true, &first, &zeroed, &blame);
    if (e == OK)
        info->need = pfn_phys(first);
    return e;
}

static enum error need_give(struct smp_info *info)
{
    enum error e = OK;

    if (info->need_size > 0)
        e = is_early(info->need) ? early_give(info->need)
                                 : pages_give_back(&lab.pages, phys_pfn(info->need), PAGES_CPU);
    if (e == OK)
        info->need_size = 0;
    return e;
}

/* ---- the stack ---- */

static enum error stack_take(struct smp_info *info, uint32_t tag)
{
    struct vmap_request request = {
        .place = { .kind = VIRT_STACK, .front = 1, .tag = tag },
        .attributes = attributes_default(lab.mmu), .areas = ALL_AREAS, .max = pfn(PFN_LIMIT),
        .dontzero = true,
    };
    phys_t early;
    virt_t blame;
    bool zeroed;
    enum error e;

    info->guarded = lab.stage >= STAGE_PAGE;
    if (!info->guarded) {
        e = early_take(ARCH_CPU_STACK, PAGE_SIZE, UINT64_C(1) << 32, &early);
        info->stack = virt(early.a);
        return e;
    }
    e = vmap_pages(&request, ARCH_CPU_STACK, false);
    return e == OK ? vmap_alloc(&lab.vmap, &request, &info->stack, &zeroed, &blame) : e;
}

static enum error stack_give(struct smp_info *info)
{
    uint64_t pages;
    virt_t blame;
    enum error e = OK;

    if (info->stack_size > 0)
        e = info->guarded
            ? vmap_free(&lab.vmap, info->stack, VIRT_STACK, false, &pages, &blame)
            : early_give(phys(info->stack.a));
    if (e == OK)
        info->stack_size = 0;
    return e;
}

/* ---- both ---- */

/* What a stop could not give back is still there. */
enum error smp_memory_take(struct smp_info *info, uint32_t tag, const char **lacking)
{
    const struct smp_info before = *info;
    enum error e = OK, undone = OK;

    if (lab.injected)
        return E_CALL_UNSUPPORTED;
    if (arch_cpu_need.size > 0 && info->need_size == 0)
        e = need_take(info, tag);
    if (e != OK) {
        *lacking = arch_cpu_need.name;
        *info = before;
        return e;
    }
    info->need_size = arch_cpu_need.size;
    if (info->stack_size == 0)
        e = stack_take(info, tag);
    if (e == OK) {
        info->stack_size = ARCH_CPU_STACK;
        return OK;
    }
    *lacking = "stack";
    if (before.need_size == 0)
        undone = need_give(info);
    ASSERT(undone == OK);
    *info = before;
    return e;
}

void smp_memory_started(struct smp_info *info)
{
    if (!arch_cpu_need.kept && need_give(info) != OK)
        ASSERT(info->need_size > 0);
}

enum error smp_memory_give(struct smp_info *info)
{
    enum error e = stack_give(info), other = need_give(info);

    return e != OK ? e : other;
}
