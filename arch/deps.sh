#!/bin/bash
# SPDX-License-Identifier: MIT
#
# deps.sh [--no-install] [GROUP...]: install the Debian packages that are missing for these groups,
# or for all of them. The one list is made of the files arch/*/packages and tests/packages, one line
# for each package: GROUP PACKAGE PROBE REASON. The package counts as there if its probe is: a
# program in PATH, a path or a pattern of one, or python:MODULE. Nothing else is looked at and no
# network is used when nothing is missing. GROUP? is a group that is welcome and not needed: without
# it, all groups are there. GROUP+ is a large one that is installed only where it is named.
#
# Exit: 0 all there, 1 something is missing and was not installed, 2 usage.

set -u
cd "$(dirname "$0")/.." || exit 1

install=1 flags=()
if [ "${1:-}" = --no-install ]; then
    install='' flags=(--no-install)
    shift
fi

# groups needed|welcome
groups() {
    cat arch/*/packages tests/packages | awk -v kind="$1" '
        NF && $1 !~ /^#|\+$/ && ($1 ~ /\?$/) == (kind == "welcome") {
            sub(/\?$/, "", $1); print $1 }' \
        | sort -u
}

if [ $# -eq 0 ]; then
    mapfile -t needed < <(groups needed)
    arch/deps.sh "${flags[@]}" "${needed[@]}" || exit
    for group in $(groups welcome); do
        arch/deps.sh "${flags[@]}" "$group" || echo "pfnlab: goes without $group" >&2
    done
    exit 0
fi

is_there() {
    case $1 in
        python:*) /usr/bin/python3 -c "import sys, importlib.util as u
sys.exit(u.find_spec('${1#python:}') is None)" 2>/dev/null ;;
        /*) compgen -G "$1" >/dev/null ;;
        *) command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] ;;
    esac
}

packages=() probes=() reasons=
while read -r group package probe reason; do
    case $group in ''|'#'*) continue ;; esac
    [[ " $* " == *" ${group%[?+]} "* ]] || continue
    if [[ " ${packages[*]} " == *" $package "* ]] || is_there "$probe"; then continue; fi
    packages+=("$package")
    probes+=("$probe")
    reasons+="  $(printf '%-24s' "$package") $reason"$'\n'
done < <(cat arch/*/packages tests/packages)

[ ${#packages[@]} -ne 0 ] || exit 0

is_debian() {
    grep -qsE '^ID(_LIKE)?=.*\b(debian|ubuntu)\b' /etc/os-release && command -v apt-get >/dev/null
}

if ! is_debian; then
    echo "pfnlab: these are missing, and only Debian and Ubuntu are known here:" >&2
    printf '  %s\n' "${probes[@]#python:}" >&2
    exit 1
fi

command=(apt-get install -y --no-install-recommends --no-remove "${packages[@]}")
echo "pfnlab: these Debian packages are missing:" >&2
printf '%s' "$reasons" >&2
if [ -z "$install" ]; then
    echo "pfnlab: not installed, as --no-install says; the command is: ${command[*]}" >&2
    exit 1
fi

sudo=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! [ -t 0 ] || ! [ -t 2 ]; then
        echo "pfnlab: as root, run: ${command[*]}" >&2
        exit 1
    fi
    sudo=(sudo)
fi

export DEBIAN_FRONTEND=noninteractive
echo "pfnlab: installing them once: ${sudo[*]:+sudo }${command[*]}" >&2
update() { "${sudo[@]}" apt-get update -q >&2; }
install() { "${sudo[@]}" "${command[@]}" </dev/null >&2; }

# The lists may be missing, or name versions that are no more.
apt-cache show -q "${packages[@]}" >/dev/null 2>&1 || update
if ! install && ! { update && install; }; then
    echo "pfnlab: that failed; once it is mended, run: ${command[*]}" >&2
    exit 1
fi

status=0
for program in "${probes[@]}"; do
    if ! is_there "$program"; then
        echo "pfnlab: installed, but not to be found: ${program#python:} (PATH is $PATH)" >&2
        status=1
    fi
done
exit $status
