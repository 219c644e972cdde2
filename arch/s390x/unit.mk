# SPDX-License-Identifier: MIT
UNIT_SOURCES += $(addprefix arch/s390x/,ebcdic.c loadparm.c program.c pte.c sccb.c screen.c)
