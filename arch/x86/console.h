/* SPDX-License-Identifier: MIT */
#ifndef PFNLAB_X86_CONSOLE_H
#define PFNLAB_X86_CONSOLE_H

/* The line is up; reception by interrupt begins with pic_open() and interrupts on. */
void console_open(void);

/* Wait until everything has left the machine. */
void console_flush(void);

#endif
