# SPDX-License-Identifier: MIT
CC := $(if $(LLVM),clang$(LLVM_SUFFIX) --target=x86_64-elf,gcc -m64)
OBJCOPY := objcopy
CFLAGS := -O2 -mcmodel=small -mno-red-zone -mgeneral-regs-only -ffreestanding -fno-pic \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none
LDFLAGS := -nostdlib -static $(if $(LLVM),-fuse-ld=lld$(LLVM_SUFFIX)) \
	-Wl,--build-id=none,-z,max-page-size=4096,-z,noexecstack,-T,arch/x86_64/link.ld
SOURCES := arch/common/ns16550.c $(sort $(wildcard arch/x86/*.c arch/x86_64/*.[cS]))
IMAGES := $(BUILD)/kernel.elf $(BUILD)/kernel32.elf
ISO := $(BUILD)/pfnlab.iso

$(BUILD)/kernel.elf: $(OBJECTS) arch/x86_64/link.ld
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $(OBJECTS)

# QEMU's -kernel takes an ELF64 for a Linux or PVH kernel only.
$(BUILD)/kernel32.elf: $(BUILD)/kernel.elf
	$(Q)$(OBJCOPY) -O elf32-i386 $< $@

$(ISO): $(BUILD)/kernel.elf arch/x86/make-iso.sh
	$(if $(V),,@echo "  ISO $@")
	$(Q)arch/x86/make-iso.sh $< $@
