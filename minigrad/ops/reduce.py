"""Operations that reduce axes: sums, largest elements, and the softmax family. `axis` is an int, a tuple or None for all."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.op import op
from minigrad.tape import Tensor

from .elementwise import abs_, astype, eq, exp, sign, where
from .gather import one_hot
from .shape import broadcast_to, concatenate, reshape, transpose


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


def shared(g: Tensor, out: Tensor, x: Tensor, axis: Any) -> Tensor:
    """g shared equally by the elements that are the largest, or the smallest."""
    shape = x.shape
    best = astype(x == restore(out, shape, axis), dtype=g.dtype)
    return restore(g, shape, axis) * (best / sum_(best, axis=axis, keepdims=True))


@op(x=shared)
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


@op(x=shared)
def min_(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Smallest element over `axis`. Elements that tie share the gradient equally.   (n) -> ()

    >>> min_([[1.0, 5.0], [3.0, 2.0]], axis=1)
    tensor([1., 2.])
    """
    return np.min(x, axis=plain(axis), keepdims=keepdims)


@op(x=None)
def argmin(x: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """Place of the smallest element along `axis` (the first at a tie), as int64.   (n) -> ()

    >>> argmin([[1.0, 5.0], [3.0, 2.0]], axis=1)
    tensor([0, 1])
    """
    return np.argmin(x, axis=axis, keepdims=keepdims)


@op(x=None)
def any_(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether any element over `axis` is true (not 0); of none, False.   (n) -> ()

    >>> any_([[True, False], [False, False]], axis=1)
    tensor([ True, False])
    """
    return np.any(x, axis=plain(axis), keepdims=keepdims)


@op(x=None)
def all_(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether all elements over `axis` are true (not 0); of none, True.   (n) -> ()

    >>> all_([[True, False], [True, True]], axis=1)
    tensor([False,  True])
    """
    return np.all(x, axis=plain(axis), keepdims=keepdims)


def centred(x: Tensor, axis: Any) -> Tensor:
    """x less its mean over `axis`."""
    away: Tensor = x - mean(x, axis=axis, keepdims=True)
    return away


def freedom(shape: tuple[int, ...], axis: Any, ddof: float) -> float:
    """What a variance divides by; 0 where `ddof` leaves nothing."""
    return max(count_of(shape, axis) - ddof, 0.0)


def var_grad(g: Tensor, x: Tensor, axis: Any, ddof: float) -> Tensor:
    """Twice the distance from the mean, over the degrees of freedom."""
    degrees = freedom(x.shape, axis, ddof)
    return restore(g, x.shape, axis) * centred(x, axis) * (2.0 / degrees if degrees else np.inf)


@op(x=var_grad)
def var(x: Any, *, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Variance over `axis`: squared distances from the mean, summed and divided by their number less `ddof`.   (n) -> ()

    NumPy's default, ddof=0, is the variance of these numbers; ddof=1 estimates that of what they were drawn from, and is the
    default (`correction=1`) of PyTorch's var. Where `ddof` leaves nothing to divide by, NaN or an infinity.

    >>> var([1.0, 2.0, 6.0]), var([1.0, 2.0, 6.0], ddof=1)
    (tensor(4.6666665), tensor(7.))
    """
    away = x - mean.body(x, axis=axis, keepdims=True)
    away = away - mean.body(away, axis=axis, keepdims=True)  # what the mean lost to rounding: of equal numbers exactly 0 remains
    return np.true_divide(np.sum(away * away, axis=plain(axis), keepdims=keepdims), freedom(x.shape, axis, ddof))


def std_grad(g: Tensor, out: Tensor, x: Tensor, axis: Any, ddof: float) -> Tensor:
    """The distance from the mean over that of a typical element; 0 where all are equal."""
    still = eq(out, 0.0)
    slope = where(still, 0.0, g / (where(still, 1.0, out) * freedom(x.shape, axis, ddof)))
    return restore(slope, x.shape, axis) * centred(x, axis)


@op(x=std_grad)
def std(x: Any, *, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Standard deviation over `axis`, the root of `var` (see there for `ddof`).   (n) -> ()

    Where all elements are equal it is 0, and so is its gradient by convention.

    >>> std([1.0, 1.0, 4.0])
    tensor(1.4142135)
    """
    return np.sqrt(var.body(x, axis=axis, ddof=ddof, keepdims=keepdims))


def product_of_others(x: Tensor) -> Tensor:
    """For each element of the first axis the product of all others: by halves, without dividing, so that zeros do no harm."""
    half = len(x) // 2
    if not half:
        return Tensor(np.ones(x.shape, x.dtype))
    a, b, last = x[:half], x[half : 2 * half], x[2 * half :]
    others = product_of_others(concatenate([a * b, last]))
    return concatenate([b * others[:half], a * others[:half], others[half:]])


def prod_grad(g: Tensor, x: Tensor, axis: Any) -> Tensor:
    """g times the product of the other elements: the reduced axes are brought to the front, as one."""
    shape, gone = x.shape, axes_of(x.shape, axis)
    order = [*gone, *[a for a in range(len(shape)) if a not in gone]]
    moved = transpose(x, axes=order)
    others = product_of_others(reshape(moved, shape=(count_of(shape, axis), *moved.shape[len(gone) :])))
    return restore(g, shape, axis) * transpose(reshape(others, shape=moved.shape), axes=np.argsort(order).tolist())


@op(x=prod_grad)
def prod(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Product over `axis`; 1 of nothing. The gradient is right with any number of zeros.   (n) -> ()

    >>> prod([[1.0, 2.0], [3.0, 4.0]], axis=0)
    tensor([3., 8.])
    """
    return np.prod(x, axis=plain(axis), keepdims=keepdims)


def norm_grad(g: Tensor, out: Tensor, x: Tensor, axis: Any, ord: float) -> Tensor:
    """sign(x) (|x| / norm)^(ord - 1), and 0 where x is 0; of the largest, shared equally at a tie."""
    shape = x.shape
    if ord == np.inf:
        return shared(g, out, abs_(x), axis) * sign(x)
    g = restore(g, shape, axis)
    if ord == 1:
        return g * sign(x)
    out = restore(out, shape, axis)
    size = where(eq(out, 0.0), 1.0, out)
    if ord == 2:
        return g * where(eq(out, 0.0), 0.0, x / size)
    zero = eq(x, 0.0)
    ratio = where(zero, 1.0, abs_(x) / size)
    return where(zero, 0.0, g * sign(x) * ratio ** (ord - 1.0))


@op(x=norm_grad)
def norm(x: Any, *, ord: float = 2, axis: Any = None, keepdims: bool = False) -> Any:
    """Vector norm over `axis`: (sum |x|^ord)^(1 / ord), the largest |x| for ord=inf; of all elements by default.   (n) -> ()

    It neither overflows nor underflows on the way. Where x is 0 the gradient is 0 by convention (at the zero vector, and for any
    ord below 2 at each zero). Raises ValueError for an `ord` that is not above 0.

    >>> norm([3.0, 4.0]), norm([3.0, -4.0], ord=1), norm([3.0, -4.0], ord=float("inf"))
    (tensor(5.), tensor(7.), tensor(4.))
    """
    if not isinstance(ord, int | float) or not ord > 0:
        raise ValueError(f"ord={ord!r} is no order of a norm: a number above 0, or inf")
    size, axis = np.abs(x), plain(axis)
    if ord == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    if ord == np.inf:
        return np.max(size, axis=axis, keepdims=keepdims)
    top = np.max(size, axis=axis, keepdims=True, initial=0.0)
    top = np.where((top == 0) | ~np.isfinite(top), 1.0, top).astype(top.dtype)
    out = np.sum((size / top) ** ord, axis=axis, keepdims=True) ** (1.0 / ord) * top
    return out if keepdims else np.squeeze(out, axis=axes_of(x.shape, axis))


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
        np.sum(x, axis=axis)  # refuses an axis that is not there
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
        np.sum(x, axis=axis)  # refuses an axis that is not there
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
            ": give the input one column for each class; a target that should not count is ignore_index"
        )


def weigh(g: Tensor) -> Tensor:
    """One number a row, as a column."""
    return reshape(g, shape=(-1, 1))


@op(
    dy=lambda g, x, target: sum_(g * (softmax(x) - one_hot(target, num_classes=x.shape[1], dtype=x.dtype)), axis=-1),
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
