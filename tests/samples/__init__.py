"""Arguments for every operation: SAMPLES, from which the tests of operations are made.

A sample says what to call an operation with and nothing of what should come out. A new operation needs one line in the file named
like the one of minigrad/ops where it lives (`unary`, `binary`, `reduction` ... cover the common kinds) and one reference in the file
of that name in tests/references; all its tests exist already.
"""

from __future__ import annotations

from . import contraction, diagonals, elementwise, gather, index, likelihood, linalg, order, reduce, sequence, shape, windows
from .making import LAYOUTS, Sample

__all__ = ["LAYOUTS", "SAMPLES", "Sample"]

FAMILIES = (contraction, diagonals, elementwise, gather, index, likelihood, linalg, order, reduce, sequence, shape, windows)
SAMPLES: dict[str, list[Sample]] = {name: found for family in FAMILIES for name, found in family.SAMPLES.items()}
