# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# What run-guest.sh needs to know of this machine; it says what each name means.
machine_groups=native
machine_memory=256M machine_minimum=4M machine_maximum=1T
machine_cpus_maximum=256
machine_serials='stdio unix'
machine_options='gdb'

machine_check() {
    [[ $gdb != *:* ]] || refuse "native has no --gdb=WHERE: a debugger attaches to the process"
}

# It was stopped for the debugger, and handles its faults and the end of a processor itself.
machine_attach() {
    echo "-iex 'handle SIGSTOP nostop noprint nopass'" \
        "-iex 'handle SIGSEGV SIGBUS SIGILL SIGFPE SIGUSR1 nostop noprint pass'" \
        "-p $pid $build/pfnlab"
}

machine_build() { make_quietly image; }

machine_command() {
    command=("$build/pfnlab" --memory "$memory" --cpus "$cpus")
    [ -z "$append" ] || command+=(--append "$append")
    [ "$serial" = stdio ] || command+=(--serial "$serial")
    [ -z "$gdb" ] || command+=(--gdb wait)
}

# The guest's own statuses are those of run-guest.sh.
machine_status() {
    case $1 in 0|2|4) return "$1" ;; *) return 3 ;; esac
}
