"""Operations that move elements about without changing them. Results may be views of their argument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from minigrad.arrays import axes_of, axis_of
from minigrad.errors import DtypeError, ShapeError
from minigrad.op import op
from minigrad.tape import Tensor

from .creation import as_tensor
from .index import getitem


@op(view=True, x=lambda g, x_shape: reshape(g, shape=x_shape))
def reshape(x: Any, *, shape: Any) -> Any:
    """The same elements, in the same order, in another shape; one length may be -1.   (n) -> (m)

    >>> reshape([1.0, 2.0, 3.0, 4.0], (2, 2))
    tensor([[1., 2.],
            [3., 4.]])
    """
    try:
        return np.asarray(x).reshape(shape)
    except ValueError:
        raise ShapeError(
            f"reshape: shape {x.shape} has {x.size} elements, which do not fill {shape}; expected lengths whose product is {x.size}, one "
            "of which may be -1"
        ) from None


@op(view=True, x=lambda g, axes: transpose(g, axes=None if axes is None else np.argsort([a % len(axes) for a in axes])))
def transpose(x: Any, *, axes: Any = None) -> Any:
    """The axes in another order, reversed by default.   (m,n) -> (n,m)

    >>> transpose([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 3.],
            [2., 4.]])
    """
    try:
        return np.transpose(x, axes)
    except ValueError:
        raise ShapeError(
            f"transpose: axes={axes} should list all {x.ndim} axes of shape {x.shape} in their new order; to exchange two there is swapaxes"
        ) from None


@op(view=True, x=lambda g, axis1, axis2: swapaxes(g, axis1=axis1, axis2=axis2))
def swapaxes(x: Any, *, axis1: int, axis2: int) -> Any:
    """Two axes exchanged.   (m,n) -> (n,m)

    >>> swapaxes([[1.0, 2.0]], axis1=0, axis2=1).shape
    (2, 1)
    """
    try:
        return np.swapaxes(x, axis1, axis2)
    except ValueError:
        raise ShapeError(f"swapaxes: axes {axis1} and {axis2} of shape {x.shape}: axes run from {-x.ndim} to {x.ndim - 1}") from None


@op(view=True, x=lambda g, x_shape: reshape(g, shape=x_shape))
def expand_dims(x: Any, *, axis: Any) -> Any:
    """A new axis of length 1 at the place `axis`, or several.   (n) -> (1,n)

    >>> expand_dims([1.0, 2.0], axis=0).shape
    (1, 2)
    """
    try:
        return (
            x[None] if axis == 0 and type(axis) is int else np.expand_dims(x, axis)
        )  # the first, for which NumPy takes twenty times as long
    except ValueError:
        ndim = x.ndim + (len(axis) if isinstance(axis, tuple | list) else 1)
        raise ShapeError(
            f"expand_dims: axis={axis} for shape {x.shape}: the result's axes run from {-ndim} to {ndim - 1}, each can be named once"
        ) from None


@op(view=True, x=lambda g, x_shape: reshape(g, shape=x_shape))
def squeeze(x: Any, *, axis: Any = None) -> Any:
    """Axes of length 1 removed: all, or those named.   (1,n) -> (n)

    >>> squeeze([[1.0, 2.0]]).shape
    (2,)
    """
    try:
        return np.squeeze(x, axis)
    except ValueError:
        axes_of("squeeze", axis, x.shape)
        raise ShapeError(f"squeeze: axis={axis} of shape {x.shape}: only axes of length 1 can go") from None


@op(view=True, x=lambda g, x_shape: sum_to(g, shape=x_shape))
def broadcast_to(x: Any, *, shape: Any) -> Any:
    """x repeated to `shape` by NumPy's rules (a view). Its gradient is sum_to.   (n) -> (m,n)

    >>> broadcast_to([1.0, 2.0], shape=(2, 2))
    tensor([[1., 2.],
            [1., 2.]])
    """
    try:
        return np.broadcast_to(x, shape)
    except ValueError:
        raise ShapeError(
            f"broadcast_to: shape {x.shape} does not stretch to {shape}: from the right, its lengths must be 1 or the same"
        ) from None


@op(x=lambda g, x_shape: broadcast_to(g, shape=x_shape))
def sum_to(x: Any, *, shape: Any) -> Any:
    """x summed over the axes that broadcasting would have stretched from `shape`. Its gradient is broadcast_to.   (m,n) -> (n)

    >>> sum_to([[1.0, 2.0], [3.0, 4.0]], shape=(2,))
    tensor([4., 6.])
    """
    lead = x.ndim - len(shape)
    if lead < 0 or any(length not in (1, x.shape[i + lead]) for i, length in enumerate(shape)):
        raise ShapeError(f"sum_to: {x.shape} is not what {tuple(shape)} broadcasts to")
    stretched = tuple([i + lead for i, length in enumerate(shape) if length == 1 and x.shape[i + lead] != 1])
    return np.add.reduce(x, axis=(*range(lead), *stretched), keepdims=True).reshape(shape)


def add_sum(into: Any, x: Any) -> None:
    """Add to an array what `sum_to` makes of another. Parts of x can give the bits of the whole (kernels/rows.pxi)."""
    kernel = sum_to.kernel
    if kernel is None or kernel(x, into.shape, into) is NotImplemented:
        into += sum_to.body(x, shape=into.shape)


@op(x=lambda g: g, view=True)
def identity(x: Any) -> Any:
    """x itself, as a new place on the tape.   () -> ()"""
    return x.view()


@op(x=None, view=True)
def detach(x: Any) -> Any:
    """x itself, a constant to gradients: what a tracer writes down for Tensor.detach().   () -> ()"""
    return x.view()


def pieces(g: Tensor, shapes: list[tuple[int, ...]], axis: int) -> list[Tensor]:
    """The slices of `g` along `axis` that belong to arrays of `shapes`."""
    bounds = np.cumsum([0, *(shape[axis] for shape in shapes)]).tolist()
    before = (slice(None),) * (axis % g.ndim)
    return [getitem(g, index=(*before, slice(start, stop))) for start, stop in pairwise(bounds)]


@op(xs=lambda g, xs_shape, axis: pieces(g, xs_shape, axis))
def concatenate_(*xs: Any, axis: int = 0) -> Any:
    """Arrays joined along an axis that exists.   (m,k),(n,k) -> (m+n,k)"""
    if axis is None:
        raise ShapeError("concatenate: axis=None is not an axis; flatten with reshape(-1) first")
    try:
        return np.ascontiguousarray(np.concatenate(xs, axis))  # NumPy's has the order of its parts, and then no kernel reads it
    except ValueError:
        shapes = ", ".join([str(x.shape) for x in xs]) or "none"
        if xs and xs[0].ndim:
            axis_of("concatenate", axis, xs[0].shape)
        raise ShapeError(
            f"concatenate: shapes {shapes} along axis {axis}; expected one tensor or more, of as many axes, with the same lengths along "
            "all others; stack() makes a new axis"
        ) from None


@op(xs=lambda g, axis: [getitem(g, index=(*(slice(None),) * (axis % g.ndim), i)) for i in range(g.shape[axis])])
def stack_(*xs: Any, axis: int = 0) -> Any:
    """Arrays of one shape joined along a new axis.   (n),(n) -> (2,n)"""
    try:
        return np.stack(xs, axis)
    except ValueError:
        shapes = ", ".join([str(x.shape) for x in xs]) or "none"
        if xs:
            axis_of("stack", axis, (1, *xs[0].shape))
        raise ShapeError(
            f"stack: shapes {shapes} at a new axis {axis}; expected one tensor or more, all of one shape: concatenate() joins others"
        ) from None


def concatenate(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """A sequence of tensors joined along an axis that exists.   (m,k),(n,k) -> (m+n,k)

    >>> concatenate([[1.0], [2.0, 3.0]])
    tensor([1., 2., 3.])
    """
    return concatenate_(*xs, axis=axis)


def cat(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """`concatenate` by PyTorch's name.   (m,k),(n,k) -> (m+n,k)

    >>> cat([[1.0], [2.0, 3.0]])
    tensor([1., 2., 3.])
    """
    return concatenate(xs, axis=axis)


def stack(xs: Sequence[Any], axis: int = 0) -> Tensor:
    """A sequence of tensors of one shape joined along a new axis.   (n),(n) -> (2,n)

    >>> stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    tensor([[1., 3.],
            [2., 4.]])
    """
    return stack_(*xs, axis=axis)


def split(x: Any, parts: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """`parts` equal pieces along `axis`, or the pieces between the places listed in `parts` (NumPy's meaning, not PyTorch's).

    The pieces are views. Raises ShapeError if the axis does not divide.   (2n) -> (n),(n)

    >>> split([1.0, 2.0, 3.0, 4.0], 2)
    (tensor([1., 2.]), tensor([3., 4.]))
    """
    x = as_tensor(x)
    axis = axis_of("split", axis, x.shape)
    length = x.shape[axis]
    if isinstance(parts, int | np.integer):
        if parts < 1 or length % parts:
            raise ShapeError(f"split: axis {axis} of shape {x.shape} has length {length}, which does not divide into {parts} equal parts")
        bounds = list(range(0, length + 1, length // parts)) if length else [0] * (parts + 1)
    else:
        if isinstance(parts, str | float) or not all(isinstance(place, int | np.integer | Tensor) for place in parts):
            raise DtypeError(f"split: {parts!r} should be a number of equal parts, or a list of the places to cut at")
        bounds = [0, *parts, length]
    return between(x, bounds, axis)


def between(x: Tensor, bounds: Sequence[int], axis: int) -> tuple[Tensor, ...]:
    """The pieces of x from each of `bounds` to the next."""
    before = (slice(None),) * axis
    return tuple([getitem(x, index=(*before, slice(start, stop))) for start, stop in pairwise(bounds)])


def chunk(x: Any, chunks: int, axis: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces along `axis`, all as long as the first but for the last, which may be shorter (PyTorch's meaning).

    The pieces are views. Raises ShapeError for fewer than one.   (2n) -> (n),(n)

    >>> chunk([1.0, 2.0, 3.0, 4.0, 5.0], 3)
    (tensor([1., 2.]), tensor([3., 4.]), tensor([5.]))
    """
    x = as_tensor(x)
    axis = axis_of("chunk", axis, x.shape)
    if not isinstance(chunks, int | np.integer) or chunks < 1:
        raise ShapeError(f"chunk: {chunks} pieces of shape {x.shape}; expected a whole number of 1 or more")
    length = x.shape[axis]
    each = -(-length // chunks)
    return between(x, [*range(0, length, each), length] if length else [0] * (chunks + 1), axis)


def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """The axes `source` (one, or several) moved to the places `destination`, the others in their order.   (l,m,n) -> (m,n,l)

    >>> moveaxis([[[1.0], [2.0]]], 0, -1).shape
    (2, 1, 1)
    """
    x = as_tensor(x)
    moved, places = axes_of("moveaxis", source, x.shape), axes_of("moveaxis", destination, x.shape)
    if len(moved) != len(places):
        raise ShapeError(f"moveaxis: source={source} has {len(moved)} axes, destination={destination} {len(places)}: give as many")
    order = [axis for axis in range(x.ndim) if axis not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return transpose(x, axes=tuple(order))


def flatten(x: Any, start: int = 0, stop: int = -1) -> Tensor:
    """The axes from `start` to `stop` (with it) as one; all of them by default.   (l,m,n) -> (k)

    >>> flatten([[[1.0, 2.0]], [[3.0, 4.0]]], 1).shape
    (2, 2)
    """
    x = as_tensor(x)
    if not x.ndim:
        return reshape(x, shape=(1,))
    first, last = axis_of("flatten", start, x.shape), axis_of("flatten", stop, x.shape)
    if first > last:
        raise ShapeError(f"flatten: start={start} lies behind stop={stop} in shape {x.shape}")
    return reshape(x, shape=(*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


def ravel(x: Any) -> Tensor:
    """All elements as a vector.   (m,n) -> (k)

    >>> ravel([[1.0, 2.0], [3.0, 4.0]])
    tensor([1., 2., 3., 4.])
    """
    return reshape(x, shape=(math.prod(np.shape(x)),))
