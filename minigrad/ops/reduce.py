"""Operations that reduce axes: sums, largest elements, and the softmax family. `axis` is an int, a tuple or None for all."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.op import op
from minigrad.tape import Tensor

from .elementwise import astype, exp, where
from .shape import broadcast_to, reshape


def axes_of(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """`axis` as a tuple of numbers from 0."""
    if axis is None:
        return tuple(range(len(shape)))
    return tuple([a % len(shape) for a in (axis if isinstance(axis, tuple | list) else (axis,))]) if shape else ()


def restore(g: Tensor, shape: tuple[int, ...], axis: Any) -> Tensor:
    """`g` with the reduced axes back in place, at length 1."""
    gone = axes_of(shape, axis)
    return reshape(g, shape=tuple([1 if i in gone else length for i, length in enumerate(shape)]))


def count_of(shape: tuple[int, ...], axis: Any) -> int:
    """How many elements each result was made of."""
    return int(np.prod([shape[a] for a in axes_of(shape, axis)], dtype=np.int64))


def plain(axis: Any) -> Any:
    """NumPy wants a tuple where a user may give a list."""
    return tuple(axis) if isinstance(axis, list) else axis


@op(x=lambda g, x_shape, axis: broadcast_to(restore(g, x_shape, axis), shape=x_shape))
def sum_(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over `axis`.   (n) -> ()

    >>> sum_([[1.0, 2.0], [3.0, 4.0]], axis=0)
    tensor([4., 6.])
    """
    return np.sum(x, axis=plain(axis), keepdims=keepdims)


@op(x=lambda g, x_shape, axis: broadcast_to(restore(g * (1.0 / max(count_of(x_shape, axis), 1)), x_shape, axis), shape=x_shape))
def mean(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Arithmetic mean over `axis`; NaN of nothing.   (n) -> ()

    >>> mean([1.0, 2.0, 6.0])
    tensor(3.)
    """
    return np.true_divide(np.sum(x, axis=plain(axis), keepdims=keepdims), count_of(x.shape, axis))


def max_grad(g: Tensor, out: Tensor, x: Tensor, axis: Any) -> Tensor:
    """g shared equally by the elements that attain the maximum."""
    shape = x.shape
    best = astype(x == restore(out, shape, axis), dtype=g.dtype)
    return restore(g, shape, axis) * (best / sum_(best, axis=axis, keepdims=True))


@op(x=max_grad)
def max_(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest element over `axis`. Elements that tie share the gradient equally.   (n) -> ()

    >>> max_([[1.0, 5.0], [3.0, 2.0]], axis=1)
    tensor([5., 3.])
    """
    return np.max(x, axis=plain(axis), keepdims=keepdims)


@op(x=None)
def argmax(x: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """Place of the largest element along `axis` (the first at a tie), as int64.   (n) -> ()

    >>> argmax([[1.0, 5.0], [3.0, 2.0]], axis=1)
    tensor([1, 0])
    """
    return np.argmax(x, axis=axis, keepdims=keepdims)


def finite(x: Any) -> Any:
    """x with infinities replaced by 0, so that a row of -inf gives exp(-inf - 0) = 0 and not NaN."""
    return where(abs(x) == np.inf, 0.0, x)


@op(x=lambda g, out, x, axis: restore(g, x.shape, axis) * exp(x - finite(restore(out, x.shape, axis))))
def logsumexp(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over `axis`, without overflow. A row of -inf gives -inf, and a gradient of 0.   (n) -> ()

    >>> logsumexp([1000.0, 1000.0])
    tensor(1000.6932)
    """
    if not x.size:
        return np.log(np.sum(x, axis=plain(axis), keepdims=keepdims))
    top = np.max(x, axis=plain(axis), keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    out = np.log(np.sum(np.exp(x - top), axis=plain(axis), keepdims=True)) + top
    return out if keepdims else np.squeeze(out, axis=axes_of(x.shape, axis))


def softmax_jvp(g: Tensor, p: Tensor, axis: int = -1) -> Tensor:
    """The softmax's Jacobian (which is symmetric) times g, from its value p."""
    return p * (g - sum_(g * p, axis=axis, keepdims=True))


@op(x=lambda g, out, axis: softmax_jvp(g, out, axis))
def softmax(x: Any, *, axis: int = -1) -> Any:
    """exp(x) / sum(exp(x)) along `axis`. A row of -inf gives zeros, one with inf gives NaN.   (n) -> (n)

    >>> softmax([1.0, 1.0])
    tensor([0.5, 0.5])
    """
    if not x.size:
        return np.array(x)
    top = np.max(x, axis=axis, keepdims=True)
    e = np.exp(x - np.where(top == -np.inf, 0, top))
    total = np.sum(e, axis=axis, keepdims=True)
    return e / np.where(total == 0, 1, total)


@op(x=lambda g, out, axis: g - exp(out) * sum_(g, axis=axis, keepdims=True))
def log_softmax(x: Any, *, axis: int = -1) -> Any:
    """log(softmax(x)) along `axis`, exact where the softmax would underflow.   (n) -> (n)

    >>> log_softmax([0.0, 0.0])
    tensor([-0.6931472, -0.6931472])
    """
    if not x.size:
        return np.array(x)
    top = np.max(x, axis=axis, keepdims=True)
    shifted = x - np.where(top == -np.inf, 0, top)
    total = np.sum(np.exp(shifted), axis=axis, keepdims=True)
    return shifted - np.where(total == 0, 0, np.log(total))


def check_classes(x: Any, target: Any) -> None:
    """Refuse logits and targets that do not belong together, in words."""
    if x.ndim != 2 or target.shape != x.shape[:1]:
        raise ShapeError(f"cross_entropy: logits have shape {x.shape}, targets {target.shape}; expected (rows, classes) and (rows,)")
    if target.dtype.kind not in "iu":
        raise TypeError(f"targets are class numbers (whole numbers), got {target.dtype}")
    if target.size and not 0 <= target.min() <= target.max() < x.shape[1]:
        raise ShapeError(
            f"cross_entropy: targets run from {target.min()} to {target.max()}; {x.shape[1]} classes allow 0 to {x.shape[1] - 1}"
        )


def weigh(g: Tensor) -> Tensor:
    """One number a row, as a column."""
    return reshape(g, shape=(-1, 1))


@op(
    dy=lambda g, x, target: sum_(g * (softmax(x) - one_hot(target, x)), axis=-1),
    x=lambda g, dy, x: softmax_jvp(weigh(dy) * g, softmax(x)),
    target=None,
)
def cross_entropy_grad(dy: Any, x: Any, target: Any) -> Any:
    """dy (softmax(x) - one-hot(target)), row by row: the gradient of cross_entropy.   (n),(n,c),(n) -> (n,c)"""
    out = softmax.body(x)
    out[np.arange(len(target)), target] -= 1
    return dy[:, None] * out


@op(x=lambda g, x, target: cross_entropy_grad(g, x, target), target=None)
def cross_entropy_rows(x: Any, target: Any) -> Any:
    """-log_softmax(x)[target] for each row of logits; `target` holds class numbers. A row of -inf costs inf.   (n,c),(n) -> (n)

    >>> cross_entropy_rows([[0.0, 0.0]], [1])
    tensor([0.6931472])
    """
    check_classes(x, target)
    return -log_softmax.body(x)[np.arange(len(target)), target]


def one_hot(target: Tensor, like: Tensor) -> Any:
    """1 at the class of each row, 0 elsewhere."""
    return (target.numpy()[:, None] == np.arange(like.shape[1])).astype(like.dtype)
