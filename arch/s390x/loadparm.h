/* SPDX-License-Identifier: MIT */
/*
 * The LOADPARM, eight characters that are set where the IPL is asked for, names a preset of kernel
 * options: a genuine IPL has no command line of its own.
 *
 *   blank     none                              LOWFIRST  scan=low
 *   AREAS16M  areas=dma:16M,low:2G,normal       TINYPOOL  kpool=256K
 *   ONEAREA   areas=normal
 */
#ifndef PFNLAB_S390X_LOADPARM_H
#define PFNLAB_S390X_LOADPARM_H

#include "arch/s390x/sccb.h"

/* The text before the command line at most, and its NUL. */
#define LOADPARM_OPTIONS 40u

/*
 * Write to `out` what the preset stands for, then the command line, which thus overrides it.
 * `loadparm` is in ASCII. A name that is no preset becomes the option loadparm=NAME, which the lab
 * reports as unknown and ignores. `out` holds LOADPARM_OPTIONS bytes and the line with its NUL.
 */
void loadparm_apply(const char loadparm[LOADPARM_SIZE], const char *command_line, char *out,
                    size_t size);

#endif
