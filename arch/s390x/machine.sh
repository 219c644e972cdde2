# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# The mainframe, in QEMU and in Hercules: run-guest.sh says what each name means.
# shellcheck source=arch/common/qemu.sh
. "$root/arch/common/qemu.sh"
qemu='qemu-system-s390x'
machine_groups=s390x
machine_memory=256M machine_minimum=4M machine_maximum=512G
# READ INFO tells of so many in the one page that the kernel asks with.
machine_cpus_maximum=247
machine_boots='direct iso'
machine_accels='tcg'
machine_emulators='qemu hercules'
machine_debugger='gdb-multiarch'
machine_serials=$qemu_serials
machine_options="$qemu_options loadparm"

# Bytes of kernel command line that fit (arch/s390x/lowcore.h), its NUL not counted.
append_maximum=895

machine_check() {
    [ ${#append} -le $append_maximum ] \
        || refuse "--append: $arch takes at most $append_maximum characters, not ${#append}"
    # The firmware takes a number for that of a boot entry.
    [[ -z $loadparm || $loadparm =~ ^[A-Z][A-Z0-9]{0,7}$ ]] \
        || refuse "--loadparm is up to 8 of A-Z and 0-9, the first a letter, not '$loadparm'"
    [ $((bytes % (1 << 20))) -eq 0 ] || refuse "--memory: $arch takes whole MiB, not $memory"
    if [ "$emulator" = hercules ]; then
        hercules_check
        return
    fi
    groups+=(s390x-qemu)
    [ "$boot" = direct ] || groups+=(s390x-iso)
    [ -z "$snapshot" ] || groups+=(s390x-snapshot)
}

hercules_check() {
    local option
    groups+=(s390x-hercules)
    machine_end='Ctrl-D'
    for option in boot accel cpu qmp snapshot gdb; do
        ! was_given $option || refuse "--emulator hercules has no --$option"
    done
    [[ $serial != pty ]] || refuse "--emulator hercules has no --serial pty"
    [ "$bytes" -le $((4 << 30)) ] || refuse "--memory: Hercules takes up to 4G, not $memory"
    [ "$cpus" -le 8 ] || refuse "--cpus: Hercules takes 1 to 8, not $cpus"
}

machine_build() {
    make_quietly image
    [ "$boot" = direct ] || make_quietly iso
}

# What an IPL reads has no command line: it is written into a copy, behind the mark of start.S.
write_append() {
    local file=$1 mark='pfnlab command line follows:' at
    at=$(grep -abo -m 1 "$mark" "$file") || return 1
    printf '%s\0' "$append" \
        | dd of="$file" bs=1 seek=$((${at%%:*} + 32)) conv=notrunc status=none
}

image_to_read() {
    if [ "$emulator" = hercules ]; then
        echo kernel.bin
    elif [ "$boot" = iso ]; then
        echo pfnlab.iso
    fi
}

machine_prepare() {
    local image
    image=$(image_to_read)
    if [ -n "$image" ] && [ -n "$append" ]; then
        cp "$build/$image" "$temporary/$image" || return 1
        write_append "$temporary/$image" || return 1
    fi
    qemu_prepare
}

image_path() {
    local image
    image=$(image_to_read)
    if [ -n "$append" ]; then echo "$temporary/$image"; else echo "$build/$image"; fi
}

machine_command() {
    if [ "$emulator" = hercules ]; then
        hercules_command
        return
    fi
    qemu_start -machine "s390-ccw-virtio${loadparm:+,loadparm=$loadparm}" \
        -action panic=exit-failure
    if [ "$boot" = iso ]; then
        command+=(-drive
            "if=none,id=iso,format=raw,readonly=on,file=$(quote_commas "$(image_path)")"
            -device 'virtio-blk-ccw,drive=iso,bootindex=1')
    else
        command+=(-kernel "$build/boot.elf")
        [ -z "$append" ] || command+=(-append "$append")
    fi
    qemu_connect -device 'sclpconsole,chardev=console'
}

hercules_command() {
    command=("$root/arch/s390x/hercules.py" --image "$(image_path)" --memory $((bytes >> 20))
        --cpus "$cpus" --serial "$serial" --directory "$temporary")
    [ -z "$loadparm" ] || command+=(--loadparm "$loadparm")
}

# QEMU's status is 1 for a panic and for a mistake of its own: the trace tells. A plain 0 is the
# guest's end or a client's, or a reset (-no-reboot), which alone leaves no trace.
machine_status() {
    if [ "$emulator" = hercules ]; then
        case $1 in 0|4) return "$1" ;; *) return 3 ;; esac
    fi
    case $1 in
        0) [ -s "$temporary/trace" ] || return 3 ;;
        1) if grep -qs 'reason=8$' "$temporary/trace"; then return 4; fi; return 3 ;;
        *) return 3 ;;
    esac
}
