"""Matrix products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.op import op
from minigrad.tape import Tensor

from .shape import expand_dims, reshape, sum_to


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


@op(a=matmul_grad_a, b=matmul_grad_b)
def matmul(a: Any, b: Any) -> Any:
    """Matrix product; vectors count as a row on the left and a column on the right, leading axes broadcast.   (m,k),(k,n) -> (m,n)

    >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
    tensor([[11.]])
    """
    return np.matmul(a, b)


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


@op(x=lambda g, weight: matmul(g, weight), weight=lambda g, x: outer_sum(g, x), bias=lambda g, bias_shape: sum_to(g, shape=bias_shape))
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
    return np.add(out, bias, out=out if bias.dtype == out.dtype else None)


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """Affine map x weight^T + bias over the last axis.   (n,i),(o,i),(o) -> (n,o)

    >>> linear([[1.0, 2.0]], [[3.0, 4.0]], [0.5])
    tensor([[11.5]])
    """
    return linear_(x, weight, bias)


matmul.weight = linear_.weight = 1
