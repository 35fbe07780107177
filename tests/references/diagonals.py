"""References of diagonals and triangles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np

from .index import scatter


def cut(shape: Any, offset: int, axis1: int, axis2: int) -> Any:
    """Where the diagonal lies, as an index."""
    places = np.diagonal(np.arange(int(np.prod(shape, dtype=int))).reshape(shape), offset, axis1, axis2)
    return np.unravel_index(places, shape) if 0 not in shape else tuple(np.zeros((len(shape), *places.shape), int))


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return x[cut(x.shape, offset, axis1, axis2)]


def diagonal_matrix(x: Any, shape: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return scatter(x, shape, cut(shape, offset, axis1, axis2))


def diag(x: Any, k: int = 0) -> Any:
    n = x.shape[0] + abs(k)
    return diagonal(x, k) if x.ndim == 2 else diagonal_matrix(x, (n, n), k)


def above(x: Any, k: int) -> Any:
    """1.0 on the k-th diagonal and above."""
    return 1.0 * (np.arange(x.shape[-2])[:, None] + k <= np.arange(x.shape[-1]))


REFERENCES: dict[str, Callable[..., Any]] = {
    "diag()": diag,
    "diagonal": diagonal,
    "diagonal_matrix": diagonal_matrix,
    "trace()": lambda x, **settings: anp.sum(diagonal(x, **settings), axis=-1),
    "tril": lambda x, k=0: x * (1.0 - above(x, k + 1)),
    "triu": lambda x, k=0: x * above(x, k),
}

TORCH: dict[str, Callable[..., Any]] = {
    "diag()": lambda t, x, k=0: t.diag(x, k),
    "diagonal": lambda t, x, offset=0, axis1=0, axis2=1: t.diagonal(x, offset, axis1, axis2),
    "diagonal_matrix": lambda t, x, shape, offset=0, axis1=0, axis2=1: t.diagonal_scatter(
        t.zeros(shape, dtype=x.dtype), x, offset, axis1, axis2
    ),
    "trace()": lambda t, x, offset=0, axis1=0, axis2=1: t.diagonal(x, offset, axis1, axis2).sum(-1),
    "tril": lambda t, x, k=0: t.tril(x, k),
    "triu": lambda t, x, k=0: t.triu(x, k),
}
