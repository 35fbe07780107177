"""What all losses share: what comes in, and how many losses become one."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops import astype
from minigrad.ops.creation import as_tensor
from minigrad.tape import Tensor

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str, what: str, *more: str) -> None:
    """Refuse a reduction that does not exist, with the list of those that do."""
    if reduction not in (*REDUCTIONS, *more):
        raise ValueError(f"{what}: reduction={reduction!r} is not one of {', '.join(map(repr, (*REDUCTIONS, *more)))}")


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """All losses, their mean or their sum."""
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def floating(what: str, **given: Any) -> list[Tensor]:
    """The arguments as floating tensors; `what` takes them, and the names are theirs in the error."""
    found = []
    for name, value in given.items():
        tensor = as_tensor(value)
        if tensor.dtype.kind != "f":
            raise DtypeError(f"{what}: {name} must be floating, got {tensor.dtype}: convert it with .astype('float32')")
        found.append(tensor)
    return found


def same_shape(what: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Input and target as tensors of one shape. Whole numbers and booleans as a target take the input's dtype.

    Broadcasting (N, 1) against (N,) would give N x N losses that nobody meant, so it is refused.
    """
    input, target = floating(what, input=input)[0], as_tensor(target)
    if input.shape != target.shape:
        raise ShapeError(f"{what}: input has shape {input.shape}, target {target.shape}: they must be equal, reshape one of them")
    return input, target if target.dtype.kind == "f" else astype(target, dtype=input.dtype)


def weighed(what: str, losses: Tensor, name: str, weight: Any) -> Tensor:
    """The losses times a constant weight that broadcasts to their shape; unchanged if it is None."""
    if weight is None:
        return losses
    return losses * constant_like(what, losses, name, weight)


def constant_like(what: str, like: Tensor, name: str, value: Any) -> Tensor:
    """`value` as a constant of the dtype of `like`. Raises ShapeError if it does not broadcast to its shape."""
    array = np.asarray(value.detach() if isinstance(value, Tensor) else value).astype(like.dtype)
    try:
        np.broadcast_to(array, like.shape)
    except ValueError:
        raise ShapeError(f"{what}: {name} has shape {array.shape}, which does not broadcast to the losses' shape {like.shape}") from None
    return Tensor(array)
