/* SPDX-License-Identifier: MIT */
/* The areas of a PC; those of the host as well, so that a scenario finds the same ones on both. */
#include "arch/arch.h"

const struct area_limit arch_areas[] = {
    { "realmode", { UINT64_C(0x100000) >> PAGE_SHIFT } },
    { "lowest", { UINT64_C(0x1000000) >> PAGE_SHIFT } },
    { "low", { UINT64_C(0x100000000) >> PAGE_SHIFT } },
    { "high", { UINT64_C(0x1000000000) >> PAGE_SHIFT } },
    { "normal", { PFN_LIMIT } },
};
const size_t arch_areas_count = ARRAY_SIZE(arch_areas);
