# SPDX-License-Identifier: MIT
include arch/x86/port.mk
CC := $(if $(LLVM),clang$(LLVM_SUFFIX) --target=x86_64-linux-gnu,gcc -m64)
CFLAGS += -mcmodel=small -mno-red-zone
