"""Operations along one axis that keep it: running sums and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.op import op
from minigrad.tape import Tensor

from .index import getitem
from .shape import reshape


def backwards(x: Tensor, axis: int) -> Tensor:
    """x with one axis from its end to its start."""
    return getitem(x, index=(*(slice(None),) * (axis % max(x.ndim, 1)), slice(None, None, -1)))


def cumsum_grad(g: Tensor, x_shape: tuple[int, ...], axis: int | None) -> Tensor:
    """Each element is in all sums from its place on: the running sum from the end."""
    along = axis or 0
    return reshape(backwards(cumsum(backwards(g, along), axis=along), along), shape=x_shape)


@op(x=cumsum_grad)
def cumsum(x: Any, *, axis: int | None = None) -> Any:
    """Running sum along `axis`; of all elements in a row by default.   (n) -> (n)

    >>> cumsum([[1.0, 2.0], [3.0, 4.0]], axis=1)
    tensor([[1., 3.],
            [3., 7.]])
    """
    return np.cumsum(x, axis=axis)


@op(x=None)
def argsort(x: Any, *, axis: int = -1, descending: bool = False) -> Any:
    """The places of the elements along `axis` in rising order (or falling), as int64.   (n) -> (n)

    Elements that tie keep their order, both ways; NaN counts as the largest.

    >>> argsort([3.0, 1.0, 2.0, 1.0]), argsort([3.0, 1.0, 2.0, 1.0], descending=True)
    (tensor([1, 3, 2, 0]), tensor([0, 2, 1, 3]))
    """
    if not descending or not x.ndim:
        return np.argsort(x, axis=axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
