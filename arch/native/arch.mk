# SPDX-License-Identifier: MIT
# The host as an architecture: the guest as a process, under ASan and UBSan.
CC := $(if $(LLVM),clang$(LLVM_SUFFIX),gcc)
CFLAGS := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS := -fsanitize=address,undefined
# COVERAGE=1 counts instead what runs (tests/coverage).
ifdef COVERAGE
CFLAGS := -O0 --coverage -fprofile-update=atomic
LDFLAGS := --coverage -fsanitize=undefined
KEEP := tests/coverage/keep.c
endif
# TSAN=1 watches the CPUs instead, which are threads.
ifdef TSAN
CFLAGS := -O1 -fsanitize=thread
LDFLAGS := -fsanitize=thread
endif
# Its page tables are those of x86_64, simulated.
SOURCES := $(wildcard arch/common/radix*.c) arch/common/space.c arch/x86/areas.c arch/x86/pte.c \
	$(sort $(wildcard arch/native/*.c)) $(KEEP)
# The C library has the memory functions, and the sanitizers check its.
SKIP := kernel/lib/string.c
IMAGES := $(BUILD)/pfnlab

# At a fixed place: the addresses that a fault or a panic tells are those of addr2line and of gdb.
$(BUILD)/pfnlab: $(OBJECTS)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(LDFLAGS) $(KEEP:%=-Wl,--wrap=_exit) -no-pie -o $@ $^
