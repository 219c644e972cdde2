/* SPDX-License-Identifier: MIT */
/* Commands that put a memory map in force. */
#include "kernel/lib/string.h"
#include "protocol/handlers.h"
#include "protocol/origins.h"
#include "protocol/session.h"
#include "protocol/stress_cpus.h"

static enum lab_stage stage_of(const struct value *stage)
{
    return stage->given ? (enum lab_stage)stage->number : STAGE_VIRTUAL;
}

/* A fresh instance: what was allocated is no more, so numbers of it are not kept. */
static enum error afresh(enum error e)
{
    if (e == OK) {
        session_forget_results();
        origins_forget();
        stress_forget();
    }
    return e;
}

enum error cmd_map_begin(const struct args_map_begin *args, struct reply *reply)
{
    (void)args, (void)reply;
    lab_map_begin();
    return OK;
}

/* What is wrong with an area: its name, its limit, or that it is one too many. */
static enum error blame_area(struct reply *reply, enum error e)
{
    switch (e) {
    case E_CALL_WORD: case E_CALL_TWICE:
        reply_key_word(reply, "arg", "name");
        break;
    case E_CALL_ALIGN: case E_CALL_RANGE:
        reply_key_word(reply, "arg", "limit");
        break;
    default:
        break;
    }
    if (e == E_CALL_RANGE) {
        reply_key_number(reply, "min", lab_map_least_limit());
        reply_key_number(reply, "max", ADDRESS_LIMIT);
    }
    if (e != OK)
        reply_text(reply, lab_area_error_text(e));
    return e;
}

enum error cmd_map_area(const struct args_map_area *args, struct reply *reply)
{
    char name[AREA_NAME_SIZE] = "";

    if (args->name.length >= AREA_NAME_SIZE)
        return refuse_argument(reply, "name", E_CALL_WORD);
    memcpy(name, args->name.text, args->name.length);
    return blame_area(reply, lab_map_area(name, args->limit.number));
}

enum error cmd_map_add(const struct args_map_add *args, struct reply *reply)
{
    uint64_t base = args->base.number;
    enum error e = lab_map_add(base, args->size.number, (enum range_kind)args->kind.number);

    if (e == E_CALL_RANGE && base >= ADDRESS_LIMIT)
        return refuse_range(reply, "base", ADDRESS_LIMIT - 1);
    if (e == E_CALL_RANGE)
        return refuse_range(reply, "size", ADDRESS_LIMIT - base);
    if (e == E_MEM_METADATA)
        reply_text(reply, "the map has no room for one more range");
    return e;
}

enum error cmd_map_commit(const struct args_map_commit *args, struct reply *reply)
{
    uint64_t needed = 0;
    enum error e = lab_map_commit(stage_of(&args->stage), &needed);
    struct phys_extent extent;

    if (e == OK && !phys_next(&lab.phys, phys(0), &extent))
        reply_text(reply, "there is nothing in this map");
    return blame_needed(reply, afresh(e), needed);
}

enum error cmd_map_machine(const struct args_map_machine *args, struct reply *reply)
{
    (void)reply;
    return afresh(lab_map_machine(stage_of(&args->stage)));
}

enum error cmd_reset(const struct args_reset *args, struct reply *reply)
{
    (void)reply;
    return afresh(lab_reset(stage_of(&args->stage)));
}
