# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2100,SC2154
# The processor has 32 bits, knows no-execute, and has 36 bits of physical addresses (pse36).
qemu='qemu-system-i386' kernel=kernel.elf default_cpu=coreduo,+pse36
# shellcheck source=arch/x86/machine.sh
. "$root/arch/x86/machine.sh"
