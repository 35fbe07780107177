"""The recurrent equations, each written once: what a cell computes from its carry and x in one step of time.

A `step(carry, x, w) -> (carry, y)` is written as in its paper: x is the layer's input, w has the weights by name. What does not need the
carry (W_ih x_t + b for all time steps at once) and what only feeds weights is found by `scan`, not here.
"""

from __future__ import annotations

import functools
import math
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops import clip, elu, gelu, linear, mean, name, relu, sigmoid, silu, softplus, square, tanh, zeros
from minigrad.tape import Tensor

from . import init
from .gates import Gates
from .layers import check_sizes, in_dtype
from .module import Parameter

Carry = Any  # a tensor h, or a tuple of tensors
Shapes = dict[str, tuple[int, ...]]


def hard_sigmoid(x: Tensor) -> Tensor:
    """0.2 x + 0.5, held between 0 and 1."""
    return clip(0.2 * x + 0.5, 0.0, 1.0)


def identity(x: Tensor) -> Tensor:
    """x."""
    return x


ACTIVATIONS: dict[str, Any] = {
    "tanh": tanh,
    "relu": relu,
    "sigmoid": sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "softplus": softplus,
    "elu": elu,
    "gelu": gelu,
    "silu": silu,
    "identity": identity,
}


def normalised(x: Tensor, gain: Tensor) -> Tensor:
    """x less its mean over its standard deviation, along the last axis, times a gain (Ba, Kiros and Hinton, 2016).

    The sign and the division are those of one number a row, here and in the gradient: neither passes over x.
    """
    d = x + mean(x, axis=-1, keepdims=True) * -1.0
    return d * (mean(square(d), axis=-1, keepdims=True) + 1e-5) ** -0.5 * gain


@functools.lru_cache(maxsize=256)
def full_names(labels: tuple[str, ...], suffix: str) -> tuple[str, ...]:
    """What the weights of one direction of one layer are called."""
    return tuple([label + suffix for label in labels])


class Equations(Gates):
    """What cells and layers share: the weights of one direction of one layer, named by a suffix, and checks of what comes in."""

    states: tuple[str, ...]  # names of the tensors in the carry
    usual: ClassVar[dict[str, Any]] = {}  # settings of the step and their defaults
    _known: Any = None  # what `known` found, until an attribute changes
    _again: Any = None  # of a layer, until then: its last call, ready to be done again

    def __init__(self, input_size: int, hidden_size: int, bias: bool, dtype: Any) -> None:
        super().__init__()
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.dtype = np.dtype(dtype)

    def step(self, carry: Carry, x: Tensor, w: Any) -> tuple[Carry, Tensor]:
        """One step of time; each kind writes its equations here."""
        raise NotImplementedError

    def options(self) -> tuple[Any, ...]:
        """The settings that the calls of a step depend on."""
        return self.bias, *[getattr(self, label) for label in self.usual]

    def known(self) -> tuple[Any, tuple[Tensor, ...]]:
        """What a scan knows the step by: equal keys mean equal calls, on the weights and the tensors given here; or None."""
        found: Any = self._known
        if found is None:
            own = type(self).step  # a subclass may write a step that depends on more
            found = (own, self.options()) if own in KNOWN and self.calls_ours() else False
            vars(self)["_known"] = found
        return found or None, ()

    def calls_ours(self) -> bool:
        """Whether the step, and what of these equations it calls, are those of the class and of the library."""
        kind = type(self)
        return kind.read is Equations.read and kind.bias_of is Equations.bias_of and not vars(self).keys() & {"step", "read", "bias_of"}

    def __setattr__(self, name: str, value: Any) -> None:
        own = vars(self)
        if own.get(name, own) is not value:  # train() before each step changes nothing
            own["_known"] = own["_again"] = None
        super().__setattr__(name, value)

    def widths(self) -> tuple[int, ...]:
        """The features of each state; the first is that of the output."""
        return (self.hidden_size,) * len(self.states)

    def shapes(self, input_size: int) -> Shapes:
        """The weights of one direction of one layer, by name."""
        rows = len(self.gates) * self.hidden_size
        shapes: Shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, self.widths()[0])}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        return shapes

    def start(self, parameter: Tensor, name: str) -> None:
        """The first numbers of a weight: U(-k, k) with k = 1 / sqrt(hidden_size), as in PyTorch."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        init.uniform_(parameter, -bound, bound)

    def changed(self) -> list[str]:
        """The settings that differ from their defaults, as they would be written."""
        usual = {**self.usual, "bias": True}
        return [f"{label}={getattr(self, label)!r}" for label in usual if getattr(self, label) != usual[label]]

    # ---- weights

    def add_weights(self, suffix: str, input_size: int, recurrent_init: str | None = None) -> None:
        """Make the parameters of one direction of one layer."""
        shapes = self.shapes(input_size)
        self.weight_names = tuple(shapes)
        for label, shape in shapes.items():
            parameter = Parameter(np.zeros(shape, self.dtype))
            self.start(parameter, label)
            setattr(self, label + suffix, parameter)
        self.start_recurrent(suffix, recurrent_init)

    def weights(self, suffix: str) -> tuple[Tensor, ...]:
        """The parameters of one direction of one layer, in the order of `shapes`."""
        own = vars(self)
        names = full_names(self.weight_names, suffix)
        return tuple([own[name] if name in own else getattr(self, name) for name in names])  # getattr would ask all classes first

    def named(self, suffix: str) -> SimpleNamespace:
        """The parameters of one direction of one layer by name."""
        return SimpleNamespace(**dict(zip(self.weight_names, self.weights(suffix), strict=True)))

    def bias_of(self, w: Any) -> Tensor | None:
        """b_ih + b_hh, or None."""
        return w.bias_ih + w.bias_hh if self.bias else None

    def read(self, h: Tensor, w: Any) -> Tensor:
        """h as the recurrent product reads it: with a mask, if there is one."""
        mask: Tensor | None = getattr(w, "mask_hidden", None)
        return h if mask is None else h * mask

    # ---- what comes in

    def check_input(self, x: Any, axes: str) -> Tensor:
        """x as a tensor of the layer's dtype with `input_size` features; `axes` names its axes in errors."""
        tensor = in_dtype(self, x, self.dtype)
        if tensor.shape[-1:] != (self.input_size,):
            found = f"{tensor.shape[-1]} features (shape {tensor.shape} = {axes})" if tensor.ndim else "no axis"
            raise ShapeError(f"{self.label()}: input has {found}, expected input_size={self.input_size}")
        return tensor

    def check_states(
        self, state: Any, leading: tuple[int, ...], axes: str, mistaken: tuple[int, ...] | None = None, hint: str = ""
    ) -> list[Tensor]:
        """The tensors of the initial state, one for each name in `states`, of shape (*leading, its width); zeros if none was given.

        `hint` is what to say of a state that has the axes `mistaken` in their place.
        """
        widths = self.widths()
        if state is None:
            return [zeros((*leading, width), dtype=self.dtype) for width in widths]
        several, count = isinstance(state, tuple | list), len(self.states)
        if count == 1 and several:
            raise TypeError(f"{self.label()}: the state is one tensor {self.states[0]}, got a {type(state).__name__} of {len(state)}")
        if count > 1 and not (several and len(state) == count):
            got = f"{type(state).__name__} of {len(state)}" if several else type(state).__name__
            kind = "pair" if count == 2 else f"tuple of {count}"
            raise TypeError(f"{self.label()}: the state is a {kind} ({', '.join(self.states)}), got a {got}")
        found = []
        for label, width, value in zip(self.states, widths, state if several else [state], strict=True):
            tensor, shape = in_dtype(self, value, self.dtype, f"state {label}"), (*leading, width)
            if tensor.shape != shape:
                note = hint if tensor.shape == (*(mistaken or ()), width) else other_batch(tensor.shape, shape, axes)
                raise ShapeError(f"{self.label()}: state {label} has shape {tensor.shape}, expected {shape} = {axes}{note}")
            found.append(tensor)
        return found

    def activation(self, label: str, option: str) -> str:
        """The name of an activation; raises ValueError for one that does not exist."""
        if label not in ACTIVATIONS:
            raise ValueError(f"{type(self).__name__}: {option}={label!r} is not one of {', '.join(map(repr, ACTIVATIONS))}")
        return label


def other_batch(given: tuple[int, ...], expected: tuple[int, ...], axes: str) -> str:
    """What to say of a state that fits but for the size of the batch."""
    names = axes.partition(" (")[0].split(", ")
    at = names.index("batch") if "batch" in names else 0
    if names[at] != "batch" or len(given) != len(expected) or given[:at] + given[at + 1 :] != expected[:at] + expected[at + 1 :]:
        return ""
    return (
        f". It is the state of a batch of {given[at]}, for an input of {expected[at]}: give one of this batch, or none to begin with zeros"
    )


def packed(tensors: list[Tensor]) -> Carry:
    """The carry as `step` takes it: a tensor alone, or a tuple."""
    return tensors[0] if len(tensors) == 1 else tuple(tensors)


class RNNEquations(Equations):
    """Elman's simple recurrent network (1990).

    h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), or with another activation in place of tanh; with relu and W_hh that starts as the
    identity it is the IRNN (Le, Jaitly and Hinton, 2015).
    """

    gates = "h"
    states = ("h",)
    usual: ClassVar[dict[str, Any]] = {"nonlinearity": "tanh"}
    nonlinearity = "tanh"

    def step(self, carry: Carry, x: Tensor, w: Any) -> tuple[Carry, Tensor]:
        """h' = tanh(W x + b + W h)."""
        h = ACTIVATIONS[self.nonlinearity](linear(x, w.weight_ih, self.bias_of(w)) + linear(self.read(carry, w), w.weight_hh))
        return h, h


class GRUEquations(Equations):
    """Gated recurrent unit (Cho et al., 2014); the rows of the weights are in the order r z n.

    r, z = sigmoid(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh). Two conventions differ between publications and libraries, each by name:
    `reset="after"`: n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn)), as in cuDNN, PyTorch and Keras; `reset="before"` the product:
    n = tanh(W_in x_t + b_in + W_hn (r h_{t-1}) + b_hn), as first published. `update="keep"`: h_t = z h_{t-1} + (1 - z) n (Cho et al.,
    PyTorch, Keras, ONNX); `update="write"`: h_t = (1 - z) h_{t-1} + z n (Chung et al., 2014).
    """

    gates = "rzn"
    states = ("h",)
    usual: ClassVar[dict[str, Any]] = {"reset": "after", "update": "keep"}
    reset = "after"
    update = "keep"

    def set_conventions(self, reset: str, update: str) -> None:
        """Note the conventions; raises ValueError for ones that do not exist."""
        for option, value, known in (("reset", reset, ("after", "before")), ("update", update, ("keep", "write"))):
            if value not in known:
                raise ValueError(f"{type(self).__name__}: {option}={value!r} is not one of {', '.join(map(repr, known))}")
        self.reset = reset
        self.update = update

    def keeps(self) -> dict[str, float]:
        """By the convention of z."""
        return {"z": 1.0 if self.update == "keep" else -1.0}

    def step(self, carry: Carry, x: Tensor, w: Any) -> tuple[Carry, Tensor]:
        """r, z, n; h' = z h + (1 - z) n."""
        h, H = carry, self.hidden_size
        b_ih, b_hh = (w.bias_ih, w.bias_hh) if self.bias else (None, None)
        xr, xz, xn = linear(x, w.weight_ih, b_ih).split(3, axis=-1)
        if self.reset == "after":
            hr, hz, hn = linear(self.read(h, w), w.weight_hh, b_hh).split(3, axis=-1)
            r, z = name("r", sigmoid(xr + hr)), name("z", sigmoid(xz + hz))
            n = name("n", tanh(xn + r * hn))
        else:
            hr, hz = linear(self.read(h, w), w.weight_hh[: 2 * H], None if b_hh is None else b_hh[: 2 * H]).split(2, axis=-1)
            r, z = name("r", sigmoid(xr + hr)), name("z", sigmoid(xz + hz))
            n = name("n", tanh(xn + linear(r * self.read(h, w), w.weight_hh[2 * H :], None if b_hh is None else b_hh[2 * H :])))
        h = (1.0 - z) * n + z * h if self.update == "keep" else (1.0 - z) * h + z * n
        return h, h


class LSTMEquations(Equations):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997) with the forget gate of Gers, Schmidhuber and Cummins (2000).

    i, f, o = sigmoid(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), g = tanh(of the same), each with its own rows of the weights, in the order
    i f g o;   c_t = f c_{t-1} + i g;   h_t = o tanh(c_t). Options, which combine:

    `peephole`: i and f see c_{t-1}, o sees c_t, through diagonal weights weight_ci, weight_cf, weight_co (Gers and Schmidhuber, 2000).
    `coupled`: i = 1 - f, and no rows for i (Greff et al., 2017). `layer_norm`: both products, and c_t before its activation, are
    normalised, with gains norm_ih, norm_hh, norm_c and a shift norm_c_bias (Ba, Kiros and Hinton, 2016). `proj_size`:
    h_t = W_hr (o tanh(c_t)), weight_hr (Sak, Senior and Beaufays, 2014). `activations`: of the gates, of g and of c_t. `cell_clip`: c_t is
    held in [-cell_clip, cell_clip].
    """

    gates = "ifgo"
    states = ("h", "c")
    usual: ClassVar[dict[str, Any]] = {
        "peephole": False,
        "coupled": False,
        "layer_norm": False,
        "proj_size": 0,
        "activations": ("sigmoid", "tanh", "tanh"),
        "cell_clip": None,
    }
    peephole = coupled = layer_norm = False
    proj_size = 0
    activations = ("sigmoid", "tanh", "tanh")
    cell_clip: float | None = None

    def set_options(
        self,
        peephole: bool = False,
        coupled: bool = False,
        layer_norm: bool = False,
        proj_size: int = 0,
        activations: tuple[str, str, str] = ("sigmoid", "tanh", "tanh"),
        cell_clip: float | None = None,
    ) -> None:
        """Note the options; raises ValueError for values that make no sense."""
        kind = type(self).__name__
        if proj_size and not 0 < proj_size < self.hidden_size:
            raise ValueError(f"{kind}: proj_size={proj_size} should be smaller than hidden_size={self.hidden_size}; 0 is no projection")
        if len(activations) != 3:
            raise ValueError(f"{kind}: activations are three, of the gates, of g and of c; got {activations!r}")
        if cell_clip is not None and not cell_clip > 0:
            raise ValueError(f"{kind}: cell_clip={cell_clip} should be above 0, or None")
        self.peephole, self.coupled, self.layer_norm, self.proj_size = bool(peephole), bool(coupled), bool(layer_norm), proj_size
        self.activations = tuple([self.activation(label, "activations") for label in activations])  # type: ignore[assignment]
        self.cell_clip = None if cell_clip is None else float(cell_clip)
        self.gates = "fgo" if coupled else "ifgo"

    def widths(self) -> tuple[int, ...]:
        """h may be projected."""
        return self.proj_size or self.hidden_size, self.hidden_size

    def shapes(self, input_size: int) -> Shapes:
        """With those of the options."""
        shapes, H = super().shapes(input_size), self.hidden_size
        rows = shapes["weight_ih"][0]
        if self.proj_size:
            shapes["weight_hr"] = self.proj_size, H
        if self.peephole:
            shapes |= {f"weight_c{gate}": (H,) for gate in self.gates if gate != "g"}
        if self.layer_norm:
            shapes |= {"norm_ih": (rows,), "norm_hh": (rows,), "norm_c": (H,), "norm_c_bias": (H,)}
        return shapes

    def start(self, parameter: Tensor, name: str) -> None:
        """Gains start as ones, shifts as zeros."""
        if name.startswith("norm"):
            init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
        else:
            super().start(parameter, name)

    def step(self, carry: Carry, x: Tensor, w: Any) -> tuple[Carry, Tensor]:
        """i, f, g, o from one product each of x and h; c' = f c + i g; h' = o tanh(c')."""
        h, c = carry
        sigma, squash, out = (ACTIVATIONS[label] for label in self.activations)
        if self.layer_norm:
            a = normalised(linear(x, w.weight_ih), w.norm_ih) + normalised(linear(self.read(h, w), w.weight_hh), w.norm_hh)
            a = a + self.bias_of(w) if self.bias else a
        else:
            a = linear(x, w.weight_ih, self.bias_of(w)) + linear(self.read(h, w), w.weight_hh)
        *i, f, g, o = a.split(len(self.gates), axis=-1)
        f = name("f", sigma(f + w.weight_cf * c if self.peephole else f))
        entry = 1.0 - f if self.coupled else sigma(i[0] + w.weight_ci * c if self.peephole else i[0])
        c = f * c + name("i", entry) * name("g", squash(g))
        c = name("c", c if self.cell_clip is None else clip(c, -self.cell_clip, self.cell_clip))
        o = name("o", sigma(o + w.weight_co * c if self.peephole else o))
        h = o * out(normalised(c, w.norm_c) + w.norm_c_bias if self.layer_norm else c)
        h = linear(h, w.weight_hr) if self.proj_size else h
        return (h, c), h

    def set_forget_bias(self, suffix: str, value: float | None) -> None:
        """Start the forget gate with b_ih + b_hh = value, so that memories last (Gers et al., 2000)."""
        if value is None:
            return
        if not self.bias:
            raise ValueError(f"{type(self).__name__}: forget_bias={value} needs bias=True")
        self.set_gate_bias(suffix, "f", value)

    def keeps(self) -> dict[str, float]:
        """i writes, unless it is 1 - f."""
        return {"f": 1.0} if self.coupled else {"f": 1.0, "i": -1.0}


class FourGateEquations(Equations):
    """The four-gate LSTM: Learn, Forget, Remember and Use gates between an event E = x_t, a short-term and a long-term memory.

    Learn combines what came and ignores a part of it, N = tanh(W_n [STM', E]) and i = sigmoid(W_i [STM', E]); Forget is
    f = sigmoid(W_f [STM', E]); Remember adds what is left and what is new, LTM = LTM' f + N i; Use is U = tanh(W_u (LTM' f)) and
    V = sigmoid(W_v [STM', E]), STM = U V. Every matrix has its bias. What the Use gate reads is the forgotten long-term memory through
    weights of its own (weight_u, bias_u), and not, as in the LSTM, the new one. The formulas are a reconstruction from the story as it is
    taught: the pictures they stood in are lost. The rows of weight_ih and weight_hh are in the order N i f V.
    """

    gates = "NifV"
    states = ("STM", "LTM")

    def shapes(self, input_size: int) -> Shapes:
        """With those of the Use gate."""
        H = self.hidden_size
        use: Shapes = {"weight_u": (H, H), "bias_u": (H,)} if self.bias else {"weight_u": (H, H)}
        return super().shapes(input_size) | use

    def keeps(self) -> dict[str, float]:
        """As in the LSTM."""
        return {"f": 1.0, "i": -1.0}

    def step(self, carry: Carry, x: Tensor, w: Any) -> tuple[Carry, Tensor]:
        """Learn, Forget, Remember, Use."""
        STM, LTM = carry
        N, i, f, V = (linear(x, w.weight_ih, self.bias_of(w)) + linear(self.read(STM, w), w.weight_hh)).split(4, axis=-1)
        N, i, f, V = name("N", tanh(N)), name("i", sigmoid(i)), name("f", sigmoid(f)), name("V", sigmoid(V))
        kept = LTM * f
        U = name("U", tanh(linear(kept, w.weight_u, w.bias_u if self.bias else None)))
        LTM = name("LTM", kept + N * i)
        STM = name("STM", U * V)
        return (STM, LTM), STM


KNOWN = {kind.step for kind in (RNNEquations, GRUEquations, LSTMEquations, FourGateEquations)}
