"""Windows that slide along the last axis, and their adjoint: what convolutions and pooling are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.op import op


def span_of(size: int, dilation: int) -> int:
    """From the first element of a window to its last, both counted."""
    return (size - 1) * dilation + 1


@op(
    view=True,
    x=lambda g, x_shape, step, dilation: overlap_add(g, length=x_shape[-1], step=step, dilation=dilation),
)
def sliding_windows(x: Any, *, size: int, step: int = 1, dilation: int = 1) -> Any:
    """Windows of `size` elements, `dilation` apart, that move by `step` along the last axis. Its gradient is overlap_add.   (n) -> (m,k)

    m = (n - (size - 1) dilation - 1) // step + 1. Raises ShapeError if not one window fits.

    >>> sliding_windows([1.0, 2.0, 3.0, 4.0], size=2, step=2)
    tensor([[1., 2.],
            [3., 4.]])
    """
    span = span_of(size, dilation)
    if min(size, step, dilation) < 1 or not x.ndim or x.shape[-1] < span:
        raise ShapeError(
            f"sliding_windows: size={size}, step={step}, dilation={dilation} span {span} elements of the last axis of shape {x.shape}"
        )
    return np.lib.stride_tricks.sliding_window_view(x, span, axis=-1)[..., ::step, ::dilation]


@op(x=lambda g, x_shape, step, dilation: sliding_windows(g, size=x_shape[-1], step=step, dilation=dilation))
def overlap_add(x: Any, *, length: int, step: int = 1, dilation: int = 1) -> Any:
    """An axis of `length` that sums the windows x where `sliding_windows` reads them, its gradient.   (m,k) -> (n)

    Raises ShapeError if `length` has another number of windows than x.

    >>> overlap_add([[1.0, 2.0], [3.0, 4.0]], length=3)
    tensor([1., 5., 4.])
    """
    span = span_of(x.shape[-1], dilation) if x.ndim > 1 else 0
    count = (length - span) // step + 1
    if x.ndim < 2 or not x.shape[-1] or length < span or count != x.shape[-2]:
        raise ShapeError(f"overlap_add: length={length} with step={step}, dilation={dilation} does not have the windows of shape {x.shape}")
    out = np.zeros((*x.shape[:-2], length), x.dtype)
    for place in range(x.shape[-1]):
        start = place * dilation
        out[..., start : start + (count - 1) * step + 1 : step] += x[..., place]
    return out
