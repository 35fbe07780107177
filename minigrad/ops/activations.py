"""Activations beyond tanh, sigmoid, softplus and relu (which are in elementwise.py), each exact in both tails."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.op import elementwise
from minigrad.tape import Tensor

from .elementwise import clip, exp, sigmoid, sigmoid_grad, softplus, where
from .error_function import erfc

CUBIC = 0.044715  # of the approximate gelu (Hendrycks and Gimpel, 2016)
OUTER = math.sqrt(8.0 / math.pi)
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # the fixed point of Klambauer et al., 2017


@elementwise(x=lambda g, x: g * sigmoid(-x))
def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)) = -softplus(-x), exact in both tails.   () -> ()

    >>> log_sigmoid([0.0, -100.0])
    tensor([  -0.6931472, -100.       ])
    """
    return -softplus.body(np.negative(x))


@elementwise(x=lambda g, x, negative_slope: where(x > 0.0, g, g * negative_slope))
def leaky_relu(x: Any, *, negative_slope: float = 0.01) -> Any:
    """x where x > 0, else negative_slope x. The derivative at 0 is the slope.   () -> ()

    >>> leaky_relu([-1.0, 2.0])
    tensor([-0.01,  2.  ])
    """
    return np.where(np.greater(x, 0), x, x * negative_slope)


@elementwise(x=lambda g, x, alpha: where(x > 0.0, g, g * (exp(where(x < 0.0, x, 0.0)) * alpha)))
def elu(x: Any, *, alpha: float = 1.0) -> Any:
    """x where x > 0, else alpha (e^x - 1) (Clevert et al., 2015). The derivative at 0 is alpha.   () -> ()

    >>> elu([-1.0, 2.0])
    tensor([-0.6321205,  2.       ])
    """
    return np.where(np.greater(x, 0), x, alpha * np.expm1(np.minimum(x, 0)))


def selu(x: Any) -> Tensor:
    """elu with the scale and the alpha that keep mean 0 and variance 1 from layer to layer (Klambauer et al., 2017).   () -> ()

    >>> selu([-1.0, 2.0])
    tensor([-1.1113307,  2.101402 ])
    """
    return elu(x, alpha=SELU_ALPHA) * SELU_SCALE


def silu_grad(g: Tensor, x: Tensor) -> Tensor:
    """g times the slope of x sigmoid(x)."""
    s = sigmoid(x)
    return g * s + sigmoid_grad(g * x, s)


@elementwise(x=silu_grad)
def silu(x: Any) -> Any:
    """x sigmoid(x), also called swish.   () -> ()

    >>> silu([-1.0, 0.0, 1.0])
    tensor([-0.2689414,  0.       ,  0.7310586])
    """
    half = np.exp(np.abs(x) * -0.5)  # e^-|x| itself is subnormal long before its product with x is
    return np.where(np.greater_equal(x, 0), x, x * half * half) / (1 + half * half)


def gelu_grad(g: Tensor, x: Tensor, approximate: str) -> Tensor:
    """g times the slope of gelu. Where the bell has vanished in any float, x is held: infinity times 0 would be NaN."""
    if approximate == "none":
        near = clip(x, lo=-40.0, hi=40.0)
        bell = exp(near * near * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))
        return g * (erfc(x * -math.sqrt(0.5)) * 0.5 + near * bell)
    near = clip(x, lo=-100.0, hi=100.0)
    s = sigmoid((near + near * near * near * CUBIC) * OUTER)
    return g * s + sigmoid_grad(g * (near + near * near * near * (3.0 * CUBIC)) * OUTER, s)


@elementwise(x=gelu_grad)
def gelu(x: Any, *, approximate: str = "none") -> Any:
    """x times the probability that a normal variable is below x (Hendrycks and Gimpel, 2016).   () -> ()

    `approximate="tanh"` is their x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2. Raises ValueError for any other word.

    >>> gelu([-1.0, 0.0, 1.0])
    tensor([-0.1586553,  0.       ,  0.8413447])
    >>> gelu([-1.0, 0.0, 1.0], approximate="tanh")
    tensor([-0.158808,  0.      ,  0.841192])
    """
    if approximate == "none":
        return x * (0.5 * erfc.body(x * -math.sqrt(0.5)))
    if approximate == "tanh":
        return x * sigmoid.body((x + x * x * x * CUBIC) * OUTER)
    raise ValueError(f"approximate={approximate!r} is not known: it is 'none' or 'tanh'")
