"""First and second derivatives of every operation at each of its SAMPLES, against oracles that share no code with minigrad.

These are HIPS autograd on the references of tests/references, difference quotients of these references, and PyTorch where it is
installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from oracles import (
    CALLS,
    F64,
    both_orders,
    by_autograd,
    by_torch,
    cases,
    close,
    differentiable,
    direction,
    print_errors,
    value_of,
    where_it_has_one,
)
from references import REFERENCES, TORCH

named = pytest.mark.parametrize("name", sorted(CALLS))


@named
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_gradients_agree_with_autograd(name: str) -> None:
    """First and second order, at every sample where a derivative or a documented convention exists."""
    for sample in cases(name):
        first, second, leaves = both_orders(name, sample, [F64])
        want_first, want_second = by_autograd(name, sample)
        for got, want, leaf in zip(first, want_first, leaves, strict=False):
            close("first order against autograd", value_of(got, leaf), want, 1e-10, sample)
        if not name.startswith("pow") or sample.kind == "smooth":  # at 0 the reference of pow has other second derivatives
            for got, want, leaf in zip(second, want_second, leaves, strict=True):
                close("second order against autograd", value_of(got, leaf), want, 1e-10, sample)


def extrapolated(quotient: Callable[[float], float], h: float) -> float:
    """A difference quotient with an error of h^2, from three steps to an error of h^6."""
    a, b, c = quotient(h), quotient(h / 2), quotient(h / 4)
    ab, bc = b + (b - a) / 3, c + (c - b) / 3
    return bc + (bc - ab) / 15


@named
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_gradients_agree_with_differences(name: str) -> None:
    """Along one random direction, and for the second order a pair of them: quotients of the reference's values, no derivative code."""
    for sample in cases(name, "smooth"):
        first, second, leaves = both_orders(name, sample, [F64])
        arrays, places = sample.arrays(F64), differentiable(name, sample)
        if any(not arrays[i].size for i in places):
            continue
        seed = leaves[-1].numpy()
        steps = {i: 0.5 * direction(arrays[i].shape, 30 + i) for i in places}
        turns = {i: direction(arrays[i].shape, 1 + k) for k, i in enumerate(places)}

        def along(t: float, u: float = 0.0, s: float = 0.0) -> float:
            full = [a + t * steps[i] + u * turns[i] if i in steps else a for i, a in enumerate(arrays)]  # noqa: B023
            weight = seed + s * direction(seed.shape, 50)  # noqa: B023
            return float(np.sum(weight * REFERENCES[name](*full, **sample.settings)))  # noqa: B023

        got = sum(float(np.sum(value_of(g, leaf) * steps[i])) for g, leaf, i in zip(first, leaves, places, strict=False))
        close("first order against differences", got, extrapolated(lambda h: (along(h) - along(-h)) / (2 * h), 0.005), 1e-7, sample)
        mixed = extrapolated(lambda h: (along(h, h) - along(h, -h) - along(-h, h) + along(-h, -h)) / (4 * h * h), 0.005)
        got = sum(float(np.sum(value_of(g, leaf) * steps[i])) for g, leaf, i in zip(second, leaves, places, strict=False))
        close("second order against differences", got, mixed, 1e-6, sample)
        got = float(np.sum(value_of(second[-1], leaves[-1]) * direction(seed.shape, 50)))
        mixed = extrapolated(lambda h: (along(0.0, h, 1.0) - along(0.0, -h, 1.0) - along(0.0, h) + along(0.0, -h)) / (2 * h), 0.005)
        close("second order by the cotangent against differences", got, mixed, 1e-7, sample)


@pytest.mark.parametrize("name", sorted(TORCH))
@pytest.mark.filterwarnings("ignore:(var|std)\\(\\). degrees of freedom:UserWarning")
def test_gradients_agree_with_pytorch(name: str) -> None:
    """Where it is installed: a third opinion, on ties and conventions too."""
    torch = pytest.importorskip("torch")
    for sample in cases(name):
        first, second, leaves = both_orders(name, sample, [F64])
        want_first, want_second = by_torch(torch, name, sample)
        for got, want, leaf in zip(first, want_first, leaves, strict=False):
            close("first order against PyTorch", value_of(got, leaf), want, 1e-10, sample)
        for got, want, leaf in zip(second, want_second, leaves, strict=True):
            want = where_it_has_one(want, value_of(got, leaf), sample)
            close("second order against PyTorch", value_of(got, leaf), want, 1e-10, sample)


@pytest.fixture(scope="module", autouse=True)
def report() -> Iterator[None]:
    """Prints the largest errors at the end of the module (pytest -s); they are asserted where they arise."""
    yield
    print_errors()
