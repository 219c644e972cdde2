# SPDX-License-Identifier: MIT
# What the arch.mk of both widths have in common; they add to it.
CFLAGS := -O2 -mgeneral-regs-only -ffreestanding -fno-pic -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none
LDFLAGS := -nostdlib -static $(if $(LLVM),-fuse-ld=lld$(LLVM_SUFFIX)) \
	-Wl,--build-id=none,-z,max-page-size=4096,-z,noexecstack,-T,arch/x86/link.ld
SOURCES := arch/common/cpus.c arch/common/ns16550.c arch/common/space.c \
	$(wildcard arch/common/radix*.c) \
	$(sort $(wildcard arch/x86/*.[cS] arch/$(ARCH)/*.[cS]))
IMAGES := $(BUILD)/kernel.elf
ISO := $(BUILD)/pfnlab.iso

$(BUILD)/kernel.elf: $(OBJECTS) arch/x86/link.ld
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $(OBJECTS)

$(ISO): $(BUILD)/kernel.elf arch/x86/make-iso.sh
	$(if $(V),,@echo "  ISO $@")
	$(Q)arch/x86/make-iso.sh $< $@
