/* SPDX-License-Identifier: MIT */
/* What a line means: numbers, words, sets, keys, and how each mistake is named. */
#include "tests/unit/protocol_support.h"

struct exchange {
    const char *line, *answer;
};

static void ask_all(const struct exchange *exchanges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ask(exchanges[i].line, exchanges[i].answer);
}

#define NOT_A_NUMBER "? call.number arg=pages ; not a number"
#define NOT_IN_RANGE \
    "? call.range arg=pages min=1 max=18446744073709551615 ; the value is out of range"

static void what_is_not_a_number_is_an_error(void **unused)
{
    static const struct exchange exchanges[] = {
        { "> alloc_pages_exact banana", NOT_A_NUMBER }, { "> alloc_pages_exact -1", NOT_A_NUMBER },
        { "> alloc_pages_exact 1e3", NOT_A_NUMBER }, { "> alloc_pages_exact 010", NOT_A_NUMBER },
        { "> alloc_pages_exact 0x", NOT_A_NUMBER }, { "> alloc_pages_exact 4Gx", NOT_A_NUMBER },
        { "> alloc_pages_exact +1", NOT_A_NUMBER }, { "> alloc_pages_exact 1.5", NOT_A_NUMBER },
        { "> alloc_pages_exact 0x10K", NOT_A_NUMBER }, { "> alloc_pages_exact $x", NOT_A_NUMBER },
        { "> alloc_pages_exact $v", NOT_A_NUMBER }, { "> alloc_pages_exact $01", NOT_A_NUMBER },
        { "> alloc_pages_exact $0x1", NOT_A_NUMBER }, { "> alloc_pages_exact $1K", NOT_A_NUMBER },
        { "> alloc_pages_exact pages=", NOT_A_NUMBER },
        { "> alloc_pages_exact 0", NOT_IN_RANGE },
        { "> alloc_pages_exact 18446744073709551616", NOT_IN_RANGE },
        { "> alloc_pages_exact 99999999999999999999999", NOT_IN_RANGE },
        { "> alloc_pages_exact 16777216T", NOT_IN_RANGE },
        { "> alloc_pages_exact 262145",
          "? call.range arg=pages max=262144 ; the value is out of range" },
    };

    (void)unused;
    ask_all(exchanges, ARRAY_SIZE(exchanges));
}

static void numbers_come_back_in_their_base(void **unused)
{
    static const struct exchange exchanges[] = {
        { "> echo 0", "= 0" }, { "> echo 18446744073709551615", "= 18446744073709551615" },
        { "> echo 4K", "= 4096" }, { "> echo 1T", "= 1099511627776" },
        { "> echo 0xFfff", "= 0x000000000000ffff" }, { "> echo 0x0", "= 0x0000000000000000" },
        { "> echo 0xffffffffffffffff", "= 0xffffffffffffffff" }, { "> echo word.9_", "= word.9_" },
        { "> echo Word", "? call.number arg=value ; not a number" },
        { "> echo value=7", "= 7" },
    };

    (void)unused;
    ask_all(exchanges, ARRAY_SIZE(exchanges));
}

static void each_type_has_its_range(void **unused)
{
    static const struct exchange exchanges[] = {
        { "> alloc_pages 19", "? call.range arg=order min=0 max=18 ; the value is out of range" },
        { "> alloc_pages 64", "? call.range arg=order min=0 max=18 ; the value is out of range" },
        { "> alloc_page fresh=2",
          "? call.range arg=fresh min=0 max=1 ; the value is out of range" },
        { "> alloc_page as=256", "? call.range arg=as min=0 max=255 ; the value is out of range" },
        { "> peek 0 width=3", "? call.range arg=width min=1 max=8 ; the value is out of range" },
        { "> again 0",
          "? call.range arg=request min=1 max=4294967295 ; the value is out of range" },
        { "> alloc_page max=0x10000000000001",
          "? call.range arg=max min=0 max=4503599627370496 ; the value is out of range" },
        { "> free 0x10000000000000",
          "? call.range arg=address min=0 max=4503599627370495 ; the value is out of range" },
        { "> alloc_page align=3", "? call.align arg=align ; not a power of two, or an address that "
          "is not aligned as it must be" },
        { "> memalign_pages_area any 0 1", "? call.align arg=alignment ; not a power of two, or an "
          "address that is not aligned as it must be" },
        { "> memalign_pages_area any 4K 0xfffffffffffffffc",
          "? call.range arg=size max=1073741824 ; the value is out of range" },
        { "> memalign_pages_area any 2G 1",
          "? call.range arg=alignment max=1073741824 ; the value is out of range" },
        { "> alloc_page align=2G",
          "? call.range arg=align max=1073741824 ; the value is out of range" },
        { "> reserve 0x1000 0x10000000000",
          "? call.range arg=pages max=1099511627775 ; the value is out of range" },
        { "> dump nonsense", "? call.word arg=what ; not one of the words that fit here" },
        { "> map_area a.name.too.long.x 1M",
          "? call.word arg=name ; not one of the words that fit here" },
        { "> poke 0 0x100 width=1", "? call.range arg=value max=255 ; the value is out of range" },
        { "> echo 18446744073709551616", "? call.range arg=value min=0 max=18446744073709551615 ; "
          "the value is out of range" },
        { "> calloc 4294967296 4294967296",
          "? call.range arg=size max=4294967295 ; the value is out of range" },
    };

    (void)unused;
    ask_all(exchanges, ARRAY_SIZE(exchanges));
}

static void a_wrong_shape_is_named(void **unused)
{
    static const struct exchange exchanges[] = {
        { "> nonsense", "? call.command ; no such command" },
        { "> Echo 1", "? call.command ; no such command" },
        { "> echo", "? call.missing arg=value ; an argument is missing" },
        { "> reserve 0x1000", "? call.missing arg=pages ; an argument is missing" },
        { "> echo 1 2", "? call.surplus ; one argument too many" },
        { "> alloc_page nonsense=1",
          "? call.key arg=nonsense ; the command does not know this key" },
        { "> alloc_page Bad=1", "? call.key ; the command does not know this key" },
        { "> alloc_page =1", "? call.key ; the command does not know this key" },
        { "> mark text=1", "; text=1\r\n=" },
        { "> mark", "? call.missing arg=text ; an argument is missing" },
        { "> alloc_page min=1 min=1", "? call.twice arg=min ; given twice" },
        { "> echo 1 value=1", "? call.twice arg=value ; given twice" },
        { "> echo $", "? call.reference arg=value ; the variable holds no value" },
        { "> echo $v255", "? call.reference arg=value ; the variable holds no value" },
        { "> echo $v256", "? call.reference arg=value ; the variable holds no value" },
        { "> echo $0", "? call.reference arg=value ; the variable holds no value" },
        { "> echo $0+1", "? call.reference arg=value ; the variable holds no value" },
    };

    (void)unused;
    ask_all(exchanges, ARRAY_SIZE(exchanges));
}

static void arguments_stand_in_any_order_of_keys(void **unused)
{
    (void)unused;
    ask("> reserve   0x9000    2  ", "= 0x0000000000009000");
    ask("> unreserve pages=1 0x9000", "=");
    ask("> unreserve pages=1 address=0xa000", "=");
    ask("> reserve as=1 0x9000 2", "= 0x0000000000009000");
    ask("> echo $v1", "= 0x0000000000009000");
    ask("> echo $v1+0x23", "= 0x0000000000009023");
    ask("> echo $+1", "= 0x0000000000009024");
    ask("> echo $v1+0xffffffffffffffff", "? call.range arg=value min=0 max=18446744073709551615 ; "
        "the value is out of range");
    ask("> unreserve_pages $v1 2", "=");
}

static void a_set_is_names_joined(void **unused)
{
    (void)unused;
    ask("> alloc_pages_area low 0", "= 0x0000000000001000");
    ask("> alloc_pages_area low|high 0", "= 0x0000000001000000");
    ask("> alloc_pages_area any 0", "= 0x0000000001001000");
    ask("> alloc_pages_area high|low 0", "= 0x0000000001002000");
    ask("> alloc_pages_area dma24 12", "? mem.none ; no free memory fits the request");
    ask("> alloc_pages_area low| 0", "? call.area arg=areas ; no such area");
    ask("> alloc_pages_area |low 0", "? call.area arg=areas ; no such area");
    ask("> alloc_pages_area areas= 0", "? call.area arg=areas ; no such area");
    ask("> alloc_pages_area lo 0", "? call.area arg=areas ; no such area");
}

static void a_limit_inside_an_area_bounds_the_set(void **unused)
{
    (void)unused;
    ask("> map_begin", "=");
    ask("> map_area one 32M", "=");
    ask("> map_area two 64M", "=");
    ask("> map_add 0xfff000 48M", "=");
    ask("> map_commit", "=");
    ask("> alloc_pages_area two|dma24 0", "= 0x0000000000fff000 zeroed=0");
    ask("> alloc_pages_area dma24|two 0", "? mem.none ; no free memory fits the request");
    ask("> alloc_pages_area dma24 0 max=32M", "? mem.none ; no free memory fits the request");
    ask("> alloc_pages_area one 0", "= 0x0000000001000000 zeroed=0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_not_a_number_is_an_error, begin),
        cmocka_unit_test_setup(numbers_come_back_in_their_base, begin),
        cmocka_unit_test_setup(each_type_has_its_range, begin),
        cmocka_unit_test_setup(a_wrong_shape_is_named, begin),
        cmocka_unit_test_setup(arguments_stand_in_any_order_of_keys, begin),
        cmocka_unit_test_setup(a_set_is_names_joined, begin),
        cmocka_unit_test_setup(a_limit_inside_an_area_bounds_the_set, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
