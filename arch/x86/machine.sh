# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# The PC in QEMU and Bochs, for both widths: run-guest.sh says what each name means. A port sets
# `qemu` and `default_cpu`, its processor.
# shellcheck source=arch/common/qemu.sh
. "$root/arch/common/qemu.sh"
machine_groups=x86
machine_memory=256M machine_minimum=4M machine_maximum=512G
machine_cpus_maximum=255
machine_boots='direct iso'
machine_firmwares='bios uefi'
machine_machines='pc q35 microvm'
machine_accels='tcg kvm auto'
machine_emulators='qemu bochs'
machine_serials=$qemu_serials
machine_options="$qemu_options module"

# Bytes of kernel command line that fit (arch/x86/multiboot.h), its NUL not counted.
append_maximum=4095

# at_least SIZE WHY
at_least() {
    [ "$(size_bytes "$memory")" -ge "$(size_bytes "$1")" ] || refuse "$2 needs at least $1"
}

# Bochs is the PC with a BIOS, and little else.
check_bochs() {
    was_given boot || boot=iso
    [ "$boot" = iso ] || refuse "--emulator bochs needs --boot iso: it starts no kernel directly"
    [ "$firmware$machine$accel" = biospctcg ] \
        || refuse "--emulator bochs has no other firmware, machine or accelerator"
    [ "${serial%%:*}" != pty ] || refuse "--emulator bochs has no --serial pty"
    [ -z "$qmp$snapshot$gdb" ] || refuse "--emulator bochs has no --qmp, --snapshot or --gdb"
    if [ $((bytes % (1 << 20))) -ne 0 ] || [ "$bytes" -gt $((2 << 30)) ]; then
        refuse "--emulator bochs takes whole megabytes of memory, at most 2G"
    fi
    [ "$cpus" -le 8 ] || refuse "--emulator bochs has at most 8 processors"
    groups+=(x86-bochs)
}

machine_check() {
    [ ${#append} -le $append_maximum ] \
        || refuse "--append: $arch takes at most $append_maximum characters, not ${#append}"
    [ "$emulator" != bochs ] || check_bochs
    if [ "$firmware" = uefi ]; then
        [ "$boot" = iso ] || refuse "--firmware uefi needs --boot iso: it starts no kernel directly"
        at_least 64M "--firmware uefi"
        groups+=(x86-uefi)
        [ -z "$gdb" ] || [ "$qemu" = qemu-system-x86_64 ] \
            || refuse "--firmware uefi --gdb: gdb reads no $arch kernel for a 64-bit emulator"
        # The firmware is 64-bit code, whatever it starts.
        qemu='qemu-system-x86_64' default_cpu=''
    fi
    if [ "$boot" = iso ]; then
        [ "$machine" != microvm ] || refuse "--machine microvm has no drives: it cannot --boot iso"
        at_least 8M "--boot iso"
        groups+=(x86-iso)
    elif [[ $module == *[,\ ]* ]]; then
        refuse "--module: QEMU cannot load a file with a comma or a blank in its name"
    fi
    [ -z "$snapshot" ] || groups+=(x86-snapshot)
    qemu_accel
}

machine_build() {
    make_quietly image
    [ "$boot" = direct ] || make_quietly iso
}

# An ISO of its own where something is handed to the kernel; made when the emulator is about to run.
iso_path() {
    if [ -z "$append$module" ]; then
        echo "$build/pfnlab.iso"
    else
        echo "$temporary/pfnlab.iso"
    fi
}

machine_prepare() {
    if [ "$boot" = iso ] && [ -n "$append$module" ]; then
        "$root/arch/x86/make-iso.sh" "$build/boot.elf" "$temporary/pfnlab.iso" "$append" \
            "$module" || return 1
    fi
    qemu_prepare
}

bochs_command() {
    command=("$root/arch/x86/bochs.py" --iso "$(iso_path)" --megs $((bytes >> 20))
        --cpus "$cpus" --model "${cpu:-corei7_haswell_4770}" --serial "$serial"
        --directory "$temporary")
}

machine_command() {
    if [ "$emulator" = bochs ]; then
        bochs_command
        return
    fi
    was_given cpu || cpu=$default_cpu
    qemu_start -machine "$machine" -vga none -device 'isa-debug-exit,iobase=0xf4,iosize=4'
    [ "$firmware" != uefi ] || command+=(-bios /usr/share/ovmf/OVMF.fd)
    if [ "$boot" = iso ]; then
        command+=(-cdrom "$(iso_path)")
    else
        command+=(-kernel "$build/boot.elf")
        [ -z "$append" ] || command+=(-append "$append")
        [ -z "$module" ] || command+=(-initrd "$module")
    fi
    # A receive time-out lasts as long as four bytes on the line: it waits a quarter of what the
    # usual clock makes it wait. The kernel divides by one, whatever the clock.
    qemu_connect -global serial.baudbase=460800 -serial chardev:console
}

# bochs.py gives ours. isa-debug-exit gives 33 and 35. A plain 0 is an end asked for by the user, a
# client or ACPI, which the trace tells of, or a reset under -no-reboot, of which it does not.
machine_status() {
    [ "$emulator" != bochs ] || return "$1"
    case $1 in
        33) return 0 ;;
        35) return 4 ;;
        0) [ -s "$temporary/trace" ] || return 3 ;;
        *) return 3 ;;
    esac
}
