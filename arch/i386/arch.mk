# SPDX-License-Identifier: MIT
include arch/x86/port.mk
CC := $(if $(LLVM),clang$(LLVM_SUFFIX) --target=i386-linux-gnu,gcc -m32)
CFLAGS += -march=i686
