"""References of the operations that move elements about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np


def sum_to(x: Any, shape: Any) -> Any:
    while len(x.shape) > len(shape):
        x = anp.sum(x, axis=0)
    for axis, length in enumerate(shape):
        x = anp.sum(x, axis=axis, keepdims=True) if length == 1 else x
    return x


REFERENCES: dict[str, Callable[..., Any]] = {
    "broadcast_to": lambda x, shape: x + np.zeros(shape),
    "concatenate": lambda *xs, axis=0: anp.concatenate(xs, axis=axis),
    "detach": lambda x: np.array(x),
    "expand_dims": lambda x, axis: anp.reshape(x, np.expand_dims(np.zeros(x.shape), axis).shape),
    "identity": lambda x: x * 1.0,
    "reshape": lambda x, shape: anp.reshape(x, tuple(shape) if isinstance(shape, list) else shape),
    "squeeze": lambda x, axis=None: anp.reshape(x, np.squeeze(np.zeros(x.shape), axis).shape),
    "stack": lambda *xs, axis=0: anp.concatenate([anp.expand_dims(x, axis) for x in xs], axis=axis),
    "sum_to": sum_to,
    "swapaxes": anp.swapaxes,
    "transpose": lambda x, axes=None: anp.transpose(x, axes and tuple(a % len(axes) for a in axes)),
}

TORCH: dict[str, Callable[..., Any]] = {}
