/* SPDX-License-Identifier: MIT */
/* Commands that put a memory map in force. */
#include "kernel/lib/string.h"
#include "protocol/handlers.h"
#include "protocol/session.h"

static enum lab_stage stage_of(const struct value *stage)
{
    return stage->given ? (enum lab_stage)stage->number : STAGE_VIRTUAL;
}

/* A fresh instance: what was allocated is no more, so numbers of it are not kept. */
static enum error afresh(enum error e)
{
    if (e == OK)
        session_forget_results();
    return e;
}

enum error cmd_map_begin(const struct args_map_begin *args, struct reply *reply)
{
    (void)args, (void)reply;
    lab_map_begin();
    return OK;
}

enum error cmd_map_area(const struct args_map_area *args, struct reply *reply)
{
    char name[AREA_NAME_SIZE] = "";

    if (args->name.length >= AREA_NAME_SIZE)
        return refuse_argument(reply, "name", E_CALL_WORD);
    memcpy(name, args->name.text, args->name.length);
    return lab_map_area(name, args->limit.number);
}

enum error cmd_map_add(const struct args_map_add *args, struct reply *reply)
{
    (void)reply;
    return lab_map_add(args->base.number, args->size.number, (enum range_kind)args->kind.number);
}

enum error cmd_map_commit(const struct args_map_commit *args, struct reply *reply)
{
    uint64_t needed = 0;
    enum error e = lab_map_commit(stage_of(&args->stage), &needed);

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
