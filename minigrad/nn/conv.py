"""Convolution over time or any one axis, and pooling: windows that slide along the last axis, and one matrix product of all of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops import linear, matmul, pad, sliding_windows
from minigrad.tape import Tensor

from . import init
from .layers import check_sizes, in_dtype
from .module import Module, Parameter
from .reduction import floating


def whole(what: str, name: str, value: Any, least: int = 1) -> int:
    """A setting that is a whole number, or a tuple of one as PyTorch writes it."""
    if isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{what}: {name} must be a whole number from {least}, got {value!r}")
    return int(value)


def padded(x: Tensor, left: int, right: int, value: float = 0.0) -> Tensor:
    """x with `left` and `right` more elements at the ends of its last axis."""
    return pad(x, [*[(0, 0)] * (x.ndim - 1), (left, right)], constant_values=value) if left or right else x


def batched(what: str, x: Any) -> tuple[Tensor, bool]:
    """x as (N, C, L), and whether it had the batch axis."""
    (x,) = floating(what, input=x)
    if x.ndim not in (2, 3):
        raise ShapeError(f"{what}: input has shape {x.shape}, expected (batch, channels, length), or (channels, length) without a batch")
    return (x, True) if x.ndim == 3 else (x.expand_dims(0), False)


def check_fits(what: str, x: Tensor, span: int, left: int, right: int) -> None:
    """Refuse windows that are longer than the padded input."""
    if x.shape[-1] + left + right < span:
        padding = f" and padding {left} + {right}" if left or right else ""
        raise ShapeError(f"{what}: the input's length {x.shape[-1]} (shape {x.shape}){padding} is less than the {span} that a window spans")


def both_sides(what: str, padding: Any, span: int, stride: int) -> tuple[int, int]:
    """How much a convolution pads on the left and on the right."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        if stride != 1:
            raise ValueError(f"{what}: padding='same' keeps the length, which stride={stride} does not: use stride=1 or a number")
        return (span - 1) // 2, span - 1 - (span - 1) // 2
    if isinstance(padding, str):
        raise ValueError(f"{what}: padding={padding!r} is not one of 'valid', 'same', or a whole number from 0")
    count = whole(what, "padding", padding, 0)
    return count, count


def conv1d(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1, *, what: str = "conv1d"
) -> Tensor:
    """out[n, o, t] = bias[o] + sum over c, k of weight[o, c, k] x[n, c, t stride + k dilation - padding]: PyTorch's conv1d.

    x (N, C, L) or (C, L), weight (O, C / groups, K), bias (O,) or None; the result is (N, O, M) or (O, M) with
    M = (L + 2 padding - dilation (K - 1) - 1) // stride + 1. padding='same' pads so that M = L (stride 1 only), 'valid' does not pad.
    With groups, the channels of each group see only the inputs of theirs. Raises ShapeError for shapes that do not belong together,
    ValueError for settings that do not exist. `what` names the caller in errors.

    >>> conv1d([[[1.0, 2.0, 4.0]]], [[[1.0, -1.0]]])
    tensor([[[-1., -2.]]])
    """
    stride, dilation, groups = whole(what, "stride", stride), whole(what, "dilation", dilation), whole(what, "groups", groups)
    x, batch = batched(what, x)
    (weight,) = floating(what, weight=weight)
    if weight.ndim != 3 or not weight.size or weight.shape[0] % groups:
        raise ShapeError(f"{what}: weight has shape {weight.shape}, expected (out, in / groups, kernel) with out a multiple of {groups}")
    out, inner, size = weight.shape
    if x.shape[1] != inner * groups:
        raise ShapeError(f"{what}: input has {x.shape[1]} channels (shape {x.shape} = batch, channels, length), expected {inner * groups}")
    if bias is not None:
        (bias,) = floating(what, bias=bias)
        if bias.shape != (out,):
            raise ShapeError(f"{what}: bias has shape {bias.shape}, expected one number for each of the {out} output channels")
    span = (size - 1) * dilation + 1
    left, right = both_sides(what, padding, span, stride)
    check_fits(what, x, span, left, right)
    seen = sliding_windows(padded(x, left, right), size=size, step=stride, dilation=dilation)  # N, C, M, K
    if groups == 1:
        rows = seen.transpose(0, 2, 1, 3).reshape(len(x), seen.shape[2], inner * size)
        result = linear(rows, weight.reshape(out, inner * size), bias).swapaxes(1, 2)
    else:
        grouped = seen.reshape(len(x), groups, inner, *seen.shape[2:]).transpose(1, 0, 3, 2, 4)  # G, N, M, C / G, K
        rows = grouped.reshape(groups, len(x) * seen.shape[2], inner * size)
        found = matmul(rows, weight.reshape(groups, out // groups, inner * size).swapaxes(1, 2))  # G, N M, O / G
        result = found.reshape(groups, len(x), seen.shape[2], out // groups).transpose(1, 0, 3, 2).reshape(len(x), out, seen.shape[2])
        if bias is not None:
            result = result + bias.reshape(out, 1)
    return result if batch else result.squeeze(0)


class Conv1d(Module):
    """`conv1d` with learned weights: (N, in_channels, L) -> (N, out_channels, M), or both without N.

    Parameters `weight` (out_channels, in_channels / groups, kernel_size) and `bias` (out_channels,), both from U(-k, k) with
    k = 1 / sqrt(in_channels / groups kernel_size), as in PyTorch. The padding is of zeros. Raises ShapeError and DtypeError for an input
    that does not fit, ValueError for settings that do not exist.

    >>> Conv1d(3, 8, kernel_size=5, padding=2)(np.zeros((2, 3, 20), np.float32)).shape
    (2, 8, 20)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__()
        check_sizes(self, in_channels=in_channels, out_channels=out_channels, groups=groups)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size, self.stride, self.dilation = (
            whole("Conv1d", name, value) for name, value in (("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation))
        )
        self.padding = padding
        self.groups = groups
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"Conv1d: in_channels={in_channels} and out_channels={out_channels} must be multiples of groups={groups}")
        if padding_mode != "zeros":
            raise ValueError(f"Conv1d: padding_mode={padding_mode!r} does not exist, 'zeros' does: pad the input before the layer")
        both_sides("Conv1d", padding, (self.kernel_size - 1) * self.dilation + 1, self.stride)
        fan_in = in_channels // groups * self.kernel_size
        bound = 1.0 / math.sqrt(fan_in)
        self.weight = init.uniform_(Parameter(np.zeros((out_channels, in_channels // groups, self.kernel_size), dtype)), -bound, bound)
        self.bias = init.uniform_(Parameter(np.zeros(out_channels, dtype)), -bound, bound) if bias else None

    def forward(self, x: Any) -> Tensor:
        """The convolution of x."""
        x = in_dtype(self, x, self.weight.dtype)
        return conv1d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups, what=self.label())

    def extra_repr(self) -> str:
        """As PyTorch prints it: the sizes, and what differs from the defaults."""
        usual = {"padding": 0, "dilation": 1, "groups": 1}
        other = [f"{name}={getattr(self, name)!r}" for name, value in usual.items() if getattr(self, name) != value]
        sizes = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        return ", ".join([sizes, *other, *([] if self.bias is not None else ["bias=False"])])
