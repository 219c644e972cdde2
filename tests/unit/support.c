/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "tests/unit/support.h"

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    mock_assert(0, condition, file, line);
    abort();
}
