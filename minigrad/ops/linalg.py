"""Matrix products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.op import Into, op
from minigrad.tape import Tensor, wrap

from .creation import as_tensor, as_tensors
from .elementwise import mul
from .shape import add_sum, expand_dims, moveaxis, ravel, reshape, sum_to


def matmul_grad_a(g: Tensor, a_shape: tuple[int, ...], b: Tensor) -> Tensor:
    """g b^T, with vectors as the row and the column they stand for."""
    if b.ndim == 1:
        return expand_dims(g, axis=-1) * b
    if len(a_shape) == 1 and b.ndim > 2:
        return sum_to(reshape(b @ expand_dims(g, axis=-1), shape=(*b.shape[:-2], a_shape[0])), shape=a_shape)
    product = g @ b.swapaxes(-1, -2)
    return product if product.shape == a_shape else sum_to(product, shape=a_shape)


def matmul_grad_b(g: Tensor, a: Tensor, b_shape: tuple[int, ...]) -> Tensor:
    """a^T g, with vectors as the row and the column they stand for."""
    if len(b_shape) == 1:
        return sum_to(a * expand_dims(g, axis=-1), shape=b_shape) if a.ndim > 1 else a * g
    if a.ndim == 1:
        return sum_to(expand_dims(a, axis=-1) * expand_dims(g, axis=-2), shape=b_shape)
    if len(b_shape) == 2:
        return outer_sum(a, g)
    product = a.swapaxes(-1, -2) @ g
    return product if product.shape == b_shape else sum_to(product, shape=b_shape)


def add_grad_b(into: Any, g: Any, a: Any, b_shape: tuple[int, ...]) -> None:
    """Add `matmul_grad_b` to an array."""
    if len(b_shape) == 2 and a.ndim > 1:
        add_outer(into, a, g)
    else:
        into += matmul_grad_b(wrap(g, None), wrap(a, None), b_shape)._array


def add_outer(into: Any, a: Any, b: Any) -> None:
    """Add `outer_sum` to an array. Where the kernel does it, parts of the rows give the bits of all of them (kernels/matmul.pyx)."""
    kernel = outer_sum.kernel
    if kernel is None or kernel(a, b, into) is NotImplemented:
        into += outer_sum.body(a, b)


@op(a=matmul_grad_a, b=Into(matmul_grad_b, add=add_grad_b, later=True))
def matmul(a: Any, b: Any) -> Any:
    """Matrix product; vectors count as a row on the left and a column on the right, leading axes broadcast.   (m,k),(k,n) -> (m,n)

    >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
    tensor([[11.]])
    """
    try:
        return np.matmul(a, b)
    except ValueError:
        raise refused("matmul", np.shape(a), np.shape(b)) from None


def refused(name: str, a: tuple[int, ...], b: tuple[int, ...]) -> ShapeError:
    """The sentence about two shapes that have no product."""
    if not a or not b:
        return ShapeError(f"{name}: shapes {a} and {b}: both sides need an axis; * multiplies by a number")
    axis = -min(len(b), 2)
    if a[-1] != b[axis]:
        return ShapeError(
            f"{name}: shapes {a} and {b}: the last axis of the first has length {a[-1]}, axis {axis} of the second {b[axis]}; they are "
            "summed together and must be equal"
        )
    return ShapeError(f"{name}: shapes {a} and {b}: the leading axes {a[:-2]} and {b[:-2]} do not broadcast")


@op(a=lambda g, b: linear_(b, g, None), b=lambda g, a: matmul(a, g))
def outer_sum(a: Any, b: Any) -> Any:
    """The sum over all leading axes of a's rows times b's rows: what each product adds to its weight's gradient.   (n,o),(n,i) -> (o,i)

    >>> outer_sum([[1.0, 2.0], [0.0, 1.0]], [[3.0], [4.0]])
    tensor([[ 3.],
            [10.]])
    """
    if a.shape[:-1] != b.shape[:-1]:
        raise ShapeError(f"outer_sum: {a.shape} and {b.shape} differ in another axis than the last")
    count = math.prod(a.shape[:-1])
    return a.reshape(count, a.shape[-1]).T @ b.reshape(count, b.shape[-1])


@op(
    x=lambda g, weight: matmul(g, weight),
    weight=Into(lambda g, x: outer_sum(g, x), add=add_outer, later=True),
    bias=Into(lambda g, bias_shape: sum_to(g, shape=bias_shape), add=lambda into, g, _: add_sum(into, g), later=True),
)
def linear_(x: Any, weight: Any, bias: Any) -> Any:
    """x weight^T + bias; bias may be None.   (n,i),(o,i),(o) -> (n,o)"""
    if x is None or weight is None or not isinstance(weight, np.ndarray) or not isinstance(x, np.ndarray):
        raise ShapeError("linear wants an input and a weight that are tensors of one axis or more; only the bias may be None")
    if weight.ndim != 2 or not x.ndim or x.shape[-1] != weight.shape[1]:
        raise ShapeError(
            f"linear: input has shape {x.shape}, weight {weight.shape}: the input's last axis must have length {weight.shape[-1]}"
        )
    out = np.matmul(x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), weight.T).reshape(*x.shape[:-1], len(weight))
    if bias is None:
        return out
    try:
        return np.add(out, bias, out=out if bias.dtype == out.dtype else None)
    except ValueError:
        raise ShapeError(
            f"linear: bias has shape {bias.shape}, weight {weight.shape}: expected a bias of shape {weight.shape[:1]}"
        ) from None


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """Affine map x weight^T + bias over the last axis.   (n,i),(o,i),(o) -> (n,o)

    >>> linear([[1.0, 2.0]], [[3.0, 4.0]], [0.5])
    tensor([[11.5]])
    """
    return linear_(x, weight, bias)


@op(
    a=lambda g, a_shape, b: reshape(matmul(g, ravel(b)), shape=a_shape),
    b=lambda g, a, b_shape: reshape(matmul(ravel(a), g), shape=b_shape),
)
def outer(a: Any, b: Any) -> Any:
    """Every element of a times every element of b; both count as vectors, whatever their shapes.   (m),(n) -> (m,n)

    >>> outer([1.0, 2.0], [3.0, 4.0])
    tensor([[3., 4.],
            [6., 8.]])
    """
    return np.outer(a, b)


def dot(a: Any, b: Any) -> Tensor:
    """NumPy's dot: the sum over the last axis of a and the last but one of b (its only one, if it is a vector).   (n),(n) -> ()

    A number or a tensor without axes multiplies. Unlike matmul's, the other axes of b do not broadcast beside those of a: they follow them.

    >>> dot([1.0, 2.0], [3.0, 4.0])
    tensor(11.)
    """
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return mul(a, b)
    a, b = as_tensor(a), as_tensor(b)
    if a.shape[-1] != b.shape[-min(b.ndim, 2)]:
        raise refused("dot", a.shape, b.shape)
    if b.ndim < 3:
        return matmul(a, b)
    columns = reshape(moveaxis(b, -2, 0), shape=(b.shape[-2], math.prod(b.shape[:-2]) * b.shape[-1]))
    return reshape(matmul(a, columns), shape=(*a.shape[:-1], *b.shape[:-2], b.shape[-1]))


def bmm(a: Any, b: Any) -> Tensor:
    """The product of each pair of matrices of two equally long rows.   (b,m,k),(b,k,n) -> (b,m,n)

    Raises ShapeError for any other shapes: matmul broadcasts.

    >>> bmm([[[1.0, 2.0]]], [[[3.0], [4.0]]])
    tensor([[[11.]]])
    """
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim != 3 or b.ndim != 3 or a.shape[0] != b.shape[0] or a.shape[2] != b.shape[1]:
        raise ShapeError(f"bmm: shapes {a.shape} and {b.shape}; expected (batch, m, k) and (batch, k, n): matmul takes all other products")
    return matmul(a, b)


def kron(a: Any, b: Any) -> Tensor:
    """The Kronecker product: each element of a times the whole of b, in its place.   (m,n),(p,q) -> (r,s)

    >>> kron([1.0, 10.0], [1.0, 2.0])
    tensor([ 1.,  2., 10., 20.])
    """
    a, b = as_tensors(a, b)
    rank = max(a.ndim, b.ndim)
    left, right = [(1,) * (rank - x.ndim) + x.shape for x in (a, b)]
    blocks = reshape(a, shape=[n for length in left for n in (length, 1)]) * reshape(b, shape=[n for length in right for n in (1, length)])
    return reshape(blocks, shape=[m * n for m, n in zip(left, right, strict=True)])


matmul.weight = linear_.weight = 1
