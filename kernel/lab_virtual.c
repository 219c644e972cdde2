/* SPDX-License-Identifier: MIT */
/* The boot of the virtual layer: memory for page tables, and the window. */
#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/lab_parts.h"
#include "kernel/machine.h"

static void *take(void *context, uint64_t size)
{
    return tables_take(context, size);
}

static void give(void *context, void *table, uint64_t size)
{
    tables_give(context, table, size);
}

static bool owns(void *context, const void *table)
{
    return tables_owns(context, table);
}

static void tables_boot(uint64_t wanted, uint64_t total, void *(*claim)(uint64_t, uint64_t))
{
    static const struct table_source source = { &lab_tables, take, give, owns };
    uint64_t limit = total >> 4, size = align_down(wanted < limit ? wanted : limit, TABLE_UNIT);
    void *base = NULL;

    while (size > 0 && (base = claim(size, TABLE_UNIT)) == NULL)
        size = align_down(size >> 1, TABLE_UNIT);
    tables_init(&lab_tables, base, size);
    lab_tables.fail = &lab.fail;
    lab.mmu->set_tables(&source);
}

/* Nothing of [at, end) is mapped, and all of it could be. */
static bool is_free(uint64_t at, uint64_t end)
{
    struct mmu_entry entry;

    if (end > lab.mmu->limit.a)
        return false;
    for (; at < end; at = entry.start.a + (UINT64_C(1) << entry.shift))
        if (!lab.mmu->entry(virt(at), 1, &entry) || entry.kind == MMU_UNIT)
            return false;
    return true;
}

void lab_boot_virtual(const struct lab_wishes *wishes, uint64_t total,
                      void *(*claim)(uint64_t size, uint64_t align),
                      void (*log)(const char *text))
{
    uint64_t window = wishes->window, limit = window + wishes->window_size;

    lab.mmu = machine_mmu();
    tables_boot(wishes->tables_size, total, claim);
    arch_window(&lab.window, &lab.window_limit);
    if (window == 0)
        return;
    if (is_free(window, limit)) {
        lab.window = virt(window);
        lab.window_limit = virt(limit);
    } else {
        log("command line: virt: not all of this can be mapped, or some of it is");
    }
}
