/* SPDX-License-Identifier: MIT */
/* What the handlers make of what they ask: fields, rows, paging, batches, stops. */
#include "tests/unit/protocol_support.h"

static size_t count_lines(const char *start)
{
    size_t n = 0;

    for (const char *at = said; at != NULL && *at != '\0'; n++) {
        if (strncmp(at, start, strlen(start)) != 0)
            n--;
        at = strstr(at, "\r\n") ? strstr(at, "\r\n") + 2 : NULL;
    }
    return n;
}

static void pages_are_told_in_runs(void **unused)
{
    (void)unused;
    ask(">5 alloc_pages 2 at=0x8000", "=5 0x0000000000008000");
    ask("> alloc_pages_exact 3 at=0xc000", "= 0x000000000000c000");
    ask("> reserve 0x20000 2", "= 0x0000000000020000");
    ask("> dump pages 0x7000 28",
        ": 0x0000000000007000 1 free area=low fresh=1\r\n"
        ": 0x0000000000008000 4 allocated area=low fresh=0 order=2 owner=5\r\n"
        ": 0x000000000000c000 3 allocated area=low fresh=0 owner=0\r\n"
        ": 0x000000000000f000 17 free area=low fresh=1\r\n"
        ": 0x0000000000020000 2 reserved area=low fresh=1\r\n"
        ": 0x0000000000022000 1 free area=low fresh=1\r\n= n=6");
    ask("> dump pages 0x9000 2",
        ": 0x0000000000009000 2 allocated area=low fresh=0 block=0x0000000000008000 owner=5\r\n"
        "= n=1");
    ask("> dump pages 0x3ffe000",
        ": 0x0000000003ffe000 2 free area=high fresh=1\r\n= n=1");
    ask("> dump pages 0x3fff000 2",
        ": 0x0000000003fff000 1 free area=high fresh=1\r\n"
        ": 0x0000000004000000 1 unmanaged\r\n= n=2");
    ask("> dump pages 0x7001", "? mem.unaligned at=0x0000000000007001 ; the address is not that of "
        "a page");
}

static void free_blocks_are_told_whole(void **unused)
{
    (void)unused;
    ask("> reserve 0x3000 1", "= 0x0000000000003000");
    ask("> free 0x3000", "? mem.reserved at=0x0000000000003000 ; the page is reserved");
    ask("> alloc_page at=0x2000", "= 0x0000000000002000");
    ask("> free $", "= 1");
    ask("> dump free 0x1000 8",
        ": 0x0000000000001000 1 order=0 area=low fresh=1\r\n"
        ": 0x0000000000002000 1 order=0 area=low fresh=0\r\n"
        ": 0x0000000000004000 4 order=2 area=low fresh=1\r\n"
        ": 0x0000000000008000 8 order=3 area=low fresh=1\r\n= n=4");
    ask("> unreserve 0x3000 1", "=");
    assert_string_equal(ask_for("> dump free 0x3000 1", ": "),
                        ": 0x0000000000002000 2 order=1 area=low fresh=0");
    assert_string_equal(ask_for("> dump areas", ": low"),
                        ": low first=0x0000000000000000 limit=0x0000000001000000 managed=4095 "
                        "free=4095 allocated=0 reserved=0 o0=1 o1=1 o2=1 o3=1 o4=1 o5=1 o6=1 o7=1 "
                        "o8=1 o9=1 o10=1 o11=1");
    forget();
    ask("> alloc_page at=0x9000", "= 0x0000000000009000");
    ask("> free $", "= 1");
    ask("> dump free 0x8000 1",
        ": 0x0000000000008000 8 order=3 area=low fresh=0\r\n= n=1");
}

static uint64_t frames_walked;

static uint64_t counted_run(void *engine, pfn_t from, pfn_t limit, struct page_info *info)
{
    uint64_t n = page_engine_tree.run(engine, from, limit, info);

    frames_walked += info->state == PAGE_FREE ? n : 0;
    return n;
}

/* Not once for each block of them: a terabyte is a thousand blocks. */
static void free_pages_are_walked_over_once(void **unused)
{
    struct page_engine counted = page_engine_tree;

    (void)unused;
    ask("> map_begin", "=");
    ask("> map_add 16M 1T", "=");
    ask("> map_commit", "=");
    counted.run = counted_run;
    lab.pages.engine = &counted;
    frames_walked = 0;
    assert_non_null(ask_for("> dump free", "= n=1030"));
    assert_in_range(frames_walked, 1, UINT64_C(2) << 28);
}

static void the_picture_is_as_fine_as_its_lines_allow(void **unused)
{
    (void)unused;
    ask("> map_begin", "=");
    ask("> map_add 0x8000000000000 1G", "=");
    ask("> map_add 0xfffffc0000000 1G", "=");
    ask("> map_commit", "=");
    assert_non_null(strstr(ask_for("> dump map", ": 0x0008000000000000 "), " unit=536870912"));
}

static void long_listings_page_themselves(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 3000; i++) {
        char line[64];

        snprintf(line, sizeof(line), "> reserve 0x%x 1\n", 0x1000 + i * 0x2000);
        feed(line);
    }
    assert_string_equal(ask_for("> dump pages 0x1000", "= "), "= n=4096 more=0x0000000001001000");
    assert_int_equal(count_lines(": "), 4096);
    assert_string_equal(ask_for("> dump pages 0x1001000", "= "), "= n=1904");
}

static void interrupt_stops_rows(void **unused)
{
    (void)unused;
    polls_until_interrupt = 3;
    assert_non_null(ask_for("> help", "? stop.interrupted n=3 ; stopped by ^C"));
    assert_int_equal(count_lines(": "), 3);
    ask_for("> help", "= ");
    assert_true(count_lines(": ") > 40);
}

static void help_of_one_command_is_its_rows(void **unused)
{
    (void)unused;
    ask("> help unreserve_pages",
        ": unreserve mutator address=page pages=count returns=none ; Give reserved pages back, any "
        "part of them\r\n: unreserve_pages alias of=unreserve\r\n= n=2");
    ask("> help order", ": order type number min=0 max=18 ; 2^order pages\r\n= n=1");
    ask("> help nonsense", "? call.command ; no such command");
}

static void help_for_a_person_fits_a_terminal(void **unused)
{
    (void)unused;
    feed("help\rhelp alloc_page\r");
    assert_int_equal(count_lines(": "), 0);
    assert_true(count_lines("; ") > 60);
    for (const char *at = said; at != NULL; at = strchr(at + 1, '\n'))
        assert_true(strcspn(at + 1, "\r") < 80);
    assert_non_null(strstr(said, "; alloc_pages_area AREAS ORDER  Allocate 2^order pages"));
    assert_non_null(strstr(said, ";     fresh=        no or yes, 0 to 1"));
    forget();
    feed("help order\rhelp attributes\r");
    assert_non_null(strstr(said, "; order             2^order pages, 0 to 18\r\n"));
    assert_non_null(strstr(said, "words joined by |: rw, ro, nx, uncached, wc\r\n"));
}

static void zeroes_that_were_not_made_are_told(void **unused)
{
    (void)unused;
    ask("> alloc_pages 10", "= 0x0000000001000000 zeroed=0");
    ask("> alloc_pages 10 dontzero=1", "= 0x0000000001400000");
    ask("> alloc_pages 9", "= 0x0000000001800000");
}

static void memalign_rounds_up_and_aligns(void **unused)
{
    (void)unused;
    ask("> memalign_pages_area low 1 1", "= 0x0000000000001000");
    ask("> memalign_pages 64K 12289 low", "? call.area arg=areas ; no such area");
    ask("> memalign_pages low 64K 12289", "= 0x0000000000010000");
    ask("> free $", "= 4");
    ask("> memalign_pages low 1 5 align=1M", "= 0x0000000000100000");
}

static void a_stopped_zeroing_is_an_error(void **unused)
{
    (void)unused;
    ask("> alloc_pages 13", "? stop.interrupted ; stopped by ^C");
    assert_non_null(strstr(ask_for("> dump pages 0x2000000 1", ": "), " free area=high fresh=0"));
    forget();
    assert_non_null(ask_for("> alloc_pages 13 dontzero=1", "= 0x0000000002000000"));
}

static void a_refused_page_is_named(void **unused)
{
    (void)unused;
    ask("> alloc_pages 1 at=0x8000", "= 0x0000000000008000");
    ask("> reserve 0x7000 3", "? mem.busy at=0x0000000000008000 ; the page is allocated");
    ask("> unreserve 0x7000 3", "? mem.free at=0x0000000000007000 ; the page is free already");
    ask("> free 0x9000", "? mem.inside at=0x0000000000009000 ; the address lies inside a block, it "
        "is not its first page");
    ask("> free 0x9000 2",
        "? mem.beyond at=0x000000000000a000 ; the range goes beyond the block it "
        "begins in");
    ask("> alloc_page at=0x9000", "? mem.busy at=0x0000000000009000 ; the page is allocated");
    ask("> alloc_pages 3 at=0x11000", "? mem.unaligned at=0x0000000000011000 ; "
        "not a multiple of the alignment that the request has");
    ask("> alloc_page at=0x11000 align=8K", "? mem.unaligned at=0x0000000000011000 ; "
        "not a multiple of the alignment that the request has");
    ask("> alloc_page at=0xa000 area=high",
        "? mem.none at=0x000000000000a000 ; the page is free, and not one that the "
        "request allows");
    ask("> free 0x9000 1", "= 1");
    ask("> free 0x8000", "= 1");
}

static void the_scan_order_is_that_of_the_names(void **unused)
{
    (void)unused;
    ask("> alloc_page", "= 0x0000000001000000");
    ask("> scan_order low", "=");
    assert_non_null(strstr(ask_for("> areas", ": "), ": low "));
    forget();
    ask("> alloc_page", "= 0x0000000000001000");
    ask("> scan_order high|low", "=");
    assert_non_null(strstr(ask_for("> areas", ": "), ": high "));
}

static void early_memory_is_before_pages(void **unused)
{
    (void)unused;
    ask("> reset stage=early", "=");
    ask("> alloc_page", "? call.state stage=early ; not possible at this point");
    ask("> dump free", "? call.state stage=early ; not possible at this point");
    ask("> phys_alloc 100", "= 0x0000000003ffff80");
    ask("> phys_alloc 100 from=low max=1M align=4096", "= 0x0000000000001000");
    ask("> phys_free $", "= 100");
    ask("> phys_free 0x1000", "? mem.free at=0x0000000000001000 ; the page is free already");
    ask("> phys_hand_over", "=");
    ask("> phys_hand_over", "? call.state ; not possible at this point");
    ask("> dump phys 0x3fff000",
        ": 0x0000000003fff000 3968 free used=0\r\n: 0x0000000003ffff80 100 early used=1\r\n"
        ": 0x0000000003ffffe4 28 free used=0\r\n= n=3");
}

static void memory_is_touched_as_told(void **unused)
{
    (void)unused;
    ask("> peek 0x1000", "= 0x0000000000001000");
    ask("> peek 0x100000000", "? fault.address at=0x0000000100000000 ; there is no memory at the "
        "address (pc 0x1234)");
    ask("> poke 0x1000 0xff width=1", "=");
    assert_int_equal(poked, 0xff);
    ask("> fill 0x1000", "? mem.free at=0x0000000000001000 ; the page is free already");
    ask("> fill 0x1000 2", "=");
    ask("> alloc_pages 1 at=0x2000", "= 0x0000000000002000");
    ask("> fill 0x2000", "=");
    ask("> fill 0x3000", "? mem.inside at=0x0000000000003000 ; the address lies inside a block, it "
        "is not its first page");
    ask("> fill 0x100000000 1",
        "? fault.address at=0x0000000100000000 ; there is no memory at the address");
    ask("> fill 0x1000 2 seed=1", "? stop.interrupted at=0x0000000000001000 ; stopped by ^C");
    ask("> verify 0x1000 2 seed=1", "? fault.pattern at=0x0000000000001008 ; the memory does not "
        "hold the pattern");
}

static void a_batch_stops_at_the_first_failure(void **unused)
{
    (void)unused;
    ask("> run 1", "? call.state arg=count ; not possible at this point");
    ask("> store 0 alloc_page as=1", "=");
    ask("> store 1 dump pages $v1 1", "=");
    ask("> store 2 free $v1", "=");
    ask(">9 run 3 times=100", "=9 300");
    ask("> store 2 free 0x1001", "=");
    ask(">9 run 3", "?9 mem.unaligned line=2 done=2 ; the address is not that of a page");
    assert_non_null(strstr(ask_for("> dump pages $v1 1", ": "), "owner=9"));
    forget();
    ask("> store 0 run 1", "? call.word arg=line ; not one of the words that fit here");
    ask("> store 0 store 1 check", "? call.word arg=line ; not one of the words that fit here");
    ask("> store 0 sync 1", "? call.word arg=line ; not one of the words that fit here");
    ask("> store 0 nonsense", "? call.command arg=line ; no such command");
    ask("> store 64 check", "? call.range arg=place min=0 max=63 ; the value is out of range");
    polls_until_interrupt = 2;
    ask("> run 2 times=1000", "? stop.interrupted line=1 done=1 ; stopped by ^C");
}

static void stress_is_the_same_each_time_and_leaves_nothing(void **unused)
{
    char before[1200], events[2][1200];

    (void)unused;
    snprintf(before, sizeof(before), "%s", ask_for("> dump areas", ": low"));
    forget();
    for (unsigned i = 0; i < 2; i++) {
        ask("> reset", "=");
        ask("> trace 1", "=");
        snprintf(events[i], sizeof(events[i]), "%s", ask_for("> stress 20 seed=7 order=2", "% "));
        assert_true(count_lines("% alloc") > 10);
        assert_int_equal(count_lines("% alloc"), count_lines("% free"));
        forget();
        ask("> trace 0", "=");
    }
    assert_string_equal(events[0], events[1]);
    assert_non_null(ask_for("> stress 30000 order=5 check=1", "= 30000 fails="));
    assert_string_equal(ask_for("> dump areas", ": low"), before);
    polls_until_interrupt = 11;
    assert_non_null(ask_for("> stress 1000", "? stop.interrupted done=10 fails=0"));
    assert_string_equal(ask_for("> dump areas", ": low"), before);
}

static void events_tell_the_owner(void **unused)
{
    (void)unused;
    ask(">3 trace 1", "=3");
    ask_sealed(">4 alloc_page", "% alloc addr=0x0000000001000000 pages=1 tag=4\n"
               "=4 0x0000000001000000");
    ask_sealed(">5 free $4", "% free addr=0x0000000001000000 pages=1 tag=4\n=5 1");
    ask_sealed(">6 reserve 0x2000 2", "% reserve addr=0x0000000000002000 pages=2 tag=6\n"
               "=6 0x0000000000002000");
    ask(">7 reset", "=7");
    ask_sealed(">8 alloc_page", "% alloc addr=0x0000000001000000 pages=1 tag=8\n"
               "=8 0x0000000001000000");
}

static void a_map_is_put_in_force_whole(void **unused)
{
    (void)unused;
    ask("> map_add 0 1M", "? call.state ; not possible at this point");
    ask("> map_begin", "=");
    ask("> map_area one 8M", "=");
    ask("> map_area two 0x10000000000000", "=");
    ask("> map_add 0x100000000 4M", "=");
    ask("> map_add 0x100100000 4K kind=reserved", "=");
    ask("> map_commit", "=");
    ask("> alloc_page area=two", "= 0x0000000100000000 zeroed=0");
    assert_string_equal(ask_for("> dump map", ": "), ": 0x0000000100000000 #......."
                        "........................ area=two unit=1");
    assert_string_equal(ask_for("> dump map 0x100100000 64", ": "),
                        ": 0x0000000100100000 _..............................."
                        " area=two unit=1");
}

static void tells_what_is_mapped(void **unused)
{
    (void)unused;
    ask("> translate 0x10008", "= 0x0000000000040008 size=4096 attributes=nx level=1");
    ask("> translate 0x14000", "= 0x0000000000044000 size=4096 attributes=ro|nx level=1");
    ask("> translate 0x18000", "? fault.address at=0x0000000000018000 ; there is no memory at the "
        "address");
    ask("> dump pagetables", ": 0x0000000000000000 512 table level=2 phys=0x0000000000003000\r\n"
        ": 0x0000000000010000 4 mapping level=1 phys=0x0000000000040000 attributes=nx\r\n"
        ": 0x0000000000014000 4 mapping level=1 phys=0x0000000000044000 attributes=ro|nx\r\n"
        "= n=3");
    ask("> dump pagetables 0x12000 1", ": 0x0000000000012000 1 mapping level=1 "
        "phys=0x0000000000042000 attributes=nx\r\n= n=1");
    ask("> dump pagetables 0x12001", "? mem.unaligned at=0x0000000000012001 ; the address is not "
        "that of a page");
    ask("> dump pagetables 0x400000", "= n=0");
}

static void tells_what_an_access_does(void **unused)
{
    (void)unused;
    ask("> probe 0x1000", "= read=yes write=no write_fault=protection execute=no "
        "execute_fault=execute");
    ask("> probe 8", "= read=yes write=untried execute=no execute_fault=execute");
    ask("> probe 0x100000000", "? mem.metadata ; the kernel's own pool cannot hold the records");
    ask("> truth",
        ": ro|uncached promised=read|execute observed=read|execute entry=ro|uncached "
        "caching=entry\r\n"
        ": rw promised=read observed=write entry=rw caching=default\r\n"
        ": guard first=0x0000000000005000 promised=none observed=none\r\n"
        "= wrong=1 n=3 ; caching=entry: no access shows it, the table's entry says so");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pages_are_told_in_runs, begin),
        cmocka_unit_test_setup(free_blocks_are_told_whole, begin),
        cmocka_unit_test_setup(free_pages_are_walked_over_once, begin),
        cmocka_unit_test_setup(the_picture_is_as_fine_as_its_lines_allow, begin),
        cmocka_unit_test_setup(long_listings_page_themselves, begin),
        cmocka_unit_test_setup(interrupt_stops_rows, begin),
        cmocka_unit_test_setup(help_of_one_command_is_its_rows, begin),
        cmocka_unit_test_setup(help_for_a_person_fits_a_terminal, begin),
        cmocka_unit_test_setup(zeroes_that_were_not_made_are_told, begin),
        cmocka_unit_test_setup(memalign_rounds_up_and_aligns, begin),
        cmocka_unit_test_setup(a_stopped_zeroing_is_an_error, begin),
        cmocka_unit_test_setup(a_refused_page_is_named, begin),
        cmocka_unit_test_setup(the_scan_order_is_that_of_the_names, begin),
        cmocka_unit_test_setup(early_memory_is_before_pages, begin),
        cmocka_unit_test_setup(memory_is_touched_as_told, begin),
        cmocka_unit_test_setup(a_batch_stops_at_the_first_failure, begin),
        cmocka_unit_test_setup(stress_is_the_same_each_time_and_leaves_nothing, begin),
        cmocka_unit_test_setup(events_tell_the_owner, begin),
        cmocka_unit_test_setup(a_map_is_put_in_force_whole, begin),
        cmocka_unit_test_setup(tells_what_is_mapped, begin),
        cmocka_unit_test_setup(tells_what_an_access_does, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
