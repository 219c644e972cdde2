/* SPDX-License-Identifier: MIT */
/* The command line: words NAME=VALUE between blanks. */
#include "kernel/lab.h"
#include "kernel/lab_parts.h"
#include "kernel/lib/format.h"
#include "kernel/lib/number.h"
#include "kernel/lib/string.h"
#include "kernel/mm/list.h"
#include "kernel/mm/page.h"

#define POOL_DEFAULT (UINT64_C(8) << 20)
#define POOL_LIMIT (UINT64_C(1) << 32)
#define TABLES_DEFAULT (UINT64_C(4) << 20)

static const struct page_engine *const engines[] = { &page_engine_tree, &page_engine_list };
static struct lab_wishes wanted;
static void (*log_text)(const char *text);
static const char *why;               /* a refusal, in better words than the error's; or NULL */

struct words {
    const char *text;
    size_t length;
};

/* Cut the part up to `separator` off the front of `rest`; false at its end. */
static bool part_next(struct words *rest, char separator, struct words *part)
{
    size_t length = 0;

    if (rest->text == NULL)
        return false;
    while (length < rest->length && rest->text[length] != separator)
        length++;
    *part = (struct words){ rest->text, length };
    if (length == rest->length)
        rest->text = NULL;
    else
        *rest = (struct words){ rest->text + length + 1, rest->length - length - 1 };
    return true;
}

static bool words_equal(struct words words, const char *text)
{
    return words.length == strlen(text) && memcmp(words.text, text, words.length) == 0;
}

static enum error option_pool(struct words value)
{
    uint64_t size;
    enum error e = number_parse(value.text, value.length, &size);

    if (e == OK && (size < POOL_MINIMUM || size > POOL_LIMIT))
        e = E_CALL_RANGE;
    if (e == OK)
        wanted.pool_size = size;
    return e;
}

static enum error option_tables(struct words value)
{
    uint64_t size;
    enum error e = number_parse(value.text, value.length, &size);

    /* Of less than two units nothing is left for tables (mm/tables.h). */
    if (e == OK && (size < 2 * TABLE_UNIT || size > POOL_LIMIT))
        e = E_CALL_RANGE;
    if (e == OK)
        wanted.tables_size = size;
    return e;
}

/* START:SIZE. Whether it is free is known when the machine's memory is mapped. */
static enum error option_virt(struct words value)
{
    uint64_t start = 0, size = 0;
    struct words part;
    enum error e;

    (void)part_next(&value, ':', &part);
    e = number_parse(part.text, part.length, &start);
    if (value.text == NULL)
        return E_CALL_MISSING;
    if (e == OK)
        e = number_parse(value.text, value.length, &size);
    if (e != OK)
        return e;
    if (!is_aligned(start, PAGE_SIZE) || !is_aligned(size, PAGE_SIZE))
        return E_CALL_ALIGN;
    if (start == 0 || size == 0 || start > INT64_MAX || size > INT64_MAX - start)
        return E_CALL_RANGE;
    wanted.window = start;
    wanted.window_size = size;
    return OK;
}

/* The last row may go without a limit: it takes the rest. */
static enum error option_areas(struct words value)
{
    struct area_table table = { .n = 0 };
    struct words row, name;
    enum error e = OK;

    while (e == OK && part_next(&value, ',', &row)) {
        uint64_t limit = ADDRESS_LIMIT;

        (void)part_next(&row, ':', &name);
        if (row.text != NULL && (e = number_parse(row.text, row.length, &limit)) != OK)
            return e;
        e = name.length == 0 ? E_CALL_MISSING
            : area_table_add(&table, name.text, name.length, limit);
        why = e == OK ? NULL : lab_area_error_text(e);
    }
    if (e != OK)
        return e;
    lab_machine_map.areas = table;
    scan_order_default(lab_machine_map.scan, table.n);
    return OK;
}

static enum error option_scan(struct words value)
{
    const struct area_table *areas = &lab_machine_map.areas;
    uint8_t order[MAX_AREAS];
    uint32_t seen = 0;
    struct words name;
    size_t n = 0;

    while (part_next(&value, ',', &name)) {
        size_t area = area_table_find(areas, name.text, name.length);

        if (area == areas->n)
            return E_CALL_AREA;
        if ((seen >> area & 1) != 0)
            return E_CALL_TWICE;
        seen |= UINT32_C(1) << area;
        order[n++] = (uint8_t)area;
    }
    for (size_t area = areas->n; area-- > 0;)
        if ((seen >> area & 1) == 0)
            order[n++] = (uint8_t)area;
    memcpy(lab_machine_map.scan, order, n);
    return OK;
}

static void engines_log(void)
{
    char buffer[160];
    struct text line;

    for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
        text_init(&line, buffer, sizeof(buffer));
        text_string(&line, "engine ");
        text_string(&line, engines[i]->name);
        text_string(&line, " ");
        text_string(&line, engines[i]->text);
        log_text(buffer);
    }
}

static enum error option_engine(struct words value)
{
    if (words_equal(value, "help")) {
        engines_log();
        return OK;
    }
    for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
        if (words_equal(value, engines[i]->name)) {
            lab.engine = engines[i];
            return OK;
        }
    }
    return E_CALL_WORD;
}

static enum error option_onpanic(struct words value)
{
    lab.stays = words_equal(value, "stay");
    return lab.stays || words_equal(value, "halt") ? OK : E_CALL_WORD;
}

static enum error option_percpu(struct words value)
{
    lab.percpu = words_equal(value, "on");
    return lab.percpu || words_equal(value, "off") ? OK : E_CALL_WORD;
}

/* In this order, wherever they stand: the scan order is one of areas. */
static const struct {
    const char *name;
    enum error (*set)(struct words value);
} options[] = {
    { "kpool", option_pool },
    { "areas", option_areas },
    { "scan", option_scan },
    { "engine", option_engine },
    { "onpanic", option_onpanic },
    { "percpu", option_percpu },
    { "tables", option_tables },
    { "virt", option_virt },
};

static void complain(struct words word, const char *what)
{
    char buffer[160];
    struct text line;

    text_init(&line, buffer, sizeof(buffer));
    text_string(&line, "command line: ");
    text_bytes(&line, word.text, word.length < 64 ? word.length : 64);
    text_string(&line, ": ");
    text_string(&line, what);
    log_text(buffer);
}

/* Split NAME=VALUE; the text of `value` is NULL without a '='. */
static struct words word_name(struct words word, struct words *value)
{
    struct words name;

    *value = word;
    (void)part_next(value, '=', &name);
    return name;
}

static void option_apply(const char *command_line, size_t option)
{
    struct words rest = { command_line, strlen(command_line) }, word;

    while (part_next(&rest, ' ', &word)) {
        struct words value, name = word_name(word, &value);
        enum error e;

        if (!words_equal(name, options[option].name))
            continue;
        why = NULL;
        e = value.text == NULL ? E_CALL_MISSING : options[option].set(value);
        if (e != OK)
            complain(word, why != NULL ? why : error_text(e));
    }
}

static void complain_of_unknown(const char *command_line)
{
    struct words rest = { command_line, strlen(command_line) }, word;

    while (part_next(&rest, ' ', &word)) {
        struct words value, name = word_name(word, &value);
        size_t i = 0;

        while (i < ARRAY_SIZE(options) && !words_equal(name, options[i].name))
            i++;
        if (i == ARRAY_SIZE(options) && word.length > 0)
            complain(word, "no such option");
    }
}

void lab_options(const char *command_line, void (*log)(const char *text),
                 struct lab_wishes *wishes)
{
    log_text = log;
    wanted = (struct lab_wishes){ .pool_size = POOL_DEFAULT, .tables_size = TABLES_DEFAULT };
    lab.engine = engines[0];
    lab.stays = false;
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        option_apply(command_line, i);
    complain_of_unknown(command_line);
    *wishes = wanted;
}
