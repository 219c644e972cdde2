# SPDX-License-Identifier: MIT
UNIT_SOURCES += arch/x86/acpi.c arch/x86/multiboot.c arch/x86/pte.c
