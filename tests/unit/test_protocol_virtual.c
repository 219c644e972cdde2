/* SPDX-License-Identifier: MIT */
/* The commands of the virtual layer, their words and refusals, on a machine that is arrays. */
#include "tests/unit/protocol_support.h"

static void addresses_are_handed_out_and_taken_back(void **unused)
{
    (void)unused;
    ask("> vmalloc 5000 guard=both dontzero=1", "= 0x0000010000001000");
    ask("> vmap 1M 12K attributes=ro as=3", "= 0x0000010000004000");
    ask("> alloc_vpages 2 align=16K guard=front guard_pages=2", "= 0x000001000000c000");
    ask("> dump virt",
        ": 0x0000010000001000 2 vmalloc front=1 back=1 size=5000 owner=0\r\n"
        ": 0x0000010000004000 3 vmap size=12288 owner=0\r\n"
        ": 0x000001000000c000 2 vpages front=2 size=8192 owner=0\r\n= n=3");
    ask("> dump virt 0x10000008000 3",
        ": 0x000001000000c000 2 vpages front=2 size=8192 owner=0\r\n= n=1");
    ask("> dump virt 0x10000007000 3", "= n=0");
    ask("> check", "=");
    ask("> vunmap $v3", "= 3");
    ask("> free_vpages 0x1000000c000", "= 2");
    ask("> vfree 0x10000001000", "= 2");
    ask("> dump virt", "= n=0");
    ask("> vmemalign 8K 1", "= 0x0000010000000000");
    ask("> vmemalign 8K 1", "= 0x0000010000002000");
    ask("> check", "=");
}

static void refusals_name_the_address(void **unused)
{
    (void)unused;
    ask("> vmalloc 1 dontzero=1", "= 0x0000010000000000");
    ask("> vmalloc 1 at=0x10000000000",
        "? mem.busy at=0x0000010000000000 ; the page is allocated");
    ask("> vmalloc 1 at=0x10000000008",
        "? mem.unaligned at=0x0000010000000008 ; the address is not that of a page");
    ask("> vmalloc 1 at=4K",
        "? mem.unmanaged at=0x0000000000001000 ; the allocator does not manage this page");
    ask("> vmalloc 1 at=0x10000001000 align=8K",
        "? mem.none at=0x0000010000001000 ; no free memory fits the request");
    ask("> vunmap 0x10000000000", "? mem.kind at=0x0000010000000000 ; "
        "another command made this, and another one takes it back");
    ask("> vfree 0x10000000001",
        "? mem.unaligned at=0x0000010000000001 ; the address is not that of a page");
    ask("> vfree 0x10000001000",
        "? mem.free at=0x0000010000001000 ; the page is free already");
    ask("> vfree 0",
        "? mem.unmanaged at=0x0000000000000000 ; the allocator does not manage this page");
    ask("> free 0x1000000", "? mem.kind at=0x0000000001000000 ; "
        "another command made this, and another one takes it back");
    ask("> vmalloc 18446744073709551615", "? mem.none ; no free memory fits the request");
    ask("> vmalloc 18446744073709551612 redzone=1", "? mem.none ; no free memory fits the request");
    ask("> vmalloc 1 redzone=1", "? call.unsupported ; this machine or this map cannot do it");
    ask("> vmalloc 1 guard_pages=2", "? call.missing arg=guard ; an argument is missing");
    ask("> vmalloc 1 guard=both guard_pages=262145",
        "? call.range arg=guard_pages max=262144 ; the value is out of range");
    ask("> vmalloc 1 guard=both guard_pages=262144",
        "? mem.none ; no free memory fits the request");
    ask("> vmap 0 4K", "? call.range arg=physical ; the value is out of range");
    ask("> vmap 8 4K", "? mem.unaligned at=0x0000000000000008 ; the address is not that of a page");
    ask("> vmap 4K 18446744073709551615",
        "? call.range arg=size max=4503599627366400 ; the value is out of range");
    ask("> vmap 4K 4K attributes=wc", "? call.unsupported ; this machine or this map cannot do it");
    ask("> alloc_vpages 4503599627370496",
        "? call.range arg=pages max=4503599627370495 ; the value is out of range");
    ask("> check", "=");
}

static void attributes_are_words_joined(void **unused)
{
    (void)unused;
    ask("> vmap 4K 4K attributes=ro|rw",
        "? call.conflict arg=attributes ; these words contradict each other");
    ask("> vmap 4K 4K attributes=wc|ro|uncached",
        "? call.conflict arg=attributes ; these words contradict each other");
    ask("> vmap 4K 4K attributes=ro|ro",
        "? call.twice arg=attributes ; given twice");
    ask("> vmap 4K 4K attributes=",
        "? call.word arg=attributes ; not one of the words that fit here");
    ask("> vmap 4K 4K attributes=ro|",
        "? call.word arg=attributes ; not one of the words that fit here");
    ask("> vmap 4K 4K attributes=1",
        "? call.word arg=attributes ; not one of the words that fit here");
    ask("> vmap 4K 4K attributes=nx|uncached|ro", "= 0x0000010000000000");
    assert_int_equal(fake_pages[0].attributes, MMU_READ_ONLY | MMU_NO_EXECUTE | MMU_UNCACHED);
    ask("> vmap 4K 4K attributes=rw", "= 0x0000010000001000");
    assert_int_equal(fake_pages[1].attributes, 0);
    ask("> vmap 4K 4K", "= 0x0000010000002000");
    assert_int_equal(fake_pages[2].attributes, MMU_DATA);
    ask("> ioremap 1G 4K", "= 0x0000010000003000");
    assert_int_equal(fake_pages[3].attributes, MMU_UNCACHED | MMU_DATA);
}

static void pages_have_attributes_and_free_takes_them(void **unused)
{
    (void)unused;
    ask("> alloc_pages_ro 1", "= 0x0000000001000000");
    assert_int_equal(fake_direct[0x1000], MMU_READ_ONLY | MMU_NO_EXECUTE);
    ask("> alloc_pages_uncached 0", "= 0x0000000001002000");
    assert_int_equal(fake_direct[0x1002], MMU_UNCACHED | MMU_NO_EXECUTE);
    ask("> alloc_pages_nx 0", "= 0x0000000001003000");
    assert_int_equal(fake_direct[0x1003], MMU_NO_EXECUTE);
    ask("> alloc_page attributes=rw", "= 0x0000000001004000");
    assert_int_equal(fake_direct[0x1004], 0);
    ask("> alloc_pages_exact 2 attributes=wc",
        "? call.unsupported ; this machine or this map cannot do it");
    ask("> check", "=");
    ask("> free 0x1000000 1", "= 1");
    assert_int_equal(fake_direct[0x1000], MMU_DATA);
    assert_int_equal(fake_direct[0x1001], MMU_READ_ONLY | MMU_NO_EXECUTE);
    ask("> free 0x1001000", "= 1");
    ask("> free 0x1002000", "= 1");
    ask("> free 0x1004000", "= 1");
    ask("> check", "=");
}

static void protect_says_what_is_in_the_way(void **unused)
{
    (void)unused;
    ask("> vmalloc 8K dontzero=1", "= 0x0000010000000000");
    ask("> protect 0x10000000000 3 ro",
        "? fault.address at=0x0000010000002000 ; there is no memory at the address");
    ask("> protect 0x10000000000 2 ro|nx", "=");
    ask("> protect 0x10000000000 262145 ro",
        "? call.range arg=pages max=262144 ; the value is out of range");
    ask("> protect 0x10000000010 1 ro",
        "? mem.unaligned at=0x0000010000000010 ; the address is not that of a page");
    ask("> protect 0x10000000000 0 ro",
        "? call.range arg=pages min=1 max=18446744073709551615 ; the value is out of range");
    ask("> protect 0x1000000 1 ro", "? mem.kind at=0x0000000001000000 ; "
        "another command made this, and another one takes it back");
    ask("> protect 0x1002000 1 ro", "? mem.free at=0x0000000001002000 ; the page is free already");
    ask("> protect 0 1 ro",
        "? fault.protection at=0x0000000000000000 ; the access is not allowed there");
    ask("> protect 0x8000000000000000 1 ro",
        "? fault.address at=0x8000000000000000 ; there is no memory at the address");
    ask("> protect 0xfffffffffffff000 2 ro",
        "? call.range arg=pages max=1 ; the value is out of range");
    ask("> protect 64M 1 ro",
        "? fault.protection at=0x0000000004000000 ; the access is not allowed there");
    ask("> protect 1T 1 wc", "? call.unsupported ; this machine or this map cannot do it");
}

static void injected_maps_are_numbers_and_tables(void **unused)
{
    (void)unused;
    ask("> map_begin", "=");
    ask("> map_add 1T 4M", "=");
    ask("> map_commit", "=");
    ask("> vmalloc 8K", "= 0x0000010000000000 zeroed=0");
    assert_int_equal(fake_pages[1].frame, (UINT64_C(1) << 28) + 1);
    ask("> vmalloc 8K redzone=1", "? call.unsupported ; this machine or this map cannot do it");
    ask("> alloc_pages_ro 0", "? call.unsupported ; this machine or this map cannot do it");
    ask("> alloc_page attributes=nx", "? call.unsupported ; this machine or this map cannot do it");
    ask("> protect 0x10000000000 2 ro", "=");
    ask("> alloc_page as=1", "= 0x0000010000002000 zeroed=0");
    ask("> check", "=");
}

static void failures_are_planned_and_told(void **unused)
{
    (void)unused;
    ask("> failures", "= on=0 attempts=0 refusals=0");
    ask("> fail nth=2 what=frames", "=");
    ask("> vmalloc 16K dontzero=1", "? mem.injected ; refused by fault injection");
    ask("> failures", "= on=1 attempts=2 refusals=1 nth=2 what=frames");
    ask("> vmalloc 16K dontzero=1", "= 0x0000010000000000");
    ask("> fail every=1 what=tables", "=");
    ask("> vmap 4K 2M", "? mem.injected ; refused by fault injection");
    ask("> fail every=1 what=pool|tables times=7 seed=9", "=");
    ask("> failures",
        "= on=1 attempts=0 refusals=0 every=1 times=7 what=tables|pool seed=9");
    ask("> fail p=1000000 area=low order=1", "=");
    ask("> alloc_page", "= 0x0000000001004000");
    ask("> alloc_pages 1 area=high", "= 0x0000000001006000");
    ask("> alloc_pages 1", "? mem.injected ; refused by fault injection");
    ask("> failures",
        "= on=1 attempts=1 refusals=1 p=1000000 what=frames|tables|pool area=low order=1");
    ask("> fail", "=");
    ask("> alloc_pages 1", "= 0x0000000001008000");
    ask("> failures", "= on=0 attempts=1 refusals=1");
    ask("> fail what=frames", "? call.missing arg=nth ; an argument is missing");
    ask("> fail p=1000001", "? call.range arg=p min=0 max=1000000 ; the value is out of range");
    ask("> fail nth=0", "? call.range arg=nth min=1 max=18446744073709551615 ; "
        "the value is out of range");
    ask("> check", "=");
}

static void nothing_of_it_is_there_early(void **unused)
{
    (void)unused;
    ask("> reset stage=early", "=");
    ask("> vmalloc 1", "? call.state stage=early ; not possible at this point");
    ask("> vfree 1T", "? call.state stage=early ; not possible at this point");
    ask("> vmap 4K 4K", "? call.state stage=early ; not possible at this point");
    ask("> vunmap 1T", "? call.state stage=early ; not possible at this point");
    ask("> alloc_vpages 1", "? call.state stage=early ; not possible at this point");
    ask("> free_vpages 1T", "? call.state stage=early ; not possible at this point");
    ask("> protect 1M 1 ro", "? call.state stage=early ; not possible at this point");
    ask("> dump virt", "? call.state stage=early ; not possible at this point");
    ask("> alloc_pages_ro 1", "? call.state stage=early ; not possible at this point");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(addresses_are_handed_out_and_taken_back, begin),
        cmocka_unit_test_setup(refusals_name_the_address, begin),
        cmocka_unit_test_setup(attributes_are_words_joined, begin),
        cmocka_unit_test_setup(pages_have_attributes_and_free_takes_them, begin),
        cmocka_unit_test_setup(protect_says_what_is_in_the_way, begin),
        cmocka_unit_test_setup(injected_maps_are_numbers_and_tables, begin),
        cmocka_unit_test_setup(failures_are_planned_and_told, begin),
        cmocka_unit_test_setup(nothing_of_it_is_there_early, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
