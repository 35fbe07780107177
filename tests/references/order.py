"""References of the operations that run along one axis and keep it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np


def cumsum(x: Any, axis: int | None = None) -> Any:
    """A triangle of ones says which elements are in which sum."""
    if axis is None or not x.ndim:
        x, axis = anp.reshape(x, (-1,)), 0
    ones = np.tril(np.ones((x.shape[axis],) * 2))
    return anp.swapaxes(anp.tensordot(ones, anp.swapaxes(x, 0, axis), 1), 0, axis)


def sort(x: Any, axis: int = -1, descending: bool = False) -> Any:
    """A matrix of zeros and ones for each row puts its elements in their places."""
    if not x.ndim or not x.size:
        return x * 1.0
    order = np.argsort(np.swapaxes(-plain(x) if descending else plain(x), axis, -1), axis=-1, kind="stable")
    puts = order[..., None] == np.arange(order.shape[-1])
    return anp.swapaxes(anp.sum(puts * anp.swapaxes(x, axis, -1)[..., None, :], axis=-1), axis, -1)


def plain(x: Any) -> Any:
    """The numbers of a value that autograd watches."""
    return x if isinstance(x, np.ndarray) else plain(x._value)


def topk(x: Any, k: int, axis: int = -1, largest: bool = True) -> Any:
    return sort(x, axis, largest)[(slice(None),) * (axis % x.ndim) + (slice(k),)]


REFERENCES: dict[str, Callable[..., Any]] = {
    "argsort": lambda x, axis=-1, descending=False: np.argsort(-x if descending else x, axis=axis, kind="stable").reshape(x.shape),
    "cumsum": cumsum,
    "sort": sort,
    "topk()": topk,
}

TORCH: dict[str, Callable[..., Any]] = {
    "argsort": lambda t, x, axis=-1, descending=False: t.argsort(x, dim=axis, descending=descending, stable=True),
    "cumsum": lambda t, x, axis=None: t.cumsum(x.flatten(), 0) if axis is None or not x.ndim else t.cumsum(x, axis),
    "sort": lambda t, x, axis=-1, descending=False: t.sort(x, dim=axis, descending=descending, stable=True)[0],
    "topk()": lambda t, x, k, axis=-1, largest=True: t.sort(x, dim=axis, descending=largest, stable=True)[0].narrow(axis, 0, k),
}
