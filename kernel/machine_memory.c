/* SPDX-License-Identifier: MIT */
#include "kernel/machine_memory.h"

#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/lib/string.h"
#include "kernel/lock.h"
#include "kernel/machine.h"
#include "kernel/mm/zone.h"
#include "kernel/trap.h"

#define CHUNK 64u                     /* bytes that go through a buffer at once, at most */

/* A piece of work on [at, at + size): by the page, or, where that cannot be, by the chunk. */
struct job {
    /* `bytes` are those at an address, or a copy of them; false: go no further. */
    bool (*part)(struct job *job, uint8_t *bytes, virt_t at, uint64_t size);
    unsigned access;                  /* to these bytes: ACCESS_READ or ACCESS_WRITE */
    virt_t at, from;
    uint64_t size;
    virt_t bad;
};

/* ---- pages ---- */

/*
 * Where C reaches what is behind a page's address; NULL: by accesses at the address alone. FAULT_*:
 * not at all.
 */
static enum error page_find(virt_t page, unsigned access, uint8_t **bytes)
{
    struct mmu_mapping mapping;

    if (!lab.mmu->query(page, &mapping))
        return E_FAULT_ADDRESS;
    if ((access & ~mmu_accesses(mapping.attributes)) != 0)
        return E_FAULT_PROTECTION;
    *bytes = arch_pointer(phys(mapping.phys.a + (page.a - mapping.unit.a)), PAGE_SIZE);
    return OK;
}

static virt_t page_of(virt_t at)
{
    return virt(align_down(at.a, PAGE_SIZE));
}

/* The same for an address in a page that was looked at. */
static uint8_t *bytes_at(virt_t at, unsigned access)
{
    uint8_t *bytes;
    enum error e = page_find(page_of(at), access, &bytes);

    ASSERT(e == OK);
    return bytes == NULL ? NULL : bytes + (at.a - page_of(at).a);
}

static uint64_t to_page_end(uint64_t at, uint64_t end)
{
    uint64_t left = PAGE_SIZE - (at & (PAGE_SIZE - 1));

    return left < end - at ? left : end - at;
}

static enum error pages_look(virt_t at, uint64_t size, unsigned access, virt_t *bad)
{
    const uint64_t end = at.a + size;
    enum error e = OK;
    uint8_t *bytes;

    for (; e == OK && at.a < end; at.a += to_page_end(at.a, end)) {
        *bad = at;
        e = page_find(page_of(at), access, &bytes);
    }
    return e;
}

/* ---- single accesses ---- */

static unsigned width_at(uint64_t at, uint64_t left)
{
    return is_aligned(at, 8) && left >= 8 ? 8 : 1;
}

static void load(virt_t at, uint8_t *bytes, uint64_t size)
{
    for (uint64_t i = 0, width; i < size; i += width) {
        uint64_t value;

        width = width_at(at.a + i, size - i);
        value = arch_load(virt(at.a + i), (unsigned)width);
        if (width == 8)
            memcpy(bytes + i, &value, 8);
        else
            bytes[i] = (uint8_t)value;
    }
}

static void store(virt_t at, const uint8_t *bytes, uint64_t size)
{
    for (uint64_t i = 0, width; i < size; i += width) {
        uint64_t value = bytes[i];

        width = width_at(at.a + i, size - i);
        if (width == 8)
            memcpy(&value, bytes + i, 8);
        arch_store(virt(at.a + i), (unsigned)width, value);
    }
}

/* ---- jobs ---- */

/* The job on a chunk that no pointer reaches. */
static bool chunk_run(struct job *job, virt_t at, uint64_t size)
{
    uint8_t bytes[CHUNK];
    bool more;

    if (job->access == ACCESS_READ)
        load(at, bytes, size);
    more = job->part(job, bytes, at, size);
    if (job->access == ACCESS_WRITE)
        store(at, bytes, size);
    return more;
}

static void job_run(void *argument)
{
    struct job *job = argument;
    const uint64_t end = job->at.a + job->size;
    bool more = true;

    for (uint64_t at = job->at.a, size; more && at < end; at += size) {
        uint8_t *bytes = bytes_at(virt(at), job->access);

        machine_at_work();
        size = to_page_end(at, end);
        if (bytes == NULL && size > CHUNK)
            size = CHUNK;
        more = bytes != NULL ? job->part(job, bytes, virt(at), size)
                             : chunk_run(job, virt(at), size);
    }
}

static enum error job_do(struct job *job, virt_t *bad)
{
    struct ending ending;
    enum error e;

    if (lab.injected)
        return E_CALL_UNSUPPORTED;
    e = pages_look(job->at, job->size, job->access, bad);
    if (e != OK)
        return e;
    ending = trap_run(job_run, job);
    if (ending.outcome == ASSERTED)
        assert_failed(ending.condition, ending.file, ending.line);
    if (ending.outcome == ENDED)
        return OK;
    *bad = job->at;
    return ending.fault.class;
}

static bool part_zero(struct job *job, uint8_t *bytes, virt_t at, uint64_t size)
{
    (void)job;
    (void)at;
    memset(bytes, 0, (size_t)size);
    return true;
}

/* The source has page ends of its own. */
static bool part_copy(struct job *job, uint8_t *bytes, virt_t at, uint64_t size)
{
    const uint64_t start = job->from.a + (at.a - job->at.a), end = start + size;

    for (uint64_t from = start, n; from < end; from += n, bytes += n) {
        const uint8_t *source = bytes_at(virt(from), ACCESS_READ);

        n = to_page_end(from, end);
        if (source != NULL)
            memcpy(bytes, source, (size_t)n);
        else
            load(virt(from), bytes, n);
    }
    return true;
}

static bool part_stamp(struct job *job, uint8_t *bytes, virt_t at, uint64_t size)
{
    (void)job;
    zone_fill(bytes, at.a, size);
    return true;
}

static bool part_inspect(struct job *job, uint8_t *bytes, virt_t at, uint64_t size)
{
    uint64_t intact = zone_intact(bytes, at.a, size);

    job->bad.a = at.a + intact;
    return intact == size;
}

/* ---- the hooks ---- */

static bool memory_is_there(void)
{
    return !lab.injected;
}

static enum error memory_zero(virt_t at, uint64_t size, virt_t *bad)
{
    lock_hold_none("fill");
    return job_do(&(struct job){
        .part = part_zero, .access = ACCESS_WRITE, .at = at, .size = size,
    }, bad);
}

static enum error memory_copy(virt_t to, virt_t from, uint64_t size, virt_t *bad)
{
    enum error e = lab.injected ? E_CALL_UNSUPPORTED : pages_look(from, size, ACCESS_READ, bad);

    lock_hold_none("copy");
    return e != OK ? e : job_do(&(struct job){
        .part = part_copy, .access = ACCESS_WRITE, .at = to, .from = from, .size = size,
    }, bad);
}

static enum error memory_stamp(virt_t at, uint64_t size, virt_t *bad)
{
    lock_hold_none("fill");
    return job_do(&(struct job){
        .part = part_stamp, .access = ACCESS_WRITE, .at = at, .size = size,
    }, bad);
}

/* What cannot be read any more is not as it was. */
static bool memory_inspect(virt_t at, uint64_t size, virt_t *bad)
{
    struct job job = {
        .part = part_inspect, .access = ACCESS_READ, .at = at, .size = size, .bad = at,
    };

    if (job_do(&job, bad) != OK)
        return false;
    *bad = job.bad;
    return job.bad.a == at.a + size;
}

const struct memory_hooks machine_memory = {
    memory_is_there, memory_zero, memory_copy, memory_stamp, memory_inspect,
};
