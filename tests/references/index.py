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


def places(t: Any, shape: Any, index: Any) -> Any:
    """Where the elements x[index] stand in x as one row."""
    return t.tensor(np.array(np.arange(int(np.prod(shape, dtype=int))).reshape(shape)[index]))


def rows(ndim: int, indices: Any, axis: int) -> Any:
    """The index that takes slices along an axis."""
    return (*(slice(None),) * (axis % ndim), np.asarray(indices))


def put(t: Any, x: Any, shape: Any, places: Any) -> Any:
    """Zeros with the elements of x added at these places."""
    zeros = t.zeros(int(np.prod(shape, dtype=int)), dtype=x.dtype)
    return zeros.index_add(0, places.reshape(-1), x.reshape(-1)).reshape(tuple(shape))


TORCH: dict[str, Callable[..., Any]] = {
    "getitem": lambda t, x, index: x.reshape(-1)[places(t, x.shape, index)],
    "scatter": lambda t, x, shape, index: put(t, x, shape, places(t, shape, index)),
    "scatter_rows": lambda t, x, indices, shape, axis=0: put(t, x, shape, places(t, shape, rows(len(shape), indices, axis))),
    "take": lambda t, x, indices, axis=0: x.reshape(-1)[places(t, x.shape, rows(x.ndim, indices, axis))],
}
