# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2100,SC2154
# The processor has 32 bits and knows no-execute; with PSE-36 it has 36 bits of physical addresses,
# else 32: QEMU, target/i386/cpu.c.
qemu='qemu-system-i386' default_cpu='coreduo,+pse36'
# shellcheck source=arch/x86/machine.sh
. "$root/arch/x86/machine.sh"
