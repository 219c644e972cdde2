/* SPDX-License-Identifier: MIT */
/* What link.ld and start.S lay out. */
#ifndef PFNLAB_S390X_MACHINE_H
#define PFNLAB_S390X_MACHINE_H

extern char start[], text_end[], bss_start[], bss_end[];
extern const char command_line[];     /* at COMMAND_LINE: what the loader put there */

#endif
