"""The error function and its complement, which NumPy does not have, in vectorised NumPy and to a few units in the last place.

Near 0, erf(x) / x is a polynomial in x^2. Elsewhere (1 + 2x) exp(x^2) erfc(x), which has no tail left, is a polynomial in
(x - 3.75) / (x + 3.75) for all x >= 0 (Shepherd and Laframboise, 1981). Both are cut from Chebyshev series that were computed to 50 digits,
sooner for float32.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.op import elementwise

from .elementwise import exp

BLOCK = 8192  # elements at a time, so that what a polynomial passes over stays in the cache
MIDDLE = 3.75
SLOPE = 2.0 / math.sqrt(math.pi)  # of erf at 0
NEAR = (  # of erf(x) / x for |x| <= 1, highest power of x^2 first
    5.958930743134941e-11, -1.1373902296430911e-09, 1.4660051998394848e-08, -1.6350354461959655e-07, 1.6461004480962034e-06,
    -1.4925595519506043e-05, 0.00012055331122299266, -0.0008548326981129666, 0.005223977624823223, -0.026866170645077334,
    0.11283791670954882, -0.3761263890318375, 1.1283791670955126,
)  # fmt: skip
FAR = (  # of (1 + 2x) exp(x^2) erfc(x) for x >= 0, highest power of (x - MIDDLE) / (x + MIDDLE) first
    3.1114333809799254e-10, -2.623107347133476e-09, -3.744210080962018e-09, 3.197926671666804e-08, 2.3263508708859124e-08,
    -2.4857126248016745e-07, -5.7218230603224086e-08, 1.7419821586224816e-06, -9.73559896736775e-07, -1.1438048033346894e-05,
    2.238423915508223e-05, 5.164652974177416e-05, -0.0002901540805408417, 0.000293714378044958, 0.0017556258528952954,
    -0.009746579683265262, 0.028362277418956406, -0.05869339857664934, 0.09230432116037748, -0.10880393014244462, 0.0822767384901452,
    0.0035854154854790257, -0.14024059858554697, 1.2375126308378275,
)  # fmt: skip


NEAR_32 = (  # the same for float32
    -9.673590811750782e-06, 0.00011268253894199437, -0.0008484396550601893, 0.005221053412537675, -0.026865438310515116,
    0.11283782622062184, -0.3761263847599132, 1.1283791670623609,
)  # fmt: skip
FAR_32 = (
    -0.00022411674674416022, 0.0003963076129893627, 0.001675912217981131, -0.009844494859674952, 0.02840925236412726,
    -0.05864685873554614, 0.09229076959130378, -0.10881427014905069, 0.08227841998347046, 0.003586270394024618, -0.1402406583213864,
    1.2375126192677,
)  # fmt: skip


def polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """The value at x, by Horner's rule."""
    value = x * coefficients[0]
    for coefficient in coefficients[1:-1]:
        value += coefficient
        value *= x
    value += coefficients[-1]
    return value


def near_zero(x: Any) -> Any:
    """erf(x) for |x| <= 1."""
    return x * polynomial(NEAR_32 if x.dtype == np.float32 else NEAR, x * x)


def tail(x: Any) -> Any:
    """erfc(x) for x >= 0. What rounding x^2 would lose is won back by splitting x: the square of the first part is exact."""
    x = np.minimum(x, 30.0)
    first = np.rint(x * 16.0) / 16.0
    decay = np.exp(-first * first) * np.exp((first - x) * (first + x))
    return decay * polynomial(FAR_32 if x.dtype == np.float32 else FAR, (x - MIDDLE) / (x + MIDDLE)) / (1.0 + 2.0 * x)


def erf_of(x: Any) -> Any:
    """erf of a row of floats."""
    return np.where(np.abs(x) <= 1.0, near_zero(np.clip(x, -1.0, 1.0)), np.copysign(1.0 - tail(np.abs(x)), x))


def erfc_of(x: Any) -> Any:
    """erfc of a row of floats."""
    found = tail(np.abs(x))
    return np.where(np.abs(x) <= 0.5, 1.0 - near_zero(np.clip(x, -0.5, 0.5)), np.where(x < 0.0, 2.0 - found, found))


def in_blocks(f: Any, x: Any) -> Any:
    """f of any array, whole numbers as floats, a block at a time."""
    row = np.ascontiguousarray(x, None if x.dtype in (np.float32, np.float64) else np.float64).reshape(-1)
    out = np.empty_like(row)
    for start in range(0, row.size, BLOCK):
        out[start : start + BLOCK] = f(row[start : start + BLOCK])
    return out.reshape(x.shape)


@elementwise(x=lambda g, x: g * (exp(-(x * x)) * SLOPE))
def erf(x: Any) -> Any:
    """Error function: the integral of 2 / sqrt(pi) e^(-t^2) from 0 to x.   () -> ()

    >>> erf([0.0, 1.0, -9.0])
    tensor([ 0.       ,  0.8427008, -1.       ])
    """
    return in_blocks(erf_of, x)


@elementwise(x=lambda g, x: g * (exp(-(x * x)) * -SLOPE))
def erfc(x: Any) -> Any:
    """1 - erf(x), exact where erf(x) is next to 1.   () -> ()

    >>> erfc([0.0, 9.0])
    tensor([1.000000e+00, 4.137032e-37])
    """
    return in_blocks(erfc_of, x)
