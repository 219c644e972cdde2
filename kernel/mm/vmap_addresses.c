/* SPDX-License-Identifier: MIT */
/* Ranges of the window with nothing behind them, and questions about all. */
#include "kernel/mm/vmap.h"

enum error vmap_take_addresses(struct vmap *vmap, const struct virt_request *place, virt_t *out,
                               virt_t *blame)
{
    enum error e;

    lock_take(&vmap->lock);
    e = virt_alloc(&vmap->virt, place, out, blame);
    lock_release(&vmap->lock);
    return e;
}

enum error vmap_give_addresses(struct vmap *vmap, virt_t first, uint64_t *pages)
{
    const struct virt_range *range;
    enum error e;

    lock_take(&vmap->lock);
    e = virt_find(&vmap->virt, first, VIRT_PAGES, &range);
    if (e == OK) {
        *pages = range->pages;
        virt_free(&vmap->virt, range);
    }
    lock_release(&vmap->lock);
    return e;
}

bool vmap_next(const struct vmap *vmap, virt_t from, struct virt_range *range)
{
    const struct virt_range *next;

    lock_take(&vmap->lock);
    next = virt_next(&vmap->virt, from);
    if (next != NULL)
        *range = *next;
    lock_release(&vmap->lock);
    return next != NULL;
}
