"""Reading elements by place. The gradients add into one buffer, however many slices of a tensor were read."""

from __future__ import annotations

from types import EllipsisType, NoneType
from typing import Any

import numpy as np

from minigrad.arithmetic import operators
from minigrad.arrays import axis_of, bare_index
from minigrad.errors import DtypeError, ShapeError
from minigrad.op import Into, op
from minigrad.sparse import Rows, add_up, summed
from minigrad.tape import Tensor


def add_at(buffer: Any, g: Any, x_shape: Any, index: Any) -> None:
    """buffer[index] += g, with places that occur twice counted twice."""
    if is_basic(index):
        view = buffer[index]  # but for one number
        if type(view) is not np.ndarray or operators["iadd"](view, g) is NotImplemented:
            buffer[index] += g
    elif not any(may_repeat(part) for part in (index if isinstance(index, tuple) else (index,))):
        buffer[index] += g
    else:
        np.add.at(buffer, index, g)


def may_repeat(part: Any) -> bool:
    """Whether a part of an index can name a place twice: of all parts only arrays of whole numbers can."""
    if isinstance(part, np.ndarray):
        return part.ndim > 0 and part.dtype != np.bool_
    return not isinstance(part, NoneType | EllipsisType | int | np.integer | np.bool_ | slice)


def is_basic(index: Any) -> bool:
    """True for ints, slices, None and ...: each element is read once at most."""
    parts = index if type(index) is tuple else (index,)
    return all(part is None or part is Ellipsis or type(part) is int or (type(part) is slice and is_plain(part)) for part in parts)


def is_plain(part: slice) -> bool:
    """True for a slice whose bounds are Python's own numbers: an array as a bound can change before it is read again."""
    return type(part.start) in (int, NoneType) and type(part.stop) in (int, NoneType) and type(part.step) in (int, NoneType)


@op(x=lambda g, index: getitem(g, index=index))
def scatter(x: Any, *, shape: Any, index: Any) -> Any:
    """Zeros of `shape` with x added at the places `index`: the gradient of getitem, and the other way round.   (k) -> (n)"""
    out = np.zeros(shape, x.dtype)
    add_at(out, x, shape, index)
    return out


@op(view=True, x=Into(lambda g, x_shape, index: scatter(g, shape=x_shape, index=index), add=add_at))
def getitem_(x: Any, *, index: Any) -> Any:
    """x[index] for ints, slices, None, ..., integer and boolean arrays, as NumPy indexes.   (n) -> (k)"""
    try:
        return x[index]
    except (IndexError, ValueError, TypeError) as problem:
        raise refused(x.shape, index, problem) from None


def refused(shape: tuple[int, ...], index: Any, problem: Exception) -> Exception:
    """The sentence about an index that NumPy does not take."""
    parts = index if isinstance(index, tuple) else (index,)
    wrong = [part for part in parts if np.asarray(part).dtype.kind not in "iubO"] if not isinstance(problem, ValueError) else []
    if wrong:
        kind = np.asarray(wrong[0]).dtype
        return DtypeError(
            f"x[index] with a part of {kind} in the index, for shape {shape}: an index is made of whole numbers, slices, None, ... and "
            "arrays of whole numbers or booleans; astype('int64') makes places of numbers, a comparison makes a mask"
        )
    return ShapeError(f"x[index] of shape {shape} with the index ({', '.join(map(said, parts))}): {problem}")


def said(part: Any) -> str:
    """A part of an index in few words."""
    if isinstance(part, slice):
        bounds = (part.start, part.stop) if part.step is None else (part.start, part.stop, part.step)
        return ":".join(["" if bound is None else str(bound) for bound in bounds])
    if isinstance(part, np.ndarray) and part.ndim:
        return f"{part.dtype}{part.shape}"
    return "..." if part is Ellipsis else str(part)


def getitem(x: Any, index: Any) -> Tensor:
    """x[index] for ints, slices, None, ..., integer and boolean arrays, as NumPy indexes.   (n) -> (k)

    Whole numbers, slices, None and ... give views; arrays, lists and tensors of whole numbers (which may repeat, and count from the end
    if negative) or of booleans give new memory. Raises ShapeError for what lies outside or does not fit, DtypeError for other numbers.

    >>> getitem([1.0, 2.0, 3.0], index=[0, 2])
    tensor([1., 3.])
    """
    if not is_basic(index):
        try:
            index = bare_index(index)
        except ValueError as problem:
            raise ShapeError(f"x[index] of shape {np.shape(x)}: a list in the index is no array: {problem}") from None
        except TypeError as problem:
            raise DtypeError(f"x[index] of shape {np.shape(x)}: the bounds of a slice are whole numbers: {problem}") from None
    return getitem_(x, index=index)


def placed(g: Any, x_shape: Any, indices: Any, axis: int) -> tuple[Any, Any]:
    """The places along `axis` that slices of g belong to, and the slices along a first axis."""
    places = np.asarray(indices, np.intp).reshape(-1) % max(x_shape[axis], 1)
    lead = axis % len(x_shape)
    return places, np.moveaxis(g.reshape((*x_shape[:lead], places.size, *x_shape[lead + 1 :])), lead, 0)


def by_row(g: Any, x_shape: Any, indices: Any, axis: int) -> tuple[Any, Any]:
    """The places along `axis` that slices of g belong to, each once, and the sum of its slices."""
    return summed(*placed(g, x_shape, indices, axis))


def add_rows(buffer: Any, g: Any, x_shape: Any, indices: Any, axis: int) -> None:
    """Add each slice of g to the row of `buffer` it was taken from."""
    places, slices = placed(g, x_shape, indices, axis)
    if places.size:
        add_up(np.moveaxis(buffer, axis, 0), slices, places)


def used_rows(g: Any, x_shape: Any, indices: Any, axis: int) -> Rows | None:
    """The gradient of take as the rows that were taken; None for slices along another axis."""
    if axis not in (0, -len(x_shape)):
        return None
    places = np.asarray(indices, np.intp).reshape(-1) % max(x_shape[0], 1)
    return Rows(x_shape, *summed(places, g.reshape(places.size, *x_shape[1:])))


@op(x=lambda g, indices, axis: take(g, indices, axis=axis), indices=None)
def scatter_rows(x: Any, indices: Any, *, shape: Any, axis: int = 0) -> Any:
    """Zeros of `shape` with the slices of x added at `indices` along `axis`: the gradient of take.   (k,n),(k) -> (m,n)"""
    out = np.zeros(shape, x.dtype)
    places, sums = by_row(x, shape, indices, axis)
    np.moveaxis(out, axis, 0)[places] = sums  # set, not added to zeros: that would take the minus from a zero
    return out


@op(
    x=Into(lambda g, x_shape, indices, axis: scatter_rows(g, indices, shape=x_shape, axis=axis), add=add_rows, rows=used_rows),
    indices=None,
)
def take(x: Any, indices: Any, *, axis: int = 0) -> Any:
    """The slices of x at `indices` along `axis`; rows of a table by default: an embedding.   (m,n),(k) -> (k,n)

    `indices` are whole numbers of any shape, which takes the place of the axis. Raises ShapeError if one is out of range.

    >>> take([[1.0, 2.0], [3.0, 4.0]], [1, 1])
    tensor([[3., 4.],
            [3., 4.]])
    """
    if axis is None:
        raise ShapeError("take: axis=None is not an axis; flatten with reshape(-1) first")
    try:
        return np.take(x, indices, axis)
    except TypeError:
        axis_of("take", axis, x.shape)
        kind = np.asarray(indices).dtype
        raise DtypeError(f"take: indices are whole numbers, got {kind}: astype('int64') makes them of others") from None
    except IndexError as problem:
        raise ShapeError(f"take along axis {axis} of shape {x.shape}: {problem}") from None
