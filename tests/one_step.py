"""A step that calls one function, run by mg.scan: what the tests of single operations inside scans are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import minigrad as mg
from minigrad.scan import settings

T, B, H = 4, 3, 4


def run(mode: str, f: Callable[..., Any], where: str) -> tuple[list[Any], Any]:
    """Results and both orders of gradients of a scan whose step calls f of the carry, of x or of a constant; and the report."""
    settings.mode = mode
    rng = np.random.default_rng(5)
    h, x, w, c = [mg.tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((B, H), (T, B, H), (H, H), (B, H))]

    def step(h: Any, x: Any) -> tuple[Any, Any]:
        inner = {"carry": h, "x": x, "const": c}[where]
        h = mg.tanh(f(inner, w) * 0.5 + h * c + x)
        return h, h * 2.0

    last, ys = mg.scan(step, h, x)
    report = mg.scan_report()
    leaves = (h, x, w, c)
    loss = (last * rng.standard_normal((B, H))).sum() + (ys * rng.standard_normal((T, B, H))).sum()
    loss.backward(create_graph=where == "carry")
    first = [leaf.grad for leaf in leaves]
    found = [last.numpy(), ys.numpy(), *[None if g is None else g.numpy().copy() for g in first]]
    if where == "carry":
        for leaf in leaves:
            leaf.grad = None
        sum([(g * rng.standard_normal(g.shape)).sum() for g in first if g is not None]).backward()
        found += [None if leaf.grad is None else leaf.grad.numpy() for leaf in leaves]
    return found, report


def compared(f: Callable[..., Any], where: str) -> Any:
    """`run` as it compiles against `run` as the loop that it stands for, all numbers; and the report."""
    got, report = run("compile", f, where)
    want, _ = run("eager", f, where)
    assert report.compiled or report.reason
    for number, (a, b) in enumerate(zip(got, want, strict=True)):
        assert (a is None) == (b is None), number
        assert a is None or np.abs(a - b).max() <= 1e-12 * max(1.0, np.abs(b).max()), number
    return report
