# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# The mainframe, in QEMU and in Hercules: run-guest.sh says what each name means.
qemu='qemu-system-s390x'
machine_groups=s390x
machine_memory=256M machine_minimum=4M machine_maximum=512G
machine_cpus_maximum=16
machine_boots='direct iso'
machine_accels='tcg'
machine_emulators='qemu hercules'
machine_debugger='gdb-multiarch'
machine_serials='stdio pty unix'
machine_options='cpu loadparm qmp snapshot gdb'

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
    if [ -n "$snapshot" ] && ! [ -e "$snapshot" ]; then
        qemu-img create -q -f qcow2 "$snapshot" 1G
    fi
}

image_path() {
    local image
    image=$(image_to_read)
    if [ -n "$append" ]; then echo "$temporary/$image"; else echo "$build/$image"; fi
}

# QEMU doubles a comma that is part of a value.
quote_commas() { echo "${1//,/,,}"; }

machine_serial() {
    case $serial in
        stdio) if [ -n "$interactive" ]; then
                   command+=(-chardev 'stdio,id=console,mux=on,signal=off' -mon chardev=console)
               else
                   command+=(-chardev 'stdio,id=console,signal=off')
               fi ;;
        pty) command+=(-chardev 'pty,id=console') ;;
        unix:*) command+=(-chardev
            "socket,id=console,path=$(quote_commas "${serial#unix:}"),server=on,wait=on") ;;
    esac
    command+=(-device 'sclpconsole,chardev=console')
}

machine_command() {
    if [ "$emulator" = hercules ]; then
        hercules_command
        return
    fi
    command=("$qemu" -machine "s390-ccw-virtio${loadparm:+,loadparm=$loadparm}" -accel tcg
        -m "$memory" -smp "$cpus" -nodefaults -display none -no-user-config
        -action panic=exit-failure -trace qemu_system_shutdown_request -D "$temporary/trace")
    [ -z "$cpu" ] || command+=(-cpu "$cpu")
    if [ "$boot" = iso ]; then
        command+=(-drive
            "if=none,id=iso,format=raw,readonly=on,file=$(quote_commas "$(image_path)")"
            -device 'virtio-blk-ccw,drive=iso,bootindex=1')
    else
        command+=(-kernel "$build/kernel.elf")
        [ -z "$append" ] || command+=(-append "$append")
    fi
    [ -z "$qmp" ] || command+=(-qmp "unix:$(quote_commas "$qmp"),server=on,wait=off")
    if [ -n "$snapshot" ]; then
        # A client that takes snapshots resets the machine, too.
        command+=(-drive "if=none,id=snapshot,format=qcow2,file=$(quote_commas "$snapshot")")
    else
        command+=(-no-reboot)
    fi
    [ -z "$gdb" ] || command+=(-S -gdb "unix:$gdb,server=on,wait=off")
    machine_serial
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
