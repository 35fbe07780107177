"""Operations that the loop has no instruction for, as formulas of those that it has: a step that calls one is traced as the formula.

A formula gives what the operation gives, to rounding, with the operation's conventions at kinks. None: with these settings there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.ops import abs, exp, max, mean, sigmoid, softplus, sqrt, square, sum, tanh, where
from minigrad.ops.activations import CUBIC, OUTER
from minigrad.ops.reduce import count_of
from minigrad.tape import Tensor


def expm1(x: Any) -> Tensor:
    """(e^x + 1) tanh(x / 2), which loses nothing near 0."""
    return (exp(x) + 1.0) * tanh(x * 0.5)


def elu(x: Any, alpha: float) -> Tensor:
    """Where x is above 0 the other side is held at 0: its exponential may overflow."""
    return where(x > 0.0, x, expm1(where(x < 0.0, x, 0.0)) * alpha)


def gelu(x: Any, approximate: str) -> Tensor | None:
    """The loop has no error function."""
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


FORMULAS: dict[str, Callable[..., Tensor | None]] = {
    "elu": elu,
    "expm1": expm1,
    "gelu": gelu,
    "leaky_relu": lambda x, negative_slope: where(x > 0.0, x, x * negative_slope),
    "log_sigmoid": lambda x: -softplus(-x),
    "min": lambda x, axis, keepdims: -max(-x, axis=axis, keepdims=keepdims),
    "norm": norm,
    "reciprocal": lambda x: 1.0 / x,
    "silu": lambda x: x * sigmoid(x),
    "std": std,
    "var": var,
}
