/* SPDX-License-Identifier: MIT */
#include "kernel/machine_memory.h"

#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/lib/string.h"
#include "kernel/mm/zone.h"
#include "kernel/trap.h"

/* A piece of work on [at, at + size), page by page. */
struct job {
    /* The bytes at an address, up to the end of its page at most; false: go no further. */
    bool (*part)(struct job *job, uint8_t *bytes, virt_t at, uint64_t size);
    virt_t at, from;
    uint64_t size;
    virt_t bad;
};

static bool is_in_window(virt_t at)
{
    return at.a >= lab.window.a && at.a < lab.window_limit.a;
}

/* Where the page of an address can be touched, and in it the address; NULL: it cannot be. */
static uint8_t *bytes_at(virt_t at)
{
    uint64_t page = align_down(at.a, PAGE_SIZE);
    struct mmu_mapping mapping = { .phys = phys(page), .unit = virt(page) };
    uint8_t *memory = NULL;

    if (lab.injected)
        return NULL;
    if (!is_in_window(at) || lab.mmu->query(virt(page), &mapping))
        memory = arch_pointer(phys(mapping.phys.a + (page - mapping.unit.a)), PAGE_SIZE);
    return memory == NULL ? NULL : memory + (at.a - page);
}

static uint64_t to_page_end(uint64_t at, uint64_t end)
{
    uint64_t left = PAGE_SIZE - (at & (PAGE_SIZE - 1));

    return left < end - at ? left : end - at;
}

static bool all_reachable(virt_t at, uint64_t size)
{
    const uint64_t end = at.a + size;

    for (; at.a < end; at.a += to_page_end(at.a, end))
        if (bytes_at(at) == NULL)
            return false;
    return true;
}

static void job_run(void *argument)
{
    struct job *job = argument;
    const uint64_t end = job->at.a + job->size;

    for (uint64_t at = job->at.a, size; at < end; at += size) {
        size = to_page_end(at, end);
        if (!job->part(job, bytes_at(virt(at)), virt(at), size))
            return;
    }
}

static bool job_do(struct job *job)
{
    struct ending ending;

    if (!all_reachable(job->at, job->size))
        return false;
    ending = trap_run(job_run, job);
    if (ending.outcome == ASSERTED)
        assert_failed(ending.condition, ending.file, ending.line);
    return ending.outcome == ENDED;
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
        const uint8_t *source = bytes_at(virt(from));

        ASSERT(source != NULL);       /* the caller has looked */
        n = to_page_end(from, end);
        memcpy(bytes, source, (size_t)n);
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

static bool memory_is_there(void)
{
    return !lab.injected;
}

static bool memory_zero(virt_t at, uint64_t size)
{
    return job_do(&(struct job){ .part = part_zero, .at = at, .size = size });
}

static bool memory_copy(virt_t to, virt_t from, uint64_t size)
{
    return all_reachable(from, size)
        && job_do(&(struct job){ .part = part_copy, .at = to, .from = from, .size = size });
}

static bool memory_stamp(virt_t at, uint64_t size)
{
    return job_do(&(struct job){ .part = part_stamp, .at = at, .size = size });
}

/* What cannot be read any more is not as it was. */
static bool memory_inspect(virt_t at, uint64_t size, virt_t *bad)
{
    struct job job = { .part = part_inspect, .at = at, .size = size, .bad = at };
    bool ran = job_do(&job);

    *bad = job.bad;
    return ran && job.bad.a == at.a + size;
}

const struct heap_memory machine_memory = {
    memory_is_there, memory_zero, memory_copy, memory_stamp, memory_inspect,
};
