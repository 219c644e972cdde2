/* SPDX-License-Identifier: MIT */
#include "kernel/mm/rows.h"

void rows_init(struct rows *rows, const struct node_source *nodes, size_t size,
               struct rows_directory **directories, uint32_t n)
{
    *rows = (struct rows){
        .nodes = *nodes, .directories = directories, .limit = n << ROWS_DIRECTORY_SHIFT,
        .per_page = (uint32_t)PAGE_SIZE / (uint32_t)size,
    };
    ASSERT(rows->per_page > 0 && rows->per_page <= 1u << ROWS_SHIFT);
}

enum error rows_grow(struct rows *rows)
{
    const struct node_source *nodes = &rows->nodes;
    uint32_t number = rows->pages;
    bool needs_directory = (number & (ROWS_DIRECTORY_PAGES - 1)) == 0;
    void *directory = NULL, *page;

    if (rows->pages == rows->limit)
        return E_MEM_METADATA;
    if (needs_directory && (directory = nodes->take(nodes->context)) == NULL)
        return E_MEM_METADATA;
    page = nodes->take(nodes->context);
    if (page == NULL) {
        if (needs_directory)
            nodes->give(nodes->context, directory);
        return E_MEM_METADATA;
    }
    if (needs_directory)
        rows->directories[number >> ROWS_DIRECTORY_SHIFT] = directory;
    rows->directories[number >> ROWS_DIRECTORY_SHIFT]->pages[number & (ROWS_DIRECTORY_PAGES - 1)] =
        page;
    rows->pages++;
    return OK;
}

uint32_t rows_push(struct rows *rows)
{
    ASSERT(rows->count < rows->pages * rows->per_page);
    return rows_number(rows, rows->count++);
}

void rows_pop(struct rows *rows)
{
    rows->count--;
}

void rows_shrink(struct rows *rows)
{
    const struct node_source *nodes = &rows->nodes;

    while (rows->pages * rows->per_page - rows->count >= rows->per_page) {
        uint32_t number = --rows->pages, place = number & (ROWS_DIRECTORY_PAGES - 1);
        struct rows_directory *directory = rows->directories[number >> ROWS_DIRECTORY_SHIFT];

        nodes->give(nodes->context, directory->pages[place]);
        if (place == 0)
            nodes->give(nodes->context, directory);
    }
}
