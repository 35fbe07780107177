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


REFERENCES: dict[str, Callable[..., Any]] = {
    "argsort": lambda x, axis=-1, descending=False: np.argsort(-x if descending else x, axis=axis, kind="stable"),
    "cumsum": cumsum,
}

TORCH: dict[str, Callable[..., Any]] = {
    "argsort": lambda t, x, axis=-1, descending=False: t.argsort(x, dim=axis, descending=descending, stable=True),
    "cumsum": lambda t, x, axis=None: t.cumsum(x.flatten(), 0) if axis is None or not x.ndim else t.cumsum(x, axis),
}
