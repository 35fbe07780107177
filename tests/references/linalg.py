"""References of products."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp


def matrix(x: Any) -> Any:
    """x as a matrix, all leading axes as one."""
    return x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


REFERENCES: dict[str, Callable[..., Any]] = {
    "linear": lambda x, weight, bias: anp.einsum("...i,oi->...o", x, weight) + (0.0 if bias is None else bias),
    "matmul": anp.matmul,
    "outer_sum": lambda a, b: anp.dot(matrix(a).T, matrix(b)),
}

TORCH: dict[str, Callable[..., Any]] = {
    "linear": lambda t, x, w, b: t.nn.functional.linear(x, w, b),
    "matmul": lambda t, a, b: t.matmul(a, b),
    "outer_sum": lambda t, a, b: matrix(a).T @ matrix(b),
}
