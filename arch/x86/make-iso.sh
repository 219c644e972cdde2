#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make-iso.sh KERNEL ISO [ARGUMENTS [MODULE]]: a GRUB rescue ISO that boots KERNEL unattended, with
# a BIOS and with UEFI, and hands it the arguments and the module.

set -eu
kernel=$1 iso=$2 arguments=${3:-} module=${4:-}
export PATH=$PATH:/usr/sbin:/sbin

# GRUB joins the words again and protects what is special in them.
quoted=
set -f
for word in $arguments; do
    quoted+=" '${word//\'/\'\\\'\'}'"
done
set +f

work=$(mktemp -d)
tree=$work/tree
trap 'rm -rf "$work"' EXIT
mkdir -p "$tree/boot/grub"
cp "$kernel" "$tree/boot/kernel.elf"
[ -z "$module" ] || cp "$module" "$tree/boot/module"
{
    echo 'serial --unit=0 --speed=115200'
    echo 'terminal_input serial'
    echo 'terminal_output serial'
    echo "multiboot /boot/kernel.elf$quoted"
    [ -z "$module" ] || echo 'module /boot/module'
    echo 'boot'
} >"$tree/boot/grub/grub.cfg"

# Only what the boot needs: a quarter of the size. grub-mkrescue talks even when all is well.
if ! grub-mkrescue --install-modules='multiboot normal serial terminal iso9660' \
        --locales= --themes= --fonts= -o "$iso.part" "$tree" >"$work/log" 2>&1; then
    cat "$work/log" >&2
    exit 1
fi
mv "$iso.part" "$iso"
