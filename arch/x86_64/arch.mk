# SPDX-License-Identifier: MIT
include arch/x86/port.mk
CC := $(if $(LLVM),clang$(LLVM_SUFFIX) --target=x86_64-linux-gnu,gcc -m64)
OBJCOPY := objcopy
CFLAGS += -mcmodel=small -mno-red-zone
IMAGES += $(BUILD)/kernel32.elf

# QEMU's -kernel takes an ELF64 for a Linux or PVH kernel only.
$(BUILD)/kernel32.elf: $(BUILD)/kernel.elf
	$(Q)$(OBJCOPY) -O elf32-i386 $< $@
