/* SPDX-License-Identifier: MIT */
#include "arch/s390x/program.h"

#include "arch/s390x/lowcore.h"

enum {
    PROTECTION = 0x04, ADDRESSING = 0x05, SEGMENT_TRANSLATION = 0x10, PAGE_TRANSLATION = 0x11,
    ASCE_TYPE = 0x38, REGION_FIRST = 0x39, REGION_SECOND = 0x3a, REGION_THIRD = 0x3b,
};

/* A PER event may be reported together with any other: it is a bit of the code. */
#define CODE_WITHOUT_PER 0xff7fu

#define TEID_PAGE UINT64_C(0xfffffffffffff000)
#define TEID_PROTECTION_KIND 0x84u        /* both: it was an instruction-execution protection */

static enum error fault_class(unsigned code, uint64_t teid)
{
    switch (code) {
    case PROTECTION:
        return (teid & TEID_PROTECTION_KIND) == TEID_PROTECTION_KIND ? E_FAULT_EXECUTE
                                                                     : E_FAULT_PROTECTION;
    case ADDRESSING:
    case SEGMENT_TRANSLATION:
    case PAGE_TRANSLATION:
    case ASCE_TYPE:
    case REGION_FIRST:
    case REGION_SECOND:
    case REGION_THIRD:
        return E_FAULT_ADDRESS;
    default:
        return E_FAULT_OTHER;
    }
}

/* Nullified: nothing happened, the old PSW points at the instruction. Else behind it. */
static bool is_nullified(unsigned code)
{
    return code == SEGMENT_TRANSLATION || code == PAGE_TRANSLATION
        || (code >= ASCE_TYPE && code <= REGION_THIRD);
}

/* An addressing exception stores no address, and protection of low addresses need not. */
static bool has_teid(unsigned code)
{
    return code == PROTECTION || is_nullified(code);
}

/* The TEID tells the page only. It is that of the instruction if that could not be fetched. */
static uint64_t fault_address(const struct program_check *check, const struct fault *fault)
{
    uint64_t page = check->teid & TEID_PAGE;

    if (check->is_access)
        return check->access_address;
    return fault->class != E_FAULT_PROTECTION && (fault->pc & TEID_PAGE) == page ? fault->pc : page;
}

struct fault program_fault(const struct program_check *check)
{
    unsigned code = check->code & CODE_WITHOUT_PER;
    struct fault fault = {
        .class = fault_class(code, check->teid), .pc = check->psw_address, .code = code,
    };

    if (!is_nullified(code))
        fault.pc -= check->ilc;
    if (check->is_access || has_teid(code)) {
        fault.has_address = true;
        fault.address = fault_address(check, &fault);
    }
    /* Low addresses are protected before anybody sees that there is nothing. */
    if (fault.class == E_FAULT_PROTECTION && fault.address < LC_SIZE)
        fault.class = E_FAULT_ADDRESS;
    return fault;
}
