"""What the backward loop computes again: which values those are, that no array is kept for them, and that no gradient changes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad.scan import COMPILED, compiled, settings

pytestmark = pytest.mark.skipif(not COMPILED, reason="without the compiled kernels every scan runs as its loop")
T, B, H = 5, 3, 4


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def gate(w, h, x):
    """1 - z is made of z, which the gradient of sigmoid reads."""
    z = mg.sigmoid(x + mg.linear(h, w))
    h = (1.0 - z) * mg.tanh(x) + z * h
    return h, h


def norm(w, h, x):
    """d over a column is made of d and the column; d itself of a product, which is not kept."""
    d = mg.linear(h, w)
    d = d - mg.mean(d, axis=-1, keepdims=True)
    y = d / mg.sqrt(mg.mean(d * d, axis=-1, keepdims=True) + 1e-5)
    h = mg.tanh(y * x + x)
    return h, y * y


def chain(w, h, x):
    """One is made of another that is made again too."""
    a = mg.tanh(x + mg.linear(h, w))
    b = 2.0 - a
    c = b * a
    h = mg.tanh(c * c * b)
    return h, (a * h, c * b)


def far(w, h, x):
    """Nothing here is made, by one cheap operation, of what is read anyway."""
    h = mg.tanh(mg.exp(x) + mg.linear(h, w))
    return h, h


CELLS = {"gate": (gate, 1), "norm": (norm, 1), "chain": (chain, 2), "far": (far, 0)}


def gradients(cell, arrays, used, passes):
    """All results and gradients of a scan of the cell, of the sum of the outputs in use; and its plan."""
    w, h, x, *cotangents = [mg.tensor(array, requires_grad=k < 3) for k, array in enumerate(arrays)]
    before = settings.passes
    settings.passes = passes
    try:
        last, ys = mg.scan(lambda h, x: cell(w, h, x), h, x)
        plan = mg.scan_report().plan
        results = [last, *(ys if isinstance(ys, tuple) else [ys])]
        sum([(results[n] * cotangents[min(n, 1)]).sum() for n in used if n < len(results)]).backward()
    finally:
        settings.passes = before
    return [*[y.numpy() for y in results], *[leaf.grad.numpy() for leaf in (w, h, x)]], plan


@pytest.mark.parametrize("name", CELLS)
def test_gradients_are_those_of_a_plan_that_keeps_everything(name, rng):
    cell, least = CELLS[name]
    shapes = [(H, H), (B, H), (T, B, H), (B, H), (T, B, H)]
    arrays = [rng.standard_normal(shape) for shape in shapes]
    for used in [subset for count in (1, 2, 3) for subset in itertools.combinations(range(3), count) if min(subset) < 2]:
        found, plan = gradients(cell, arrays, used, settings.passes)
        kept, full = gradients(cell, arrays, used, settings.passes - {"plan"})
        assert len(plan.redone) >= least and bool(plan.redone) == bool(least) and not full.redone
        for a, b in zip(found, kept, strict=True):
            assert np.allclose(a, b, rtol=1e-12, atol=1e-13)


def arrays_kept(plan):
    """Columns that the plan keeps for all time steps."""
    return sum([array.width for array in plan.loop.arrays if array.steps in ("T", "T+1")])


def test_no_array_is_kept_for_what_is_computed_again(rng, monkeypatch):
    arrays = [rng.standard_normal(shape) for shape in ((H, H), (B, H), (T, B, H), (B, H), (T, B, H))]
    _, plan = gradients(norm, arrays, (0, 1), settings.passes)
    (name,) = [call.op.name for call in plan.redone.values()]
    assert name == "div"
    assert "div(" in str(plan).partition("the backward loop, from the rules")[2]
    monkeypatch.setattr(compiled, "cheap", lambda back, division: {})
    _, whole = gradients(lambda w, h, x: norm(w, h, x * 1.0), arrays, (0, 1), settings.passes)
    assert not whole.redone and arrays_kept(whole) >= arrays_kept(plan) + H
