/* SPDX-License-Identifier: MIT */
/*
 * Program interruptions in the words of all machines (Principles of Operation, "Program
 * Interruption Conditions" and "Translation-Exception Identification").
 */
#ifndef PFNLAB_S390X_PROGRAM_H
#define PFNLAB_S390X_PROGRAM_H

#include "kernel/trap.h"

struct program_check {
    uint16_t code;
    uint8_t ilc;                  /* length of the instruction, bytes; 0: unknown */
    uint64_t teid;
    uint64_t psw_address;         /* of the old PSW */
    bool is_access;               /* one of arch_load() and arch_store(), of `access_address` */
    uint64_t access_address;
};

/* The fault; its `pc` is that of the instruction, whether it was suppressed or nullified. */
struct fault program_fault(const struct program_check *check);

#endif
