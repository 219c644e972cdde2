/* SPDX-License-Identifier: MIT */
/* Breaks what vmap_check() verifies, one invariant at a time: the mildest way that it names. */
#include "kernel/mm/attributes.h"
#include "kernel/mm/virt_node.h"
#include "kernel/mm/vmap.h"

/* ---- ranges ---- */

static struct virt_range *range_from(struct vmap *vmap, virt_t from)
{
    return (struct virt_range *)virt_next(&vmap->virt, from);
}

/* The second range begins where the first one does. */
static enum error overlap(struct vmap *vmap, const struct virt_range *first)
{
    uint64_t end = first->first.a + ((first->pages + first->back) << PAGE_SHIFT);
    struct virt_range *second = range_from(vmap, virt(end));

    if (second == NULL)
        return E_CALL_STATE;
    second->first = first->first;
    second->front = first->front;
    return OK;
}

static enum error corrupt_range(struct vmap *vmap, unsigned invariant)
{
    struct virt_range *range = range_from(vmap, virt(0));

    if (range == NULL)
        return E_CALL_STATE;
    switch (invariant) {
    case 400: range->pages = 0; return OK;
    case 401: return overlap(vmap, range);
    case 402: vmap->virt.root->height++; return OK;
    case 403: vmap->virt.root->gap++; return OK;
    case 404: vmap->virt.used++; return OK;
    default: virt_set_busy(range, true); return OK;
    }
}

/* ---- what is behind them ---- */

/* The first range with frames behind it that are its own. */
static bool find_frames(struct vmap *vmap, struct mmu_mapping *mapping)
{
    struct virt_range *range = range_from(vmap, virt(0));

    while (range != NULL && (range->kind == VIRT_PAGES || range->kind == VIRT_VMAP))
        range = range_from(vmap, virt(range->first.a + ((range->pages + range->back)
                                                        << PAGE_SHIFT)));
    return range != NULL && vmap->mmu->query(range->first, mapping);
}

static enum error map_last_page(struct vmap *vmap)
{
    virt_t last = virt(vmap->virt.limit.a - PAGE_SIZE);
    struct mmu_mapping mapping;

    if (virt_next(&vmap->virt, last) != NULL || vmap->mmu->query(last, &mapping))
        return E_CALL_STATE;
    return vmap->mmu->map(last, phys(PAGE_SIZE), PAGE_SIZE, attributes_default(vmap->mmu));
}

/* A block that has no use of its own is one behind a page. */
static enum error mark_block(struct pages *pages)
{
    for (uint64_t i = 0; i < lookup_count(pages->owners); i++) {
        uint64_t frame;
        uint32_t tag;

        lookup_at(pages->owners, i, &frame, &tag);
        if (pages_use(pages, pfn(frame)) == PAGES_PLAIN) {
            lookup_mark(pages->owners, frame, PAGES_MAPPED);
            return OK;
        }
    }
    return E_CALL_STATE;
}

enum error vmap_corrupt(struct vmap *vmap, unsigned invariant)
{
    struct mmu_mapping mapping;

    if (invariant < 500)
        return corrupt_range(vmap, invariant);
    if (invariant == 500)
        return map_last_page(vmap);
    if (invariant == 503)
        return mark_block(vmap->pages);
    if (!find_frames(vmap, &mapping))
        return E_CALL_STATE;
    if (invariant == 501)
        vmap->mmu->unmap(mapping.unit, UINT64_C(1) << mapping.shift, NULL);
    else
        lookup_mark(vmap->pages->owners, phys_pfn(mapping.phys).n, PAGES_PLAIN);
    return OK;
}
