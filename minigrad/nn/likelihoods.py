"""Losses that are minus a log likelihood, or compare distributions: cross entropy of classes, of yes and no, and the KL divergence.

All take what PyTorch's functions of the same names take, mean the same by it, and have its gradients.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops import cross_entropy_rows, exp, log, log_softmax, softplus, take_along_axis, where
from minigrad.ops.creation import as_tensor
from minigrad.ops.likelihood import binary_cross_entropy_terms
from minigrad.tape import Tensor

from .reduction import check_reduction, constant_like, floating, reduced, same_shape, weighed


def class_numbers(what: str, input: Tensor, target: Any) -> np.ndarray[Any, Any]:
    """The targets as an array, after checks: whole numbers, in the shape of the input without its classes."""
    classes = np.asarray(target)
    if classes.dtype.kind not in "iu" and classes.size:
        raise DtypeError(f"{what}: targets are class numbers (whole numbers), got {classes.dtype}; make them with .astype('int64')")
    axis = class_axis(input)
    expected = input.shape[:axis] + input.shape[axis + 1 :]
    if not input.ndim or classes.shape != expected:
        last = input.ndim > 2 and classes.shape == input.shape[:-1]
        hint = "; if the classes are the last axis, reshape the logits to (-1, C) and the targets to (-1)" if last else ""
        if classes.shape == input.shape and what == "cross_entropy":
            hint = "; probabilities of the classes must be floating: convert them with .astype('float32')"
        raise ShapeError(
            f"{what}: logits of shape {input.shape} have their classes on axis {max(axis, 0)} and want targets of shape {expected}, got "
            f"{classes.shape}{hint}"
        )
    return classes


def class_axis(input: Tensor) -> int:
    """Where the classes of (C,), (N, C) or (N, C, d1, ...) are."""
    return min(input.ndim - 1, 1)


def class_weights(what: str, weight: Any, input: Tensor) -> Tensor | None:
    """One constant number a class, or None."""
    if weight is None:
        return None
    if isinstance(weight, str):
        raise TypeError(f"{what}: weight={weight!r} should be one number a class; write reduction={weight!r}, by its name")
    count = input.shape[class_axis(input)]
    array = np.asarray(weight.detach() if isinstance(weight, Tensor) else weight)
    if array.shape != (count,):
        raise ShapeError(f"{what}: weight has shape {array.shape}, expected one number for each of the {count} classes: ({count},)")
    return Tensor(array.astype(input.dtype))


def warn_of_probabilities(input: Tensor) -> None:
    """Warn of logits that are probabilities already. The first row is looked at first: it says no to nearly all that are logits."""
    axis, values = class_axis(input), input._array
    if axis < 0 or not values.size or values.shape[axis] < 2:
        return
    first = values[(0,) * axis + (slice(None),) + (0,) * (input.ndim - axis - 1)]
    for rows, along in ((first, 0), (values, axis)):
        if not (rows.min() >= 0.0 and rows.max() <= 1.0 and abs(rows.sum(axis=along) - 1.0).max() < 1e-4):
            return
    warnings.warn(
        "cross_entropy: each row of the input is non-negative and sums to 1, as after a softmax. It takes logits and does the softmax "
        "itself: leave yours out, or give log(p) to nll_loss",
        UserWarning,
        stacklevel=4,
    )


def by_rows(input: Tensor, count: int) -> Tensor:
    """(C,), (N, C) or (N, C, d1, ...) as (count, C)."""
    if input.ndim > 2:
        input = input.transpose(0, *range(2, input.ndim), 1)
    return input.reshape(count, input.shape[-1])


def over_classes(
    losses: Tensor, classes: np.ndarray[Any, Any], kept: np.ndarray[Any, Any], weights: Tensor | None, reduction: str
) -> Tensor:
    """Losses of rows, weighted already: 0 where not kept, and the mean taken over the weights of what is kept."""
    everything = bool(kept.all())
    if not everything:
        losses = where(kept, losses, 0.0)
    if reduction == "none":
        return losses.reshape(classes.shape)
    if reduction == "sum" or (weights is None and everything):
        return reduced(losses, reduction)
    total = kept.sum() if weights is None else weights.numpy()[classes.reshape(-1)[kept]].sum()
    return losses.sum() * (1.0 / float(total) if total else math.nan)


def without(classes: np.ndarray[Any, Any], ignore_index: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The classes in one row as int64, with 0 for those to ignore, and where they are not ignored."""
    flat = classes.reshape(-1).astype(np.int64)
    kept = flat != ignore_index
    return flat if kept.all() else np.where(kept, flat, 0), kept


def against_shares(input: Tensor, shares: Tensor, weights: Tensor | None, label_smoothing: float) -> Tensor:
    """The cross entropies of targets that are distributions over the classes."""
    axis = class_axis(input)
    if label_smoothing:
        shares = shares * (1.0 - label_smoothing) + label_smoothing / input.shape[axis]
    if weights is not None:
        shares = shares * weights.reshape(-1, *[1] * (input.ndim - axis - 1))
    return -(log_softmax(input, axis=axis) * shares).sum(axis=axis)


def cross_entropy(
    input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
) -> Tensor:
    """-log softmax(input)[target]: a scalar, or with reduction="none" one loss for each target.

    `input` are logits (C,), (N, C) or (N, C, d1, ...): classes on axis 1, as in PyTorch. `target` holds class numbers from 0 to C - 1 as
    whole numbers (a tensor or an array) in the shape of the logits without that axis; or probabilities of the classes, floating, in the
    shape of the logits. `weight` (C,) multiplies the losses of each class, and with class numbers the mean is that of the weights.
    Targets equal to `ignore_index` cost nothing and do not count. `label_smoothing` in [0, 1] mixes the target with the uniform
    distribution (Szegedy et al., 2016). Raises ShapeError for shapes that do not belong together and for classes out of range, DtypeError
    for targets that are neither, ValueError for an unknown reduction. Warns of an input that looks like the result of a softmax.

    >>> cross_entropy([[0.0, 0.0], [0.0, 0.0]], [0, 1])
    tensor(0.6931472)
    >>> cross_entropy([[2.0, 0.0], [0.0, 0.0]], [0, -100])
    tensor(0.12692805)
    """
    check_reduction(reduction, "cross_entropy")
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing is a share from 0 to 1, got {label_smoothing}")
    (input,) = floating("cross_entropy", logits=input)
    warn_of_probabilities(input)
    weights = class_weights("cross_entropy", weight, input)
    if input.ndim and np.shape(target) == input.shape and (shares := as_tensor(target)).dtype.kind == "f":
        if ignore_index >= 0:
            raise ValueError(f"cross_entropy: ignore_index={ignore_index} is about class numbers, and these targets are probabilities")
        return reduced(against_shares(input, shares, weights, label_smoothing), reduction)
    classes = class_numbers("cross_entropy", input, target)
    flat, kept = without(classes, ignore_index)
    rows = by_rows(input, classes.size)
    losses = cross_entropy_rows(rows, flat)
    if weights is not None:
        losses = losses * weights.numpy()[flat]
    if label_smoothing:
        every = log_softmax(rows) if weights is None else log_softmax(rows) * weights
        losses = losses * (1.0 - label_smoothing) - every.sum(axis=-1) * (label_smoothing / rows.shape[-1])
    return over_classes(losses, classes, kept, weights, reduction)


def nll_loss(input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """-input[target] of log probabilities: what cross_entropy does after its log softmax. Shapes, weights and errors are the same.

    >>> nll_loss([[-0.5, -1.0], [-2.0, -0.25]], [0, 1])
    tensor(0.375)
    """
    check_reduction(reduction, "nll_loss")
    (input,) = floating("nll_loss", input=input)
    weights = class_weights("nll_loss", weight, input)
    classes = class_numbers("nll_loss", input, target)
    flat, kept = without(classes, ignore_index)
    rows = by_rows(input, classes.size)
    if flat.size and not 0 <= flat.min() <= flat.max() < rows.shape[1]:
        raise ShapeError(
            f"nll_loss: targets run from {flat.min()} to {flat.max()}; {rows.shape[1]} classes allow 0 to {rows.shape[1] - 1}: "
            "give the input one column for each class; a target that should not count is ignore_index"
        )
    losses = -take_along_axis(rows, flat[:, None]).squeeze(-1)
    return over_classes(losses if weights is None else losses * weights.numpy()[flat], classes, kept, weights, reduction)


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """-(t log p + (1 - t) log(1 - p)) of probabilities p, whose logarithms are cut off at -100.

    `target` has the shape of `input` and values in [0, 1]; `weight` broadcasts to it. For logits,
    binary_cross_entropy_with_logits is the exact way. Raises ShapeError, ValueError for an unknown reduction
    or a probability outside [0, 1].

    >>> binary_cross_entropy([0.5, 1.0], [1.0, 1.0])
    tensor(0.3465736)
    """
    check_reduction(reduction, "binary_cross_entropy")
    input, target = same_shape("binary_cross_entropy", input, target)
    values = input.numpy()
    if values.size and (values.min() < 0.0 or values.max() > 1.0):
        raise ValueError(
            f"binary_cross_entropy: input runs from {values.min()} to {values.max()}, expected probabilities in [0, 1]; for logits there "
            "is binary_cross_entropy_with_logits"
        )
    losses = binary_cross_entropy_terms(input, target)
    return reduced(weighed("binary_cross_entropy", losses, "weight", weight), reduction)


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """binary_cross_entropy(sigmoid(input), target), without overflow and exact in both tails.

    `pos_weight` (broadcast to the shape, often one number a column) multiplies the term of the positive side, t log p. Raises
    ShapeError if the shapes differ, ValueError for an unknown reduction.

    >>> binary_cross_entropy_with_logits([0.0, 100.0], [1.0, 0.0], reduction="none")
    tensor([  0.6931472, 100.       ])
    """
    what = "binary_cross_entropy_with_logits"
    check_reduction(reduction, what)
    input, target = same_shape(what, input, target)
    tail = softplus(-input)
    if pos_weight is not None:
        tail = (target * (constant_like(what, input, "pos_weight", pos_weight) - 1.0) + 1.0) * tail
    return reduced(weighed(what, (1.0 - target) * input + tail, "weight", weight), reduction)


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """target (log target - input), the terms of the divergence of `target` from a distribution whose logarithm is `input`.

    With `log_target` the target is given as its logarithm. reduction="batchmean" sums and divides by the length of the first axis:
    that is the Kullback-Leibler divergence, which "mean" (over all elements) is not. Raises ShapeError if the shapes differ,
    ValueError for an unknown reduction.

    >>> kl_div([[-0.6931472, -0.6931472]], [[1.0, 0.0]], reduction="batchmean")
    tensor(0.6931472)
    """
    check_reduction(reduction, "kl_div", "batchmean")
    input, target = same_shape("kl_div", input, target)
    if log_target:
        losses = exp(target) * (target - input)
    else:
        empty = target == 0.0
        losses = where(empty, 0.0, target * log(where(empty, 1.0, target))) - target * input
    if reduction == "batchmean":
        if not input.ndim:
            raise ShapeError("kl_div: reduction='batchmean' divides by the length of the first axis, and this input has no axis")
        losses, reduction = losses * (1.0 / input.shape[0] if input.shape[0] else math.nan), "sum"
    return reduced(losses, reduction)
