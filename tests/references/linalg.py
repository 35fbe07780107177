"""References of products."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np


def matrix(x: Any) -> Any:
    """x as a matrix, all leading axes as one."""
    return x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def dot(a: Any, b: Any) -> Any:
    if not a.ndim or not b.ndim:
        return a * b
    return anp.tensordot(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)))


def kron(a: Any, b: Any) -> Any:
    """By its definition: out[i] = a[i // n] b[i % n] along every axis, where b has n elements."""
    rank = max(a.ndim, b.ndim)
    a, b = [anp.reshape(x, (1,) * (rank - x.ndim) + x.shape) for x in (a, b)]
    places = np.indices([m * n for m, n in zip(a.shape, b.shape, strict=True)])
    left = tuple([place // max(n, 1) for place, n in zip(places, b.shape, strict=True)])
    return a[left] * b[tuple([place % max(n, 1) for place, n in zip(places, b.shape, strict=True)])]


REFERENCES: dict[str, Callable[..., Any]] = {
    "bmm()": lambda a, b: anp.einsum("bij,bjk->bik", a, b),
    "dot()": dot,
    "kron()": kron,
    "outer": lambda a, b: (
        anp.reshape(a, (-1, 1)) * anp.reshape(b, (1, -1)) if a.size and b.size else np.zeros((a.size, b.size)) * anp.sum(a)
    ),
    "linear": lambda x, weight, bias: anp.einsum("...i,oi->...o", x, weight) + (0.0 if bias is None else bias),
    "matmul": anp.matmul,
    "outer_sum": lambda a, b: anp.dot(matrix(a).T, matrix(b)),
}

TORCH: dict[str, Callable[..., Any]] = {
    "bmm()": lambda t, a, b: t.bmm(a, b),
    "dot()": lambda t, a, b: a * b if not a.ndim or not b.ndim else t.tensordot(a, b, ([a.ndim - 1], [max(b.ndim - 2, 0)])),
    "kron()": lambda t, a, b: t.kron(a, b),
    "outer": lambda t, a, b: t.outer(a.reshape(-1), b.reshape(-1)),
    "linear": lambda t, x, w, b: t.nn.functional.linear(x, w, b),
    "matmul": lambda t, a, b: t.matmul(a, b),
    "outer_sum": lambda t, a, b: matrix(a).T @ matrix(b),
}
