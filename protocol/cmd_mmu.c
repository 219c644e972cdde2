/* SPDX-License-Identifier: MIT */
/* Address translation: what is mapped, and what can be done there. */
#include "kernel/machine.h"
#include "protocol/dump.h"

enum error cmd_translate(const struct args_translate *args, struct reply *reply)
{
    uint64_t address = args->address.number;
    struct mmu_mapping mapping;
    struct mmu_entry entry;

    if (!machine_mmu()->query(virt(address), &mapping)) {
        reply_key_address(reply, "at", address);
        return E_FAULT_ADDRESS;
    }
    reply_address(reply, mapping.phys.a + (address - mapping.unit.a));
    reply_key_number(reply, "size", UINT64_C(1) << mapping.shift);
    reply_key_word(reply, "attributes", attributes_text(mapping.attributes, ATTRIBUTE_NAMES).text);
    if (machine_mmu()->entry(virt(address), 1, &entry))
        reply_key_number(reply, "level", entry.level);
    return OK;
}

/* ---- probe and truth ---- */

static void probe_field(struct reply *reply, const struct machine_probe *probe, unsigned access,
                        enum error class, const char *const names[2])
{
    reply_key_word(reply, names[0], (probe->tried & access) == 0 ? "untried"
                                    : (probe->done & access) != 0 ? "yes" : "no");
    if ((probe->tried & ~probe->done & access) != 0)
        reply_key_word(reply, names[1], error_word(class));
}

enum error cmd_probe(const struct args_probe *args, struct reply *reply)
{
    static const char *const read[] = { "read", "read_fault" };
    static const char *const write[] = { "write", "write_fault" };
    static const char *const execute[] = { "execute", "execute_fault" };
    struct machine_probe probe;
    enum error e = machine_probe(args->address.number, &probe);

    if (e != OK)
        return e;
    probe_field(reply, &probe, ACCESS_READ, probe.read, read);
    probe_field(reply, &probe, ACCESS_WRITE, probe.write, write);
    probe_field(reply, &probe, ACCESS_EXECUTE, probe.execute, execute);
    return OK;
}

struct truth_rows {
    struct reply *reply;
    struct listing listing;
    uint64_t wrong;
};

static bool truth_row(void *context, const struct machine_truth *truth)
{
    struct truth_rows *rows = context;
    struct reply *reply = rows->reply;
    bool seen = (truth->attributes & ~machine_mmu()->observable) == 0;

    rows->wrong += truth->promised != truth->observed || truth->entry != truth->attributes;
    row_begin(reply);
    row_word(reply, truth->part != NULL ? truth->part
                    : attributes_text(truth->attributes, ATTRIBUTE_NAMES).text);
    if (truth->part != NULL)
        row_key_address(reply, "first", truth->first.a);
    row_key_word(reply, "promised", attributes_text(truth->promised, ACCESS_NAMES).text);
    row_key_word(reply, "observed", attributes_text(truth->observed, ACCESS_NAMES).text);
    if (truth->part == NULL) {
        row_key_word(reply, "entry", attributes_text(truth->entry, ATTRIBUTE_NAMES).text);
        row_key_word(reply, "caching", seen ? "default" : "entry");
    }
    return listing_row(&rows->listing, reply);
}

enum error cmd_truth(const struct args_truth *args, struct reply *reply)
{
    struct truth_rows rows = { .reply = reply };
    enum error e = machine_truth(truth_row, &rows);

    (void)args;
    if (e == E_BUG_DEAD)
        reply_text(reply, "a panic came in the middle of a change of page tables");
    if (e != OK)
        return e;
    reply_key_number(reply, "wrong", rows.wrong);
    reply_text(reply, "caching=entry: no access shows it, the table's entry says so");
    return listing_end(&rows.listing, reply, true, 0);
}
