"""Activations as modules, for Sequential and for models that choose one. `inplace` is taken as in PyTorch and changes nothing here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.errors import ShapeError
from minigrad.ops.creation import as_tensor
from minigrad.tape import Tensor

from .module import Module


class Activation(Module):
    """An elementwise function as a module."""

    function: Callable[..., Tensor]
    settings: tuple[str, ...] = ()

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Tensor:
        """The function of x, in its shape."""
        return type(self).function(x, **{name: getattr(self, name) for name in self.settings})

    def extra_repr(self) -> str:
        """The settings."""
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.settings)


class ReLU(Activation):
    """`minigrad.relu` as a module.

    >>> ReLU()([-1.0, 2.0])
    tensor([0., 2.])
    """

    function = staticmethod(ops.relu)


class Tanh(Activation):
    """`minigrad.tanh` as a module.

    >>> Tanh()([0.0])
    tensor([0.])
    """

    function = staticmethod(ops.tanh)


class Sigmoid(Activation):
    """`minigrad.sigmoid` as a module.

    >>> Sigmoid()([0.0])
    tensor([0.5])
    """

    function = staticmethod(ops.sigmoid)


class LogSigmoid(Activation):
    """`minigrad.log_sigmoid` as a module.

    >>> LogSigmoid()([0.0])
    tensor([-0.6931472])
    """

    function = staticmethod(ops.log_sigmoid)


class SiLU(Activation):
    """`minigrad.silu` as a module: x sigmoid(x).

    >>> SiLU()([0.0])
    tensor([0.])
    """

    function = staticmethod(ops.silu)


class SELU(Activation):
    """`minigrad.selu` as a module.

    >>> SELU()([0.0])
    tensor([0.])
    """

    function = staticmethod(ops.selu)


class GELU(Activation):
    """`minigrad.gelu` as a module.

    >>> GELU()([0.0])
    tensor([0.])
    """

    function = staticmethod(ops.gelu)
    settings = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate


class ELU(Activation):
    """`minigrad.elu` as a module.

    >>> ELU(alpha=0.5)([0.0, 2.0])
    tensor([0., 2.])
    """

    function = staticmethod(ops.elu)
    settings = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha


class LeakyReLU(Activation):
    """`minigrad.leaky_relu` as a module.

    >>> LeakyReLU(0.1)([-1.0, 2.0])
    tensor([-0.1,  2. ])
    """

    function = staticmethod(ops.leaky_relu)
    settings = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope


def softplus(x: Any, beta: float = 1.0) -> Tensor:
    """log(1 + e^(beta x)) / beta, exact for any x: no threshold beyond which it would be x.

    >>> softplus([0.0], beta=2.0)
    tensor([0.3465736])
    """
    if not beta > 0:
        raise ValueError(f"softplus: beta={beta} should be above 0")
    return ops.softplus(x) if beta == 1.0 else ops.softplus(as_tensor(x) * float(beta)) * (1.0 / beta)


class Softplus(Activation):
    """`softplus` as a module.

    >>> Softplus()([0.0])
    tensor([0.6931472])
    """

    function = staticmethod(softplus)
    settings = ("beta",)

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta


def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """x limited to min_val <= x <= max_val, with a derivative of 0 on the bounds and beyond, as in PyTorch.

    >>> hardtanh([-3.0, 0.5, 3.0])
    tensor([-1. ,  0.5,  1. ])
    """
    if not min_val < max_val:
        raise ValueError(f"hardtanh: min_val={min_val} should be below max_val={max_val}")
    x = as_tensor(x)
    limited: Tensor = ops.where(x <= min_val, min_val, ops.where(x >= max_val, max_val, x))
    return limited


class Hardtanh(Activation):
    """`hardtanh` as a module.

    >>> Hardtanh()([-3.0, 0.5])
    tensor([-1. ,  0.5])
    """

    function = staticmethod(hardtanh)
    settings = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val = min_val
        self.max_val = max_val


class Softmax(Module):
    """`minigrad.softmax` along the axis `dim`, as a module. Raises ShapeError for an axis that the input does not have.

    >>> Softmax(dim=-1)([1.0, 1.0])
    tensor([0.5, 0.5])
    """

    function: Callable[..., Tensor] = staticmethod(ops.softmax)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        if not isinstance(dim, int | np.integer):
            raise TypeError(f"{type(self).__name__}: dim={dim!r} should be the number of an axis")
        self.dim = dim

    def forward(self, x: Any) -> Tensor:
        """See the function."""
        x = as_tensor(x)
        if not -x.ndim <= self.dim < x.ndim:
            raise ShapeError(f"{self.label()}: input of shape {x.shape} has no axis dim={self.dim}")
        return type(self).function(x, axis=self.dim)

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """`minigrad.log_softmax` along the axis `dim`, as a module. Raises as Softmax does.

    >>> LogSoftmax(dim=-1)([1.0, 1.0])
    tensor([-0.6931472, -0.6931472])
    """

    function = staticmethod(ops.log_softmax)
