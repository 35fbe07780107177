"""References of the operations that work element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive


def choose(cond: Any, a: Any, b: Any) -> Any:
    """where, for finite numbers: autograd's own does not broadcast on the way back."""
    mask = np.asarray(cond) != 0
    return a * (1.0 * mask) + b * (1.0 * ~mask)


def clip(x: Any, lo: float | None = None, hi: float | None = None) -> Any:
    x = x if lo is None else choose(x < lo, lo, x)
    return x * 1.0 if hi is None else choose(x > hi, hi, x)


def power(a: Any, b: Any) -> Any:
    """By its definition, so that nothing of autograd's own conventions at 0 comes in."""
    if isinstance(b, int | float) or b.dtype.kind in "iu":
        return anp.power(a, np.asarray(b, float))
    positive = anp.greater(a, 0.0)
    by_definition = anp.exp(b * anp.log(choose(positive, a, 1.0)))
    return choose(positive, by_definition, 1.0 * anp.equal(b, 0.0) + 0.0 * by_definition)


def sigmoid(x: Any) -> Any:
    return 0.5 + 0.5 * anp.tanh(0.5 * x)


@primitive
def erf(x: Any) -> Any:
    """The C library's."""
    return np.vectorize(math.erf, otypes=[float])(x)


@primitive
def erfc(x: Any) -> Any:
    """The C library's."""
    return np.vectorize(math.erfc, otypes=[float])(x)


defvjp(erf, lambda ans, x: lambda g: g * 2.0 / math.sqrt(math.pi) * anp.exp(-x * x))
defvjp(erfc, lambda ans, x: lambda g: g * -2.0 / math.sqrt(math.pi) * anp.exp(-x * x))


def gelu(x: Any, approximate: str = "none") -> Any:
    if approximate == "tanh":
        return 0.5 * x * (1.0 + anp.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1.0 + erf(x / math.sqrt(2.0)))


def elu(x: Any, alpha: float = 1.0) -> Any:
    return choose(x < 0, alpha * (anp.exp(x) - 1.0), choose(x > 0, x, alpha * x))


REFERENCES: dict[str, Callable[..., Any]] = {
    "abs": lambda x: x * anp.sign(x),
    "add": lambda a, b: a + b,
    "arctan": anp.arctan,
    "astype": lambda x, dtype: x * 1.0 if dtype == np.float64 else np.asarray(x).astype(dtype),
    "ceil": lambda x: -np.floor(-x),
    "clip": clip,
    "clone": lambda x: x * 1.0,
    "cos": anp.cos,
    "cosh": lambda x: 0.5 * (anp.exp(x) + anp.exp(-x)),
    "div": lambda a, b: a / (b * 1.0),
    "elu": elu,
    "eq": lambda a, b: np.equal(a, b),
    "erf": erf,
    "erfc": erfc,
    "exp": anp.exp,
    "expm1": lambda x: anp.exp(x) - 1.0,
    "floor": lambda x: np.floor(x),
    "ge": lambda a, b: np.greater_equal(a, b),
    "gelu": gelu,
    "gt": lambda a, b: np.greater(a, b),
    "le": lambda a, b: np.less_equal(a, b),
    "leaky_relu": lambda x, negative_slope=0.01: choose(x > 0, x, negative_slope * x),
    "log": anp.log,
    "log1p": lambda x: anp.log(1.0 + x),
    "log_sigmoid": lambda x: -anp.log(1.0 + anp.exp(-x)),
    "logical_and": lambda a, b: np.not_equal(a, 0) & np.not_equal(b, 0),
    "logical_not": lambda x: np.equal(x, 0),
    "logical_or": lambda a, b: np.not_equal(a, 0) | np.not_equal(b, 0),
    "logical_xor": lambda a, b: np.not_equal(a, 0) != np.not_equal(b, 0),
    "lt": lambda a, b: np.less(a, b),
    "maximum": lambda a, b: choose(anp.greater(a, b), a, choose(anp.less(a, b), b, 0.5 * (a + b))),
    "minimum": lambda a, b: choose(anp.less(a, b), a, choose(anp.greater(a, b), b, 0.5 * (a + b))),
    "mul": lambda a, b: a * b,
    "ne": lambda a, b: np.not_equal(a, b),
    "neg": lambda x: -x,
    "pow": power,
    "reciprocal": lambda x: 1.0 / x,
    "relu": lambda x: choose(x > 0, x, 0.0),
    "relu_grad": lambda dy, x: choose(x > 0, dy, 0.0),
    "round": lambda x: np.rint(x),
    "selu()": lambda x: 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717),
    "sigmoid": sigmoid,
    "sigmoid_grad": lambda dy, y: dy * (y - y * y),
    "sign": lambda x: np.sign(x),
    "silu": lambda x: x * sigmoid(x),
    "sin": anp.sin,
    "sinh": lambda x: 0.5 * (anp.exp(x) - anp.exp(-x)),
    "softplus": lambda x: anp.log(1.0 + anp.exp(x)),
    "softplus_grad": lambda dy, x: dy * sigmoid(x),
    "sqrt": anp.sqrt,
    "square": lambda x: x * x,
    "sub": lambda a, b: a - b,
    "tan": lambda x: anp.sin(x) / anp.cos(x),
    "tanh": lambda x: 1.0 - 2.0 / (1.0 + anp.exp(2.0 * x)),
    "tanh_grad": lambda dy, y: dy - dy * y * y,
    "where": choose,
}


def both(t: Any, *args: Any) -> list[Any]:
    """Python numbers and truths as PyTorch's: many of its functions take tensors alone, and few of them booleans."""
    return [t.tensor(float(arg), dtype=t.float64) if isinstance(arg, int | float) else arg for arg in args]


TORCH: dict[str, Callable[..., Any]] = {
    "abs": lambda t, x: t.abs(x),
    "add": lambda t, a, b: t.add(*both(t, a, b)),
    "arctan": lambda t, x: t.atan(x),
    "astype": lambda t, x, dtype: x.to(t.from_numpy(np.zeros(0, dtype)).dtype),
    "ceil": lambda t, x: t.ceil(x),
    "clip": lambda t, x, lo=None, hi=None: t.clip(x, lo, hi) if lo is not None or hi is not None else x.clone(),
    "clone": lambda t, x: t.clone(x),
    "cos": lambda t, x: t.cos(x),
    "cosh": lambda t, x: t.cosh(x),
    "div": lambda t, a, b: t.true_divide(*both(t, a, b)),
    "elu": lambda t, x, alpha=1.0: t.nn.functional.elu(x, alpha),
    "eq": lambda t, a, b: t.eq(*both(t, a, b)),
    "erf": lambda t, x: t.erf(x),
    "erfc": lambda t, x: t.erfc(x),
    "exp": lambda t, x: t.exp(x),
    "expm1": lambda t, x: t.expm1(x),
    "floor": lambda t, x: t.floor(x),
    "ge": lambda t, a, b: t.ge(*both(t, a, b)),
    "gelu": lambda t, x, approximate="none": t.nn.functional.gelu(x, approximate=approximate),
    "gt": lambda t, a, b: t.gt(*both(t, a, b)),
    "le": lambda t, a, b: t.le(*both(t, a, b)),
    "leaky_relu": lambda t, x, negative_slope=0.01: t.nn.functional.leaky_relu(x, negative_slope),
    "log": lambda t, x: t.log(x),
    "log1p": lambda t, x: t.log1p(x),
    "log_sigmoid": lambda t, x: t.nn.functional.logsigmoid(x),
    "logical_and": lambda t, a, b: t.logical_and(*both(t, a, b)),
    "logical_not": lambda t, x: t.logical_not(x),
    "logical_or": lambda t, a, b: t.logical_or(*both(t, a, b)),
    "logical_xor": lambda t, a, b: t.logical_xor(*both(t, a, b)),
    "lt": lambda t, a, b: t.lt(*both(t, a, b)),
    "maximum": lambda t, a, b: t.maximum(*both(t, a, b)),
    "minimum": lambda t, a, b: t.minimum(*both(t, a, b)),
    "mul": lambda t, a, b: t.mul(*both(t, a, b)),
    "ne": lambda t, a, b: t.ne(*both(t, a, b)),
    "neg": lambda t, x: -x,
    "pow": lambda t, a, b: t.pow(*both(t, a, b)),
    "reciprocal": lambda t, x: t.reciprocal(x),
    "relu": lambda t, x: t.relu(x),
    "round": lambda t, x: t.round(x),
    "selu()": lambda t, x: t.selu(x),
    "sigmoid": lambda t, x: t.sigmoid(x),
    "sign": lambda t, x: t.sign(x),
    "silu": lambda t, x: t.nn.functional.silu(x),
    "sin": lambda t, x: t.sin(x),
    "sinh": lambda t, x: t.sinh(x),
    "softplus": lambda t, x: t.nn.functional.softplus(x, threshold=50),
    "sqrt": lambda t, x: t.sqrt(x),
    "square": lambda t, x: t.square(x),
    "sub": lambda t, a, b: t.sub(*both(t, a, b)),
    "tan": lambda t, x: t.tan(x),
    "tanh": lambda t, x: t.tanh(x),
    "where": lambda t, cond, a, b: t.where(cond != 0, a, b),
    "relu_grad": lambda t, dy, x: t.ops.aten.threshold_backward(*t.broadcast_tensors(dy, x), 0.0),
    "sigmoid_grad": lambda t, dy, y: t.ops.aten.sigmoid_backward(dy, y),
    "softplus_grad": lambda t, dy, x: t.ops.aten.softplus_backward(*t.broadcast_tensors(dy, x), 1.0, 50.0),
    "tanh_grad": lambda t, dy, y: t.ops.aten.tanh_backward(dy, y),
}
