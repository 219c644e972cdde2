# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2100,SC2154
# The processor has 32 bits and knows no-execute.
qemu='qemu-system-i386' kernel=kernel.elf default_cpu=coreduo
# shellcheck source=arch/x86/machine.sh
. "$root/arch/x86/machine.sh"
