"""Operations along one axis that keep it: running sums and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.op import op
from minigrad.tape import Tensor

from .creation import as_tensor
from .gather import take_along_axis
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
        return np.argsort(x, axis=axis, kind="stable").reshape(x.shape)
    return x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)


def sort_grad(g: Tensor, x: Tensor, axis: int, descending: bool) -> Tensor:
    """g from the places where the elements went: the order that sorts the order."""
    return take_along_axis(g, argsort(argsort(x, axis=axis, descending=descending), axis=axis), axis=axis) if x.ndim else g


@op(x=sort_grad)
def sort(x: Any, *, axis: int = -1, descending: bool = False) -> Any:
    """The elements along `axis` in rising order (or falling); NaN counts as the largest.   (n) -> (n)

    The values alone, as NumPy's sort gives them, where PyTorch gives a pair: `argsort` has the places. Each element gets the gradient
    of the place it went to, those that tie in their order.

    >>> sort([3.0, 1.0, 2.0]), sort([3.0, 1.0, 2.0], descending=True)
    (tensor([1., 2., 3.]), tensor([3., 2., 1.]))
    """
    return np.take_along_axis(x, argsort.body(x, axis=axis, descending=descending), axis) if x.ndim else np.array(x)


def topk(x: Any, k: int, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest (or smallest) elements along `axis`, the best first, and their places as int64.   (n) -> (k),(k)

    Of elements that tie, the first come first; NaN counts as the largest. The gradient goes to the elements that were taken. Raises
    ShapeError if there are fewer than k.

    >>> topk([1.0, 3.0, 2.0], 2)
    (tensor([3., 2.]), tensor([1, 2]))
    """
    x = as_tensor(x)
    if not isinstance(k, int | np.integer) or not isinstance(axis, int | np.integer):
        raise DtypeError(f"topk: k and axis are whole numbers, got k={k!r}, axis={axis!r}")
    if not x.ndim or not -x.ndim <= axis < x.ndim or not 0 <= k <= x.shape[axis]:
        raise ShapeError(f"topk: {k} elements along axis {axis} of a tensor of shape {x.shape}: k runs from 0 to the length of that axis")
    order = argsort(x, axis=axis, descending=largest)
    first = getitem(order, index=(*(slice(None),) * (axis % x.ndim), slice(0, k)))
    return take_along_axis(x, first, axis=axis), first
