"""More functions of one number, element by element: the neighbours of exp and log, trigonometry, rounding. The error function has
a file of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.op import elementwise

from .elementwise import exp


@elementwise(x=lambda g, out: -g * (out * out))
def reciprocal(x: Any) -> Any:
    """1 / x; an infinity at 0.   () -> ()

    >>> reciprocal([2.0, -4.0])
    tensor([ 0.5 , -0.25])
    """
    return np.true_divide(1.0, x)


@elementwise(x=lambda g, x: g * exp(x))
def expm1(x: Any) -> Any:
    """e^x - 1, exact near 0.   () -> ()

    >>> expm1([0.0, 1e-10])
    tensor([0.e+00, 1.e-10])
    """
    return np.expm1(x)


@elementwise(x=lambda g, x: g / (x + 1.0))
def log1p(x: Any) -> Any:
    """log(1 + x), exact near 0; -inf at -1, NaN below.   () -> ()

    >>> log1p([0.0, 1e-10])
    tensor([0.e+00, 1.e-10])
    """
    return np.log1p(x)


@elementwise(x=lambda g, x: g * cos(x))
def sin(x: Any) -> Any:
    """Sine of an angle in radians.   () -> ()

    >>> sin([0.0, 1.0])
    tensor([0.      , 0.841471])
    """
    return np.sin(x)


@elementwise(x=lambda g, x: -g * sin(x))
def cos(x: Any) -> Any:
    """Cosine of an angle in radians.   () -> ()

    >>> cos([0.0, 1.0])
    tensor([1.       , 0.5403023])
    """
    return np.cos(x)


@elementwise(x=lambda g, out: g * (out * out + 1.0))
def tan(x: Any) -> Any:
    """Tangent of an angle in radians.   () -> ()

    >>> tan([0.0, 1.0])
    tensor([0.       , 1.5574077])
    """
    return np.tan(x)


@elementwise(x=lambda g, x: g / (x * x + 1.0))
def arctan(x: Any) -> Any:
    """The angle between -pi/2 and pi/2 whose tangent is x.   () -> ()

    >>> arctan([0.0, 1.0])
    tensor([0.       , 0.7853982])
    """
    return np.arctan(x)


@elementwise(x=lambda g, x: g * cosh(x))
def sinh(x: Any) -> Any:
    """Hyperbolic sine.   () -> ()

    >>> sinh([0.0, 1.0])
    tensor([0.       , 1.1752012])
    """
    return np.sinh(x)


@elementwise(x=lambda g, x: g * sinh(x))
def cosh(x: Any) -> Any:
    """Hyperbolic cosine.   () -> ()

    >>> cosh([0.0, 1.0])
    tensor([1.       , 1.5430807])
    """
    return np.cosh(x)


@elementwise(x=None)
def floor(x: Any) -> Any:
    """The largest whole number that is not above x. A constant to gradients.   () -> ()

    >>> floor([-1.5, 1.5])
    tensor([-2.,  1.])
    """
    return np.floor(x)


@elementwise(x=None)
def ceil(x: Any) -> Any:
    """The smallest whole number that is not below x. A constant to gradients.   () -> ()

    >>> ceil([-1.5, 1.5])
    tensor([-1.,  2.])
    """
    return np.ceil(x)


@elementwise(x=None)
def round_(x: Any) -> Any:
    """The nearest whole number, of two the even one. A constant to gradients.   () -> ()

    >>> round_([0.5, 1.5, -1.7])
    tensor([ 0.,  2., -2.])
    """
    return np.round(x)
