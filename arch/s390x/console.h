/* SPDX-License-Identifier: MIT */
#ifndef PFNLAB_S390X_CONSOLE_H
#define PFNLAB_S390X_CONSOLE_H

/* Find out which console there is; without one the machine stops, as nobody could be told. */
void console_open(void);

/* Send what is left of a line where only whole lines can be sent. */
void console_flush(void);

#endif
