"""Operations that work element by element. They broadcast as NumPy does, and every gradient is summed back to its argument.

Where a function has a kink or a tie, one convention holds for the derivative and stands in the docstring.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import DtypeError
from minigrad.op import elementwise
from minigrad.tape import Tensor


@elementwise(a=lambda g: g, b=lambda g: g)
def add(a: Any, b: Any) -> Any:
    """Sum a + b.   (),() -> ()

    >>> add([1.0, 2.0], 1.0)
    tensor([2., 3.])
    """
    return np.add(a, b)


@elementwise(a=lambda g: g, b=lambda g: -g)
def sub(a: Any, b: Any) -> Any:
    """Difference a - b.   (),() -> ()

    >>> sub([1.0, 2.0], 1.0)
    tensor([0., 1.])
    """
    return np.subtract(a, b)


@elementwise(a=lambda g, b: g * b, b=lambda g, a: g * a)
def mul(a: Any, b: Any) -> Any:
    """Product a b.   (),() -> ()

    >>> mul([1.0, 2.0], [3.0, 4.0])
    tensor([3., 8.])
    """
    return np.multiply(a, b)


@elementwise(a=lambda g, b: g / b, b=lambda g, out, b: -g * out / b)
def div(a: Any, b: Any) -> Any:
    """Quotient a / b; division by zero gives an infinity or NaN.   (),() -> ()

    >>> div([1.0, 2.0], 4.0)
    tensor([0.25, 0.5 ])
    """
    return np.true_divide(a, b)


def pow_grad_base(g: Tensor, a: Tensor, b: Any) -> Tensor:
    """b a^(b-1), which is 0 for b = 0 whatever a is."""
    if isinstance(b, int | float):
        return g * 0.0 if b == 0 else g if b == 1 else g * (b * a ** (b - 1))
    zero = b == 0
    return where(zero, 0.0, g * b * a ** where(zero, 1, b - 1))  # 1 and not 1.0: b may be whole numbers


def pow_grad_exponent(g: Tensor, out: Tensor, a: Any, b: Any) -> Tensor:
    """a^b log a, which is 0 where a = 0 and b >= 0."""
    if not isinstance(a, Tensor) or a.dtype.kind != "f":
        a = Tensor(a, dtype=out.dtype)  # a number, or a tensor of whole numbers: log would make float64 of it
    zero = eq(a, 0.0)
    limit = where(ge(b, 0.0), zero, False)
    return where(limit, 0.0, g * out * log(where(limit, 1.0, a)))


@elementwise(a=pow_grad_base, b=pow_grad_exponent)
def pow_(a: Any, b: Any) -> Any:
    """Power a^b. The derivative by a is 0 where b = 0; the one by b is 0 where a = 0 <= b.   (),() -> ()

    >>> pow_([1.0, 2.0], 3)
    tensor([1., 8.])
    """
    try:
        return np.power(a, b)
    except ValueError:
        if np.result_type(a, b).kind == "f":
            raise
        raise DtypeError(
            "pow: whole numbers to negative powers are no whole numbers: take floats, as astype('float32') makes them"
        ) from None


@elementwise(x=lambda g: -g)
def neg(x: Any) -> Any:
    """Negative -x.   () -> ()

    >>> neg([1.0, -2.0])
    tensor([-1.,  2.])
    """
    return np.negative(x)


@elementwise(x=lambda g, out: g * out)
def exp(x: Any) -> Any:
    """Exponential e^x.   () -> ()

    >>> exp([0.0, -1000.0])
    tensor([1., 0.])
    """
    return np.exp(x)


@elementwise(x=lambda g, x: g / x)
def log(x: Any) -> Any:
    """Natural logarithm; -inf at 0, NaN below.   () -> ()

    >>> log([1.0, 2.0])
    tensor([0.       , 0.6931472])
    """
    return np.log(x)


@elementwise(x=lambda g, out: g * 0.5 / out)
def sqrt(x: Any) -> Any:
    """Square root; its derivative at 0 is infinite.   () -> ()

    >>> sqrt([4.0, 9.0])
    tensor([2., 3.])
    """
    return np.sqrt(x)


@elementwise(x=lambda g, x: g * (x + x))
def square(x: Any) -> Any:
    """Square x^2.   () -> ()

    >>> square([-1.0, 3.0])
    tensor([1., 9.])
    """
    return np.square(x)


@elementwise(x=None)
def sign(x: Any) -> Any:
    """-1, 0 or 1. A constant to gradients.   () -> ()

    >>> sign([-2.0, 0.0, 3.0])
    tensor([-1.,  0.,  1.])
    """
    return np.sign(x)


@elementwise(x=lambda g, x: g * sign(x))
def abs_(x: Any) -> Any:
    """Absolute value. The derivative at 0 is 0.   () -> ()

    >>> abs_([-1.0, 2.0])
    tensor([1., 2.])
    """
    return np.abs(x)


@elementwise(dy=lambda g, y: tanh_grad(g, y), y=lambda g, dy, y: g * dy * y * -2.0)
def tanh_grad(dy: Any, y: Any) -> Any:
    """dy (1 - y^2): the gradient of y = tanh(x).   (),() -> ()"""
    return dy * (1 - y * y)


@elementwise(x=lambda g, out: tanh_grad(g, out))
def tanh(x: Any) -> Any:
    """Hyperbolic tangent.   () -> ()

    >>> tanh([0.0, 1.0])
    tensor([0.       , 0.7615942])
    """
    return np.tanh(x)


@elementwise(dy=lambda g, y: sigmoid_grad(g, y), y=lambda g, dy, y: g * dy * (1.0 - 2.0 * y))
def sigmoid_grad(dy: Any, y: Any) -> Any:
    """dy y (1 - y): the gradient of y = sigmoid(x).   (),() -> ()"""
    return dy * y * (1 - y)


@elementwise(x=lambda g, out: sigmoid_grad(g, out))
def sigmoid(x: Any) -> Any:
    """Logistic function 1 / (1 + e^-x), without overflow on either side.   () -> ()

    >>> sigmoid([0.0, 100.0])
    tensor([0.5, 1. ])
    """
    e = np.exp(-np.abs(x))
    return np.where(np.greater_equal(x, 0), 1, e) / (1 + e)


@elementwise(dy=lambda g, x: softplus_grad(g, x), x=lambda g, dy, x: sigmoid_grad(g * dy, sigmoid(x)))
def softplus_grad(dy: Any, x: Any) -> Any:
    """dy sigmoid(x): the gradient of softplus(x).   (),() -> ()"""
    return dy * sigmoid.body(x)


@elementwise(x=lambda g, x: softplus_grad(g, x))
def softplus(x: Any) -> Any:
    """log(1 + e^x), without overflow and exact in both tails.   () -> ()

    >>> softplus([0.0, 100.0])
    tensor([  0.6931472, 100.       ])
    """
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@elementwise(dy=lambda g, x: relu_grad(g, x), x=None)
def relu_grad(dy: Any, x: Any) -> Any:
    """dy where x > 0 (or NaN), else exactly 0: the gradient of relu(x).   (),() -> ()"""
    return np.where(np.less_equal(x, 0), 0.0, dy)


@elementwise(x=lambda g, out: relu_grad(g, out))
def relu(x: Any) -> Any:
    """max(x, 0). The derivative at 0 is 0.   () -> ()

    >>> relu([-1.0, 2.0])
    tensor([0., 2.])
    """
    return np.maximum(x, 0)


def winner(g: Tensor, ahead: Tensor, a: Any, b: Any) -> Tensor:
    """g for the side that is ahead, half of it to each side of a tie."""
    return where(ahead, g, where(eq(a, b), g * 0.5, 0.0))


@elementwise(a=lambda g, a, b: winner(g, gt(a, b), a, b), b=lambda g, a, b: winner(g, lt(a, b), a, b))
def maximum(a: Any, b: Any) -> Any:
    """The larger of a and b; NaN if either is. At a tie each side gets half of the gradient.   (),() -> ()

    >>> maximum([1.0, 5.0], 3.0)
    tensor([3., 5.])
    """
    return np.maximum(a, b)


@elementwise(a=lambda g, a, b: winner(g, lt(a, b), a, b), b=lambda g, a, b: winner(g, gt(a, b), a, b))
def minimum(a: Any, b: Any) -> Any:
    """The smaller of a and b; NaN if either is. At a tie each side gets half of the gradient.   (),() -> ()

    >>> minimum([1.0, 5.0], 3.0)
    tensor([1., 3.])
    """
    return np.minimum(a, b)


@elementwise(cond=None, a=lambda g, cond: where(cond, g, 0.0), b=lambda g, cond: where(cond, 0.0, g))
def where(cond: Any, a: Any, b: Any) -> Any:
    """a where cond is true, else b. The side not taken gets a gradient of exactly 0, be it NaN or infinite.   (),(),() -> ()

    >>> where([True, False], [1.0, 2.0], 0.0)
    tensor([1., 0.])
    """
    return np.where(cond, a, b)


@elementwise(x=lambda g, x, lo, hi: inside(g, x, lo, hi))
def clip(x: Any, *, lo: float | None = None, hi: float | None = None) -> Any:
    """x limited to lo <= x <= hi (Python numbers or None). The derivative is 1 on the bounds, 0 outside.   () -> ()

    >>> clip([-2.0, 0.5, 2.0], lo=-1.0, hi=1.0)
    tensor([-1. ,  0.5,  1. ])
    """
    return np.clip(x, lo, hi) if lo is not None or hi is not None else np.array(x)


def inside(g: Tensor, x: Tensor, lo: float | None, hi: float | None) -> Tensor:
    """g where lo <= x <= hi."""
    if lo is not None:
        g = where(x < lo, 0.0, g)
    return g if hi is None else where(x > hi, 0.0, g)


@elementwise(a=None, b=None)
def eq(a: Any, b: Any) -> Any:
    """a == b, as booleans.   (),() -> ()

    >>> eq([1.0, 2.0], 2.0)
    tensor([False,  True])
    """
    return np.equal(a, b)


@elementwise(a=None, b=None)
def ne(a: Any, b: Any) -> Any:
    """a != b, as booleans.   (),() -> ()

    >>> ne([1.0, 2.0], 2.0)
    tensor([ True, False])
    """
    return np.not_equal(a, b)


@elementwise(a=None, b=None)
def lt(a: Any, b: Any) -> Any:
    """a < b, as booleans.   (),() -> ()

    >>> lt([1.0, 2.0], 2.0)
    tensor([ True, False])
    """
    return np.less(a, b)


@elementwise(a=None, b=None)
def le(a: Any, b: Any) -> Any:
    """a <= b, as booleans.   (),() -> ()

    >>> le([1.0, 2.0], 2.0)
    tensor([ True,  True])
    """
    return np.less_equal(a, b)


@elementwise(a=None, b=None)
def gt(a: Any, b: Any) -> Any:
    """a > b, as booleans.   (),() -> ()

    >>> gt([1.0, 2.0], 1.0)
    tensor([False,  True])
    """
    return np.greater(a, b)


@elementwise(a=None, b=None)
def ge(a: Any, b: Any) -> Any:
    """a >= b, as booleans.   (),() -> ()

    >>> ge([1.0, 2.0], 2.0)
    tensor([False,  True])
    """
    return np.greater_equal(a, b)


@elementwise(x=None)
def logical_not(x: Any) -> Any:
    """Whether x is false (0), as booleans.   () -> ()

    >>> logical_not([True, False])
    tensor([False,  True])
    """
    return np.logical_not(x)


@elementwise(a=None, b=None)
def logical_and(a: Any, b: Any) -> Any:
    """Whether both are true (not 0), as booleans.   (),() -> ()

    >>> logical_and([True, False], True)
    tensor([ True, False])
    """
    return np.logical_and(a, b)


@elementwise(a=None, b=None)
def logical_or(a: Any, b: Any) -> Any:
    """Whether one of the two is true (not 0), or both, as booleans.   (),() -> ()

    >>> logical_or([True, False], False)
    tensor([ True, False])
    """
    return np.logical_or(a, b)


@elementwise(a=None, b=None)
def logical_xor(a: Any, b: Any) -> Any:
    """Whether just one of the two is true (not 0), as booleans.   (),() -> ()

    >>> logical_xor([True, False], True)
    tensor([False,  True])
    """
    return np.logical_xor(a, b)


@elementwise(x=lambda g: g)
def astype(x: Any, *, dtype: Any) -> Any:
    """A copy in another dtype. Between floating dtypes the gradient passes through; whole numbers are constants.   () -> ()

    >>> astype([1.7, 2.2], "int64")
    tensor([1, 2])
    """
    if np.dtype(dtype).kind not in "fiub":
        raise DtypeError(f"tensors hold real numbers, not {np.dtype(dtype)}")
    return x.astype(dtype)


@elementwise(x=lambda g: g)
def clone(x: Any) -> Any:
    """A copy in memory of its own, still on the tape.   () -> ()

    >>> clone([1.0, 2.0])
    tensor([1., 2.])
    """
    return np.array(x)
