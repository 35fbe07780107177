"""Losses that are distances: between numbers (squared, absolute, Huber's) and between vectors (cosine, triplets).

All take what PyTorch's functions of the same names take, and mean the same by it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops import abs as absolute
from minigrad.ops import clip, minimum, norm, sqrt, square, where
from minigrad.tape import Tensor

from .reduction import check_reduction, floating, reduced, same_shape


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """(input - target)^2: its mean or sum as a scalar, or with reduction="none" all of it, in the shape of both.

    Raises ShapeError if the shapes differ: broadcasting (N, 1) against (N,) would give N x N errors that nobody meant. ValueError
    for an unknown reduction.

    >>> mse_loss([1.0, 2.0], [1.0, 4.0])
    tensor(2.)
    """
    check_reduction(reduction, "mse_loss")
    input, target = same_shape("mse_loss", input, target)
    return reduced(square(input - target), reduction)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """|input - target|, with a derivative of 0 where they are equal. Raises as mse_loss does.

    >>> l1_loss([1.0, 2.0], [1.0, 4.0])
    tensor(1.)
    """
    check_reduction(reduction, "l1_loss")
    input, target = same_shape("l1_loss", input, target)
    return reduced(absolute(input - target), reduction)


def huber_terms(difference: Tensor, delta: float) -> Tensor:
    """d^2 / 2 up to |d| = delta, and the straight line that goes on from there."""
    near = clip(difference, lo=-delta, hi=delta)
    return near * (difference - near * 0.5)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), of d = input - target (Huber, 1964).

    Raises as mse_loss does, ValueError if delta is not above 0.

    >>> huber_loss([0.5, 3.0], [0.0, 0.0], reduction="none")
    tensor([0.125, 2.5  ])
    """
    check_reduction(reduction, "huber_loss")
    if not delta > 0:
        raise ValueError(f"huber_loss: delta={delta} should be above 0")
    input, target = same_shape("huber_loss", input, target)
    return reduced(huber_terms(input - target, delta), reduction)


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, of d = input - target (Girshick, 2015); l1_loss for beta = 0.

    It is huber_loss with delta = beta, divided by beta. Raises as mse_loss does, ValueError if beta is below 0.

    >>> smooth_l1_loss([0.5, 3.0], [0.0, 0.0], reduction="none", beta=2.0)
    tensor([0.0625, 2.    ])
    """
    check_reduction(reduction, "smooth_l1_loss")
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta={beta} should be 0 or above")
    input, target = same_shape("smooth_l1_loss", input, target)
    difference = input - target
    return reduced(huber_terms(difference, beta) * (1.0 / beta) if beta else absolute(difference), reduction)


def check_axis(what: str, x: Tensor, dim: int) -> None:
    """Refuse an axis that x does not have."""
    if not -x.ndim <= dim < x.ndim:
        raise ShapeError(f"{what}: dim={dim} of inputs of shape {x.shape}, which have {x.ndim} axes")


def check_broadcast(what: str, **tensors: Tensor) -> None:
    """Refuse shapes that do not broadcast."""
    try:
        np.broadcast_shapes(*[tensor.shape for tensor in tensors.values()])
    except ValueError:
        shapes = ", ".join(f"{name} {tensor.shape}" for name, tensor in tensors.items())
        raise ShapeError(f"{what}: these shapes do not belong together: {shapes}") from None


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along the axis `dim`: x1 x2 / (max(|x1|, eps) max(|x2|, eps)).

    The inputs broadcast; the result loses the axis. Vectors of zeros give 0, and a gradient that is finite. Raises ShapeError.

    >>> cosine_similarity([[3.0, 4.0]], [[6.0, 8.0]])
    tensor([1.])
    """
    x1, x2 = floating("cosine_similarity", x1=x1, x2=x2)
    check_broadcast("cosine_similarity", x1=x1, x2=x2)
    check_axis("cosine_similarity", x1 if x1.ndim >= x2.ndim else x2, dim)
    if x1.ndim != x2.ndim:
        x1, x2 = (x.broadcast_to(np.broadcast_shapes(x1.shape, x2.shape)) for x in (x1, x2))
    length1, length2 = (clip(norm(x, axis=dim, keepdims=True), lo=eps) for x in (x1, x2))
    cosine: Tensor = (x1 / length1 * (x2 / length2)).sum(axis=dim)
    return cosine


def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Tensor:
    """1 - cos of a pair whose target is 1, max(0, cos - margin) of one whose target is -1.

    Inputs (N, D) with targets (N,), or (D,) with one target. A vector of zeros has cos = 0. Raises ShapeError for other shapes, ValueError
    for targets other than 1 and -1 and for an unknown reduction.

    >>> cosine_embedding_loss([[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], [1, -1], reduction="none")
    tensor([1., 1.])
    """
    what = "cosine_embedding_loss"
    check_reduction(reduction, what)
    input1, input2 = floating(what, input1=input1, input2=input2)
    labels = np.asarray(target)
    if input1.shape != input2.shape or input1.ndim not in (1, 2) or labels.shape != input1.shape[:-1]:
        raise ShapeError(
            f"{what}: inputs have shapes {input1.shape} and {input2.shape}, targets {labels.shape}; expected twice (N, D) and (N,), or "
            "twice (D,) and ()"
        )
    if not np.isin(labels, (-1, 1)).all():
        raise ValueError(f"{what}: targets are 1 (alike) or -1 (different), got {labels[~np.isin(labels, (-1, 1))].flat[0]}")
    squares1, squares2 = (square(x).sum(axis=-1) + 1e-12 for x in (input1, input2))
    cosine = (input1 * input2).sum(axis=-1) / sqrt(squares1 * squares2)
    return reduced(where(labels == 1, 1.0 - cosine, clip(cosine - margin, lo=0.0)), reduction)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """|x1 - x2 + eps|_p along the last axis: (sum |d|^p)^(1/p), or the largest |d| for p = inf. The inputs broadcast.

    Raises ShapeError, ValueError if p is not above 0.

    >>> pairwise_distance([[0.0, 0.0]], [[3.0, 4.0]], eps=0.0)
    tensor([5.])
    """
    x1, x2 = floating("pairwise_distance", x1=x1, x2=x2)
    check_broadcast("pairwise_distance", x1=x1, x2=x2)
    check_axis("pairwise_distance", x1, -1)
    if not p > 0:
        raise ValueError(f"pairwise_distance: p={p} should be above 0")
    difference = x1 - x2 + eps
    return norm(difference, ord=p, axis=-1, keepdims=keepdim)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with pairwise_distance as d.

    Inputs (N, D) or (D,) of one shape. With `swap` the negative's distance is the smaller of those to anchor and positive (Balntas et al.,
    2016). Raises ShapeError, ValueError for a margin or p that is not above 0 and for an unknown reduction.

    >>> triplet_margin_loss([[0.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.5]], eps=0.0)
    tensor(0.5)
    """
    what = "triplet_margin_loss"
    check_reduction(reduction, what)
    anchor, positive, negative = floating(what, anchor=anchor, positive=positive, negative=negative)
    if not anchor.shape == positive.shape == negative.shape or anchor.ndim not in (1, 2):
        raise ShapeError(
            f"{what}: anchor has shape {anchor.shape}, positive {positive.shape}, negative {negative.shape}; expected thrice (N, D) or (D,)"
        )
    if not margin > 0:
        raise ValueError(f"{what}: margin={margin} should be above 0")
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        other = pairwise_distance(positive, negative, p, eps)
        far = minimum(far, other)
    return reduced(clip(near - far + margin, lo=0.0), reduction)
