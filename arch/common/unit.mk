# SPDX-License-Identifier: MIT
UNIT_SOURCES += arch/common/ns16550.c arch/common/radix.c arch/common/radix_protect.c \
	arch/common/space.c
