/* SPDX-License-Identifier: MIT */
/* Commands of fault injection. */
#include "protocol/handlers.h"

enum error cmd_fail(const struct args_fail *args, struct reply *reply)
{
    bool rule = args->nth.given || args->every.given || args->p.given;
    struct fail_plan plan = {
        .nth = args->nth.number, .every = args->every.number, .per_million = args->p.number,
        .times = args->times.number, .seed = args->seed.number,
        .what = args->what.given ? (unsigned)args->what.number : FAIL_ALL,
        .areas = args->area.given ? (uint32_t)args->area.number : ALL_AREAS,
        .order = args->order.given ? (uint32_t)args->order.number : FAIL_ANY_ORDER,
    };

    if (!rule && (args->what.given || args->area.given || args->order.given || args->times.given
                  || args->seed.given))
        return refuse_argument(reply, "nth", E_CALL_MISSING);
    if (rule)
        fail_begin(&lab.fail, &plan);
    else
        fail_end(&lab.fail);
    return OK;
}

/* Names joined by |, of the bits that are set. */
static const char *joined(char *buffer, size_t size, const char *const *names, size_t n,
                          uint64_t set)
{
    struct text line;

    text_init(&line, buffer, size);
    for (size_t i = 0; i < n; i++) {
        if ((set >> i & 1) == 0)
            continue;
        if (line.length > 0)
            text_string(&line, "|");
        text_string(&line, names[i]);
    }
    return buffer;
}

static void key_if(struct reply *reply, const char *key, uint64_t number)
{
    if (number != 0)
        reply_key_number(reply, key, number);
}

static void plan_keys(struct reply *reply, const struct fail_plan *plan)
{
    static const char *const what[] = { "frames", "tables", "pool" };
    const char *areas[MAX_AREAS];
    char buffer[MAX_AREAS * AREA_NAME_SIZE];

    key_if(reply, "nth", plan->nth);
    key_if(reply, "every", plan->every);
    key_if(reply, "p", plan->per_million);
    key_if(reply, "times", plan->times);
    reply_key_word(reply, "what", joined(buffer, sizeof(buffer), what, 3, plan->what));
    for (size_t i = 0; i < lab.nareas; i++)
        areas[i] = lab.areas[i].name;
    if (plan->areas != ALL_AREAS)
        reply_key_word(reply, "area",
                       joined(buffer, sizeof(buffer), areas, lab.nareas, plan->areas));
    if (plan->order != FAIL_ANY_ORDER)
        reply_key_number(reply, "order", plan->order);
    key_if(reply, "seed", plan->seed);
}

enum error cmd_failures(const struct args_failures *args, struct reply *reply)
{
    (void)args;
    reply_key_number(reply, "on", lab.fail.on);
    reply_key_number(reply, "attempts", lab.fail.attempts);
    reply_key_number(reply, "refusals", lab.fail.refusals);
    if (lab.fail.on)
        plan_keys(reply, &lab.fail.plan);
    return OK;
}
