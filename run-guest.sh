#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Boots a guest: the one place where an emulator's command line is composed. `--help` tells the
# options. What a machine can do is in arch/ARCH/machine.sh, which sets
#   machine_groups     groups of packages (deps.sh) that it needs
#   machine_memory, _minimum, _maximum, _cpus_maximum
#   machine_boots, _firmwares, _machines, _accels, _emulators, _serials
#                      words that the option takes, the first is the default; none: no such option
#   machine_end        what ends the guest at a terminal, if it is not Ctrl-A X
#   machine_debugger   what --gdb names, if it is not gdb
#   machine_options    which of cpu loadparm module qmp snapshot gdb it has
# and the functions machine_check (combinations; adds to `groups`), machine_build, machine_prepare
# (optional), machine_command (fills `command`), machine_attach (with gdb: the last words of what
# attaches a debugger, when `pid` runs) and machine_status (the emulator's exit status, in ours).
# They read the variables that are named as the options.

# shellcheck disable=SC2034,SC2317  # machine.sh reads the options, and its functions are called

set -u
export LC_ALL=C
root=$(dirname "$(readlink -f "$0")")
name=${0##*/}

EXIT_FAILED=1 EXIT_USAGE=2 EXIT_EMULATOR=3 EXIT_PANIC=4

say() { echo "$name: $*" >&2; }
refuse() { say "$*"; exit $EXIT_USAGE; }
fail() { say "$*"; exit $EXIT_FAILED; }

architectures() {
    local file found=
    # A folder without arch.mk is shared by ports, it is none itself.
    for file in "$root"/arch/*/arch.mk; do
        found+=" $(basename "${file%/arch.mk}")"
    done
    echo "${found# }"
}

usage() {
    cat <<END
usage: $name [ARCH] [OPTION...]

Builds what is missing, boots a guest and connects this terminal to its serial console.
Ctrl-A X (Ctrl-D in Hercules, which takes whole lines only) or the command poweroff ends it.
At a terminal Ctrl-A is the emulator's own key: pressed twice, the guest gets one (or use Home).

  ARCH              $(architectures) (default: x86_64)
  --memory SIZE     RAM, as in 64M or 6G
  --cpus N          processors
  --boot HOW        direct: the emulator loads the kernel; iso: it boots the ISO
  --firmware WHICH  bios, or uefi with --boot iso
  --machine WHICH   pc, q35 or microvm
  --accel HOW       tcg, kvm (untested), or auto: kvm where it works
  --cpu MODEL       processor model, in the emulator's words
  --emulator WHICH  which emulator, where there are several
  --append STRING   the kernel command line: words as kpool=8M tables=4M virt=2G:1G engine=list
                    areas=dma:16M,low:4G,high scan=low percpu=on onpanic=stay (README.md)
  --loadparm NAME   the LOADPARM of an IPL, the name of a preset (arch/s390x/loadparm.h)
  --module FILE     a boot module, kept out of the allocators' memory
  --serial WHERE    stdio; pty: a terminal of its own, its name is printed;
                    unix:PATH: a socket; the guest starts when a client has connected, and
                    stays for the next one
  --qmp PATH        the emulator's control socket
  --snapshot FILE   a qcow2 image for savevm and loadvm, made if missing; a reset then restarts
                    the guest instead of ending it
  --gdb[=WHERE]     wait for a debugger before the first instruction; tells how to attach it: at
                    a socket of its own, at unix:PATH, or at tcp:PORT of 127.0.0.1
  --print           print the emulator's command line, start nothing
  --no-install      do not install missing packages, only name them
  --help            this text

When standard input is not a terminal each of its lines is sent as a command, when the one before it
is answered; only the guest's own lines are printed; the end of the input powers the guest off.

Exit status: 0 orderly end, 1 could not start (missing program, build error), 2 wrong usage,
3 the emulator died or the guest was reset, 4 the guest panicked.

Killed by SIGKILL it ends the emulator all the same, but leaves a small directory in TMPDIR.

Environment: LLVM=1 builds and boots with clang-19 and lld-19 instead of gcc.
END
}

# ---- options ----

arch=x86_64 memory='' cpus=1 boot='' firmware='' machine='' accel='' cpu='' emulator='' append=''
loadparm='' module='' serial=stdio qmp='' snapshot='' gdb='' print='' install=1
given=' '

if [ $# -ne 0 ] && [[ $1 != -* ]]; then
    arch=$1
    shift
fi
while [ $# -ne 0 ]; do
    option=$1 value=
    shift
    case $option in
        --help|-h) usage; exit 0 ;;
        --gdb) gdb=socket ;;
        --print) print=1 ;;
        --no-install) install='' ;;
        --memory=*|--cpus=*|--boot=*|--firmware=*|--machine=*|--accel=*|--cpu=*|--emulator=*|\
        --append=*|--loadparm=*|--module=*|--serial=*|--qmp=*|--snapshot=*|--gdb=*)
            value=${option#*=} option=${option%%=*}
            printf -v "${option#--}" %s "$value" ;;
        --memory|--cpus|--boot|--firmware|--machine|--accel|--cpu|--emulator|\
        --append|--loadparm|--module|--serial|--qmp|--snapshot)
            [ $# -ne 0 ] || refuse "$option needs a value; --help tells"
            printf -v "${option#--}" %s "$1"
            shift ;;
        *)
            [ ! -e "$root/arch/${option##*/}/arch.mk" ] \
                || refuse "the architecture comes first: $name $option ..."
            refuse "no such option: $option; --help tells" ;;
    esac
    given+="${option#--} "
done

[[ $arch != */* && -e $root/arch/$arch/arch.mk ]] \
    || refuse "no such architecture: $arch; there is: $(architectures)"
# LLVM=1 in the environment, which make reads as well, means the kernel that clang builds.
build=$root/build/${LLVM:+llvm/}$arch
groups=(${LLVM:+llvm})
machine_end='Ctrl-A X' machine_debugger=gdb
machine_boots='' machine_firmwares='' machine_machines='' machine_accels='' machine_emulators=''
machine_options='' machine_cpus_maximum=1
machine_prepare() { :; }
# shellcheck source=arch/x86_64/machine.sh
. "$root/arch/$arch/machine.sh"

was_given() { [[ $given == *" $1 "* ]]; }

# take OPTION WORDS: its value must be one of the words, the first of which is the default.
take() {
    local option=$1 words=$2
    if ! was_given "$option"; then
        printf -v "$option" %s "${words%% *}"
    elif [ -z "$words" ]; then
        refuse "$arch has no --$option"
    elif [[ " $words " != *" ${!option} "* ]] || [[ ${!option} == *' '* ]]; then
        refuse "$arch has no --$option '${!option}'; it has: $words"
    fi
}

take boot "$machine_boots"
take firmware "$machine_firmwares"
take machine "$machine_machines"
take accel "$machine_accels"
take emulator "$machine_emulators"
for option in cpu loadparm module qmp snapshot gdb; do
    if was_given $option && [[ " $machine_options " != *" $option "* ]]; then
        refuse "$arch has no --$option"
    fi
    if was_given $option && [ -z "${!option}" ]; then
        refuse "--$option needs a value"
    fi
done
case $serial in
    unix:?*|stdio|pty) [[ " $machine_serials " == *" ${serial%%:*} "* ]] \
        || refuse "$arch has no --serial ${serial%%:*}" ;;
    *) refuse "--serial is stdio, pty or unix:PATH, not '$serial'" ;;
esac
[ "${#serial}" -lt 108 ] || refuse "--serial: the path of a socket has at most 102 characters"
case $gdb in
    ''|socket|unix:?*) ;;
    tcp:[1-9]*) [[ $gdb =~ ^tcp:[0-9]{1,5}$ && ${gdb#tcp:} -lt 65536 ]] \
        || refuse "--gdb=tcp:PORT: no such port: ${gdb#tcp:}" ;;
    *) refuse "--gdb=WHERE is unix:PATH or tcp:PORT, not '$gdb'" ;;
esac
[[ $append != *[^\ -~]* ]] || refuse "--append takes printable ASCII only"
if [ -n "$module" ] && ! { [ -f "$module" ] && [ -r "$module" ]; }; then
    refuse "--module: cannot read a file $module"
fi

# Emulators remove whatever is in a socket's place.
for socket in "$qmp" "${serial#unix:}" "${gdb#unix:}"; do
    case $socket in ''|stdio|pty|socket|tcp:*) continue ;; esac
    [ -w "$(dirname "$socket")" ] || refuse "no directory to make the socket $socket in"
    if [ -e "$socket" ] && ! [ -S "$socket" ]; then refuse "$socket is there, and no socket"; fi
done

# Bytes of a size such as 64M; nothing if it is none.
size_bytes() {
    [[ $1 =~ ^([1-9][0-9]{0,8})([KMGT])$ ]] || return 1
    local n=${BASH_REMATCH[1]}
    case ${BASH_REMATCH[2]} in
        K) echo $((n << 10)) ;;
        M) echo $((n << 20)) ;;
        G) echo $((n << 30)) ;;
        T) echo $((n << 40)) ;;
    esac
}

was_given memory || memory=$machine_memory
bytes=$(size_bytes "$memory") || refuse "--memory is a size such as 64M or 6G, not '$memory'"
if [ "$bytes" -lt "$(size_bytes $machine_minimum)" ] \
        || [ "$bytes" -gt "$(size_bytes $machine_maximum)" ]; then
    refuse "--memory: $arch needs $machine_minimum and takes up to $machine_maximum, not $memory"
fi
if ! [[ $cpus =~ ^[1-9][0-9]{0,3}$ ]] || [ "$cpus" -gt "$machine_cpus_maximum" ]; then
    refuse "--cpus: $arch takes a number up to $machine_cpus_maximum, not '$cpus'"
fi

groups+=("$machine_groups")
machine_check

# ---- the end ----

temporary='' pid='' filter='' terminal='' sockets=()

clean_up() {
    trap - EXIT
    if [ -n "$pid" ]; then { kill -KILL "$pid"; wait "$pid"; } 2>/dev/null; fi
    if [ -n "$filter" ]; then { kill -KILL "$filter"; wait "$filter"; } 2>/dev/null; fi
    [ -z "$terminal" ] || stty "$terminal" 2>/dev/null
    rm -f "${sockets[@]}"
    [ -z "$temporary" ] || rm -rf "$temporary"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Ends with our status for the emulator's.
finish() {
    local status
    pid=
    machine_status "$1"
    status=$?
    case $status in
        "$EXIT_EMULATOR") say "the guest died: $arch was reset or its emulator failed" ;;
        "$EXIT_PANIC") say "the guest panicked" ;;
    esac
    exit $status
}

# ---- start ----

make_quietly() {
    local log
    [ -e "$build" ] || say "building $arch, once"
    mkdir -p "$root/build"
    # Several may start at once: only one of them builds.
    if ! log=$(flock "$root/build" make -C "$root" -s ARCH="$arch" "$1" 2>&1 </dev/null); then
        printf '%s\n' "$log" >&2
        fail "the build failed"
    fi
}

interactive=
if [ "$serial" = stdio ] && [ -t 0 ]; then interactive=1; fi

if [ -n "$print" ]; then
    temporary=TEMPORARY
    machine_command
    temporary=
    printf '%q ' "${command[@]}"
    echo
    exit 0
fi

flags=()
[ -n "$install" ] || flags=(--no-install)
"$root/arch/deps.sh" "${flags[@]}" "${groups[@]}" || exit $EXIT_FAILED
machine_build
temporary=$(mktemp -d) || fail "cannot make a temporary directory"
machine_prepare || fail "cannot prepare the machine"
machine_command
command=("$root/arch/common/with-parent.sh" $$ "${command[@]}")
[ -z "$qmp" ] || sockets+=("$qmp")
[[ $serial != unix:* ]] || sockets+=("${serial#unix:}")
[[ $gdb != unix:* ]] || sockets+=("${gdb#unix:}")

tell_debugger() {
    [ -z "$gdb" ] || say "waiting for: $machine_debugger -q -x $root/host/pfnlab/gdb_commands.py" \
        "$(machine_attach)"
}

# ---- a terminal, a socket or a pty: the emulator talks to it by itself ----

run_foreground() {
    if [ -n "$interactive" ]; then
        terminal=$(stty -g)
        say "$machine_end ends the guest, help lists its commands"
        # Where the emulator lets a terminal's ^C be a signal, it is one for the guest.
        trap '' INT
    fi
    # In the background, so that a signal to this script is handled at once.
    "${command[@]}" <&0 &
    pid=$!
    tell_debugger
    wait "$pid"
    finish $?
}

# ---- a pipe: one command after the other ----

# shellcheck source=arch/common/pipe.sh
. "$root/arch/common/pipe.sh"

if [ "$serial" = stdio ] && [ -z "$interactive" ]; then
    run_pipe
else
    run_foreground
fi
