/* SPDX-License-Identifier: MIT */
/* Service calls. */
#ifndef PFNLAB_S390X_SCLP_H
#define PFNLAB_S390X_SCLP_H

#include "arch/s390x/sccb.h"

/*
 * The page of every call: one call at a time, and its content is good until the next. The SCLP
 * takes a page of real memory below 2 GiB and not the first 8 KiB; the image lies there (link.ld).
 */
extern struct sccb sclp_page;

/*
 * Run a command over sclp_page to its end, in an idle wait, and return its response code; 0 if
 * there is no SCLP. Interrupts may be on or off.
 */
uint16_t sclp_call(uint32_t command);

/* True if the SCLP said since the last sclp_take_event() that events wait to be read. */
bool sclp_has_event(void);
void sclp_take_event(void);

#endif
