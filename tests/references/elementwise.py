"""References of the operations that work element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np


def choose(cond: Any, a: Any, b: Any) -> Any:
    """where, for finite numbers: autograd's own does not broadcast on the way back."""
    mask = np.asarray(cond) != 0
    return a * (1.0 * mask) + b * (1.0 * ~mask)


def clip(x: Any, lo: float | None = None, hi: float | None = None) -> Any:
    x = x if lo is None else choose(x < lo, lo, x)
    return x * 1.0 if hi is None else choose(x > hi, hi, x)


def power(a: Any, b: Any) -> Any:
    """By its definition, so that nothing of autograd's own conventions at 0 comes in."""
    if isinstance(b, int | float) or b.dtype.kind in "iu":
        return anp.power(a, np.asarray(b, float))
    positive = anp.greater(a, 0.0)
    by_definition = anp.exp(b * anp.log(choose(positive, a, 1.0)))
    return choose(positive, by_definition, 1.0 * anp.equal(b, 0.0) + 0.0 * by_definition)


def sigmoid(x: Any) -> Any:
    return 0.5 + 0.5 * anp.tanh(0.5 * x)


REFERENCES: dict[str, Callable[..., Any]] = {
    "abs": lambda x: x * anp.sign(x),
    "add": lambda a, b: a + b,
    "astype": lambda x, dtype: x * 1.0 if dtype == np.float64 else np.asarray(x).astype(dtype),
    "clip": clip,
    "clone": lambda x: x * 1.0,
    "div": lambda a, b: a / (b * 1.0),
    "eq": lambda a, b: np.equal(a, b),
    "exp": anp.exp,
    "ge": lambda a, b: np.greater_equal(a, b),
    "gt": lambda a, b: np.greater(a, b),
    "le": lambda a, b: np.less_equal(a, b),
    "log": anp.log,
    "lt": lambda a, b: np.less(a, b),
    "maximum": lambda a, b: choose(anp.greater(a, b), a, choose(anp.less(a, b), b, 0.5 * (a + b))),
    "minimum": lambda a, b: choose(anp.less(a, b), a, choose(anp.greater(a, b), b, 0.5 * (a + b))),
    "mul": lambda a, b: a * b,
    "ne": lambda a, b: np.not_equal(a, b),
    "neg": lambda x: -x,
    "pow": power,
    "relu": lambda x: choose(x > 0, x, 0.0),
    "relu_grad": lambda dy, x: choose(x > 0, dy, 0.0),
    "sigmoid": sigmoid,
    "sigmoid_grad": lambda dy, y: dy * (y - y * y),
    "sign": lambda x: np.sign(x),
    "softplus": lambda x: anp.log(1.0 + anp.exp(x)),
    "softplus_grad": lambda dy, x: dy * sigmoid(x),
    "sqrt": anp.sqrt,
    "square": lambda x: x * x,
    "sub": lambda a, b: a - b,
    "tanh": lambda x: 1.0 - 2.0 / (1.0 + anp.exp(2.0 * x)),
    "tanh_grad": lambda dy, y: dy - dy * y * y,
    "where": choose,
}

TORCH: dict[str, Callable[..., Any]] = {
    "abs": lambda t, x: t.abs(x),
    "clip": lambda t, x, lo=None, hi=None: t.clip(x, lo, hi) if lo is not None or hi is not None else x.clone(),
    "exp": lambda t, x: t.exp(x),
    "log": lambda t, x: t.log(x),
    "maximum": lambda t, a, b: t.maximum(a, b),
    "minimum": lambda t, a, b: t.minimum(a, b),
    "pow": lambda t, a, b: t.pow(a, b),
    "relu": lambda t, x: t.relu(x),
    "sigmoid": lambda t, x: t.sigmoid(x),
    "softplus": lambda t, x: t.nn.functional.softplus(x, threshold=1000),
    "sqrt": lambda t, x: t.sqrt(x),
    "tanh": lambda t, x: t.tanh(x),
}
