"""References of the operations that move elements about."""

from __future__ import annotations

import math
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


def flatten(x: Any, start: int = 0, stop: int = -1) -> Any:
    shape = x.shape or (1,)
    start, stop = start % len(shape), stop % len(shape)
    return anp.reshape(x, (*shape[:start], int(np.prod(shape[start : stop + 1])), *shape[stop + 1 :]))


def chunk(x: Any, chunks: int, piece: int, axis: int = 0) -> Any:
    """A piece of as many elements as it takes for `chunks` of them to hold all."""
    axis, n = axis % len(x.shape), x.shape[axis]
    each = max(math.ceil(n / chunks), 1)
    count = math.ceil(n / each) if n else chunks
    first = min(piece % count * each, n)
    return x[(slice(None),) * axis + (slice(first, min(first + each, n)),)]


REFERENCES: dict[str, Callable[..., Any]] = {
    "cat()": lambda *xs, axis=0: anp.concatenate(xs, axis=axis),
    "chunk()": chunk,
    "flatten()": flatten,
    "moveaxis()": lambda x, source, destination: anp.moveaxis(x, source, destination),
    "ravel()": lambda x: anp.reshape(x, (x.size,)),
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

TORCH: dict[str, Callable[..., Any]] = {
    "cat()": lambda t, *xs, axis=0: t.cat(xs, axis),
    "chunk()": lambda t, x, chunks, piece, axis=0: t.chunk(x, chunks, axis)[piece],
    "flatten()": lambda t, x, start=0, stop=-1: t.flatten(x, start, stop),
    "moveaxis()": lambda t, x, source, destination: t.moveaxis(x, source, destination),
    "ravel()": lambda t, x: t.ravel(x),
    "broadcast_to": lambda t, x, shape: t.broadcast_to(x, shape),
    "concatenate": lambda t, *xs, axis=0: t.cat(xs, axis),
    "detach": lambda t, x: x.detach(),
    "expand_dims": lambda t, x, axis: x.reshape(np.expand_dims(np.zeros(x.shape), axis).shape),
    "identity": lambda t, x: x.view_as(x),
    "reshape": lambda t, x, shape: t.reshape(x, tuple(shape) if isinstance(shape, list | tuple) else (shape,)),
    "squeeze": lambda t, x, axis=None: t.squeeze(x) if axis is None else t.squeeze(x, axis),
    "stack": lambda t, *xs, axis=0: t.stack(xs, axis),
    "sum_to": lambda t, x, shape: x.sum_to_size(tuple(shape)) if len(shape) else x.sum(),
    "swapaxes": lambda t, x, axis1, axis2: t.swapaxes(x, axis1, axis2),
    "transpose": lambda t, x, axes=None: x.permute(*(range(x.ndim)[::-1] if axes is None else axes)) if x.ndim else x.clone(),
}
