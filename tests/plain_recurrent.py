"""The recurrent equations once more, in plain NumPy (autograd's, so that both orders of their derivatives are there), and their variants.

Nothing here is shared with the library: every gate has its own matrices, cut out of the weights by hand, and time is a Python loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

import autograd.numpy as np
from autograd.extend import defvjp, primitive

import minigrad as mg
from minigrad import nn


@primitive
def erf(x: Any) -> Any:
    """The error function, element by element."""
    return np.array([math.erf(value) for value in np.ravel(x)]).reshape(np.shape(x))


defvjp(erf, lambda _, x: lambda g: g * 2.0 / math.sqrt(math.pi) * np.exp(-x * x))


def sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


ACTIVATIONS: dict[str, Any] = {
    "tanh": np.tanh,
    "relu": lambda x: np.where(x > 0, x, 0.0),
    "sigmoid": sigmoid,
    "hard_sigmoid": lambda x: np.where(x < -2.5, 0.0, np.where(x > 2.5, 1.0, 0.2 * x + 0.5)),
    "softplus": lambda x: np.log(1.0 + np.exp(x)),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1.0),
    "gelu": lambda x: 0.5 * x * (1.0 + erf(x / math.sqrt(2.0))),
    "silu": lambda x: x * sigmoid(x),
    "identity": lambda x: x,
}


def norm(x: Any, gain: Any) -> Any:
    """Each row less its mean, over the root of its variance."""
    centre = np.mean(x, axis=-1)[:, None]
    return gain * (x - centre) / np.sqrt(np.mean((x - centre) ** 2, axis=-1)[:, None] + 1e-5)


def read(h: Any, w: Any) -> Any:
    """h as the recurrent product sees it: with a mask, if there is one."""
    return h * getattr(w, "mask_hidden", 1.0)


def new(candidate: Any, w: Any) -> Any:
    """What a gate lets in: with a mask, if there is one."""
    return candidate * getattr(w, "mask_candidate", 1.0)


def rnn(states: list[Any], x: Any, w: Any, nonlinearity: str = "tanh", bias: bool = True) -> tuple[list[Any], Any]:
    (h,) = states
    h = ACTIVATIONS[nonlinearity](np.dot(x, w.weight_ih.T) + np.dot(read(h, w), w.weight_hh.T) + (w.bias_ih + w.bias_hh if bias else 0.0))
    return [h], h


def gru(states: list[Any], x: Any, w: Any, reset: str = "after", update: str = "keep", bias: bool = True) -> tuple[list[Any], Any]:
    (h,) = states
    H = h.shape[-1]
    W, U = ([m[k * H : (k + 1) * H].T for k in range(3)] for m in (w.weight_ih, w.weight_hh))
    b, d = ([m[k * H : (k + 1) * H] for k in range(3)] if bias else [0.0] * 3 for m in ((w.bias_ih, w.bias_hh) if bias else (0, 0)))
    k = read(h, w)
    r = sigmoid(np.dot(x, W[0]) + b[0] + np.dot(k, U[0]) + d[0])
    z = sigmoid(np.dot(x, W[1]) + b[1] + np.dot(k, U[1]) + d[1])
    inner = r * (np.dot(k, U[2]) + d[2]) if reset == "after" else np.dot(r * k, U[2]) + d[2]
    n = new(np.tanh(np.dot(x, W[2]) + b[2] + inner), w)
    h = z * h + (1 - z) * n if update == "keep" else z * n + (1 - z) * h
    return [h], h


def lstm(
    states: list[Any],
    x: Any,
    w: Any,
    bias: bool = True,
    peephole: bool = False,
    coupled: bool = False,
    layer_norm: bool = False,
    proj_size: int = 0,
    activations: tuple[str, str, str] = ("sigmoid", "tanh", "tanh"),
    cell_clip: float | None = None,
) -> tuple[list[Any], Any]:
    h, c = states
    H = c.shape[-1]
    sigma, squash, out = [ACTIVATIONS[name] for name in activations]
    a, b = np.dot(x, w.weight_ih.T), np.dot(read(h, w), w.weight_hh.T)
    if layer_norm:
        a, b = norm(a, w.norm_ih), norm(b, w.norm_hh)
    total = a + b + (w.bias_ih + w.bias_hh if bias else 0.0)
    gate = {name: total[:, k * H : (k + 1) * H] for k, name in enumerate("fgo" if coupled else "ifgo")}
    look = {name: getattr(w, "weight_c" + name) if peephole else 0.0 for name in gate if name != "g"}
    f = sigma(gate["f"] + look["f"] * c)
    i = 1.0 - f if coupled else sigma(gate["i"] + look["i"] * c)
    c = f * c + i * new(squash(gate["g"]), w)
    if cell_clip is not None:
        c = np.where(c > cell_clip, cell_clip, np.where(c < -cell_clip, -cell_clip, c))
    o = sigma(gate["o"] + look["o"] * c)
    h = o * out(norm(c, w.norm_c) + w.norm_c_bias if layer_norm else c)
    if proj_size:
        h = np.dot(h, w.weight_hr.T)
    return [h, c], h


def four_gates(states: list[Any], x: Any, w: Any, bias: bool = True) -> tuple[list[Any], Any]:
    STM, LTM = states
    H = LTM.shape[-1]

    def of_both(k: int) -> Any:
        rows = slice(k * H, (k + 1) * H)
        both = np.concatenate([w.weight_hh[rows], w.weight_ih[rows]], axis=1)
        return np.dot(np.concatenate([read(STM, w), x], axis=1), both.T) + (w.bias_ih[rows] + w.bias_hh[rows] if bias else 0.0)

    learned = new(np.tanh(of_both(0)), w) * sigmoid(of_both(1))
    left = LTM * sigmoid(of_both(2))
    used = np.tanh(np.dot(left, w.weight_u.T) + (w.bias_u if bias else 0.0)) * sigmoid(of_both(3))
    return [used, left + learned], used


@nn.cell(states="h c", init={"b": nn.init.zeros_}, W="2H I", U="2H H", b="2H")
def leaky_pair(carry: Any, x: Any, W: Any, U: Any, b: Any, *, gain: float = 1.0) -> Any:
    """A cell of a user, with two states, and an output that is neither."""
    h, c = carry
    a, n = (mg.linear(x, W, b) + mg.linear(h, U)).split(2, axis=-1)
    a = mg.sigmoid(a)
    c = a * c + (1.0 - a) * mg.name("n", mg.tanh(gain * n))
    h = mg.tanh(c)
    return (h, c), h * a


def plain_leaky_pair(states: list[Any], x: Any, w: Any, gain: float = 1.0) -> tuple[list[Any], Any]:
    h, c = states
    H = c.shape[-1]
    a = sigmoid(np.dot(x, w.W[:H].T) + np.dot(read(h, w), w.U[:H].T) + w.b[:H])
    n = gain * (np.dot(x, w.W[H:].T) + np.dot(read(h, w), w.U[H:].T) + w.b[H:])
    c = a * c + (1 - a) * new(np.tanh(n), w)
    h = np.tanh(c)
    return [h, c], h * a


Step = Callable[..., tuple[list[Any], Any]]


@dataclass(frozen=True)
class Variant:
    """A layer of the library with its options, and the plain step that it must be."""

    make: Callable[..., Any]
    step: Step
    options: dict[str, Any] = field(default_factory=dict)

    def layer(self, *sizes: int, **form: Any) -> Any:
        """The layer; `form` are the settings that every layer has."""
        return self.make(*sizes, **self.options, **form)


def stack_of(cell: Any) -> Callable[..., Any]:
    """nn.Recurrent of a cell, called as the layers are."""

    def make(I_: int, H: int, num_layers: int = 1, *, dtype: Any = "float32", **settings: Any) -> Any:
        form = {key: settings.pop(key) for key in FORM if key in settings}
        return nn.Recurrent(cell(I_, H, dtype=dtype, **settings), num_layers, **form)

    return make


FORM = ("bidirectional", "merge", "residual", "batch_first", "dropout", "return_sequences", "return_state")
LSTM_OPTIONS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"peephole": True},
    {"coupled": True},
    {"layer_norm": True},
    {"proj_size": 2},
    {"cell_clip": 0.7},
    {"activations": ("hard_sigmoid", "silu", "gelu")},
    {"activations": ("sigmoid", "identity", "elu")},
    {"activations": ("sigmoid", "softplus", "relu")},
]


def random_options(seed: int) -> dict[str, Any]:
    """Options of the LSTM that were drawn, at least two of them."""
    draw = Random(seed)
    options: dict[str, Any] = {}
    while len(options) < 2:
        options = {name: True for name in ("peephole", "coupled", "layer_norm") if draw.random() < 0.5}
        options |= {"proj_size": draw.randint(1, 3)} if draw.random() < 0.4 else {}
        options |= {"cell_clip": draw.choice([0.8, 1.2])} if draw.random() < 0.4 else {}
        options |= {"bias": False} if draw.random() < 0.2 else {}
        if draw.random() < 0.5:
            gates = draw.choice(["sigmoid", "hard_sigmoid"])
            options["activations"] = gates, draw.choice(sorted(ACTIVATIONS)), draw.choice(sorted(ACTIVATIONS))
    return options


def label_of(kind: str, options: dict[str, Any]) -> str:
    """LSTM peephole coupled cell_clip=0.2."""
    shown = {key: ",".join(value) if isinstance(value, tuple) else value for key, value in options.items()}
    return " ".join([kind, *[key if value is True else f"{key}={value}" for key, value in shown.items()]])


def all_variants() -> dict[str, Variant]:
    """Every cell with every option, some combinations that were drawn, a stack of a cell, and a cell of a user."""
    found = {f"RNN {name}": Variant(nn.RNN, rnn, {"nonlinearity": name}) for name in ACTIVATIONS}
    found["RNN bias=False"] = Variant(nn.RNN, rnn, {"bias": False})
    for reset in ("after", "before"):
        for update in ("keep", "write"):
            found[f"GRU {reset} {update}"] = Variant(nn.GRU, gru, {"reset": reset, "update": update})
        found[f"GRU {reset} bias=False"] = Variant(nn.GRU, gru, {"reset": reset, "bias": False})
    for options in [*LSTM_OPTIONS, *map(random_options, range(10))]:
        found[label_of("LSTM", options)] = Variant(nn.LSTM, lstm, options)
    found["four gates"] = Variant(nn.FourGateLSTM, four_gates)
    found["four gates bias=False"] = Variant(nn.FourGateLSTM, four_gates, {"bias": False})
    found["stack of cells"] = Variant(stack_of(nn.LSTMCell), lstm, {"peephole": True, "coupled": True})
    found["own"] = Variant(leaky_pair, plain_leaky_pair, {"gain": 1.5})
    found["stack of own"] = Variant(stack_of(leaky_pair.Cell), plain_leaky_pair)
    return found


@dataclass(frozen=True)
class Masks:
    """What regularises one direction of one layer, for one sequence: rows, or 1 where nothing is dropped."""

    x: Any = 1.0
    inside: dict[str, Any] = field(default_factory=dict)  # mask_hidden, mask_candidate
    weights: dict[str, Any] = field(default_factory=dict)
    y: Any = 1.0
    stays: tuple[Any, ...] = ()  # for each state the share of it that stays, at each step; of () all move

    def held(self, t: int, old: list[Any], after: list[Any]) -> list[Any]:
        """The states after step t."""
        return [share[t] * a + (1.0 - share[t]) * b for share, a, b in zip(self.stays, old, after, strict=True)] if self.stays else after


def over_time(step: Step, states: list[Any], x: Any, w: dict[str, Any], options: dict[str, Any], reverse: bool, masks: Masks) -> Any:
    """(T, B, n) -> the last states, (T, B, H), and the states at all times."""
    named = SimpleNamespace(**{name: weight * masks.weights.get(name, 1.0) for name, weight in w.items()}, **masks.inside)
    ys, every = {}, {}
    for t in sorted(range(len(x)), reverse=reverse):
        after, y = step(states, x[t] * masks.x, named, **options)
        held = masks.held(t, states, after)
        ys[t], every[t], states = (held[0] if y is after[0] else y) * masks.y, held, held
    times = range(len(x))
    return states, np.stack([ys[t] for t in times]), [np.stack([every[t][k] for t in times]) for k in range(len(states))]


def plain(
    variant: Variant,
    weights: dict[str, Any],
    x: Any,
    first: list[Any],
    layers: int,
    both: bool,
    merge: str | None = "concat",
    residual: bool = False,
    masks: list[Masks] | None = None,
) -> tuple[list[Any], list[Any], list[list[Any]]]:
    """The outputs (two if `merge` is None), last states, and states at all times of every layer and direction; time first.

    States are (layers x directions, B, n); `masks` are one for each layer and direction.
    """
    last: list[list[Any]] = []
    every: list[list[Any]] = []
    outputs: list[Any] = [x]
    for layer in range(layers):
        into, outputs = outputs[0], []
        for reverse in (False, True)[: 1 + both]:
            suffix, k = f"_l{layer}" + "_reverse" * reverse, len(last)
            w = {name.removesuffix(suffix): value for name, value in weights.items() if name.endswith(suffix)}
            here = masks[k] if masks else Masks()
            states, ys, seen = over_time(variant.step, [state[k] for state in first], into, w, variant.options, reverse, here)
            last.append(states)
            every.append(seen)
            outputs.append(ys)
        if both and not (merge is None and layer == layers - 1):
            a, b = outputs
            outputs = [
                {"sum": a + b, "mul": a * b, "ave": (a + b) / 2}[merge] if merge in ("sum", "mul", "ave") else np.concatenate([a, b], 2)
            ]
        if residual and layer:
            outputs = [y + into for y in outputs]
    return outputs, [np.stack(column) for column in zip(*last, strict=True)], every
