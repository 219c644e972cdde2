# SPDX-License-Identifier: MIT
CC := $(if $(LLVM),clang$(LLVM_SUFFIX) --target=s390x-linux-gnu,s390x-linux-gnu-gcc)
OBJCOPY := $(if $(LLVM),llvm-objcopy$(LLVM_SUFFIX),s390x-linux-gnu-objcopy)
# z196 is the newest that Hercules 3.13 has.
CFLAGS := -O2 -march=z196 -msoft-float -mbackchain -ffreestanding -fno-pic -fno-stack-protector \
	-fno-asynchronous-unwind-tables
LDFLAGS := -nostdlib -static $(if $(LLVM),-fuse-ld=lld$(LLVM_SUFFIX)) \
	-Wl,--build-id=none,-z,max-page-size=4096,-z,noexecstack,-T,arch/s390x/link.ld
SOURCES := arch/common/cpus.c arch/common/radix.c arch/common/radix_protect.c arch/common/space.c \
	$(sort $(wildcard arch/s390x/*.[cS]))
# What boots has no symbols; debuggers find them in kernel.elf.
IMAGES := $(BUILD)/kernel.elf $(BUILD)/boot.elf $(BUILD)/kernel.bin
ISO := $(BUILD)/pfnlab.iso

$(BUILD)/kernel.elf: $(OBJECTS) arch/s390x/link.ld
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $(OBJECTS)

$(BUILD)/boot.elf: $(BUILD)/kernel.elf
	$(Q)$(OBJCOPY) --strip-all $< $@

# What an IPL loads at 0.
$(BUILD)/kernel.bin: $(BUILD)/kernel.elf
	$(Q)$(OBJCOPY) -O binary $< $@

# The firmware takes the image's size from the ISO's directory, not from the boot catalogue.
$(ISO): $(BUILD)/kernel.bin
	$(if $(V),,@echo "  ISO $@")
	@rm -rf $(BUILD)/iso && mkdir -p $(BUILD)/iso
	$(Q)cp $< $(BUILD)/iso/kernel.img
	$(Q)xorriso -as mkisofs -quiet -V PFNLAB -o $@ -b kernel.img -no-emul-boot -boot-load-size 4 \
		-c boot.cat $(BUILD)/iso 2>$@.log || { cat $@.log >&2; exit 1; }
