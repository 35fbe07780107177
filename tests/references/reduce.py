"""References of the operations that reduce axes or work along one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np


def log_sum_exp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return anp.log(anp.sum(anp.exp(x), axis=axis, keepdims=keepdims))


def one_hot(target: Any, like: Any) -> Any:
    return (np.asarray(target)[:, None] == np.arange(like.shape[1])) * 1.0


def softmax(x: Any, axis: int = -1) -> Any:
    return anp.exp(x - log_sum_exp(x, axis=axis, keepdims=True)) if x.size else x * 1.0


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    total = anp.sum(x, axis=axis, keepdims=keepdims)
    return total * (np.float64(total.size) / np.float64(x.size)) if x.size else total * np.nan


def tuple_axis(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """autograd's reductions want a tuple of positive axes where NumPy takes anything."""

    def reduced(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if axis is not None and x.ndim:
            axis = tuple(a % x.ndim for a in (axis if isinstance(axis, list | tuple) else (axis,)))
            if not axis:
                return x * 1.0 if reduce is not log_sum_exp else anp.log(anp.exp(x))
        return reduce(x, axis=axis if x.ndim else None, keepdims=keepdims)

    return reduced


REFERENCES: dict[str, Callable[..., Any]] = {
    "argmax": lambda x, axis=None, keepdims=False: np.argmax(x, axis=axis, keepdims=keepdims),
    "cross_entropy_grad": lambda dy, x, target: anp.reshape(dy, (-1, 1)) * (softmax(x) - one_hot(target, x)),
    "cross_entropy_rows": lambda x, target: log_sum_exp(x, axis=1) - anp.sum(x * one_hot(target, x), axis=1),
    "log_softmax": lambda x, axis=-1: x - log_sum_exp(x, axis=axis, keepdims=True) if x.size else x * 1.0,
    "logsumexp": tuple_axis(log_sum_exp),
    "max": tuple_axis(anp.max),
    "mean": tuple_axis(mean),
    "softmax": softmax,
    "sum": tuple_axis(anp.sum),
}

TORCH: dict[str, Callable[..., Any]] = {
    "cross_entropy_rows": lambda t, x, target: t.nn.functional.cross_entropy(x, target.long(), reduction="none"),
    "log_softmax": lambda t, x, axis=-1: t.log_softmax(x, axis),
    "softmax": lambda t, x, axis=-1: t.softmax(x, axis),
}
