"""Layers without memory: Linear, Embedding, and Sequential to put layers in a row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, overload

import numpy as np

from minigrad.errors import DtypeError, ShapeError
from minigrad.ops import linear, take
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


class Sequential(Module):
    """Modules called one after another. It has a length, iterates, and an index gives a module, a slice a Sequential of the same modules.

    >>> model = Sequential(Linear(2, 4), Linear(4, 1))
    >>> model
    Sequential(
      (0): Linear(in_features=2, out_features=4, bias=True)
      (1): Linear(in_features=4, out_features=1, bias=True)
    )  # 17 parameters
    >>> len(model), model[-1]
    (2, Linear(in_features=4, out_features=1, bias=True)  # 5 parameters)
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        for place, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(f"Sequential takes modules, got {type(module).__name__} in place {place}")
            setattr(self, str(place), module)

    def forward(self, x: Any) -> Any:
        """The last module's output for the first module's input x."""
        for module in self:
            x = module(x)
        return x

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __iter__(self) -> Iterator[Module]:
        return iter([value for value in vars(self).values() if isinstance(value, Module)])

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        modules = list(self)
        if not isinstance(index, slice):
            return modules[index]
        part = Sequential()
        vars(part).update((str(place), module) for place, module in enumerate(modules[index]))  # the modules keep their paths in the whole
        return part


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


class Embedding(Module):
    """A table of vectors: whole numbers of any shape (...) -> (..., embedding_dim).

    Parameter `weight` (num_embeddings, embedding_dim), standard normal at the start, as in PyTorch. Raises ShapeError for an index out of
    range (negative ones too), DtypeError for indices that are not whole numbers.

    >>> Embedding(10, 4)([[1, 2, 1]]).shape
    (1, 3, 4)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, *, dtype: Any = np.float32) -> None:
        super().__init__()
        check_sizes(self, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.weight = init.normal_(Parameter(np.zeros((num_embeddings, embedding_dim), dtype)))

    def forward(self, indices: Any) -> Tensor:
        """The rows of the table at `indices`."""
        places = np.asarray(indices)
        if places.dtype.kind not in "iu" and places.size:
            raise DtypeError(f"{self.label()}: indices are {places.dtype}, expected whole numbers: convert them with .astype('int64')")
        if places.size and not 0 <= places.min() <= places.max() < self.num_embeddings:
            raise ShapeError(
                f"{self.label()}: indices run from {places.min()} to {places.max()}, num_embeddings={self.num_embeddings} allows 0 to "
                f"{self.num_embeddings - 1}"
            )
        return take(self.weight, places.astype(np.int64))

    def extra_repr(self) -> str:
        """Rows and columns of the table."""
        return f"{self.num_embeddings}, {self.embedding_dim}"
