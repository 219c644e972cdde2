/* SPDX-License-Identifier: MIT */
/*
 * Every unit test includes this: cmocka with what it needs, and the kernel's assert_failed() turned
 * into cmocka's, so that expect_assert_failure() sees a violated ASSERT.
 */
#ifndef PFNLAB_UNIT_SUPPORT_H
#define PFNLAB_UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/base.h"

#endif
