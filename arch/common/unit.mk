# SPDX-License-Identifier: MIT
UNIT_SOURCES += arch/common/ns16550.c
