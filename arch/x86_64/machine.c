/* SPDX-License-Identifier: MIT */
#include "arch/arch.h"

const char arch_name[] = "x86_64";
