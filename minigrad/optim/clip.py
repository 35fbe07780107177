"""Gradient clipping: the cure for exploding gradients of recurrent networks (Pascanu, Mikolov and Bengio, 2013)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad.tape import Tensor

Array = np.ndarray[Any, Any]
BLOCK = 8192  # elements of one dot product: short enough to stay accurate in float32, and on one thread whatever the BLAS


def named(parameters: Any) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of a module's parameters, of pairs, of plain tensors (named by position and shape), or of one tensor."""
    if hasattr(parameters, "named_parameters"):
        parameters = parameters.named_parameters()
    for position, entry in enumerate([parameters] if isinstance(parameters, Tensor) else parameters):
        if isinstance(entry, Tensor):
            yield f"parameter {position} of shape {entry.shape}", entry
        elif isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], Tensor):
            yield f"'{entry[0]}' of shape {entry[1].shape}", entry[1]
        else:
            raise TypeError(f"clip_grad_norm_ wants tensors or (name, tensor) pairs, entry {position} is a {type(entry).__name__}")


def euclidean(array: Array) -> float:
    """The 2-norm: dot products of short blocks, added up in float64; rescaled if the squares leave the range of the dtype."""
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


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = True,
) -> Tensor:
    """The norm of all gradients together, as one float64 number, after which it is at most `max_norm`.

    The gradients are scaled in place by max_norm / (norm + 1e-6) if that is below 1 (Pascanu, Mikolov and Bengio, 2013; PyTorch's
    formula). `parameters`: tensors, (name, tensor) pairs, a module or one tensor; those without a gradient are skipped, one given
    twice counts once. `norm_type`: 2, 1, any p > 0, or math.inf for the largest element.

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
    max_norm, order = float(max_norm), float(norm_type)
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm={max_norm} should not be negative")
    if not order > 0:
        raise ValueError(f"clip_grad_norm_: norm_type={norm_type} should be above 0, or math.inf")
    unique = {id(p): (name, p.grad) for name, p in named(parameters) if p.grad is not None}
    grads = list(unique.values())
    with np.errstate(all="ignore"):
        norms = [euclidean(grad.numpy()) if order == 2 else power_norm(grad.numpy(), order) for _, grad in grads]
        total = math.hypot(*norms) if order == 2 else power_norm(np.array(norms), order)
        if error_if_nonfinite and not math.isfinite(total):
            refuse([(name, norm) for (name, _), norm in zip(grads, norms, strict=True)], total)
        scale = max_norm / (total + 1e-6)
        if not scale >= 1:
            for array in [grad.change("clip_grad_norm_") for _, grad in grads]:
                # a scale below the dtype's normal numbers would lose its digits: as a float64 it makes NumPy compute in float64
                array *= scale if scale >= np.finfo(array.dtype).tiny else np.float64(scale)
    return Tensor(total, np.float64)


def refuse(norms: list[tuple[str, float]], total: float) -> None:
    """Raise RuntimeError about a norm that is not finite, naming the parameters whose gradients made it so."""
    culprits = [f"{name} (norm {norm})" for name, norm in norms if not math.isfinite(norm)]
    if not culprits:
        culprits = [f"{name} (norm {norm}, the largest)" for name, norm in [max(norms, key=lambda entry: entry[1])]]
    more = f" and {len(culprits) - 3} more" if len(culprits) > 3 else ""
    raise RuntimeError(
        f"the gradient norm is {total} and cannot be clipped, because of the gradient of {', '.join(culprits[:3])}{more}. Nothing was "
        "changed: skip this step or lower the learning rate; error_if_nonfinite=False scales all the same"
    )
