"""References of the operations that reduce axes or work along one."""

from __future__ import annotations

import math
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


def over(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """A function that reduces the first axis, as one that takes any `axis` and keepdims; of PyTorch's tensors too."""

    def reduced(x: Any, axis: Any = None, keepdims: bool = False, **settings: Any) -> Any:
        axes = range(x.ndim) if axis is None else axis if isinstance(axis, list | tuple) else (axis,)
        gone = [a % x.ndim for a in axes] if x.ndim else []
        stay = [a for a in range(x.ndim) if a not in gone]
        moved = (x.permute if hasattr(x, "permute") else x.transpose)((*gone, *stay)) if x.ndim else x
        lengths = [x.shape[a] for a in stay]
        out = reduce(moved.reshape((math.prod([x.shape[a] for a in gone]), *lengths)), **settings)
        return out.reshape([1 if a in gone else n for a, n in enumerate(x.shape)] if keepdims else lengths)

    return reduced


def var(x: Any, ddof: float = 0) -> Any:
    away = x - x[:1]  # of equal numbers exactly 0, which their mean is not
    away = away - anp.sum(away, axis=0) / np.float64(len(x))
    return anp.sum(away * away, axis=0) / np.float64(max(len(x) - ddof, 0))


def root(x: Any) -> Any:
    """Square root, with derivatives of 0 at 0."""
    still = x == 0
    return anp.sqrt(x * ~still + 1.0 * still) * ~still


def prod(x: Any) -> Any:
    found = np.ones(x.shape[1:]) + 0.0 * anp.sum(x)
    for row in x:
        found = found * row
    return found


def norm(x: Any, ord: float = 2) -> Any:
    size = x * anp.sign(x)
    if ord == np.inf:
        return anp.max(size, axis=0)
    if ord == 1:
        return anp.sum(size, axis=0)
    if ord == 2:
        return root(anp.sum(x * x, axis=0))
    nothing = size == 0
    total = anp.sum(anp.power(size * ~nothing + 1.0 * nothing, ord) * ~nothing, axis=0)
    still = total == 0
    return anp.power(total * ~still + 1.0 * still, 1.0 / ord) * ~still


REFERENCES: dict[str, Callable[..., Any]] = {
    "all": over(lambda x: np.sum(x == 0, axis=0) == 0),
    "any": over(lambda x: np.sum(x != 0, axis=0) > 0),
    "argmax": lambda x, axis=None, keepdims=False: np.argmax(x, axis=axis, keepdims=keepdims),
    "argmin": lambda x, axis=None, keepdims=False: np.argmin(x, axis=axis, keepdims=keepdims),
    "cross_entropy_grad": lambda dy, x, target: anp.reshape(dy, (-1, 1)) * (softmax(x) - one_hot(target, x)),
    "cross_entropy_rows": lambda x, target: log_sum_exp(x, axis=1) - anp.sum(x * one_hot(target, x), axis=1),
    "log_softmax": lambda x, axis=-1: x - log_sum_exp(x, axis=axis, keepdims=True) if x.size else x * 1.0,
    "logsumexp": tuple_axis(log_sum_exp),
    "max": tuple_axis(anp.max),
    "mean": tuple_axis(mean),
    "min": tuple_axis(anp.min),
    "norm": over(norm),
    "prod": over(prod),
    "softmax": softmax,
    "std": over(lambda x, ddof=0: root(var(x, ddof))),
    "sum": tuple_axis(anp.sum),
    "var": over(var),
}

TORCH: dict[str, Callable[..., Any]] = {
    "all": lambda t, x, **settings: over(lambda x: t.all(x, 0))(x, **settings),
    "any": lambda t, x, **settings: over(lambda x: t.any(x, 0))(x, **settings),
    "argmax": lambda t, x, axis=None, keepdims=False: t.argmax(x, axis, keepdims),
    "argmin": lambda t, x, axis=None, keepdims=False: t.argmin(x, axis, keepdims),
    "cross_entropy_grad": lambda t, dy, x, target: dy[:, None] * (t.softmax(x, 1) - t.eye(x.shape[1], dtype=x.dtype)[target.long()]),
    "cross_entropy_rows": lambda t, x, target: t.nn.functional.cross_entropy(x, target.long(), reduction="none"),
    "log_softmax": lambda t, x, axis=-1: t.log_softmax(x, axis),
    "logsumexp": lambda t, x, **settings: over(lambda x: t.logsumexp(x, 0))(x, **settings),
    "max": lambda t, x, **settings: over(lambda x: t.amax(x, 0))(x, **settings),
    "mean": lambda t, x, **settings: over(lambda x: t.mean(x, 0))(x, **settings),
    "min": lambda t, x, **settings: over(lambda x: t.amin(x, 0))(x, **settings),
    "norm": lambda t, x, **settings: over(lambda x, ord=2: t.linalg.vector_norm(x, ord, 0))(x, **settings),
    "prod": lambda t, x, **settings: over(lambda x: t.prod(x, 0))(x, **settings),
    "softmax": lambda t, x, axis=-1: t.softmax(x, axis),
    "std": lambda t, x, **settings: over(lambda x, ddof=0: t.std(x, 0, correction=ddof))(x, **settings),
    "sum": lambda t, x, **settings: over(lambda x: t.sum(x, 0))(x, **settings),
    "var": lambda t, x, **settings: over(lambda x, ddof=0: t.var(x, 0, correction=ddof))(x, **settings),
}
