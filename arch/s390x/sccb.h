/* SPDX-License-Identifier: MIT */
/*
 * Service-call control blocks: what a program and the SCLP tell each other, one page each time.
 * Plain functions over bytes in the machine's order, so that they are tested anywhere.
 *
 * There is no public manual of the SCLP: the layouts are those of QEMU 7.2 (hw/s390x/sclp.c,
 * sclpconsole.c), Hercules 3.13 (service.c) and the headers of Linux (drivers/s390/char/sclp.h),
 * seen at work on the two emulators.
 */
#ifndef PFNLAB_S390X_SCCB_H
#define PFNLAB_S390X_SCCB_H

#include "kernel/base.h"

#define SCCB_SIZE 4096u

/* Commands. */
#define SCCB_READ_INFO_FORCED 0x00120001u
#define SCCB_READ_INFO 0x00020001u
#define SCCB_READ_EVENT 0x00770005u
#define SCCB_WRITE_EVENT 0x00760005u
#define SCCB_WRITE_MASK 0x00780005u

/* Response codes that mean success, and "no event is pending". */
enum { SCCB_INFO_READ = 0x0010, SCCB_EVENT_DONE = 0x0020, SCCB_NO_EVENT = 0x60f0 };

/* Events, as bits of a mask. */
#define SCCB_OPERATOR_COMMAND 0x80000000u     /* line mode, towards us */
#define SCCB_MESSAGE 0x40000000u              /* line mode, from us */
#define SCCB_ASCII 0x00000040u                /* bytes, both ways */

/* The most text that one call takes. */
#define SCCB_ASCII_MAX 4082u
#define SCCB_MESSAGE_MAX 3000u

struct sccb { _Alignas(8) uint8_t bytes[SCCB_SIZE]; };

/* Requests. The events that we can receive and send: */
void sccb_set_mask(struct sccb *sccb, uint32_t receive, uint32_t send);
/* Text for the ASCII console, as it is; a line without its end for the other one, in EBCDIC. */
void sccb_set_ascii(struct sccb *sccb, const char *text, size_t size);
void sccb_set_message(struct sccb *sccb, const char *text, size_t size);
/* An empty page for an answer of any length up to a page: READ INFO, READ EVENT. */
void sccb_set_empty(struct sccb *sccb);

uint16_t sccb_response(const struct sccb *sccb);

/* After WRITE MASK: the events that the SCLP receives from us. */
uint32_t sccb_sclp_receives(const struct sccb *sccb);

/*
 * After READ EVENT: the text of all its events, at most `size` bytes. Damaged events have none.
 *
 * An operator's command becomes a line with a line feed, which the machine does not send. Because
 * Hercules cuts a command at some 120 characters and forgets one that was not read before the next,
 * a program may end it by ENQ: *asks becomes true, to be told that it was read; and before that by
 * ETB: the line goes on in the next command.
 */
size_t sccb_text(const struct sccb *sccb, char *buffer, size_t size, bool *asks);

/*
 * After READ INFO: bytes of memory from 0 on, without holes; the LOADPARM, printable; the addresses
 * of CPUs, some of which need not be there.
 */
#define LOADPARM_SIZE 8u
#define SCCB_CPUS_MAX 256u
struct sccb_info {
    uint64_t memory;
    char loadparm[LOADPARM_SIZE];
    unsigned cpus;
    uint8_t cpu[SCCB_CPUS_MAX];
};
struct sccb_info sccb_info(const struct sccb *sccb);

#endif
