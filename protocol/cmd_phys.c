/* SPDX-License-Identifier: MIT */
/* Commands of early memory. */
#include "kernel/smp.h"
#include "protocol/handlers.h"
#include "protocol/origins.h"

enum error cmd_phys_alloc(const struct args_phys_alloc *args, struct reply *reply)
{
    struct phys_request request = {
        .size = args->size.number,
        .align = args->align.given ? args->align.number : 1,
        .min = args->min.number,
        .max = args->max.given ? args->max.number : ADDRESS_LIMIT,
        .direction = (enum phys_direction)args->from.number,
    };
    phys_t out;
    enum error e = phys_alloc(&lab.phys, &request, &out);

    if (e == OK) {
        origin_note(ORIGIN_EARLY, out.a);
        reply_address(reply, out.a);
    }
    if (e == E_MEM_NONE)
        journal_refusal(&lab_journal, &(struct refusal){
            .what = REFUSED_EARLY, .tag = reply_tag(reply), .size = request.size,
            .align = request.align,
        });
    return e;
}

enum error cmd_phys_free(const struct args_phys_free *args, struct reply *reply)
{
    uint64_t size;
    enum error e = refuse_heap(reply, args->address.number);

    if (e != OK)
        return e;
    if (args->address.number < ADDRESS_LIMIT && smp_has(phys_pfn(phys(args->address.number)))) {
        reply_key_address(reply, "at", args->address.number);
        return E_MEM_KIND;
    }
    e = phys_free(&lab.phys, phys(args->address.number), &size);
    if (e == OK) {
        origin_forget(ORIGIN_EARLY, args->address.number);
        reply_number(reply, size);
    } else {
        reply_key_address(reply, "at", args->address.number);
    }
    return e;
}

enum error cmd_phys_set_minimum_alignment(const struct args_phys_set_minimum_alignment *args,
                                          struct reply *reply)
{
    if (args->alignment.number > MAX_BLOCK_PAGES * PAGE_SIZE)
        return refuse_range(reply, "alignment", MAX_BLOCK_PAGES * PAGE_SIZE);
    return phys_set_minimum_alignment(&lab.phys, args->alignment.number);
}

enum error cmd_phys_hand_over(const struct args_phys_hand_over *args, struct reply *reply)
{
    uint64_t needed = 0;

    (void)args;
    return blame_needed(reply, lab_hand_over(&needed), needed);
}
