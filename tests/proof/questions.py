# SPDX-License-Identifier: MIT
"""What is asked of z3: whether something can be, and whether it cannot be otherwise."""
from __future__ import annotations

from typing import Any

import z3

from tests.proof.llvm import Unknown
from tests.proof.values import Path, Refuted


class Questions:
    """Counts them."""

    def __init__(self) -> None:
        self.asked = 0

    def model(self, conditions: list[z3.BoolRef]) -> z3.ModelRef | None:
        """Values for which all of it holds, if there are any."""
        self.asked += 1
        solver = z3.SolverFor("QF_BV")
        solver.add(*conditions)
        answer = solver.check()
        if answer == z3.unknown:
            raise Unknown(f"z3: {solver.reason_unknown()}")
        return solver.model() if answer == z3.sat else None

    def possible(self, path: Path, when: z3.BoolRef) -> z3.ModelRef | None:
        """Values of this path for which it holds: those that are known of it, or others."""
        if path.witness is not None and z3.is_true(path.witness.eval(when, True)):
            return path.witness
        return self.model([*path.conditions, when])

    def oblige(self, path: Path, holds: Any, what: str) -> None:
        """It holds on this path, for all values, or is refuted."""
        if isinstance(holds, bool):
            if not holds:
                raise Refuted(f"{what}, always")
            return
        against = z3.simplify(z3.Not(holds))
        if z3.is_false(against):
            return
        values = self.possible(path, against)
        if values is not None:
            raise Refuted(f"{what}: {values}")
