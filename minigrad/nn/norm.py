"""Normalisation: over the features of each example (LayerNorm), or over the examples of each feature (BatchNorm1d)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops import sqrt, square
from minigrad.tape import Tensor

from .hooks import at_every_step
from .layers import check_sizes, in_dtype
from .module import Module, Parameter
from .reduction import floating


def check_eps(what: str, eps: float) -> None:
    """Refuse an eps that is below 0 or no number."""
    if not 0 <= eps < math.inf:
        raise ValueError(f"{what}: eps={eps} should be a small number, 0 or above")


def standard(x: Tensor, axes: Any, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """(x - mean) / sqrt(variance + eps) over `axes`, the mean and the variance (of n, not n - 1), both with the axes kept."""
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - mean
    variance = square(centred).mean(axis=axes, keepdims=True)
    return centred * (1.0 / sqrt(variance + eps)), mean, variance


def layer_norm(x: Any, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """(x - mean) / sqrt(variance + eps) weight + bias over the last axes, whose lengths are `normalized_shape` (Ba et al., 2016).

    Shape and dtype are those of x. `weight` and `bias` have the normalized shape, or are None. Raises ShapeError.

    >>> layer_norm([[1.0, 3.0], [10.0, 30.0]], 2, eps=0.0)
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """
    check_eps("layer_norm", eps)
    (x,) = floating("layer_norm", x=x)
    shape = (int(normalized_shape),) if isinstance(normalized_shape, int | np.integer) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(f"layer_norm: input has shape {x.shape}, its last axes should be normalized_shape={shape}")
    out, _, _ = standard(x, tuple(range(-len(shape), 0)), eps)
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and np.shape(tensor) != shape:
            raise ShapeError(f"layer_norm: {name} has shape {np.shape(tensor)}, expected normalized_shape={shape}")
    if weight is not None:
        out = out * weight
    return out if bias is None else out + bias


class LayerNorm(Module):
    """`layer_norm` with a learned scale and shift (Ba et al., 2016): each example over its last axes, the same in training and evaluation.

    Parameters `weight` (ones) and `bias` (zeros) of the shape `normalized_shape`, as in PyTorch; none with `elementwise_affine=False`.
    Raises ShapeError and DtypeError for an input that does not fit.

    >>> LayerNorm(4)(np.ones((2, 3, 4), np.float32)).shape
    (2, 3, 4)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__()
        check_eps("LayerNorm", eps)
        lengths = [normalized_shape] if isinstance(normalized_shape, int | np.integer) else list(normalized_shape)
        if not lengths:
            raise ValueError("LayerNorm: normalized_shape is empty, there is nothing to normalise over")
        for length in lengths:
            check_sizes(self, normalized_shape=length)
        self.normalized_shape = tuple(int(length) for length in lengths)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(np.ones(self.normalized_shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(self.normalized_shape, dtype)) if elementwise_affine and bias else None

    def forward(self, x: Any) -> Tensor:
        """The normalised x, of the same shape."""
        if self.weight is not None:
            x = in_dtype(self, x, self.weight.dtype)
        count = len(self.normalized_shape)
        if np.shape(x)[-count:] != self.normalized_shape:
            raise ShapeError(
                f"{self.label()}: input has shape {np.shape(x)}, its last axes should be normalized_shape={self.normalized_shape}"
            )
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The shape, and the settings."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


def batch_norm(
    x: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) weight + bias for each channel, axis 1 of (N, C) or (N, C, ...) (Ioffe and Szegedy, 2015).

    In training the mean and the variance are those of x, and the running ones (C,), if given, move towards them in place:
    running += momentum (new - running), where the new variance is that of n - 1. Else they are the running ones. Raises ShapeError for
    shapes that do not fit, ValueError for training with one value a channel.

    >>> batch_norm([[1.0], [3.0]], None, None, training=True, eps=0.0)
    tensor([[-1.],
            [ 1.]])
    """
    check_eps("batch_norm", eps)
    (x,) = floating("batch_norm", x=x)
    if x.ndim < 2:
        raise ShapeError(f"batch_norm: input has shape {x.shape}, expected (N, C) or (N, C, ...)")
    channels = x.shape[1]
    column = (1, channels, *[1] * (x.ndim - 2))
    for name, tensor in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if tensor is not None and np.shape(tensor) != (channels,):
            raise ShapeError(
                f"batch_norm: {name} has shape {np.shape(tensor)}, expected ({channels},), the channels of the input {x.shape}"
            )
    if training:
        count = x.size // channels if channels else 0
        if count < 2:
            raise ValueError(
                f"batch_norm: an input of shape {x.shape} has {count} value{'s' * (count != 1)} a channel, and one has no variance: train "
                "with more examples, or call eval() first"
            )
        out, mean, variance = standard(x, (0, *range(2, x.ndim)), eps)
        move(running_mean, mean.numpy(), momentum)
        move(running_var, variance.numpy() * (count / (count - 1)), momentum)
    elif running_mean is None or running_var is None:
        raise ValueError("batch_norm: without training it needs running_mean and running_var")
    else:
        out = (x - running_mean.reshape(column)) * (1.0 / sqrt(running_var.reshape(column) + eps))
    if weight is not None:
        out = out * weight.reshape(column)
    return out if bias is None else out + bias.reshape(column)


def move(running: Tensor | None, new: np.ndarray[Any, Any], momentum: float) -> None:
    """running += momentum (new - running), in place."""
    if running is not None:
        at_every_step("batch_norm moves its running statistics")
        running.assign_((1.0 - momentum) * running.numpy() + momentum * new.reshape(-1))


class BatchNorm1d(Module):
    """`batch_norm` of (N, C) or (N, C, L) with a learned scale and shift for each of C = num_features channels (Ioffe and Szegedy, 2015).

    Parameters `weight` (ones) and `bias` (zeros), buffers `running_mean`, `running_var` and `num_batches_tracked`, all as in PyTorch. In
    training it uses the batch's own statistics and moves the running ones (with momentum=None they are the plain average over all batches);
    after eval() it uses the running ones, or with `track_running_stats=False` still the batch's. Raises ShapeError and DtypeError for an
    input that does not fit, ValueError for one value a channel in training.

    >>> norm = BatchNorm1d(2)
    >>> norm(np.ones((4, 2), np.float32)).shape
    (4, 2)
    >>> norm.running_mean
    tensor([0.1, 0.1])
    """

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__()
        check_sizes(self, num_features=num_features)
        check_eps("BatchNorm1d", eps)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine else None
        tracked = track_running_stats
        self.register_buffer("running_mean", Tensor(np.zeros(num_features, dtype)) if tracked else None)
        self.register_buffer("running_var", Tensor(np.ones(num_features, dtype)) if tracked else None)
        self.register_buffer("num_batches_tracked", Tensor(np.array(0, np.int64)) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget the running statistics: mean 0, variance 1, no batch seen."""
        for tensor, value in ((self.running_mean, 0.0), (self.running_var, 1.0), (self.num_batches_tracked, 0)):
            if tensor is not None:
                tensor.assign_(value)

    def forward(self, x: Any) -> Tensor:
        """The normalised x, of the same shape."""
        known = self.weight if self.weight is not None else self.running_mean
        x = floating(self.label(), input=x)[0] if known is None else in_dtype(self, x, known.dtype)
        if x.ndim not in (2, 3) or x.shape[1] != self.num_features:
            raise ShapeError(
                f"{self.label()}: input has shape {x.shape}, expected (batch, num_features={self.num_features}) or (batch, "
                f"num_features={self.num_features}, length)"
            )
        momentum = 0.0 if self.momentum is None else self.momentum
        seen = self.num_batches_tracked
        if self.training and seen is not None:
            at_every_step(f"{self.label()} counts its batches")
            seen.assign_(seen.numpy() + 1)
            if self.momentum is None:
                momentum = 1.0 / seen.item()
        batch = self.training or self.running_mean is None or self.running_var is None
        mean, variance = (self.running_mean, self.running_var) if not batch or self.training else (None, None)
        return batch_norm(x, mean, variance, self.weight, self.bias, batch, momentum, self.eps)

    def extra_repr(self) -> str:
        """The settings, as PyTorch prints them."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )
