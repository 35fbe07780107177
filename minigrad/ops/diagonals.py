"""Diagonals and triangles of matrices: of the last two axes, or of any two."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.arrays import axis_of
from minigrad.errors import DtypeError, ShapeError
from minigrad.op import Into, op
from minigrad.tape import Tensor

from .creation import as_tensor
from .reduce import sum_


def check_matrix(name: str, x: Any, k: Any) -> None:
    """Refuse what has no two axes, or no k-th diagonal, in words."""
    if not isinstance(k, int | np.integer):
        raise DtypeError(f"{name}: the number of a diagonal is a whole number, got {k!r}")
    if x.ndim < 2:
        raise ShapeError(f"{name} wants a matrix, or several behind each other: at least 2 axes, got shape {x.shape}")


def diagonal_of(x: Any, offset: int, axis1: int, axis2: int) -> Any:
    """The diagonal as a view that can be written to if x can."""
    first, second = axis_of("diagonal", axis1, x.shape), axis_of("diagonal", axis2, x.shape)
    if first == second:
        raise ShapeError(f"diagonal: axis1={axis1} and axis2={axis2} are one axis of shape {x.shape}: a diagonal runs along two")
    found = np.diagonal(x, offset, first, second)
    if x.flags.writeable:
        found.flags.writeable = True
    return found


def add_diagonal(buffer: Any, g: Any, x_shape: Any, offset: int, axis1: int, axis2: int) -> None:
    """Add g to the diagonal of `buffer`."""
    found = diagonal_of(buffer, offset, axis1, axis2)
    found += g


@op(x=lambda g, offset, axis1, axis2: diagonal(g, offset=offset, axis1=axis1, axis2=axis2))
def diagonal_matrix(x: Any, *, shape: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Zeros of `shape` with x on the diagonal: the gradient of diagonal, and the other way round.   (n) -> (n,n)"""
    out = np.zeros(shape, x.dtype)
    diagonal_of(out, offset, axis1, axis2)[...] = x
    return out


@op(
    view=True,
    x=Into(
        lambda g, x_shape, offset, axis1, axis2: diagonal_matrix(g, shape=x_shape, offset=offset, axis1=axis1, axis2=axis2),
        add=add_diagonal,
    ),
)
def diagonal(x: Any, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements i, i + offset of the axes `axis1` and `axis2`, as a last axis (a view, as NumPy's).   (n,n) -> (n)

    >>> diagonal([[1.0, 2.0], [3.0, 4.0]])
    tensor([1., 4.])
    """
    check_matrix("diagonal", x, offset)
    return diagonal_of(x, offset, axis1, axis2)


def diag(x: Any, k: int = 0) -> Tensor:
    """The k-th diagonal of a matrix; of a vector, the matrix with it as k-th diagonal. Raises ShapeError for other shapes.   (n) -> (n,n)

    >>> diag([1.0, 2.0])
    tensor([[1., 0.],
            [0., 2.]])
    >>> diag([[1.0, 2.0], [3.0, 4.0]])
    tensor([1., 4.])
    """
    x = as_tensor(x)
    if x.ndim not in (1, 2):
        raise ShapeError(f"diag wants a vector or a matrix, got shape {x.shape}: diagonal() takes those of stacked matrices")
    side = x.shape[0] + abs(k)
    return diagonal_matrix(x, shape=(side, side), offset=k) if x.ndim == 1 else diagonal(x, offset=k)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of the diagonal that `diagonal` takes.   (n,n) -> ()

    >>> trace([[1.0, 2.0], [3.0, 4.0]])
    tensor(5.)
    """
    return sum_(diagonal(x, offset=offset, axis1=axis1, axis2=axis2), axis=-1)


@op(x=lambda g, k: triu(g, k=k))
def triu(x: Any, *, k: int = 0) -> Any:
    """The upper triangle of each matrix, from the k-th diagonal on; zeros below.   (m,n) -> (m,n)

    >>> triu([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [0., 4.]])
    """
    check_matrix("triu", x, k)
    return np.triu(x, k)


@op(x=lambda g, k: tril(g, k=k))
def tril(x: Any, *, k: int = 0) -> Any:
    """The lower triangle of each matrix, up to the k-th diagonal; zeros above.   (m,n) -> (m,n)

    >>> tril([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 0.],
            [3., 4.]])
    """
    check_matrix("tril", x, k)
    return np.tril(x, k)
