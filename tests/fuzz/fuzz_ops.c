/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/lock.h"
#include "tests/fuzz/ops.h"

#define STEPS_MAX 256u
#define CHECK_EVERY 8u

static const struct ops *const all[] = { &ops_page, &ops_phys, &ops_virt, &ops_heap };

static struct input whole;            /* the input that runs */
static bool scripting;
static const char *holding;           /* why, or NULL */
static uint32_t tag;
static uint64_t operations;           /* of all inputs */

/* ---- the transcript ---- */

bool script_wanted(void) { return scripting; }

void script_hold(const char *why) { holding = why; }

uint32_t script_request(const char *format, ...)
{
    uint32_t number = tag + 1;
    va_list arguments;

    if (holding == NULL)
        tag = number;
    if (!scripting)
        return number;
    if (holding != NULL)
        printf("; %u %s: ", number, holding);
    else
        printf(">%u ", number);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    return number;
}

void script_error(enum error e, uint64_t at)
{
    if (!scripting)
        return;
    printf("?%u %s.%s", tag, error_category(e), error_word(e));
    if (at != 0)
        printf(" at=0x%016llx", (unsigned long long)at);
    printf("\n");
}

void script_blame(enum error e, uint32_t request, uint64_t offset)
{
    if (scripting)
        printf("?%u %s.%s at=$%u+%llu\n", tag, error_category(e), error_word(e), request,
               (unsigned long long)offset);
}

void script_address(uint64_t address)
{
    if (scripting)
        printf("=%u 0x%016llx\n", tag, (unsigned long long)address);
}

void script_number(uint64_t number)
{
    if (scripting)
        printf("=%u %llu\n", tag, (unsigned long long)number);
}

void script_nothing(void)
{
    if (scripting)
        printf("=%u\n", tag);
}

/* ---- running ---- */

static void tell_operations(void)
{
    printf("%s%llu operations\n", scripting ? "; " : "", (unsigned long long)operations);
}

static void run(struct input in)
{
    const struct ops *ops = all[take_byte(&in) % ARRAY_SIZE(all)];

    tag = 0;
    holding = NULL;
    ops->begin(&in);
    for (unsigned i = 0; i < STEPS_MAX && !input_ended(&in); i++, operations++) {
        ops->step(&in);
        if (scripting || i % CHECK_EVERY == CHECK_EVERY - 1)
            ops->check();
    }
    ops->check();
    ops->end();
}

/* The first time: once more, for the transcript; then this place is reached again. */
static void tell(void)
{
    if (!scripting) {
        scripting = true;
        printf("; found by fuzz_ops\n");
        run(whole);
    }
}

void differ(const char *what, uint64_t ours, uint64_t models)
{
    tell();
    fuzz_fail("%s: 0x%llx, the model says 0x%llx", what, (unsigned long long)ours,
              (unsigned long long)models);
}

void ops_fail(const char *what, uint64_t number, const char *text)
{
    tell();
    fuzz_fail("%s 0x%llx: %s", what, (unsigned long long)number, text);
}

/* What the input held then it would want once more. */
void assert_failed(const char *condition, const char *file, int line)
{
    lock_release_to(0);
    tell();
    fuzz_fail("%s:%d: %s", file, line, condition);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;

    if (!begun)
        atexit(tell_operations);
    begun = true;
    whole = (struct input){ data, data + size };
    /* What ends the process by itself (a sanitizer) leaves no second run: ask for it beforehand. */
    scripting = getenv("PFNLAB_SCRIPT") != NULL;
    if (scripting)
        setvbuf(stdout, NULL, _IOLBF, 0);
    run(whole);
    return 0;
}
