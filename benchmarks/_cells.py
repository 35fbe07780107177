"""The cells of cells.py in minigrad, as a newcomer writes them: a few lines of primitive operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from _rivals import Run, Shape, Task

import minigrad as mg

EPS = 1e-5
HAS_SCAN = callable(getattr(mg, "scan", None))


def peephole(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """LSTM whose gates see the memory (Gers and Schmidhuber, 2000): i and f the old one, o the new one."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        i, f, g, o = (mg.linear(x, w.W, w.b) + mg.linear(h, w.U)).split(4, axis=-1)
        c_new = mg.sigmoid(f + w.pf * c) * c + mg.sigmoid(i + w.pi * c) * mg.tanh(g)
        h = mg.sigmoid(o + w.po * c_new) * mg.tanh(c_new)
        return (h, c_new), h

    return step


def coupled(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """LSTM that takes in what it forgets: i = 1 - f (Greff et al., 2017)."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        f, g, o = (mg.linear(x, w.W, w.b) + mg.linear(h, w.U)).split(3, axis=-1)
        f = mg.sigmoid(f)
        c = f * c + (1.0 - f) * mg.tanh(g)
        h = mg.sigmoid(o) * mg.tanh(c)
        return (h, c), h

    return step


def normalised(x: Any) -> Any:
    """x less its mean, over its standard deviation, along the last axis."""
    d = x - mg.mean(x, axis=-1, keepdims=True)
    return d / mg.sqrt(mg.mean(d * d, axis=-1, keepdims=True) + EPS)


def layer_norm(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """LSTM whose input's and state's products, each of 4H numbers, are normalised apart (Ba et al., 2016, without the norm of c)."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        a = normalised(mg.linear(x, w.W)) * w.gain_x + normalised(mg.linear(h, w.U)) * w.gain_h + w.b
        i, f, g, o = a.split(4, axis=-1)
        c = mg.sigmoid(f) * c + mg.sigmoid(i) * mg.tanh(g)
        h = mg.sigmoid(o) * mg.tanh(c)
        return (h, c), h

    return step


def minimal(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """Minimal gated unit (Zhou et al., 2016): one gate forgets and resets."""

    def step(h: Any, x: Any) -> Any:
        f = mg.sigmoid(mg.linear(x, w.W, w.b) + mg.linear(h, w.U))
        n = mg.tanh(mg.linear(x, w.Wn, w.bn) + mg.linear(f * h, w.Un))
        h = (1.0 - f) * h + f * n
        return h, h

    return step


def reset_before(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """GRU as it was first published (Cho et al., 2014): r multiplies h before the product."""

    def step(h: Any, x: Any) -> Any:
        r, z = mg.sigmoid(mg.linear(x, w.W, w.b) + mg.linear(h, w.U)).split(2, axis=-1)
        n = mg.tanh(mg.linear(x, w.Wn, w.bn) + mg.linear(r * h, w.Un))
        h = (1.0 - z) * n + z * h
        return h, h

    return step


def independent(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """IndRNN (Li et al., 2018): each unit sees itself alone."""

    def step(h: Any, x: Any) -> Any:
        h = mg.relu(mg.linear(x, w.W, w.b) + w.u * h)
        return h, h

    return step


def joined(w: SimpleNamespace) -> Callable[[Any, Any], Any]:
    """LSTM with one weight for h and x together."""

    def step(carry: Any, x: Any) -> Any:
        h, c = carry
        i, f, g, o = mg.linear(mg.concatenate([h, x], axis=-1), w.W, w.b).split(4, axis=-1)
        c = mg.sigmoid(f) * c + mg.sigmoid(i) * mg.tanh(g)
        h = mg.sigmoid(o) * mg.tanh(c)
        return (h, c), h

    return step


class Cell(NamedTuple):
    """One kind of recurrence."""

    step: Callable[[SimpleNamespace], Callable[[Any, Any], Any]]
    states: int
    gates: int
    more: dict[str, str]  # weights besides W, b and U: the shape in letters, I and H; G is gates x H


TWO = {"Wn": "HI", "bn": "H", "Un": "HH"}
CELLS = {
    "peephole LSTM": Cell(peephole, 2, 4, {"U": "GH", "pi": "H", "pf": "H", "po": "H"}),
    "coupled LSTM": Cell(coupled, 2, 3, {"U": "GH"}),
    "layer-norm LSTM": Cell(layer_norm, 2, 4, {"U": "GH", "gain_x": "G", "gain_h": "G"}),
    "minimal gated unit": Cell(minimal, 1, 1, {"U": "GH", **TWO}),
    "GRU, reset before": Cell(reset_before, 1, 2, {"U": "GH", **TWO}),
    "IndRNN": Cell(independent, 1, 1, {"u": "H"}),
}


def make_task(name: str, shape: Shape) -> Task:
    """Random numbers of the sizes that a network has at the start of training."""
    T, B, I, H = shape  # noqa: E741
    rng, cell, k = np.random.default_rng(0), CELLS[name], 1 / math.sqrt(H)
    sizes = {"I": I, "H": H, "G": cell.gates * H}
    weights = {}
    for key, letters in ({"W": "GI", "b": "G"} | cell.more).items():
        start = 1.0 if key.startswith("gain") else 0.0
        weights[key] = (start + rng.uniform(-k, k, [sizes[letter] for letter in letters])).astype(np.float32)
    x, cotangent = (rng.standard_normal((T, B, width)).astype(np.float32) for width in (I, H))
    return Task(name, x, weights, cotangent)


def loop(step: Callable[[Any, Any], Any], carry: Any, xs: Any) -> Any:
    """What `mg.scan` means, for a minigrad that has none."""
    ys = []
    for x in xs:
        carry, y = step(carry, x)
        ys.append(y)
    return carry, mg.stack(ys)


def minigrad_cell(make: Callable[[SimpleNamespace], Callable[[Any, Any], Any]], states: int, task: Task, plain: bool = False) -> Run:
    """The cell in minigrad: a new step at each call, as in a `forward`. With `plain` it runs in a loop."""
    scan = mg.scan if HAS_SCAN and not plain else loop
    weights = {name: mg.tensor(weight, requires_grad=True) for name, weight in task.weights.items()}
    x, cotangent = mg.tensor(task.x), mg.tensor(task.cotangent)
    zeros = [mg.zeros(task.cotangent.shape[1:]) for _ in range(states)]
    carry = tuple(zeros) if states > 1 else zeros[0]

    def run() -> Any:
        for weight in weights.values():
            weight.grad = None
        _, output = scan(make(SimpleNamespace(**weights)), carry, x)
        output.backward(cotangent)
        return output.numpy(), *[weight.grad.numpy() for weight in weights.values()]

    return run
