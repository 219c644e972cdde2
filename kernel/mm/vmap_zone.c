/* SPDX-License-Identifier: MIT */
#include "kernel/mm/vmap_zone.h"

#include "kernel/mm/zone.h"

/* Where a byte of a range can be touched, with all behind it in its page; or NULL. */
static uint8_t *byte_at(const struct vmap *vmap, uint64_t at)
{
    struct mmu_mapping mapping;
    uint64_t page = align_down(at, PAGE_SIZE);
    uint8_t *memory;

    if (!vmap->mmu->query((virt_t){ page }, &mapping))
        return NULL;
    memory = vmap->pointer((phys_t){ mapping.phys.a + (page - mapping.unit.a) }, PAGE_SIZE);
    return memory == NULL ? NULL : memory + (at - page);
}

static uint64_t zone_end(const struct virt_range *range)
{
    return range->first.a + (range->pages << PAGE_SHIFT);
}

static uint64_t page_end(uint64_t at)
{
    return align_down(at, PAGE_SIZE) + PAGE_SIZE;
}

bool zone_stamp(const struct vmap *vmap, const struct virt_range *range)
{
    const uint64_t start = range->first.a + range->size, end = zone_end(range);

    for (uint64_t at = start; at < end; at = page_end(at))
        if (byte_at(vmap, at) == NULL)
            return false;
    for (uint64_t at = start; at < end; at = page_end(at))
        zone_fill(byte_at(vmap, at), at, page_end(at) - at);
    return true;
}

bool zone_verify(const struct vmap *vmap, const struct virt_range *range, virt_t *at)
{
    const uint64_t end = zone_end(range);

    for (uint64_t page = range->first.a + range->size; page < end; page = page_end(page)) {
        uint64_t size = page_end(page) - page;
        uint64_t intact = zone_intact(byte_at(vmap, page), page, size);

        *at = (virt_t){ page + intact };
        if (intact < size)
            return false;
    }
    return true;
}
