"""Linear, and what all layers ask of their input and their sizes; Flatten and Identity, which change no number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops import flatten, linear
from minigrad.tape import Tensor

from . import init
from .module import Module, Parameter


def in_dtype(layer: Module, x: Any, dtype: np.dtype[Any], what: str = "input") -> Tensor:
    """x as a tensor. One that is not of the layer's dtype is refused in words: NumPy would compute in float64, unasked."""
    tensor = x if isinstance(x, Tensor) else Tensor(x, None if hasattr(x, "dtype") else dtype)
    if tensor.dtype != dtype:
        out = f"convert it with .astype('{dtype}')"
        if tensor.dtype.kind == "f":
            out += f", or build the layer with dtype='{tensor.dtype}'"
        raise DtypeError(f"{layer.label()}: {what} is {tensor.dtype}, the layer's weights are {dtype}: {out}")
    return tensor


def check_sizes(layer: Module, **sizes: int) -> None:
    """Refuse sizes that are not whole numbers from 1."""
    for name, size in sizes.items():
        if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{type(layer).__name__}: {name} must be a whole number from 1, got {size!r}")


class Linear(Module):
    """Affine map y = x W^T + b over the last axis: (..., in_features) -> (..., out_features).

    Parameters `weight` (out_features, in_features) and `bias` (out_features,), both from U(-k, k), k = 1 / sqrt(in_features), as in
    PyTorch. Raises ShapeError for another number of features, DtypeError for another dtype.

    >>> Linear(3, 2)(np.zeros((5, 3), np.float32)).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = np.float32) -> None:
        super().__init__()
        check_sizes(self, in_features=in_features, out_features=out_features)
        self.in_features = in_features
        self.out_features = out_features
        bound = 1.0 / math.sqrt(in_features)
        self.weight = init.uniform_(Parameter(np.zeros((out_features, in_features), dtype)), -bound, bound)
        self.bias = init.uniform_(Parameter(np.zeros(out_features, dtype)), -bound, bound) if bias else None

    def forward(self, x: Any) -> Tensor:
        """x W^T + b of x (..., in_features)."""
        x = in_dtype(self, x, self.weight.dtype)
        if not x.ndim or x.shape[-1] != self.in_features:
            found = f"{x.shape[-1]} features (the last axis of shape {x.shape})" if x.ndim else "no axis"
            raise ShapeError(f"{self.label()}: input has {found}, expected in_features={self.in_features}")
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes, and whether there is a bias."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Flatten(Module):
    """The axes from `start_dim` to `end_dim` as one: by default (N, ...) -> (N, product of the others).

    >>> Flatten()(np.zeros((2, 3, 4), np.float32)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Any) -> Tensor:
        """x in its new shape. Raises ShapeError if it has not these axes in this order."""
        return flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """Gives its input back: stands where another layer could be. It takes any settings, as in PyTorch, and ignores them.

    >>> Identity()(7)
    7
    """

    def __init__(self, *settings: Any, **more: Any) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """x itself."""
        return x
