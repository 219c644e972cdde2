/* SPDX-License-Identifier: MIT */
#include "arch/s390x/pte.h"

/* Attributes of a page, instruction-execution protection and no store; debuggers know them so. */
enum { PAGE_NO_EXECUTE = 0x100, PAGE_PROTECTED = 0x200 };

#define PAGE_INVALID UINT64_C(0x400)
#define PAGE_ADDRESS (~UINT64_C(0xfff))

/* In entries of regions and segments. Length and type tell of the table below, and of this one. */
#define TABLE_INVALID UINT64_C(0x20)
#define TYPE_SEGMENT UINT64_C(0x00)
#define TYPE_REGION_THIRD UINT64_C(0x04)
#define LENGTH_WHOLE UINT64_C(0x03)
#define SEGMENT_ADDRESS (~UINT64_C(0x7ff))
#define REGION_ADDRESS (~UINT64_C(0xfff))

static uint64_t pte_empty(unsigned level)
{
    switch (level) {
    case PTE_PAGE:
        return PAGE_INVALID;
    case PTE_SEGMENT:
        return TYPE_SEGMENT | TABLE_INVALID;
    default:
        return TYPE_REGION_THIRD | TABLE_INVALID;
    }
}

static uint64_t pte_table(unsigned level, uint64_t address)
{
    return address | (level == PTE_SEGMENT ? TYPE_SEGMENT : TYPE_REGION_THIRD | LENGTH_WHOLE);
}

static uint64_t pte_unit(unsigned level, uint64_t address, unsigned attributes)
{
    (void)level;
    return address | ((attributes & MMU_READ_ONLY) != 0 ? PAGE_PROTECTED : 0)
        | ((attributes & MMU_NO_EXECUTE) != 0 ? PAGE_NO_EXECUTE : 0);
}

static unsigned pte_attributes(unsigned level, uint64_t entry)
{
    (void)level;
    return ((entry & PAGE_PROTECTED) != 0 ? MMU_READ_ONLY : 0)
        | ((entry & PAGE_NO_EXECUTE) != 0 ? MMU_NO_EXECUTE : 0);
}

const struct radix_format pte_format_region_third = {
    .levels = PTE_REGION_THIRD,
    .level = {
        [PTE_PAGE] = {
            PAGE_SHIFT, PTE_PAGES, true, .mask = PAGE_INVALID, .unit_address = PAGE_ADDRESS,
        },
        [PTE_SEGMENT] = {
            PTE_SEGMENT_SHIFT, PTE_SEGMENTS, false, .mask = TABLE_INVALID,
            .table_address = SEGMENT_ADDRESS,
        },
        [PTE_REGION_THIRD] = {
            PTE_REGION_SHIFT, PTE_REGIONS, false, .mask = TABLE_INVALID,
            .table_address = REGION_ADDRESS,
        },
    },
    .empty = pte_empty,
    .table = pte_table,
    .unit = pte_unit,
    .attributes = pte_attributes,
};

uint64_t pte_designation(unsigned level, uint64_t table)
{
    return table | (level == PTE_SEGMENT ? TYPE_SEGMENT : TYPE_REGION_THIRD) | LENGTH_WHOLE;
}
