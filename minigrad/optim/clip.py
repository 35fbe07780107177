"""Gradient clipping: the cure for exploding gradients of recurrent networks (Pascanu, Mikolov and Bengio, 2013)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad import config
from minigrad.sparse import Rows
from minigrad.tape import Tensor

Array = np.ndarray[Any, Any]
BLOCK = 2048  # elements of one dot product: short enough to stay accurate in float32, and on one thread whatever the BLAS
sum_of_squares = config.optim_kernel("sum_of_squares")


def named(parameters: Any, function: str) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of a module's parameters, of pairs, of plain tensors (named by position and shape), or of one tensor."""
    if hasattr(parameters, "named_parameters"):
        parameters = parameters.named_parameters()
    for position, entry in enumerate([parameters] if isinstance(parameters, Tensor) else parameters):
        if isinstance(entry, Tensor):
            yield f"parameter {position} of shape {entry.shape}", entry
        elif isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], Tensor):
            yield f"'{entry[0]}' of shape {entry[1].shape}", entry[1]
        else:
            raise TypeError(f"{function} wants tensors or (name, tensor) pairs, entry {position} is a {type(entry).__name__}")


def stored(grad: Tensor) -> Array:
    """The elements of a gradient, without the zeros of one that consists of rows."""
    return grad._array.values if isinstance(grad._array, Rows) else grad.numpy()


def changed(grad: Tensor, cause: str) -> Array:
    """The elements of a gradient, to be written to."""
    if isinstance(grad._array, Rows):
        grad.version().bump(cause)
        return grad._array.values
    return grad.change(cause)


def gradients(parameters: Any, function: str) -> list[tuple[str, Tensor]]:
    """(name, gradient) of each parameter that has one, each parameter once."""
    unique = {id(p): (name, p.grad) for name, p in named(parameters, function)}
    return [(name, grad) for name, grad in unique.values() if grad is not None]


def euclidean(array: Array) -> float:
    """The 2-norm, from the squares added up in float64; rescaled if they leave the range of the numbers they are made in."""
    total = sum_of_squares(array)
    if total is NotImplemented:
        total = 0.0
        if array.dtype.itemsize >= 4:
            flat = array.reshape(-1)
            for start in range(0, flat.size, BLOCK):
                block = flat[start : start + BLOCK]
                total += float(np.dot(block, block))
    return math.sqrt(total) if 1e-30 < total < math.inf else power_norm(array, 2.0)


def power_norm(array: Array, order: float) -> float:
    """The norm of the given order, infinity included, in float64 and relative to the largest element: nothing overflows on the way."""
    sizes = np.abs(array.astype(np.float64))
    top = float(sizes.max(initial=0.0))
    if order == math.inf or top == 0 or not math.isfinite(top):
        return top
    sizes /= top
    return top * math.pow(float(np.sum(sizes**order)), 1 / order)


def measured(
    grads: list[tuple[str, Tensor]], max_norm: float, order: float = 2.0, error_if_nonfinite: bool = True, cause: str = "clip_grad_norm_"
) -> tuple[float, float]:
    """The norm of named gradients together, and the factor, at most 1, that makes it at most `max_norm`."""
    given = order
    try:
        max_norm, order = float(max_norm), float(order)
    except (TypeError, ValueError):
        raise TypeError(f"{cause}: max_norm={max_norm!r} and norm_type={order!r} should be numbers") from None
    if not max_norm >= 0:
        raise ValueError(f"{cause}: max_norm={max_norm} should not be negative")
    if not order > 0:
        raise ValueError(f"{cause}: norm_type={given} should be above 0, or math.inf")
    with np.errstate(all="ignore"):
        norms = [euclidean(stored(grad)) if order == 2 else power_norm(stored(grad), order) for _, grad in grads]
        total = math.hypot(*norms) if order == 2 else power_norm(np.array(norms), order)
    if error_if_nonfinite and not math.isfinite(total):
        hint = "; error_if_nonfinite=False scales all the same" if cause == "clip_grad_norm_" else ""
        refuse([(name, norm) for (name, _), norm in zip(grads, norms, strict=True)], total, hint)
    scale = max_norm / (total + 1e-6)
    return total, 1.0 if scale >= 1 else scale


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = True,
) -> Tensor:
    """The norm of all gradients together, as one float64 number, after which it is at most `max_norm`.

    The gradients are scaled in place by max_norm / (norm + 1e-6) if that is below 1 (Pascanu, Mikolov and Bengio, 2013; PyTorch's
    formula). `parameters`: tensors, (name, tensor) pairs, a module or one tensor; those without a gradient are skipped, one given
    twice counts once. `norm_type`: 2, 1, any p > 0, or math.inf for the largest element. An optimiser's step(max_norm=...) does the same
    without a pass over the gradients.

    Raises RuntimeError, naming the parameter, if the norm is infinite or not a number, and ValueError for a negative max_norm or a
    norm_type that is not above 0; nothing is changed then. `error_if_nonfinite=False` scales all the same, as PyTorch does by default.

    >>> import minigrad as mg
    >>> w = mg.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> clip_grad_norm_([w], max_norm=1.0).item()
    5.0
    >>> w.grad.numpy().round(3)
    array([0.6, 0.8], dtype=float32)
    """
    grads = gradients(parameters, "clip_grad_norm_")
    total, scale = measured(grads, max_norm, norm_type, error_if_nonfinite)
    if scale != 1:
        with np.errstate(all="ignore"):
            for array in [changed(grad, "clip_grad_norm_") for _, grad in grads]:
                array *= fine(scale, array.dtype)
    return Tensor(total, np.float64)


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Hold every element of every gradient between -clip_value and clip_value, in place. NaN stays.

    `parameters` as in clip_grad_norm_. Raises ValueError for a clip_value below 0.

    >>> import minigrad as mg
    >>> w = mg.tensor([-3.0, 0.25], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([-1. ,  0.5])
    """
    limit = float(clip_value)
    if not limit >= 0:
        raise ValueError(f"clip_grad_value_: clip_value={limit} should not be negative")
    for array in [changed(grad, "clip_grad_value_") for _, grad in gradients(parameters, "clip_grad_value_")]:
        np.clip(array, -limit, limit, out=array)


def fine(scale: float, dtype: np.dtype[Any]) -> Any:
    """A factor as NumPy takes it: one below the dtype's normal numbers would lose its digits, and as a float64 computes in float64."""
    return scale if not abs(scale) < np.finfo(dtype).tiny else np.float64(scale)


def refuse(norms: list[tuple[str, float]], total: float, hint: str) -> None:
    """Raise RuntimeError about a norm that is not finite, naming the parameters whose gradients made it so."""
    culprits = [f"{name} (norm {norm})" for name, norm in norms if not math.isfinite(norm)]
    if not culprits:
        culprits = [f"{name} (norm {norm}, the largest)" for name, norm in [max(norms, key=lambda entry: entry[1])]]
    more = f" and {len(culprits) - 3} more" if len(culprits) > 3 else ""
    raise RuntimeError(
        f"the gradient norm is {total} and cannot be clipped, because of the gradient of {', '.join(culprits[:3])}{more}. Nothing was "
        f"changed: skip this step or lower the learning rate{hint}"
    )
