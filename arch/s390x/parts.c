/* SPDX-License-Identifier: MIT */
#include "arch/s390x/parts.h"

#include "arch/s390x/lowcore.h"
#include "arch/s390x/machine.h"
#include "kernel/lib/string.h"

/* br %r14 */
_Alignas(8) const uint8_t arch_return_code[] = { 0x07, 0xfe };
const size_t arch_return_code_size = sizeof(arch_return_code);

#define RESERVATION_END ((const char *)IMAGE_END)
#define VIEW ((const char *)LC_VIEW)
#define LAST_WORD 8                       /* the last bytes of a part, which nobody uses */

#define STACK(name) \
    { "guard", name##_guard, name, name##_guard, PART_UNMAPPED }, \
    { "stack", name, name##_top, name, MMU_DATA }

const struct part parts[] = {
    { "null", real_0, real_0 + LC_SIZE, real_0, PART_UNMAPPED },
    { "text", start, text_end, text_return, MMU_READ_ONLY },
    { "rodata", text_end, rodata_end, (const char *)arch_return_code,
      MMU_READ_ONLY | MMU_NO_EXECUTE },
    { "data", rodata_end, boot_stack_guard, data_return, MMU_DATA },
    STACK(boot_stack),
    STACK(trap_stack),
    /* The rest of the reservation, then what lies at 0. */
    { "data", trap_stack_top, RESERVATION_END, RESERVATION_END - LAST_WORD, MMU_DATA },
    { "data", VIEW, VIEW + LC_SIZE, VIEW + LC_SIZE - LAST_WORD, MMU_DATA },
};
const size_t parts_count = ARRAY_SIZE(parts);

void parts_open(void)
{
    for (size_t i = 0; i < parts_count; i++)
        if (parts[i].attributes == MMU_DATA)
            memcpy((char *)(uintptr_t)parts[i].probe, arch_return_code, arch_return_code_size);
}

static unsigned accesses(const struct part *part)
{
    return part->attributes == PART_UNMAPPED ? 0
                                             : mmu_accesses(part->attributes & arch_mmu.attributes);
}

void arch_parts(void (*report)(const struct arch_part *part))
{
    for (size_t i = 0; i < parts_count; i++)
        report(&(struct arch_part){
            .name = parts[i].name, .first = virt((uintptr_t)parts[i].first),
            .size = (uint64_t)(parts[i].end - parts[i].first),
            .probe = virt((uintptr_t)parts[i].probe), .accesses = accesses(&parts[i]),
        });
}
