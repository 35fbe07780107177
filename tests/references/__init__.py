"""What every operation should give, written in plain NumPy words that share no code with minigrad.

REFERENCES has one function an operation, in autograd's NumPy, so that HIPS autograd can differentiate it; TORCH has PyTorch's own
function, called with the module `torch` and the arguments as its tensors, for the operations that PyTorch has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import contraction, diagonals, elementwise, gather, index, likelihood, linalg, order, reduce, sequence, shape, windows

FAMILIES = (contraction, diagonals, elementwise, gather, index, likelihood, linalg, order, reduce, sequence, shape, windows)
REFERENCES: dict[str, Callable[..., Any]] = {name: found for family in FAMILIES for name, found in family.REFERENCES.items()}
TORCH: dict[str, Callable[..., Any]] = {name: found for family in FAMILIES for name, found in family.TORCH.items()}
