/* SPDX-License-Identifier: MIT */
#include "arch/s390x/sclp.h"

#include "arch/s390x/cpu.h"

/* Condition codes of SERVC. */
enum { ACCEPTED = 0, BUSY = 2 };

_Alignas(SCCB_SIZE) struct sccb sclp_page;

static unsigned servc(uint32_t command)
{
    unsigned cc;
    __asm__ volatile (".insn rre, 0xb2200000, %1, %2\n\t"
                      "ipm %0\n\t"
                      "srl %0, 28"
                      : "=&d"(cc) : "d"((uint64_t)command), "d"(&sclp_page) : "cc", "memory");
    return cc;
}

static void wait_done(void)
{
    while (lowcore_u32(LC_SERVICE_DONE) == 0) {
        interrupts_off();
        if (lowcore_u32(LC_SERVICE_DONE) == 0)
            cpu_wait();
        else
            interrupts_on();
    }
}

uint16_t sclp_call(uint32_t command)
{
    uint8_t mask = interrupts_on();
    unsigned cc;

    /* Busy: a panic came in the middle of a call. Its end is awaited first. */
    while (lowcore_set_u32(LC_SERVICE_DONE, 0), cc = servc(command), cc == BUSY)
        wait_done();
    if (cc == ACCEPTED)
        wait_done();
    system_mask_restore(mask);
    return cc == ACCEPTED ? sccb_response(&sclp_page) : 0;
}

bool sclp_has_event(void)
{
    return lowcore_u32(LC_SERVICE_EVENT) != 0;
}

void sclp_take_event(void)
{
    lowcore_set_u32(LC_SERVICE_EVENT, 0);
}
