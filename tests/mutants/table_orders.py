# SPDX-License-Identifier: MIT
"""The mutants of memory orders: each promises less than the code needs on a weakly ordered machine.

tests/order finds what is handed over by release and acquire, as a race; tests/test_orders.py what
only sequential consistency keeps apart. On the machines at hand none of them would ever fail.
"""
from __future__ import annotations

from tests.mutants.table import Mutant

RELAXED = "memory_order_relaxed"


def weaker(name: str, file: str, old: str) -> Mutant:
    """A mutant in which the one order of `old` is none."""
    strong = next(f"memory_order_{order}" for order in ("acquire", "release", "seq_cst")
                  if f"memory_order_{order}" in old)
    return Mutant(name, file, old, old.replace(strong, RELAXED), "lock")


ORDERS = (
    weaker("a lock is taken without what its last holder did", "kernel/lock.c",
           "memory_order_acquire, memory_order_relaxed);"),
    weaker("a lock is given back before what was done under it", "kernel/lock.c",
           "(&inside(lock)->holder, 0, memory_order_release)"),
    weaker("a job is posted before what it is to work on", "kernel/smp.c",
           "(&cpus[cpu].posted, true, memory_order_release);\n    arch_cpu_kick(cpu);\n}\n\nbool"),
    weaker("a job is begun without what it is to work on", "kernel/smp.c",
           "(&cpu->posted, memory_order_acquire)"),
    weaker("a job is done before what it did", "kernel/smp.c",
           "(&cpu->posted, false, memory_order_release)"),
    weaker("a job is over without what it did", "kernel/smp.c",
           "(&cpus[cpu].posted, memory_order_acquire)"),
    weaker("a last job is posted before it is said that it is", "kernel/smp.c",
           "(&cpus[cpu].posted, true, memory_order_release);\n    arch_cpu_kick(cpu);\n    while"),
    weaker("a call is made before what it is about", "kernel/smp.c",
           "(&cpu->calls, true, memory_order_release)"),
    weaker("a call is served without what it is about", "kernel/smp.c",
           "(!atomic_load_explicit(&cpu->calls, memory_order_acquire))"),
    weaker("a call is over before what it did", "kernel/smp.c",
           "(&cpu->calls, false, memory_order_release)"),
    weaker("a caller goes on without what was done for it", "kernel/smp.c",
           "return !atomic_load_explicit(&cpu->calls, memory_order_acquire)"),
    weaker("a rest begins before the work is done", "protocol/stress_rest.c",
           "round, memory_order_release);\n        smp_relax();"),
    weaker("a rest is looked at without the work", "protocol/stress_rest.c",
           "(&rest->rests[cpu], memory_order_acquire)"),
    weaker("a rest ends before it was looked at", "protocol/stress_rest.c",
           "round + round % 2, memory_order_release)"),
    weaker("work goes on before the rest has ended", "protocol/stress_rest.c",
           "(&rest->round, memory_order_acquire)) % 2"),
    weaker("who runs is seen before the tables are written", "arch/common/cpus.c",
           "atomic_thread_fence(memory_order_seq_cst)"),
    Mutant("who comes is not seen by who asks all to forget", "arch/common/cpus.c",
           "    atomic_store(&cpus_running[arch_cpu_self()], true);",
           "    atomic_store_explicit(&cpus_running[arch_cpu_self()], true, memory_order_release);",
           "lock"),
    Mutant("what is to be forgotten is asked for too late", "arch/common/cpus.c",
           "atomic_fetch_add(&cpus_forget_asked, 1)",
           f"atomic_fetch_add_explicit(&cpus_forget_asked, 1, {RELAXED})", "lock"),
)
