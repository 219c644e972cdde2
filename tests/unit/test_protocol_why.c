/* SPDX-License-Identifier: MIT */
/* Questions about refusals and owners: why, largest_order, leaks, history, owner. */
#include "tests/unit/protocol_support.h"

static void a_refusal_is_explained_by_the_slot_that_lacks_least(void **unused)
{
    (void)unused;
    ask("> why", "? call.state ; nothing was refused since the lab was made");
    ask(">1 owner tables", "=1");
    ask(">2 alloc_pages_exact 2047 at=0x800000 dontzero=1", "=2 0x0000000000800000");
    ask(">3 owner", "=3");
    ask(">4 alloc_page at=0x400000", "=4 0x0000000000400000");
    ask(">5 reserve 0x300000 2", "=5 0x0000000000300000");
    ask("> largest_order low", "= 9");
    ask(">6 alloc_pages_area low 10", "?6 mem.none ; no free memory fits the request");
    ask("> why",
        ": low lacks free=2045 largest=9 slot=0x0000000000400000 missing=1 blocks=1\r\n"
        ": low allocated at=0x0000000000400000 pages=1 owner=4\r\n"
        "= request=6 order=10 pages=1024 align=4194304 n=2");
    ask(">7 alloc_page at=0x300000",
        "?7 mem.reserved at=0x0000000000300000 ; the page is reserved");
    ask("> why",
        ": high lacks free=12288 largest=13\r\n"
        ": low lacks free=2045 largest=9 slot=0x0000000000300000 missing=1 blocks=1\r\n"
        ": low reserved at=0x0000000000300000 pages=1\r\n"
        "= request=7 order=0 pages=1 align=4096 n=3");
    ask(">8 alloc_pages_exact 3 at=0x2ff000",
        "?8 mem.reserved at=0x0000000000300000 ; the page is reserved");
    assert_string_equal(ask_for("> why", ": low lacks"),
                        ": low lacks free=2045 largest=9 slot=0x00000000002ff000 missing=2 "
                        "blocks=1");
    forget();
    ask("> alloc_pages_area low 9 min=8M", "? mem.none ; no free memory fits the request");
    ask("> why",
        ": low lacks free=1 largest=0 slot=0x0000000000e00000 missing=511 blocks=1\r\n"
        ": low allocated at=0x0000000000800000 pages=2047 owner=2 name=tables\r\n"
        "= request=0 order=9 pages=512 align=2097152 n=2");
}

/* The best slot holds only the beginning of a run, or only the middle of one. */
static void every_slot_is_looked_at(void **unused)
{
    (void)unused;
    ask("> alloc_pages_exact 1280 at=4M dontzero=1", "= 0x0000000000400000");
    ask("> alloc_pages_exact 1280 at=11M dontzero=1", "= 0x0000000000b00000");
    ask("> alloc_pages_area low 10", "? mem.none ; no free memory fits the request");
    assert_string_equal(ask_for("> why", ": low lacks"),
                        ": low lacks free=1535 largest=9 slot=0x0000000000800000 missing=512 "
                        "blocks=2");
    forget();
    ask("> alloc_pages_exact 512 at=9M dontzero=1", "= 0x0000000000900000");
    ask("> alloc_pages_area low 10 min=5M", "? mem.none ; no free memory fits the request");
    assert_string_equal(ask_for("> why", ": low lacks"),
                        ": low lacks free=0 slot=0x0000000000800000 missing=1024 blocks=3");
    forget();
    ask("> reset", "=");
    ask("> alloc_pages_exact 3072 at=4M dontzero=1", "= 0x0000000000400000");
    ask("> alloc_pages_area low 10 min=5M", "? mem.none ; no free memory fits the request");
    assert_string_equal(ask_for("> why", ": low lacks"),
                        ": low lacks free=0 slot=0x0000000000800000 missing=1024 blocks=1");
}

static uint64_t looks;

static uint64_t counted_run(void *engine, pfn_t from, pfn_t limit, struct page_info *info)
{
    looks++;
    return page_engine_tree.run(engine, from, limit, info);
}

/* Fifteen hundred slots of as many blocks each: a block is not looked at for each slot. */
static void slots_of_many_blocks_are_not_counted_one_by_one(void **unused)
{
    struct page_engine counted = page_engine_tree;

    (void)unused;
    for (unsigned i = 0; i < 3000; i++) {
        char line[64];

        snprintf(line, sizeof(line), "> alloc_page at=0x%x dontzero=1\n", 0x2000000 + i * 4096);
        feed(line);
    }
    forget();
    ask("> alloc_pages_exact 1500 min=32M max=0x2bb8000",
        "? mem.none ; no free memory fits the request");
    counted.run = counted_run;
    lab.pages.engine = &counted;
    assert_string_equal(ask_for("> why", ": high lacks"),
                        ": high lacks free=0 slot=0x0000000002000000 missing=1500 blocks=1500");
    assert_in_range(looks, 3000, 10 * 3000);
    forget();
    ask("> free 0x27d0000", "= 1");
    ask("> free 0x27d1000", "= 1");
    assert_string_equal(ask_for("> why", ": high lacks"),
                        ": high lacks free=2 largest=1 slot=0x00000000021f6000 missing=1498 "
                        "blocks=1498");
    /* It stops where it is: what is free has been counted by then, and no more than 64 runs. */
    for (unsigned stops = 1; stops < 3; stops++) {
        looks = 0;
        polls_until_interrupt = stops;
        assert_non_null(ask_for("> why", "? stop.interrupted"));
        assert_in_range(looks, 3000, 3000 + 2 * 64);
    }
    forget();
}

/* How often a ^C, each time a little later, stops the explanation of what `line` is refused. */
static unsigned stops_of(const char *line)
{
    for (unsigned stops = 0;; stops++) {
        ask(line, "? mem.none ; no free memory fits the request");
        polls_until_interrupt = stops + 1;
        if (ask_for("> why", "? stop.interrupted") == NULL) {
            polls_until_interrupt = 0;
            forget();
            return stops;
        }
        forget();
    }
}

static void an_explanation_can_be_stopped_at_any_place(void **unused)
{
    (void)unused;
    ask("> alloc_pages_exact 3072 at=4M dontzero=1", "= 0x0000000000400000");
    /* At the search for a slot, and at each row. */
    assert_int_equal(stops_of("> alloc_pages_area low 10 min=5M"), 3);
    assert_non_null(ask_for("> why", "= request"));
    forget();
    ask("> alloc_pages_exact 12288 at=16M dontzero=1", "= 0x0000000001000000");
    assert_int_equal(stops_of("> vmalloc 16M"), 7);
    assert_non_null(ask_for("> why", "= request"));
    forget();
    ask("> alloc_vpages 1 at=0x10020000000", "= 0x0000010020000000");
    assert_int_equal(stops_of("> alloc_vpages 0x20001"), 3);
    assert_non_null(ask_for("> why", "= request"));
}

static void stale_pages_do_not_serve_a_request_for_fresh_ones(void **unused)
{
    (void)unused;
    ask("> alloc_pages_area low 11 at=8M dontzero=1", "= 0x0000000000800000");
    ask("> free $", "= 2048");
    ask("> alloc_pages_area low 11 fresh=1", "? mem.none ; no free memory fits the request");
    ask("> why",
        ": low lacks free=2047 largest=10\r\n"
        "= request=0 order=11 pages=2048 align=8388608 n=1");
}

/* The window has a GiB at 1 TiB. */
static void addresses_are_explained_by_the_ranges_in_the_way(void **unused)
{
    (void)unused;
    ask(">1 owner stacks", "=1");
    ask(">2 alloc_vpages 0x10000 at=0x10010000000", "=2 0x0000010010000000");
    ask(">3 alloc_vpages 16 guard=both", "=3 0x0000010000001000");
    ask(">4 alloc_vpages 0x20001", "?4 mem.none ; no free memory fits the request");
    ask("> why",
        ": window lacks free=196590 longest=131072 slot=0x000001001ffff000 missing=1 blocks=1\r\n"
        ": window vpages at=0x0000010010000000 pages=65536 owner=2 name=stacks\r\n"
        "= request=4 pages=131073 align=4096 of=addresses n=2");
    /* The usable pages are aligned, not the guard before them; the lower of two slots is told. */
    ask(">5 alloc_vpages 0x20000 align=256M guard=front",
        "?5 mem.none ; no free memory fits the request");
    ask("> why",
        ": window lacks free=196590 longest=131072 slot=0x000001001ffff000 missing=1 blocks=1\r\n"
        ": window vpages at=0x0000010010000000 pages=65536 owner=2 name=stacks\r\n"
        "= request=5 pages=131072 align=268435456 of=addresses n=2");
    ask(">6 alloc_vpages 2 at=0x1000000f000",
        "?6 mem.busy at=0x000001000000f000 ; the page is allocated");
    ask("> why",
        ": window lacks free=196590 longest=131072 slot=0x000001000000f000 missing=2 blocks=1\r\n"
        ": window vpages at=0x0000010000001000 pages=16 owner=3 name=stacks\r\n"
        "= request=6 pages=2 align=4096 of=addresses n=2");
    ask("> alloc_vpages 0x40001", "? mem.none ; no free memory fits the request");
    ask("> why",
        ": window lacks free=196590 longest=131072\r\n"
        "= request=0 pages=262145 align=4096 of=addresses n=1");
}

static void frames_behind_addresses_are_explained_as_pages_are(void **unused)
{
    (void)unused;
    ask("> alloc_pages_area low 0 at=0x400000", "= 0x0000000000400000");
    ask("> vmalloc 128M area=low", "? mem.none ; no free memory fits the request");
    assert_string_equal(ask_for("> why", ": low lacks"), ": low lacks free=4094 largest=11 "
                        "slot=0x0000000000001000 missing=0 blocks=0");
    forget();
    ask("> advance", "= stage=virtual");
    ask("> malloc 128M", "? mem.none ; no free memory fits the request");
    assert_string_equal(ask_for("> why", "= request"),
                        "= request=0 pages=32768 align=4096 of=frames n=3");
    forget();
    ask("> reset stage=page", "=");
    ask("> memalign 8K 128M", "? mem.none ; no free memory fits the request");
    assert_string_equal(ask_for("> why", "= request"),
                        "= request=0 order=15 pages=32768 align=8192 n=0");
    forget();
}

static void early_memory_is_explained_by_its_largest_piece(void **unused)
{
    (void)unused;
    ask("> reset stage=early", "=");
    ask("> phys_alloc 1T align=64K", "? mem.none ; no free memory fits the request");
    assert_string_equal(ask_for("> why", "= request"),
                        "= request=0 size=1099511627776 align=65536 n=1");
    forget();
    ask("> malloc 1T", "? mem.none ; no free memory fits the request");
    assert_string_equal(ask_for("> why", "= request"),
                        "= request=0 size=1099511627776 align=4096 n=1");
    forget();
}

/* A refusal of which nothing is known hides the one before it. */
static void an_older_refusal_is_not_told(void **unused)
{
    (void)unused;
    ask("> alloc_vpages 0x40001", "? mem.none ; no free memory fits the request");
    ask("> vmalloc 18446744073709551615 redzone=1",
        "? mem.none ; no free memory fits the request");
    ask("> why", "? call.state ; of what was refused last nothing more is known");
    ask("> alloc_vpages 0x40001", "? mem.none ; no free memory fits the request");
    ask("> malloc 18446744073709551615 redzone=1",
        "? mem.none ; no free memory fits the request");
    ask("> why", "? call.state ; of what was refused last nothing more is known");
}

static void what_is_left_is_told_with_its_owner(void **unused)
{
    (void)unused;
    ask("> leaks", "= pages=0 n=0");
    ask(">1 owner vcpu", "=1");
    ask(">2 alloc_pages 2 at=0x8000", "=2 0x0000000000008000");
    ask(">3 alloc_page at=0x20000", "=3 0x0000000000020000");
    ask("> alloc_page at=0x30000", "= 0x0000000000030000");
    ask("> leaks",
        ": 0x0000000000008000 4 area=low owner=2 name=vcpu\r\n"
        ": 0x0000000000020000 1 area=low owner=3 name=vcpu\r\n"
        ": 0x0000000000030000 1 area=low owner=0\r\n= pages=6 n=3");
    ask("> leaks since=3", ": 0x0000000000020000 1 area=low owner=3 name=vcpu\r\n= pages=1 n=1");
    ask("> leaks 0x21000", ": 0x0000000000030000 1 area=low owner=0\r\n= pages=1 n=1");
    ask("> owner x", "? call.state ; a request without a tag owns nothing");
    ask(">4 owner sixteen_letters_", "?4 call.word arg=name ; not one of the words that fit here");
}

static void a_page_has_a_history_until_the_lab_is_made_afresh(void **unused)
{
    (void)unused;
    ask(">1 alloc_pages 3 at=0x8000", "=1 0x0000000000008000");
    ask(">2 free 0xa000 2", "=2 2");
    ask(">3 reserve 0xa000 1", "=3 0x000000000000a000");
    ask("> history 0xafff",
        ": 1 alloc addr=0x0000000000008000 pages=8 owner=1\r\n"
        ": 2 free addr=0x000000000000a000 pages=2 owner=1\r\n"
        ": 3 reserve addr=0x000000000000a000 pages=1 owner=3\r\n= events=3 lost=0 n=3");
    ask("> history 0xc000",
        ": 1 alloc addr=0x0000000000008000 pages=8 owner=1\r\n= events=3 lost=0 n=1");
    ask("> reset", "=");
    ask("> history 0xa000", "= events=0 lost=0 n=0");
}

static void nothing_free_has_no_largest_order(void **unused)
{
    (void)unused;
    ask("> map_begin", "=");
    ask("> map_add 1M 4K", "=");
    ask("> map_commit", "=");
    ask("> largest_order", "= 0");
    ask("> alloc_page", "= 0x0000000000100000 zeroed=0");
    ask("> largest_order", "? mem.none ; no free memory fits the request");
    ask("> largest_order high", "? mem.none ; no free memory fits the request");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_refusal_is_explained_by_the_slot_that_lacks_least, begin),
        cmocka_unit_test_setup(every_slot_is_looked_at, begin),
        cmocka_unit_test_setup(slots_of_many_blocks_are_not_counted_one_by_one, begin),
        cmocka_unit_test_setup(an_explanation_can_be_stopped_at_any_place, begin),
        cmocka_unit_test_setup(stale_pages_do_not_serve_a_request_for_fresh_ones, begin),
        cmocka_unit_test_setup(addresses_are_explained_by_the_ranges_in_the_way, begin),
        cmocka_unit_test_setup(frames_behind_addresses_are_explained_as_pages_are, begin),
        cmocka_unit_test_setup(early_memory_is_explained_by_its_largest_piece, begin),
        cmocka_unit_test_setup(an_older_refusal_is_not_told, begin),
        cmocka_unit_test_setup(what_is_left_is_told_with_its_owner, begin),
        cmocka_unit_test_setup(a_page_has_a_history_until_the_lab_is_made_afresh, begin),
        cmocka_unit_test_setup(nothing_free_has_no_largest_order, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
