"""Numbers where a formula written as in the textbook would overflow, cancel or divide by zero."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest

import minigrad as mg

WIDE = [-1e30, -1000.0, -104.0, -20.0, -1.0, -1e-3, -1e-10, 0.0, 1e-10, 1e-3, 1.0, 20.0, 104.0, 1000.0, 1e30]


def slope(f: Any, values: Any, dtype: Any = "float64") -> np.ndarray[Any, Any]:
    """The derivative of f at these numbers."""
    x = mg.tensor(values, dtype=dtype, requires_grad=True)
    f(x).sum().backward()
    assert x.grad is not None
    return x.grad.numpy()


def exact(f: Any, values: Any) -> np.ndarray[Any, Any]:
    """f of mpmath's numbers, at 60 digits, rounded."""
    with mpmath.workdps(60):
        return np.array([float(f(mpmath.mpf(float(value)))) for value in values])


@pytest.mark.parametrize("name", ["erf", "erfc"])
@pytest.mark.parametrize(("dtype", "allowed"), [(np.float64, 4.0), (np.float32, 6.0)])
def test_the_error_function_is_right_to_a_few_units(name: str, dtype: Any, allowed: float) -> None:
    """Over the range, around where the two formulas meet, near 0, and down to the smallest erfc that is a normal number."""
    rng = np.random.default_rng(4)
    parts = [rng.uniform(-6, 6, 500), rng.uniform(-1.1, 1.1, 500), rng.uniform(0, 9 if dtype == np.float32 else 26, 300)]
    x = np.concatenate([*parts, 10.0 ** rng.uniform(-30, 0, 200)]).astype(dtype)
    got = getattr(mg, name)(mg.from_numpy(x)).numpy()
    want = exact(getattr(mpmath, name), x)
    assert got.dtype == dtype
    assert np.max(np.abs(got - want) / np.spacing(np.abs(want.astype(dtype)))) <= allowed


def test_the_error_function_at_the_ends() -> None:
    x = mg.tensor([-math.inf, -1e308, -0.0, 0.0, 5e-324, 1e308, math.inf, math.nan], dtype="float64")
    assert np.array_equal(mg.erf(x).numpy(), [-1, -1, -0.0, 0, 5e-324, 1, 1, np.nan], equal_nan=True)
    assert np.signbit(mg.erf(x).numpy()[2])
    assert np.array_equal(mg.erfc(x).numpy(), [2, 2, 1, 1, 1, 0, 0, np.nan], equal_nan=True)


TAILS: dict[str, tuple[Any, Any, Any]] = {  # the function, its value and its slope in mpmath
    "log_sigmoid": (mg.log_sigmoid, lambda x: -mpmath.log1p(mpmath.exp(-x)), lambda x: 1 / (1 + mpmath.exp(x))),
    "silu": (
        mg.silu,
        lambda x: x / (1 + mpmath.exp(-x)),
        lambda x: 1 / (1 + mpmath.exp(-x)) + x / (2 + mpmath.exp(x) + mpmath.exp(-x)),
    ),
    "elu": (mg.elu, lambda x: x if x > 0 else mpmath.expm1(x), lambda x: mpmath.mpf(1) if x > 0 else mpmath.exp(x)),
    "softplus": (mg.softplus, lambda x: mpmath.log1p(mpmath.exp(x)), lambda x: 1 / (1 + mpmath.exp(-x))),
    "expm1": (mg.expm1, mpmath.expm1, mpmath.exp),
    "log1p": (mg.log1p, mpmath.log1p, lambda x: 1 / (1 + x)),
    "gelu": (mg.gelu, lambda x: x * mpmath.ncdf(x), lambda x: mpmath.ncdf(x) + x * mpmath.npdf(x)),
}


@pytest.mark.parametrize("name", TAILS)
def test_both_tails(name: str) -> None:
    """Relative errors: what is small is right, too. Nothing is NaN, however large the number."""
    f, value, derivative = TAILS[name]
    x = np.array([v for v in WIDE if (name != "expm1" or v < 700) and (name != "log1p" or v > -1)])
    for got, want in ((f(mg.from_numpy(x)).numpy(), exact(value, x)), (slope(f, x), exact(derivative, x))):
        assert np.all(np.abs(got - want) <= 1e-12 * np.abs(want) + 1e-300), (x, got, want)


def test_the_approximate_gelu_has_slopes_everywhere() -> None:
    """x^3 overflows long before its slope would be wrong."""
    x = [-1e300, -1e110, -60.0, 60.0, 1e110, 1e300]
    assert np.array_equal(slope(lambda x: mg.gelu(x, approximate="tanh"), x), [0, 0, 0, 1, 1, 1])
    assert np.array_equal(slope(mg.gelu, x), [0, 0, 0, 1, 1, 1])
    assert np.array_equal(mg.gelu(mg.tensor(x, dtype="float64"), approximate="tanh").numpy(), [0, 0, 0, 60, 1e110, 1e300])


def test_rounding_is_to_even() -> None:
    x = mg.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    assert mg.round(x).tolist() == [-2.0, -2.0, -0.0, 0.0, 2.0, 2.0]
    assert mg.floor(x).tolist() == [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0]
    assert mg.ceil(x).tolist() == [-2.0, -1.0, -0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(("dtype", "large"), [("float64", 1e200), ("float32", 1e30)])
def test_a_norm_neither_overflows_nor_vanishes(dtype: str, large: float) -> None:
    for scale in (large, 1.0 / large):
        x = mg.tensor([[3.0 * scale, -4.0 * scale]], dtype=dtype, requires_grad=True)
        y = mg.norm(x, axis=1)
        assert np.allclose(y.numpy(), [5.0 * scale], rtol=1e-6)
        y.backward([1.0])
        assert x.grad is not None and np.allclose(x.grad.numpy(), [[0.6, -0.8]], rtol=1e-6)
        assert np.allclose(mg.norm(x, ord=3, axis=1).numpy(), [91.0 ** (1 / 3) * scale], rtol=1e-6)


@pytest.mark.parametrize("ord", [1, 1.5, 2, 3, math.inf])
def test_the_norm_of_zero_has_a_gradient_of_zero(ord: float) -> None:
    x = mg.zeros(3, dtype="float64", requires_grad=True)
    g = mg.grad(lambda x: mg.norm(x, ord=ord))(x)
    assert g.tolist() == [0.0, 0.0, 0.0]


def test_equal_numbers_have_no_variance() -> None:
    """Their mean is not quite any of them: 0.1 + 0.1 + 0.1 is not 0.3."""
    for dtype in ("float32", "float64"):
        x = mg.full((3, 7), 0.1, dtype=dtype)
        assert not mg.var(x, axis=0).numpy().any() and not mg.std(x, axis=1).numpy().any()
        assert not slope(lambda x: mg.std(x, axis=0), x.numpy(), dtype).any()


def test_a_variance_far_from_zero() -> None:
    """The mean of the squares less the square of the mean would have no digit left."""
    x = np.array([1.0, 2.0, 6.0]) + 1e8
    assert np.allclose(mg.var(mg.from_numpy(x)).numpy(), 14 / 3, rtol=1e-14)


def test_var_says_what_to_divide_by() -> None:
    x = mg.tensor([[1.0, 2.0, 6.0]], dtype="float64")
    assert np.allclose([x.var().item(), x.var(ddof=1).item(), x.var(axis=1, ddof=2).item()], [14 / 3, 7.0, 14.0])
    assert np.isnan(x.var(axis=0, ddof=1).numpy()).all() and np.isinf(x.var(ddof=3).numpy())


def test_a_product_with_zeros_has_every_gradient() -> None:
    """With one zero only its own factor has a slope; with two, none has a first one, and the pair has a second."""
    assert slope(mg.prod, [2.0, 0.0, 5.0]).tolist() == [0.0, 10.0, 0.0]
    assert slope(mg.prod, [0.0, 0.0, 5.0]).tolist() == [0.0, 0.0, 0.0]
    x = mg.tensor([0.0, 0.0, 5.0], requires_grad=True)
    mg.prod(x).backward(create_graph=True)
    first, x.grad = x.grad, None
    assert first is not None
    first[0].backward()
    assert x.grad is not None and x.grad.tolist() == [0.0, 5.0, 0.0]


def test_ties_of_a_sort_keep_their_order() -> None:
    x = mg.tensor([1.0, 2.0, 1.0, 2.0], requires_grad=True)
    assert mg.argsort(x).tolist() == [0, 2, 1, 3] and mg.argsort(x, descending=True).tolist() == [1, 3, 0, 2]
    mg.sort(x).backward([1.0, 2.0, 3.0, 4.0])
    assert x.grad is not None and x.grad.tolist() == [1.0, 3.0, 2.0, 4.0]
    x.grad = None
    values, places = mg.topk(x, 1)
    values.backward([5.0])
    assert places.tolist() == [1] and x.grad.tolist() == [0.0, 5.0, 0.0, 0.0]
