"""Pooling: one number for each window that slides along the last axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops import argmax, sliding_windows, stack, take_along_axis
from minigrad.tape import Tensor

from .conv import batched, check_fits, padded, whole
from .module import Module


def slid(
    what: str, x: Any, size: Any, stride: Any, padding: Any, dilation: Any, filler: float, reduce: Callable[[Tensor], Tensor]
) -> Tensor:
    """`reduce` of the windows (N, C, M, K) of x (N, C, L) or (C, L), padded with `filler`."""
    size, padding, dilation = whole(what, "kernel_size", size), whole(what, "padding", padding, 0), whole(what, "dilation", dilation)
    stride = size if stride is None else whole(what, "stride", stride)
    if padding > size // 2:
        raise ValueError(f"{what}: padding={padding} is more than half of kernel_size={size}: windows of nothing but padding have no value")
    x, batch = batched(what, x)
    check_fits(what, x, (size - 1) * dilation + 1, padding, padding)
    out = reduce(sliding_windows(padded(x, padding, padding, filler), size=size, step=stride, dilation=dilation))
    return out if batch else out.squeeze(0)


def first_largest(x: Tensor) -> Tensor:
    """The largest along the last axis; where elements tie, the first of them gets the gradient, as in PyTorch."""
    return take_along_axis(x, argmax(x, axis=-1, keepdims=True)).squeeze(-1)


def max_pool1d(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> Tensor:
    """The largest element of each window: (N, C, L) -> (N, C, M), M = (L + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1.

    The stride is kernel_size if None; padding is with -inf. Where elements tie, the first gets the gradient. Raises ShapeError for an
    input that does not fit, ValueError for settings that do not exist.

    >>> max_pool1d([[[1.0, 5.0, 2.0, 3.0]]], 2)
    tensor([[[5., 3.]]])
    """
    return slid("max_pool1d", x, kernel_size, stride, padding, dilation, -np.inf, first_largest)


def avg_pool1d(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, count_include_pad: bool = True) -> Tensor:
    """The mean of each window: (N, C, L) -> (N, C, M), M = (L + 2 padding - kernel_size) // stride + 1.

    The stride is kernel_size if None; the zeros of the padding count unless `count_include_pad=False`. Raises as max_pool1d does.

    >>> avg_pool1d([[[1.0, 5.0, 2.0, 3.0]]], 2)
    tensor([[[3. , 2.5]]])
    """

    def mean(x: Tensor) -> Tensor:
        return x.mean(axis=-1)

    out = slid("avg_pool1d", x, kernel_size, stride, padding, 1, 0.0, mean)
    if count_include_pad or not whole("avg_pool1d", "padding", padding, 0):
        return out
    ones = Tensor(np.ones((1, np.shape(x)[-1]), out.dtype))
    return out / slid("avg_pool1d", ones, kernel_size, stride, padding, 1, 0.0, mean)


def parts(what: str, x: Any, output_size: Any, reduce: Callable[[Tensor], Tensor]) -> Tensor:
    """`reduce` of `output_size` stretches of the last axis that are as equal as can be, and cover it."""
    count = whole(what, "output_size", output_size)
    x, batch = batched(what, x)
    length = x.shape[-1]
    if not length:
        raise ShapeError(f"{what}: the input of shape {x.shape} has no elements along its last axis")
    found = [reduce(x[..., i * length // count : -(-(i + 1) * length // count)]) for i in range(count)]
    out = stack(found, axis=-1)
    return out if batch else out.squeeze(0)


def adaptive_avg_pool1d(x: Any, output_size: Any) -> Tensor:
    """The means of `output_size` stretches of the last axis, as equal as can be: (N, C, L) -> (N, C, output_size). 1 is the global mean.

    >>> adaptive_avg_pool1d([[[1.0, 5.0, 3.0]]], 1)
    tensor([[[3.]]])
    """
    return parts("adaptive_avg_pool1d", x, output_size, lambda part: part.mean(axis=-1))


def adaptive_max_pool1d(x: Any, output_size: Any) -> Tensor:
    """The largest of each of `output_size` stretches of the last axis: (N, C, L) -> (N, C, output_size). 1 is the global maximum.

    >>> adaptive_max_pool1d([[[1.0, 5.0, 3.0]]], 1)
    tensor([[[5.]]])
    """
    return parts("adaptive_max_pool1d", x, output_size, first_largest)


class MaxPool1d(Module):
    """`max_pool1d` as a module.

    >>> MaxPool1d(2)(np.zeros((2, 3, 9), np.float32)).shape
    (2, 3, 4)
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> None:
        super().__init__()
        self.kernel_size = whole("MaxPool1d", "kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else whole("MaxPool1d", "stride", stride)
        self.padding = whole("MaxPool1d", "padding", padding, 0)
        self.dilation = whole("MaxPool1d", "dilation", dilation)

    def forward(self, x: Any) -> Tensor:
        """See `max_pool1d`."""
        return max_pool1d(x, self.kernel_size, self.stride, self.padding, self.dilation)

    def extra_repr(self) -> str:
        """The settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}"


class AvgPool1d(Module):
    """`avg_pool1d` as a module.

    >>> AvgPool1d(3, stride=1, padding=1)(np.zeros((2, 3, 9), np.float32)).shape
    (2, 3, 9)
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, *, count_include_pad: bool = True) -> None:
        super().__init__()
        self.kernel_size = whole("AvgPool1d", "kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else whole("AvgPool1d", "stride", stride)
        self.padding = whole("AvgPool1d", "padding", padding, 0)
        self.count_include_pad = count_include_pad

    def forward(self, x: Any) -> Tensor:
        """See `avg_pool1d`."""
        return avg_pool1d(x, self.kernel_size, self.stride, self.padding, self.count_include_pad)

    def extra_repr(self) -> str:
        """The settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool1d(Module):
    """`adaptive_avg_pool1d` as a module; with 1, the global mean.

    >>> AdaptiveAvgPool1d(1)(np.zeros((2, 3, 9), np.float32)).shape
    (2, 3, 1)
    """

    pool = staticmethod(adaptive_avg_pool1d)

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = whole(type(self).__name__, "output_size", output_size)

    def forward(self, x: Any) -> Tensor:
        """See the function."""
        return self.pool(x, self.output_size)

    def extra_repr(self) -> str:
        """The length."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(AdaptiveAvgPool1d):
    """`adaptive_max_pool1d` as a module; with 1, the global maximum.

    >>> AdaptiveMaxPool1d(1)(np.zeros((2, 3, 9), np.float32)).shape
    (2, 3, 1)
    """

    pool = staticmethod(adaptive_max_pool1d)
