"""Elements picked along one axis by an array of places, and put there; masks, and class numbers as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.arrays import axis_of
from minigrad.errors import DtypeError, ShapeError
from minigrad.op import Into, op
from minigrad.tape import Tensor

from .creation import as_tensor
from .elementwise import where
from .index import getitem, scatter
from .shape import broadcast_to, sum_to


def places(name: str, shape: tuple[int, ...], indices: Any, axis: int) -> tuple[Any, ...]:
    """The index that reads an array of `shape` at `indices` along `axis`, and at their own places along all others."""
    if indices.dtype.kind not in "iu":
        raise DtypeError(f"{name}: indices are whole numbers, got {indices.dtype}")
    if indices.ndim != len(shape):
        raise ShapeError(f"{name}: indices of shape {indices.shape} for a tensor of shape {shape}; expected as many axes")
    length = shape[axis]
    if indices.size and not -length <= indices.min() <= indices.max() < length:
        raise ShapeError(
            f"{name}: indices run from {indices.min()} to {indices.max()}; axis {axis} of shape {shape} has length {length}, which allows "
            f"{-length} to {length - 1}"
        )
    found: list[Any] = []
    for place, count in enumerate(indices.shape):
        own = np.arange(count if shape[place] != 1 else 1).reshape([-1 if k == place else 1 for k in range(len(shape))])
        found.append(indices if place == axis else own)
    return tuple(found)


def along(x_shape: tuple[int, ...], indices: Any, axis: int) -> tuple[Any, ...]:
    """`places` for take_along_axis: the other axes broadcast."""
    axis = axis_of("take_along_axis", axis, x_shape)
    indices = np.asarray(indices)
    if indices.ndim == len(x_shape):
        shape = [length if place == axis else 1 for place, length in enumerate(indices.shape)]
        for place, (length, own) in enumerate(zip(x_shape, indices.shape, strict=True)):
            if place != axis and length != own and 1 not in (length, own):
                raise ShapeError(
                    f"take_along_axis: indices of shape {indices.shape} for a tensor of shape {x_shape}: axis {place} must have "
                    "one length in both, or 1"
                )
            shape[place] = own if place == axis or length == 1 else length
        indices = np.broadcast_to(indices, shape)
    return places("take_along_axis", x_shape, indices, axis)


def take_along_grad(g: Tensor, x_shape: tuple[int, ...], indices: Tensor, axis: int) -> Tensor:
    """Each element of g added where it was taken from."""
    wide = tuple([length if place == axis % g.ndim else n for place, (length, n) in enumerate(zip(x_shape, g.shape, strict=True))])
    zeros = Tensor(np.zeros(wide, g.dtype))
    return sum_to(scatter_add(zeros, broadcast_to(indices, shape=g.shape), g, axis=axis), shape=x_shape)


def add_along(buffer: Any, g: Any, x_shape: Any, indices: Any, axis: int) -> None:
    """take_along_grad into memory that is there."""
    np.add.at(buffer, along(x_shape, indices, axis), g)


@op(x=Into(take_along_grad, add=add_along), indices=None)
def take_along_axis(x: Any, indices: Any, *, axis: int = -1) -> Any:
    """out[i, j] = x[i, indices[i, j]], for any number of axes of which `axis` is the one that is looked up.   (m,n),(m,k) -> (m,k)

    `indices` are whole numbers (negative ones count from the end) with as many axes as x; along the other axes both broadcast. What is
    taken twice gets both gradients. PyTorch's gather is this, on the first rows of x. Raises ShapeError if an index is out of range.

    >>> take_along_axis([[1.0, 2.0], [3.0, 4.0]], [[1], [0]])
    tensor([[2.],
            [3.]])
    """
    return x[along(x.shape, indices, axis)]


def corner(shape: tuple[int, ...], axis: int) -> tuple[slice, ...]:
    """The first elements along all axes but `axis`, as many as `shape` has."""
    return tuple([slice(None) if place == axis % len(shape) else slice(length) for place, length in enumerate(shape)])


def scatter_add_grad(g: Tensor, indices: Tensor, src_shape: tuple[int, ...], axis: int) -> Tensor:
    """The gradient that has arrived where each element was added; none for elements of src that have no index."""
    taken = take_along_axis(getitem(g, index=corner(indices.shape, axis)), indices, axis=axis)
    if taken.shape == src_shape:
        return taken
    return scatter(taken, shape=src_shape, index=tuple([slice(length) for length in indices.shape]))


@op(x=lambda g: g, indices=None, src=scatter_add_grad)
def scatter_add(x: Any, indices: Any, src: Any, *, axis: int = -1) -> Any:
    """x with src[i, j] added at i, indices[i, j]; what comes to one place is summed.   (m,n),(m,k),(m,k) -> (m,n)

    PyTorch's x.scatter_add(axis, indices, src), for any number of axes: indices and src have as many as x and do not
    broadcast; indices may be shorter than src along any axis, and than x along all but `axis`: the first elements are meant. Negative
    indices count from the end.
    The result is new, x is not changed. Raises ShapeError if an index is out of range.

    >>> scatter_add([0.0, 0.0], [1, 1, 0], [1.0, 2.0, 3.0])
    tensor([3., 3.])
    """
    if not np.ndim(x) or not np.ndim(x) == np.ndim(indices) == np.ndim(src):
        raise ShapeError(
            f"scatter_add(x, indices, src): x has shape {np.shape(x)}, indices {np.shape(indices)}, src {np.shape(src)}; expected as many "
            "axes in all three, 1 or more"
        )
    axis = axis_of("scatter_add", axis, x.shape)
    for place, count in enumerate(indices.shape):
        if count > src.shape[place] or (place != axis and count > x.shape[place]):
            raise ShapeError(
                f"scatter_add: indices of shape {indices.shape} reach beyond axis {place} of src (shape {src.shape}) or of x ({x.shape}): "
                "every index needs an element of src and a row of x"
            )
    out = np.array(x)
    if indices.size:
        np.add.at(out, places("scatter_add", x.shape, indices, axis), src[tuple([slice(length) for length in indices.shape])])
    return out


def masked_fill(x: Any, mask: Any, value: Any) -> Tensor:
    """x with `value` where `mask` is true: where(mask, value, x), for a mask of booleans that broadcasts and one number.   (n),(n) -> (n)

    `value` may be a tensor without axes, which then has a gradient. Raises DtypeError for a mask of anything but booleans, ShapeError
    for more values than one.

    >>> masked_fill([1.0, 2.0], [False, True], -1.0)
    tensor([ 1., -1.])
    """
    mask = as_tensor(mask)
    if mask.dtype != np.bool_:
        raise DtypeError(f"masked_fill: the mask has dtype {mask.dtype}; expected booleans, such as a comparison gives: mask != 0")
    x = as_tensor(x)
    try:
        np.broadcast_shapes(mask.shape, x.shape)
    except ValueError:
        raise ShapeError(f"masked_fill: a mask of shape {mask.shape} does not broadcast beside shape {x.shape}") from None
    if np.ndim(value):
        raise ShapeError(f"masked_fill: value has shape {np.shape(value)}; expected one number: where(mask, value, x) takes several")
    return where(mask, value, x)


@op(indices=None)
def one_hot(indices: Any, *, num_classes: int, dtype: Any = np.float32) -> Any:
    """1 at the place that each of `indices` names along a new last axis, 0 elsewhere; in float32 unless `dtype` says.   (n) -> (n,c)

    Raises ShapeError for an index below 0 or from `num_classes` on, DtypeError for indices that are no whole numbers.

    >>> one_hot([1, 0], 3)
    tensor([[0., 1., 0.],
            [1., 0., 0.]])
    """
    if not isinstance(num_classes, int | np.integer) or num_classes < 0:
        raise ShapeError(f"one_hot: num_classes={num_classes}; expected a whole number of 0 or more")
    if indices.dtype.kind not in "iu" and indices.size:
        raise DtypeError(f"one_hot: indices are whole numbers, got {indices.dtype}")
    if indices.size and not 0 <= indices.min() <= indices.max() < num_classes:
        raise ShapeError(
            f"one_hot: indices run from {indices.min()} to {indices.max()}; num_classes={num_classes} allows 0 to {num_classes - 1}"
        )
    return np.equal(indices[..., None], np.arange(num_classes)).astype(dtype)
