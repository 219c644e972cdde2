# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# What the machines in QEMU have in common, for their machine.sh: parts of the emulator's command
# line, composed in `command` from the variables that are named as the options of run-guest.sh.

qemu_options='cpu qmp snapshot gdb'
qemu_serials='stdio pty unix'

# QEMU doubles a comma that is part of a value.
quote_commas() { echo "${1//,/,,}"; }

kvm_works() {
    [ -w /dev/kvm ] && timeout 10 "$qemu" -accel kvm -machine none -nodefaults -display none \
        -monitor stdio <<<quit >/dev/null 2>&1
}

# What --accel means, once it is known which `qemu` runs.
qemu_accel() {
    case $accel in
        kvm)
            if [ -z "$print" ] && ! kvm_works; then refuse "--accel kvm: it does not work here"; fi
            say "note: kvm is untested" ;;
        auto) accel=tcg; if kvm_works; then accel=kvm; say "note: kvm is untested"; fi ;;
    esac
}

# Makes the file of --snapshot, if it is missing.
qemu_prepare() {
    [ -z "$snapshot" ] || [ -e "$snapshot" ] || qemu-img create -q -f qcow2 "$snapshot" 1G
}

# qemu_start WORD...: the head of the command line, with the machine's own words.
qemu_start() {
    command=("$qemu" "$@" -accel "$accel" -m "$memory" -smp "$cpus" -nodefaults -display none
        -no-user-config -trace qemu_system_shutdown_request -D "$temporary/trace")
    [ -z "$cpu" ] || command+=(-cpu "$cpu")
}

# What gdb calls the place of the gdbstub.
qemu_gdb() {
    case $gdb in
        socket) echo "$temporary/gdb" ;;
        unix:*) echo "${gdb#unix:}" ;;
        tcp:*) echo ":${gdb#tcp:}" ;;
    esac
}

machine_attach() { echo "-ex 'target remote $(qemu_gdb)' $build/kernel.elf"; }

# qemu_connect WORD...: the sockets of --qmp and --gdb, the console, and how a reset is taken; the
# words make a serial line of the character device `console`.
qemu_connect() {
    [ -z "$qmp" ] || command+=(-qmp "unix:$(quote_commas "$qmp"),server=on,wait=off")
    if [ -n "$snapshot" ]; then
        # A client that takes snapshots resets the machine, too.
        command+=(-drive "if=none,id=snapshot,format=qcow2,file=$(quote_commas "$snapshot")")
    else
        command+=(-no-reboot)
    fi
    case $gdb in
        '') ;;
        tcp:*) command+=(-S -gdb "tcp:127.0.0.1:${gdb#tcp:},server=on,wait=off") ;;
        *) command+=(-S -gdb "unix:$(quote_commas "$(qemu_gdb)"),server=on,wait=off") ;;
    esac
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
    command+=("$@")
}
