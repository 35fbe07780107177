"""Losses: functions of (output, target), and modules that hold their settings."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops import cross_entropy_rows, square
from minigrad.tape import Tensor

from .module import Module

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str, what: str) -> None:
    """Refuse a reduction that does not exist, with the list of those that do."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{what}: reduction={reduction!r} is not one of {', '.join(map(repr, REDUCTIONS))}")


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """All losses, their mean or their sum."""
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def cross_entropy(logits: Any, target: Any, reduction: str = "mean") -> Tensor:
    """-log softmax(logits)[target]: a scalar, or with reduction="none" one loss for each target.

    `logits` are (C,), (N, C) or (N, C, d1, ...): classes on axis 1, as in PyTorch. `target` holds class numbers from 0 to C - 1 as
    whole numbers (a tensor or an array) in the shape of the logits without that axis. Raises ShapeError for shapes that do not
    belong together and for classes out of range, DtypeError for targets that are not whole numbers, ValueError for an unknown
    reduction.

    >>> cross_entropy([[0.0, 0.0], [0.0, 0.0]], [0, 1])
    tensor(0.6931472)
    """
    check_reduction(reduction, "cross_entropy")
    logits = logits if isinstance(logits, Tensor) else Tensor(logits)
    classes = np.asarray(target)
    if logits.dtype.kind != "f":
        raise DtypeError(f"cross_entropy: logits must be floating, got {logits.dtype}")
    if classes.dtype.kind not in "iu" and classes.size:
        raise DtypeError(f"cross_entropy: targets are class numbers (whole numbers), got {classes.dtype}; make them with .astype('int64')")
    axis = min(logits.ndim - 1, 1)
    expected = logits.shape[:axis] + logits.shape[axis + 1 :]
    if not logits.ndim or classes.shape != expected:
        last = logits.ndim > 2 and classes.shape == logits.shape[:-1]
        hint = "; if the classes are the last axis, reshape the logits to (-1, C) and the targets to (-1)" if last else ""
        raise ShapeError(
            f"cross_entropy: logits of shape {logits.shape} have their classes on axis {max(axis, 0)} and want targets of shape "
            f"{expected}, got {classes.shape}{hint}"
        )
    if logits.ndim > 2:
        logits = logits.transpose(0, *range(2, logits.ndim), 1)
    losses = cross_entropy_rows(logits.reshape(classes.size, logits.shape[-1]), classes.reshape(-1).astype(np.int64))
    return reduced(losses.reshape(classes.shape) if reduction == "none" else losses, reduction)


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """(input - target)^2: its mean or sum as a scalar, or with reduction="none" all of it, in the shape of both.

    Raises ShapeError if the shapes differ: broadcasting (N, 1) against (N,) would give N x N errors that nobody meant. ValueError
    for an unknown reduction.

    >>> mse_loss([1.0, 2.0], [1.0, 4.0])
    tensor(2.)
    """
    check_reduction(reduction, "mse_loss")
    input = input if isinstance(input, Tensor) else Tensor(input)
    target = target if isinstance(target, Tensor) else Tensor(target)
    if input.shape != target.shape:
        raise ShapeError(f"mse_loss: input has shape {input.shape}, target {target.shape}: they must be equal, reshape one of them")
    return reduced(square(input - target), reduction)


class Loss(Module):
    """What the losses share: a reduction, checked when the module is made."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(reduction, type(self).__name__)
        self.reduction = reduction

    def extra_repr(self) -> str:
        """The reduction."""
        return f"reduction={self.reduction!r}"


class CrossEntropyLoss(Loss):
    """`cross_entropy` as a module.

    >>> CrossEntropyLoss(reduction="none")([[0.0, 0.0]], [1])
    tensor([0.6931472])
    """

    def forward(self, logits: Any, target: Any) -> Tensor:
        """See `cross_entropy`."""
        return cross_entropy(logits, target, self.reduction)


class MSELoss(Loss):
    """`mse_loss` as a module.

    >>> MSELoss(reduction="sum")([1.0, 2.0], [1.0, 4.0])
    tensor(4.)
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        """See `mse_loss`."""
        return mse_loss(input, target, self.reduction)
