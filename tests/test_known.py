"""Steps that need no second trace: found again where nothing they reach has changed, and never where something has."""

from __future__ import annotations

import functools
import math
import random
import sys
import types
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.scan.known import fingerprint

compiled = pytest.mark.skipif(mg.config.kernels() is None, reason="the compiled loop needs the compiled kernels")
SCALE = 2.0


def by_global(h: Any, x: Any) -> Any:
    h = h * SCALE + x
    return h, h


def helper(x: Any) -> Any:
    return x * 3.0


def by_helper(h: Any, x: Any) -> Any:
    h = helper(h) + x
    return h, h


class Own(nn.Module):
    factor = 2.0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(np.ones((2, 2)))
        self.power = 1.0

    def step(self, h: Any, x: Any) -> Any:
        h = (h @ self.weight * self.power * self.factor + x).tanh()
        return h, h


def traces(step: Any, calls: int = 2, **how: Any) -> int:
    """How often a step ran in Python in so many scans after a first one."""
    ran = []

    def counted(h: Any, x: Any) -> Any:
        ran.append(1)
        return step(h, x)

    before = mg.scan.__globals__["fingerprint"]
    mg.scan.__globals__["fingerprint"] = lambda _: before(step)  # of the step itself: the count would make every call new
    try:
        once(counted)
        ran.clear()
        for _ in range(calls):
            once(counted)
    finally:
        mg.scan.__globals__["fingerprint"] = before
    return len(ran)


def once(step: Any) -> Any:
    x = mg.tensor(np.linspace(-0.3, 0.4, 12).reshape(3, 2, 2))
    return mg.scan(step, mg.tensor(np.full((2, 2), 0.25)), x)[1].numpy()


def loop(step: Any) -> Any:
    h, ys = mg.tensor(np.full((2, 2), 0.25)), []
    for x in mg.tensor(np.linspace(-0.3, 0.4, 12).reshape(3, 2, 2)):
        h, y = step(h, x)
        ys.append(y.detach().numpy())
    return np.stack(ys)


@compiled
def test_a_step_made_anew_with_the_same_content_is_not_traced_again():
    w = mg.tensor(np.eye(2) * 0.5, requires_grad=True)

    def made(w: Any, k: float, names: Any) -> Any:
        return lambda h, x: ((h @ w["W"]).tanh() * k + x, h * names[0])

    for _ in range(2):
        assert traces(made({"W": w}, 0.5, [1, "a"])) == 0
    own = Own()
    assert traces(own.step) == traces(functools.partial(own.step)) == 0
    assert traces(lambda h, x: own.step(h, x)) == 0
    assert traces(by_helper) == traces(by_global) == 0
    assert traces(lambda h, x: (mg.where(h > x, h, x) * math.pi, h.clip(0.0, 1.0))) == 0


@compiled
@pytest.mark.parametrize(
    "change", ["closure", "list", "namespace", "global", "function", "helper", "tensor", "grad", "attribute", "class", "method"]
)
def test_every_change_is_seen(change, monkeypatch):
    """The results follow the loop's whatever changes between two calls."""
    k, items, space, own = 1.0, [1.0, 2.0], types.SimpleNamespace(a=0.5), Own()
    w = mg.tensor(np.eye(2))

    def step(h: Any, x: Any) -> Any:
        h = (helper(h) * SCALE * k + sum(items) * x * space.a) @ w + own.step(h, x)[0] * step.extra
        return h, h

    step.extra = 1.0
    for _ in range(2):
        assert np.allclose(once(step), loop(step), atol=1e-12)
    first = once(step)
    if change == "closure":
        k = 0.5
    elif change == "list":
        items.append(3.0)
    elif change == "namespace":
        space.a = 0.25
    elif change == "global":
        monkeypatch.setitem(globals(), "SCALE", 0.5)
    elif change == "function":
        step.extra = 2.0
    elif change == "helper":
        monkeypatch.setitem(globals(), "helper", lambda x: x * 0.1)
    elif change == "tensor":
        w = mg.tensor(np.eye(2)[::-1].copy())
    elif change == "grad":
        w.requires_grad_()
    elif change == "attribute":
        own.power = 3.0
    elif change == "class":
        monkeypatch.setattr(Own, "factor", -1.0)
    else:
        monkeypatch.setattr(Own, "step", lambda self, h, x: (h * 0.0, x))
    for _ in range(2):
        again = once(step)
        assert np.allclose(again, loop(step), atol=1e-12)
    assert np.array_equal(again, first) == (change == "grad")
    out = mg.scan(step, mg.tensor(np.full((2, 2), 0.25)), mg.tensor(np.ones((3, 2, 2))))[1]
    assert out.requires_grad == (change != "method")


@compiled
def test_the_last_step_is_traced_too_where_it_could_differ(monkeypatch):
    request, found = sys.modules["minigrad.scan.request"], []
    run_step, places, seen = request.run_step, np.ones((2, 2)), {"steps": 0}
    monkeypatch.setattr(request, "run_step", lambda *args: found.append(args) or run_step(*args))

    def noting(h: Any, x: Any) -> Any:
        seen["steps"] += 1
        return h * 0.1875 + x, h

    def drawing(h: Any, x: Any) -> Any:
        return nn.dropout(h) * 0.1875 + x, h

    layer = nn.LSTM(11, 13)  # of sizes that no other test has
    for run, count in (
        (lambda: once(lambda h, x: (h * 0.1875 + x, h)), 1),
        (lambda: layer(mg.ones(5, 2, 11)), 1),
        (lambda: once(lambda h, x: (h * 0.1875 + x * places, h)), 2),  # an array is not compared
        (lambda: once(noting), 2),
        (lambda: once(drawing), 2),
    ):
        found.clear()
        run()
        assert mg.scan_report().compiled and len(found) == count


@pytest.mark.parametrize("weights", ["a new layer's", "in place"])
def test_random_weights_that_a_step_makes_are_new_at_each_time(weights):
    """They are no draws that a scan could make for all time steps, and nothing that the step can reach tells that they differ."""

    def step(h: Any, x: Any) -> Any:
        h = nn.Linear(2, 2)(h) if weights == "a new layer's" else h @ nn.init.uniform_(mg.zeros(2, 2), -1.0, 1.0)
        return h, h

    found, h, xs = [], mg.ones(2, 2), mg.zeros(4, 2, 2)
    mg.manual_seed(3)
    for x in xs:
        h, _ = step(h, x)
        found.append(h.detach().numpy())
    mg.manual_seed(3)
    assert np.allclose(mg.scan(step, mg.ones(2, 2), xs)[1].detach().numpy(), np.stack(found))


def test_what_cannot_be_compared_is_traced_each_time():
    state = iter([1.0] * 100)
    made = type("Made", (), {"k": 1.0})()
    bent = np.vectorize(lambda h: h * state)
    for step in (
        lambda h, x: (h * next(state), h),
        lambda h, x: (h * random.random(), h),
        lambda h, x: (h * np.random.rand(), h),  # noqa: NPY002
        lambda h, x: (h * made.k, h),
        lambda h, x: (h, print(x.shape)),
        lambda h, x: (bent(h), h),
        lambda h, x: (h * mg.tensor(1.0).grad, h),
        made,
    ):
        assert fingerprint(step) == (None, ())

    def imports(h: Any, x: Any) -> Any:
        import time

        return h * time.time(), h

    assert fingerprint(imports) == (None, ())


def test_equal_numbers_of_other_kinds_are_told_apart():
    def made(k: Any) -> Any:
        return lambda h, x: (h * k, h)

    keys = {fingerprint(made(k))[0] for k in (1, 1.0, True, -1.0, 0.0, -0.0, float("nan"), None, "1", (1,), [1])}
    assert len(keys) == 11 and None not in keys
    a, b = mg.tensor(1.0), mg.tensor(1.0)

    def two(p: Any, q: Any) -> Any:
        return lambda h, x: (h * p + q, h)

    assert fingerprint(two(a, b))[0] == fingerprint(two(b, a))[0] != fingerprint(two(a, a))[0]


def test_a_class_is_not_taken_for_the_kind_of_what_follows():
    t = [mg.tensor(float(k)) for k in range(5)]

    def made(tensors: Any, value: Any) -> Any:
        return lambda h, x: (h * tensors[0] + len(value), h)

    assert fingerprint(made(t[:4], (int, t[0], 5)))[0] != fingerprint(made(t[:4], (1, int, t[4])))[0]
