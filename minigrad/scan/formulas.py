"""Operations that the loop has no instruction for, as formulas of those that it has: a step that calls one is traced as the formula.

A formula gives what the operation gives, to rounding, with the operation's conventions at kinks. None: with these settings there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.ops import abs, concatenate, full, max, mean, reshape, sigmoid, sqrt, square, sum, where
from minigrad.ops.activations import CUBIC, OUTER
from minigrad.ops.reduce import count_of
from minigrad.tape import Tensor


def gelu(x: Any, approximate: str) -> Tensor | None:
    """The instruction is the exact one; the approximation is made of others."""
    return x * sigmoid((x + x * x * x * CUBIC) * OUTER) if approximate == "tanh" else None


def var(x: Any, axis: Any, ddof: float, keepdims: bool) -> Tensor | None:
    """The mean squared distance from the mean, which is taken twice so that equal elements have none."""
    count = count_of(x.shape, axis)
    if count <= ddof:
        return None
    away = x - mean(x, axis=axis, keepdims=True)
    away = away - mean(away, axis=axis, keepdims=True)
    found = mean(square(away), axis=axis, keepdims=keepdims)
    return found * (count / (count - ddof)) if ddof else found


def std(x: Any, axis: Any, ddof: float, keepdims: bool) -> Tensor | None:
    """The root of the variance, with a derivative of 0 at 0."""
    found = var(x, axis, ddof, keepdims)
    return None if found is None else root(found)


def root(x: Tensor) -> Tensor:
    """Square root, with a derivative of 0 at 0."""
    still = x == 0.0
    return where(still, 0.0, sqrt(where(still, 1.0, x)))


def norm(x: Any, ord: float, axis: Any, keepdims: bool) -> Tensor | None:
    """The sum of sizes, or the root of the sum of squares."""
    if ord == 1:
        return sum(abs(x), axis=axis, keepdims=keepdims)
    return root(sum(square(x), axis=axis, keepdims=keepdims)) if ord == 2 else None


def roll(x: Any, shift: Any, axis: Any) -> Tensor | None:
    """The columns that leave at the end, then the others."""
    if x.ndim < 2 or axis not in (-1, x.ndim - 1) or not isinstance(shift, int) or not x.shape[-1]:
        return None
    first = -shift % x.shape[-1]
    return concatenate([x[..., first:], x[..., :first]], axis=-1) if first else x + 0.0


def tile(x: Any, reps: Any) -> Tensor | None:
    """Columns beside themselves."""
    *others, last = reps if isinstance(reps, tuple | list) else (reps,)
    fits = x.ndim > 1 and len(others) < x.ndim and all(count == 1 for count in others) and last > 0
    return concatenate([x] * last, axis=-1) if fits else None


def pad(x: Any, pairs: Any, value: float) -> Tensor | None:
    """Columns of a constant on either side."""
    if x.ndim < 2 or any(any(pair) for pair in pairs[:-1]) or not any(pairs[-1]):
        return None
    before, behind = [full((*x.shape[:-1], count), value, dtype=x.dtype) for count in pairs[-1]]
    return concatenate([part for part in (before, x, behind) if part.shape[-1]], axis=-1)


def einsum(a: Any, b: Any, subscripts: str) -> Tensor | None:
    """A sum of products, where no axis has to move for it."""
    left, right, out = subscripts.replace("->", ",").split(",")
    gone = [axis for axis, label in enumerate(left) if label not in out]
    if left != right or len(gone) + len(out) != len(left) or [label for label in left if label in out] != list(out):
        return None
    return sum(a * b, axis=tuple(gone))


def getitem(x: Any, index: Any) -> Tensor | None:
    """New axes, and nothing else: another shape."""
    parts = index if isinstance(index, tuple) else (index,)
    if not all(part is None or part is Ellipsis or (isinstance(part, slice) and part == slice(None)) for part in parts):
        return None
    return reshape(x, shape=np.broadcast_to(0.0, x.shape)[index].shape)


FORMULAS: dict[str, Callable[..., Tensor | None]] = {
    "einsum": einsum,
    "gelu": gelu,
    "getitem": getitem,
    "min": lambda x, axis, keepdims: -max(-x, axis=axis, keepdims=keepdims),
    "norm": norm,
    "pad": pad,
    "roll": roll,
    "std": std,
    "tile": tile,
    "var": var,
}
