/* SPDX-License-Identifier: MIT */
/*
 * The lab: the allocators under test and the memory map that they run on, the machine's own or an
 * injected one. There is one, and commands work on it.
 *
 * What changes the map or the stage builds the new instance beside the one in force, in the other
 * half of the kernel's pool, and takes its place only when it is whole: a refusal changes nothing.
 */
#ifndef PFNLAB_LAB_H
#define PFNLAB_LAB_H

#include "kernel/base.h"
#include "kernel/mm/attributes.h"
#include "kernel/mm/heap_backends.h"
#include "kernel/mm/journal.h"
#include "kernel/mm/kpool.h"
#include "kernel/mm/pages.h"
#include "kernel/mm/phys.h"
#include "kernel/mm/tables.h"
#include "kernel/mm/vmap.h"
#include "kernel/mmu.h"

/*
 * early: only phys serves, nothing is handed over yet. page: the page allocator has the rest, and
 * the window can be used. virtual: the heap takes its pages in the window; until then from what was
 * there last.
 */
enum lab_stage { STAGE_EARLY, STAGE_PAGE, STAGE_VIRTUAL };

struct lab {
    enum lab_stage stage;
    bool injected;                    /* the map came over the wire; its frames have no memory */
    bool dead;                        /* an assertion failed: mutators are refused until reset */
    bool stays;                       /* a panic leaves the queries (onpanic=stay) */
    bool percpu;                      /* each CPU keeps a few single pages (percpu=on) */
    const struct page_engine *engine; /* chosen at boot (engine=NAME) */
    struct phys_allocator phys;
    struct pages pages;               /* from STAGE_PAGE on, as the two that follow */
    struct attributes attributes;
    struct vmap vmap;
    struct fail fail;                 /* refusals on purpose, until reset */
    struct heap heap;
    struct heap_early heap_early;     /* what it takes pages from, as vmap: before the hand-over, */
    struct heap_frames heap_frames;   /* and from it on */
    struct kpool pool;
    const struct mmu *mmu;            /* the machine's */
    phys_t reach;                     /* its memory below is mapped at its own addresses */
    virt_t window, window_limit;      /* what the virtual allocator has of its addresses */
    struct area_limit areas[MAX_AREAS];   /* in force */
    size_t nareas;
    uint8_t scan[MAX_AREAS];          /* the order in which areas are tried, nareas indices */
};

extern struct lab lab;

/* Memory of page tables: the one thing that a new instance finds as the old one left it. */
extern struct tables lab_tables;
/* What happened since the instance was made. Its page events go on to whom lab_set_event_hook()
 * names. */
extern struct journal lab_journal;

/*
 * Boot: take the machine's map, set up the pool (`kpool=SIZE` for one instance, 8M by default,
 * twice that is taken, at most a quarter of the memory), the areas (`areas=dma:16M,low:4G,high`),
 * the scan order (`scan=low,high`, then the rest), the engine (`engine=NAME`; `engine=help` logs
 * them all), what a panic leaves (`onpanic=stay`, or `halt`), whether CPUs
 * have caches of single pages (`percpu=on`, or `off`), memory for page tables
 * (`tables=SIZE`, 4M by default, at most a sixteenth of the memory), the window of the virtual
 * allocator (`virt=START:SIZE`), and bring the lab to STAGE_VIRTUAL, or, if the pool is too small
 * for that, leave it at STAGE_EARLY. Every range of the map and every word of the command line that
 * cannot be honoured is reported by `log` in one line; the default is used for the latter.
 */
void lab_boot(const char *command_line, void (*log)(const char *text));

/*
 * Report what pages.h calls events to `event` from now on, over every reset; NULL: to nobody. It is
 * called on CPU 0, for each event in the order in which they happened, without any lock: at the
 * latest by lab_tell_kept(), which whoever ends a command or a step of one has to call; that does
 * nothing as long as its CPU holds a lock.
 */
void lab_set_event_hook(void (*event)(enum pages_event event, pfn_t first, uint64_t pages,
                                      uint32_t tag));
void lab_tell_kept(void);

/*
 * A fresh instance of everything on the map in force: nothing allocated, everything fresh, nothing
 * mapped in the window, no page with attributes of its own, no refusals on purpose, no other CPU
 * running, as what they had is gone. Clears `dead`.
 * MEM_METADATA: the map was accepted for STAGE_EARLY only, its roots do not fit; a stage that the
 * map has reached before cannot fail.
 */
MUST_USE enum error lab_reset(enum lab_stage stage);

/*
 * From STAGE_EARLY to STAGE_PAGE. CALL_STATE: is there already. MEM_METADATA: *needed as
 * pages_init(). What was allocated stays.
 */
MUST_USE enum error lab_hand_over(uint64_t *needed);

/* One stage further; errors as lab_hand_over(). CALL_STATE: this is the last one. */
MUST_USE enum error lab_advance(uint64_t *needed);

/*
 * Injected maps: begin a list, add to it, then put it in force at once or not at all.
 * CALL_STATE: no list was begun. CALL_RANGE: wraps or lies beyond ADDRESS_LIMIT. MEM_METADATA: the
 * list is full (LAB_MAP_RANGES), or the map's roots do not fit: *needed bytes.
 * lab_map_area replaces the area table of the map being built, row by row, ascending: CALL_WORD:
 * not a name for an area; CALL_TWICE: the name is taken; CALL_ALIGN: the limit is not that of a
 * page; CALL_RANGE: not above the last one, or beyond ADDRESS_LIMIT; MEM_METADATA: MAX_AREAS rows
 * are there. A list that was refused by lab_map_commit is still there.
 */
#define LAB_MAP_RANGES 1024u
void lab_map_begin(void);
MUST_USE enum error lab_map_area(const char *name, uint64_t limit);

/* The least limit that lab_map_area() takes now; none at all if it is beyond ADDRESS_LIMIT. */
uint64_t lab_map_least_limit(void);

/* Why lab_map_area(), or a row of areas=, was refused, for people. */
const char *lab_area_error_text(enum error e);

MUST_USE enum error lab_map_add(uint64_t base, uint64_t size, enum range_kind kind);
MUST_USE enum error lab_map_commit(enum lab_stage stage, uint64_t *needed);

/*
 * Back to the machine's own map and area table; a list that was begun is dropped. Errors as
 * lab_reset().
 */
MUST_USE enum error lab_map_machine(enum lab_stage stage);

/*
 * Try the areas in this order: lab.nareas distinct indices. A fresh instance begins with that of
 * the command line, else with the highest area first. CALL_RANGE: not a permutation. CALL_STATE:
 * STAGE_EARLY.
 */
MUST_USE enum error lab_scan_order(const uint8_t *order);

/*
 * Find what a word of an area set means: an area, `any`, or an alias (`dma24`, `dma31`, `dma32`:
 * everything below 2^24, 2^31, 2^32 bytes). *limit becomes the first frame that is too high, or
 * PFN_LIMIT. CALL_AREA: no such area; an alias always means some.
 */
MUST_USE enum error lab_area_set(const char *word, size_t length, uint32_t *areas, pfn_t *limit);

/*
 * Everything that can be verified: 1..99 engine, 100.. pages, 200.. phys, 300.. the lab itself
 * (each frame that phys handed over is managed and no other; areas cover the map), 400.. virt,
 * 500.. vmap and 510.. page tables, 600.. heap, 700.. attributes. BUG_CHECK: *violation is the
 * first that does not hold. STOP_INTERRUPTED: ^C. While no other CPU is at work.
 */
MUST_USE enum error lab_check(struct page_violation *violation);

/*
 * To test whoever should notice: break an invariant of the instance in force, so that lab_check()
 * names just that one; a reset heals. `what` counts the rows: the words of the type `corruption`,
 * in their order, and the invariant that each breaks. CALL_STATE: there is nothing now to break it
 * with. CALL_UNSUPPORTED: it is another engine's. MEM_METADATA: no record, or no page table, for
 * what is entered against the rules.
 */
#define LAB_CORRUPTIONS(row) \
    row("areas", 1) row("orders", 2) row("leaf_class", 3) row("lead", 4) row("chunk_class", 5) \
    row("row", 6) row("open_unit", 7) row("active_chunk", 8) row("kept_leaf", 9) row("nodes", 10) \
    row("unmanaged", 11) row("fresh_block", 12) row("headless", 13) row("count", 14) \
    row("hot_word", 15) row("hot_slots", 16) row("hot_choice", 17) \
    row("list_areas", 51) row("piece", 52) row("fresh_piece", 53) row("next_piece", 54) \
    row("buddies", 55) row("list", 56) row("unlisted", 57) row("list_count", 58) \
    row("owner", 100) row("cache", 101) \
    row("records", 201) row("extent", 202) row("overlap", 203) row("alike", 204) \
    row("early", 205) row("frame_zero", 206) row("scrap", 207) row("alignment", 208) \
    row("handed", 300) row("fresh", 301) \
    row("range", 400) row("range_order", 401) row("balance", 402) row("gap", 403) \
    row("ranges", 404) row("busy", 405) \
    row("mapped", 500) row("unmapped", 501) row("frame", 502) row("frames", 503) \
    row("tables", 510) row("table_pieces", 511) row("table_walk", 512) \
    row("heap_page", 600) row("slab", 601) row("slots", 602) row("waiting", 603) \
    row("queue", 604) row("slab_page", 605) row("heap_block", 606) row("zone", 607) \
    row("recent", 608) \
    row("attribute", 700) row("attributes", 701)
#define LAB_CORRUPTION_ONE(word, invariant) + 1
enum { LAB_CORRUPTION_ROWS = 0 LAB_CORRUPTIONS(LAB_CORRUPTION_ONE) };
MUST_USE enum error lab_corrupt(uint64_t what);

#endif
