# SPDX-License-Identifier: MIT
# What the arch.mk of both widths have in common; they add to it.
CFLAGS := -O2 -mgeneral-regs-only -ffreestanding -fno-pic -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none
LDFLAGS := -nostdlib -static $(if $(LLVM),-fuse-ld=lld$(LLVM_SUFFIX)) \
	-Wl,--build-id=none,-z,max-page-size=4096,-z,noexecstack,-T,arch/x86/link.ld
SOURCES := arch/common/cpus.c arch/common/ns16550.c arch/common/space.c \
	$(wildcard arch/common/radix*.c) \
	$(sort $(wildcard arch/x86/*.[cS] arch/$(ARCH)/*.[cS]))
# What boots has no symbols; debuggers find them in kernel.elf.
IMAGES := $(BUILD)/kernel.elf $(BUILD)/boot.elf
OBJCOPY := objcopy
ISO := $(BUILD)/pfnlab.iso

$(BUILD)/kernel.elf: $(OBJECTS) arch/x86/link.ld
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $(OBJECTS)

# QEMU's -kernel takes an ELF64 for a Linux or PVH kernel only.
$(BUILD)/boot.elf: $(BUILD)/kernel.elf
	$(Q)$(OBJCOPY) --strip-all -O elf32-i386 $< $@

$(ISO): $(BUILD)/boot.elf arch/x86/make-iso.sh
	$(if $(V),,@echo "  ISO $@")
	$(Q)arch/x86/make-iso.sh $< $@
