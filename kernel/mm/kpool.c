/* SPDX-License-Identifier: MIT */
#include "kernel/mm/kpool.h"

void kpool_init(struct kpool *pool, void *base, uint64_t pages)
{
    ASSERT(is_aligned((uintptr_t)base, PAGE_SIZE));
    pool->base = base;
    pool->pages = pages;
    pool->fail = NULL;
    pool->lock = (struct lock)LOCK_INIT(LOCK_POOL);
    kpool_reset(pool);
}

void kpool_reset(struct kpool *pool)
{
    pool->virgin = 0;
    pool->ceiling = pool->pages;
    pool->used = 0;
    pool->returned = NULL;
}

static void *page_at(const struct kpool *pool, uint64_t index)
{
    return pool->base + (size_t)(index << PAGE_SHIFT);
}

void *kpool_take(struct kpool *pool)
{
    void *page;

    if (pool->fail != NULL && fail_refuses(pool->fail, FAIL_POOL, 0, 0))
        return NULL;
    lock_take(&pool->lock);
    page = pool->returned;
    if (page != NULL)
        pool->returned = *(void **)page;
    else if (pool->virgin < pool->ceiling)
        page = page_at(pool, pool->virgin++);
    pool->used += page != NULL;
    lock_release(&pool->lock);
    return page;
}

void kpool_give(struct kpool *pool, void *page)
{
    uint64_t offset = (uint64_t)((unsigned char *)page - pool->base);

    lock_take(&pool->lock);
    ASSERT(is_aligned(offset, PAGE_SIZE) && offset >> PAGE_SHIFT < pool->virgin);
    *(void **)page = pool->returned;
    pool->returned = page;
    pool->used--;
    lock_release(&pool->lock);
}

void kpool_return(struct kpool *pool, void *returned)
{
    while (returned != NULL) {
        void *next = *(void **)returned;

        *(void **)returned = pool->returned;
        pool->returned = returned;
        returned = next;
    }
}

void *kpool_carve(struct kpool *pool, uint64_t size)
{
    uint64_t room = (pool->ceiling - pool->virgin) << PAGE_SHIFT, pages;

    ASSERT(size > 0);
    if (size > room)
        return NULL;
    pages = align_up(size, PAGE_SIZE) >> PAGE_SHIFT;
    pool->ceiling -= pages;
    pool->used += pages;
    return page_at(pool, pool->ceiling);
}

static void *source_take(void *context)
{
    return kpool_take(context);
}

static void source_give(void *context, void *page)
{
    kpool_give(context, page);
}

struct node_source kpool_source(struct kpool *pool)
{
    return (struct node_source){ .context = pool, .take = source_take, .give = source_give };
}
