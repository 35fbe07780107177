"""References of what picks and puts along one axis, of masks and of class numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .elementwise import choose
from .index import scatter


def found(shape: Any, indices: Any, axis: int) -> tuple[Any, ...]:
    """The places of all elements, but those that `indices` says along `axis`."""
    index = list(np.indices(indices.shape))
    index[axis] = np.asarray(indices)
    return tuple([place % max(length, 1) for place, length in zip(index, shape, strict=True)])


def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Any:
    axis = axis % len(x.shape)
    wide = np.broadcast_shapes((*x.shape[:axis], 1, *x.shape[axis + 1 :]), indices.shape)
    return x[found(x.shape, np.broadcast_to(indices, wide), axis)]


def scatter_add(x: Any, indices: Any, src: Any, axis: int = -1) -> Any:
    some = src[tuple([slice(length) for length in indices.shape])]
    return x + scatter(some, x.shape, found(x.shape, indices, axis))


REFERENCES: dict[str, Callable[..., Any]] = {
    "masked_fill()": lambda x, value, mask: choose(mask, value, x),
    "one_hot": lambda indices, num_classes: np.eye(num_classes)[np.asarray(indices)],
    "scatter_add": scatter_add,
    "take_along_axis": take_along_axis,
}


def from_start(indices: Any, length: int) -> Any:
    """PyTorch has no indices from the end."""
    return indices.long() % max(length, 1)


def torch_scatter_add(x: Any, indices: Any, src: Any, axis: int) -> Any:
    """Its gradient wants src in the shape of the indices."""
    return x.scatter_add(axis, from_start(indices, x.shape[axis]), src[tuple([slice(n) for n in indices.shape])])


TORCH: dict[str, Callable[..., Any]] = {
    "masked_fill()": lambda t, x, value, mask: x.masked_fill(t.tensor(mask), value),
    "one_hot": lambda t, indices, num_classes: t.nn.functional.one_hot(indices.long(), num_classes),
    "scatter_add": lambda t, x, indices, src, axis=-1: torch_scatter_add(x, indices, src, axis),
    "take_along_axis": lambda t, x, indices, axis=-1: t.take_along_dim(x, from_start(indices, x.shape[axis]), axis),
}
