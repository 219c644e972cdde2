/* SPDX-License-Identifier: MIT */
/* What is done to whatever is mapped in the window. */
#include "kernel/mm/vmap.h"

/*
 * Under the lock: all pages are mapped, by ranges that nobody works on, and by no CPU's stack.
 * *blame is the first page of which that is not so.
 */
static enum error may_protect(const struct vmap *vmap, uint64_t at, uint64_t end, virt_t *blame)
{
    struct mmu_mapping mapping;

    for (uint64_t page = at; page < end;
         page = mapping.unit.a + (UINT64_C(1) << mapping.shift)) {
        *blame = (virt_t){ page };
        if (!vmap->mmu->query(*blame, &mapping))
            return E_FAULT_ADDRESS;
    }
    for (uint64_t page = at; page < end;) {
        const struct virt_range *range = virt_next(&vmap->virt, (virt_t){ page });

        if (range == NULL || range->first.a >= end)
            break;
        *blame = (virt_t){ range->first.a > at ? range->first.a : at };
        if (range->busy || range->kind == VIRT_STACK)
            return range->busy ? E_FAULT_ADDRESS : E_MEM_KIND;
        page = range->first.a + ((range->pages + range->back) << PAGE_SHIFT);
    }
    return OK;
}

enum error vmap_protect(struct vmap *vmap, virt_t at, uint64_t count, unsigned attributes,
                        virt_t *blame)
{
    enum error e;

    ASSERT(count > 0 && at.a >= vmap->virt.first.a && at.a < vmap->virt.limit.a
           && count <= (vmap->virt.limit.a - at.a) >> PAGE_SHIFT);
    *blame = (virt_t){ 0 };
    if ((attributes & ~vmap->mmu->attributes) != 0)
        return E_CALL_UNSUPPORTED;
    lock_take(&vmap->lock);
    e = may_protect(vmap, at.a, at.a + (count << PAGE_SHIFT), blame);
    if (e == OK) {
        *blame = (virt_t){ 0 };
        e = vmap->mmu->protect(at, count << PAGE_SHIFT, attributes);
    }
    lock_release(&vmap->lock);
    return e;
}

void vmap_clear(struct vmap *vmap)
{
    vmap->mmu->unmap(vmap->virt.first, vmap->virt.limit.a - vmap->virt.first.a, NULL);
}
