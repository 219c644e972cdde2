/* SPDX-License-Identifier: MIT */
#include "kernel/mm/vmap_zone.h"

/* Differs from byte to byte, so that a copy of one to another is seen; never 0. */
static uint8_t zone_byte(uint64_t at)
{
    return (uint8_t)(0x80 | (at * 29 >> 1));
}

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
    for (uint64_t at = start; at < end; at = page_end(at)) {
        uint8_t *bytes = byte_at(vmap, at);

        for (uint64_t i = at; i < page_end(at); i++)
            *bytes++ = zone_byte(i);
    }
    return true;
}

bool zone_verify(const struct vmap *vmap, const struct virt_range *range, virt_t *at)
{
    const uint64_t end = zone_end(range);

    for (uint64_t page = range->first.a + range->size; page < end; page = page_end(page)) {
        const uint8_t *bytes = byte_at(vmap, page);

        for (uint64_t i = page; i < page_end(page); i++) {
            *at = (virt_t){ i };
            if (*bytes++ != zone_byte(i))
                return false;
        }
    }
    return true;
}
