# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2100,SC2154
qemu='qemu-system-x86_64' default_cpu=''
# shellcheck source=arch/x86/machine.sh
. "$root/arch/x86/machine.sh"
