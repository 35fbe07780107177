"""References of the operations that read and write elements by place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np


def scatter(x: Any, shape: Any, index: Any) -> Any:
    """A matrix of zeros and ones puts each element in its place: nothing like the buffer that minigrad adds to."""
    places = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)[index].ravel()
    puts = np.zeros((int(np.prod(shape, dtype=int)), places.size))
    puts[places, np.arange(places.size)] = 1.0
    return anp.dot(puts, anp.reshape(x, (places.size,))).reshape(shape)


def scatter_rows(x: Any, indices: Any, shape: Any, axis: int = 0) -> Any:
    index = (slice(None),) * (axis % len(shape)) + (np.asarray(indices),)
    return scatter(x, shape, index)


REFERENCES: dict[str, Callable[..., Any]] = {
    "getitem": lambda x, index: x[index],
    "scatter": scatter,
    "scatter_rows": scatter_rows,
    "take": lambda x, indices, axis=0: x[(slice(None),) * (axis % x.ndim) + (np.asarray(indices),)],
}

TORCH: dict[str, Callable[..., Any]] = {}
