# SPDX-License-Identifier: MIT
# The host as an architecture: the guest as a process, under ASan and UBSan.
CC := $(if $(LLVM),clang$(LLVM_SUFFIX),gcc)
CFLAGS := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS := -fsanitize=address,undefined
SOURCES := $(sort $(wildcard arch/native/*.c))
# The C library has the memory functions, and the sanitizers check its.
SKIP := kernel/lib/string.c
IMAGES := $(BUILD)/pfnlab

$(BUILD)/pfnlab: $(OBJECTS)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^
