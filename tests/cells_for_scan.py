"""The recurrences that scan is tested on: the six cells of benchmarks/cells.py, written down again, and the layers of mg.nn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import nn

Tensors = dict[str, mg.Tensor]


def peephole(w, carry, x):
    """LSTM whose gates see the memory (Gers and Schmidhuber, 2000)."""
    h, c = carry
    i, f, g, o = (mg.linear(x, w.W, w.b) + mg.linear(h, w.U)).split(4, axis=-1)
    c_new = mg.sigmoid(f + w.pf * c) * c + mg.sigmoid(i + w.pi * c) * mg.tanh(g)
    h = mg.sigmoid(o + w.po * c_new) * mg.tanh(c_new)
    return (h, c_new), h


def coupled(w, carry, x):
    """LSTM that takes in what it forgets (Greff et al., 2017)."""
    h, c = carry
    f, g, o = (mg.linear(x, w.W, w.b) + mg.linear(h, w.U)).split(3, axis=-1)
    f = mg.sigmoid(f)
    c = f * c + (1.0 - f) * mg.tanh(g)
    h = mg.sigmoid(o) * mg.tanh(c)
    return (h, c), h


def normalised(x):
    """x less its mean, over its standard deviation, along the last axis."""
    d = x - mg.mean(x, axis=-1, keepdims=True)
    return d / mg.sqrt(mg.mean(d * d, axis=-1, keepdims=True) + 1e-5)


def layer_norm(w, carry, x):
    """LSTM with normalised products (Ba et al., 2016); y is the memory too."""
    h, c = carry
    a = normalised(mg.linear(x, w.W)) * w.gain_x + normalised(mg.linear(h, w.U)) * w.gain_h + w.b
    i, f, g, o = a.split(4, axis=-1)
    c = mg.sigmoid(f) * c + mg.sigmoid(i) * mg.tanh(g)
    h = mg.sigmoid(o) * mg.tanh(c)
    return (h, c), (h, c)


def minimal(w, h, x):
    """Minimal gated unit (Zhou et al., 2016)."""
    f = mg.sigmoid(mg.linear(x, w.W, w.b) + mg.linear(h, w.U))
    n = mg.tanh(mg.linear(x, w.Wn, w.bn) + mg.linear(f * h, w.Un))
    h = (1.0 - f) * h + f * n
    return h, h


def reset_before(w, h, x):
    """GRU as it was first published (Cho et al., 2014); y is the gate z too."""
    r, z = mg.sigmoid(mg.linear(x, w.W, w.b) + mg.linear(h, w.U)).split(2, axis=-1)
    n = mg.tanh(mg.linear(x, w.Wn, w.bn) + mg.linear(r * h, w.Un))
    h = (1.0 - z) * n + z * h
    return h, {"h": h, "z": z}


def independent(w, h, x):
    """IndRNN (Li et al., 2018)."""
    h = mg.relu(mg.linear(x, w.W, w.b) + w.u * h)
    return h, h


@dataclass(frozen=True)
class Cell:
    """A step in a scan: what it needs by name, with shapes in letters (G is gates x H), and what comes out by name."""

    step: Callable[..., Any]
    gates: int
    leaves: dict[str, str]
    outputs: tuple[str, ...]

    def shapes(self, sizes: dict[str, int], reverse: bool) -> dict[str, tuple[int, ...]]:
        """The shapes of states, x and weights."""
        sizes = {**sizes, "G": self.gates * sizes["H"]}
        return {name: tuple([sizes[letter] for letter in letters]) for name, letters in self.leaves.items()}

    def __call__(self, leaves: Tensors, reverse: bool) -> Tensors:
        """All results of the scan."""
        weights = SimpleNamespace(**leaves)
        start = (weights.h0, weights.c0) if "c0" in leaves else weights.h0
        carry, ys = mg.scan(lambda carry, x: self.step(weights, carry, x), start, weights.x, reverse=reverse)
        last = list(carry) if isinstance(carry, tuple) else [carry]
        each = list(ys) if isinstance(ys, tuple) else list(ys.values()) if isinstance(ys, dict) else [ys]
        return dict(zip(self.outputs, last + each, strict=True))


@dataclass(frozen=True)
class Layer:
    """A layer of mg.nn; where a cell runs in reverse, it runs in both directions."""

    kind: str
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """What comes out by name."""
        return ("output", "h_n", "c_n") if self.kind == "LSTM" else ("output", "h_n")

    def layer(self, sizes: dict[str, int], reverse: bool) -> Any:
        """The layer, with weights that nobody uses."""
        return getattr(nn, self.kind)(sizes["I"], sizes["H"], bidirectional=reverse, **dict(self.settings))

    def shapes(self, sizes: dict[str, int], reverse: bool) -> dict[str, tuple[int, ...]]:
        """The shapes of states, x and weights."""
        layer = self.layer(sizes, reverse)
        state = (layer.num_layers * (1 + reverse), sizes["B"], sizes["H"])
        states = dict.fromkeys(("h0", "c0")[: len(self.outputs) - 1], state)
        return {**states, "x": (sizes["T"], sizes["B"], sizes["I"]), **{name: weight.shape for name, weight in layer.named_parameters()}}

    def __call__(self, leaves: Tensors, reverse: bool) -> Tensors:
        """All results of the layer."""
        x, states = leaves["x"], [leaves[name] for name in ("h0", "c0") if name in leaves]
        layer = self.layer({"I": x.shape[2], "H": states[0].shape[2]}, reverse)
        layer.dtype = x.dtype
        vars(layer).update({name: leaves[name] for name, _ in layer.named_parameters()})
        output, last = layer(x, states[0] if len(states) == 1 else tuple(states))
        return dict(zip(self.outputs, [output, *(last if isinstance(last, tuple) else [last])], strict=True))


ONE, TWO = {"h0": "BH", "x": "TBI"}, {"h0": "BH", "c0": "BH", "x": "TBI"}
GATES = {"W": "GI", "b": "G", "U": "GH"}
INNER = {"Wn": "HI", "bn": "H", "Un": "HH"}
CELLS = {
    "peephole": Cell(peephole, 4, {**TWO, **GATES, "pi": "H", "pf": "H", "po": "H"}, ("h_n", "c_n", "h")),
    "coupled": Cell(coupled, 3, {**TWO, **GATES}, ("h_n", "c_n", "h")),
    "layer norm": Cell(layer_norm, 4, {**TWO, **GATES, "gain_x": "G", "gain_h": "G"}, ("h_n", "c_n", "h", "c")),
    "minimal": Cell(minimal, 1, {**ONE, **GATES, **INNER}, ("h_n", "h")),
    "reset before": Cell(reset_before, 2, {**ONE, **GATES, **INNER}, ("h_n", "h", "z")),
    "independent": Cell(independent, 1, {**ONE, "W": "GI", "b": "G", "u": "H"}, ("h_n", "h")),
}
LAYERS = {
    "RNN": Layer("RNN"),
    "RNN relu": Layer("RNN", (("nonlinearity", "relu"),)),
    "GRU": Layer("GRU"),
    "LSTM": Layer("LSTM"),
    "LSTM, two": Layer("LSTM", (("num_layers", 2),)),
}
ALL = {**CELLS, **LAYERS}


def numbers(shapes: dict[str, tuple[int, ...]], seed: int, dtype: Any) -> dict[str, Any]:
    """Random arrays, all different and none zero; weights small enough that nothing saturates or explodes."""
    found = {}
    for name, shape in shapes.items():
        rng = np.random.default_rng([seed, *name.encode()])
        scale = 1.0 if name in ("h0", "c0", "x") else 0.8 / np.sqrt(shape[-1])
        found[name] = (rng.uniform(-1, 1, shape) * scale + name.startswith("gain")).astype(dtype)
    return found
