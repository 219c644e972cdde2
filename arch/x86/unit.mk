# SPDX-License-Identifier: MIT
UNIT_SOURCES += arch/x86/multiboot.c
