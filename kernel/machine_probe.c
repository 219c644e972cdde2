/* SPDX-License-Identifier: MIT */
/* What can be done at an address, found out by doing it. */
#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/machine.h"
#include "kernel/machine_access.h"

#define CODE_MAX 4u                   /* bytes of arch_return_code, at most */

/* What lies at an address, as far as it decides about what may be tried. */
struct ground {
    bool mapped, owned, has_code;
    struct mmu_mapping mapping;
};

/* ---- the kernel's own parts ---- */

static struct {
    size_t n;
    struct arch_part part[16];
} parts;

static void part_take(const struct arch_part *part)
{
    ASSERT(parts.n < ARRAY_SIZE(parts.part));
    parts.part[parts.n++] = *part;
}

static void parts_open(void)
{
    if (parts.n == 0)
        arch_parts(part_take);
}

static bool is_probe_of_part(uint64_t address)
{
    parts_open();
    for (size_t i = 0; i < parts.n; i++)
        if (parts.part[i].probe.a == address)
            return true;
    return false;
}

/* ---- accesses ---- */

static void attempt(unsigned access, void (*function)(void *), struct access *what,
                    struct machine_probe *probe, enum error *class)
{
    struct fault fault;

    *class = access_run(function, what, &fault);
    probe->tried |= access;
    probe->done |= *class == OK ? access : 0;
}

/* The bytes at an address and those of `code` change places. */
struct swap {
    virt_t at;
    uint8_t code[CODE_MAX];
};

static void code_swap(void *argument)
{
    struct swap *swap = argument;

    for (size_t i = 0; i < arch_return_code_size; i++) {
        virt_t at = virt(swap->at.a + i);
        uint8_t before = (uint8_t)arch_load(at, 1);

        arch_store(at, 1, swap->code[i]);
        swap->code[i] = before;
    }
}

/* For the time of the change the page is made writable. */
static enum error code_put(const struct ground *ground, struct swap *swap, struct fault *fault)
{
    virt_t page = virt(align_down(swap->at.a, PAGE_SIZE));
    unsigned attributes = ground->mapping.attributes;
    bool read_only = (attributes & MMU_READ_ONLY) != 0;
    enum error e = OK, restored = OK;

    if (read_only)
        e = machine_mmu()->protect(page, PAGE_SIZE, attributes & ~MMU_READ_ONLY);
    if (e != OK)
        return e;
    e = access_run(code_swap, swap, fault);
    /* The page is a unit by itself now: that takes no table. */
    if (read_only)
        restored = machine_mmu()->protect(page, PAGE_SIZE, attributes);
    ASSERT(restored == OK);
    return e;
}

/* Where the code cannot be put, the processor cannot reach the memory: reading tells of it. */
static enum error execute_own(const struct ground *ground, struct access *access,
                              struct machine_probe *probe)
{
    struct swap swap = { .at = access->address };
    struct fault fault;
    enum error e;

    for (size_t i = 0; i < arch_return_code_size; i++)
        swap.code[i] = arch_return_code[i];
    e = code_put(ground, &swap, &fault);
    if (e != OK)
        return e == E_MEM_METADATA ? e : OK;
    attempt(ACCESS_EXECUTE, access_execute, access, probe, &probe->execute);
    return code_put(ground, &swap, &fault);
}

static enum error probe_at(uint64_t address, const struct ground *ground,
                           struct machine_probe *probe)
{
    struct access access = { .address = virt(address), .width = 1 };
    unsigned allowed = ground->mapped ? mmu_accesses(ground->mapping.attributes) : 0;

    *probe = (struct machine_probe){ .tried = 0 };
    attempt(ACCESS_READ, access_load, &access, probe, &probe->read);
    if (ground->owned || ground->has_code || (allowed & ACCESS_WRITE) == 0)
        attempt(ACCESS_WRITE, access_store, &access, probe, &probe->write);
    access.address = virt(align_down(address, arch_return_code_size));
    if (ground->owned)
        return execute_own(ground, &access, probe);
    if (ground->has_code || (allowed & ACCESS_EXECUTE) == 0)
        attempt(ACCESS_EXECUTE, access_execute, &access, probe, &probe->execute);
    return OK;
}

enum error machine_probe(uint64_t address, struct machine_probe *probe)
{
    struct ground ground = { .has_code = is_probe_of_part(address) };

    if (lab.injected)
        return E_CALL_UNSUPPORTED;
    ground.mapped = machine_mmu()->query(virt(address), &ground.mapping);
    ground.owned = ground.mapped && access_is_owned(&ground.mapping, address, 1);
    return probe_at(address, &ground, probe);
}

/* ---- truth ---- */

/* The highest page of the window at which nothing is mapped. */
static bool window_page(virt_t *page)
{
    struct mmu_entry entry;
    virt_t first, limit;

    arch_window(&first, &limit);
    while (limit.a > first.a) {
        virt_t last = virt(limit.a - PAGE_SIZE);

        if (!machine_mmu()->entry(last, 1, &entry))
            return false;
        if (entry.kind == MMU_EMPTY) {
            *page = last;
            return true;
        }
        limit = entry.start;
    }
    return false;
}

/* The kernel's data has a return instruction to share. */
static const struct arch_part *shared_part(void)
{
    parts_open();
    for (size_t i = 0; i < parts.n; i++)
        if ((parts.part[i].accesses & (ACCESS_READ | ACCESS_WRITE)) == (ACCESS_READ | ACCESS_WRITE))
            return &parts.part[i];
    return NULL;
}

enum error access_share(struct access_ground *ground)
{
    const struct arch_part *shared = shared_part();
    struct mmu_mapping mapping;

    if (shared == NULL || !machine_mmu()->query(shared->probe, &mapping))
        return E_CALL_UNSUPPORTED;
    if (!window_page(&ground->page))
        return E_MEM_NONE;
    ground->at = virt(ground->page.a + shared->probe.a % PAGE_SIZE);
    ground->frame = phys(align_down(mapping.phys.a + (shared->probe.a - mapping.unit.a),
                                    PAGE_SIZE));
    return OK;
}

/* What can be done right after an unmap, before anything else could drop what a CPU still knows. */
static unsigned accesses_left(virt_t at)
{
    struct access access = { .address = at, .width = 1 };
    struct machine_probe probe = { .tried = 0 };
    enum error unused;

    attempt(ACCESS_READ, access_load, &access, &probe, &unused);
    attempt(ACCESS_WRITE, access_store, &access, &probe, &unused);
    return probe.done;
}

static enum error truth_of_set(unsigned attributes, const struct access_ground *shared,
                               struct machine_truth *truth, unsigned *left)
{
    struct ground ground = { .mapped = true, .has_code = true };
    struct machine_probe probe;
    enum error e = machine_mmu()->map(shared->page, shared->frame, PAGE_SIZE, attributes);

    if (e != OK)
        return e;
    (void)machine_mmu()->query(shared->page, &ground.mapping);
    e = probe_at(shared->at.a, &ground, &probe);
    machine_mmu()->unmap(shared->page, PAGE_SIZE, NULL);
    *left |= accesses_left(shared->at);
    *truth = (struct machine_truth){
        .attributes = attributes, .entry = ground.mapping.attributes,
        .promised = mmu_accesses(attributes), .observed = probe.done,
    };
    return e;
}

static bool is_set(unsigned attributes)
{
    const unsigned caching = MMU_UNCACHED | MMU_WRITE_COMBINING;

    return (attributes & ~machine_mmu()->attributes) == 0 && (attributes & caching) != caching;
}

static enum error truth_of_part(const struct arch_part *part, struct machine_truth *truth)
{
    struct ground ground = { .has_code = true };
    struct machine_probe probe;
    enum error e;

    ground.mapped = machine_mmu()->query(part->probe, &ground.mapping);
    e = probe_at(part->probe.a, &ground, &probe);
    *truth = (struct machine_truth){
        .part = part->name, .first = part->first, .promised = part->accesses,
        .observed = probe.done,
    };
    return e;
}

enum error machine_truth(bool (*row)(void *context, const struct machine_truth *truth),
                         void *context)
{
    struct access_ground shared;
    struct machine_truth truth;
    unsigned left = 0;
    bool more = true;
    enum error e = access_share(&shared);

    for (unsigned set = 0; e == OK && more && set <= MMU_ALL; set++) {
        if (!is_set(set))
            continue;
        e = truth_of_set(set, &shared, &truth, &left);
        more = e == OK && row(context, &truth);
    }
    if (e == OK && more)
        more = row(context, &(struct machine_truth){
            .part = "unmapped", .first = shared.page, .observed = left,
        });
    for (size_t i = 0; e == OK && more && i < parts.n; i++) {
        e = truth_of_part(&parts.part[i], &truth);
        more = e == OK && row(context, &truth);
    }
    return e;
}
