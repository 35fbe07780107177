"""The recurrent equations, each written once, and the cells that take one step of them.

A `step(carry, x, W, b) -> (carry, y)` gets x with the input's share of every gate already in it: W_ih x_t + b_ih is one product for all
time steps. W is W_hh. b is b_hh where it has to stand inside the step (the GRU's candidate), and None where it was added to x.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops import linear, relu, tanh, zeros
from minigrad.tape import Tensor

from . import init
from .layers import check_sizes, in_dtype
from .module import Module, Parameter

ACTIVATIONS = {"tanh": tanh, "relu": relu}
Carry = Any  # a tensor h, or the pair (h, c)


class Recurrent(Module):
    """What cells and layers share: the weights of one direction of one layer, named by a suffix, and checks of what comes in."""

    gates: int  # how many gates share one product
    states: tuple[str, ...]  # names of the tensors in the carry
    bias_inside = False  # True where b_hh cannot be added to x before the loop

    def __init__(self, input_size: int, hidden_size: int, bias: bool, dtype: Any) -> None:
        super().__init__()
        check_sizes(self, input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.dtype = np.dtype(dtype)

    def step(self, carry: Carry, x: Tensor, W: Tensor, b: Tensor | None) -> tuple[Carry, Tensor]:
        """One step of time; each kind writes its equations here."""
        raise NotImplementedError

    def add_weights(self, suffix: str, input_size: int) -> None:
        """Make the parameters of one direction of one layer, from U(-k, k) with k = 1 / sqrt(hidden_size)."""
        rows = self.gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, input_size), "weight_hh": (rows, self.hidden_size)}
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        bound = 1.0 / math.sqrt(self.hidden_size)
        for name, shape in shapes.items():
            setattr(self, name + suffix, init.uniform_(Parameter(np.zeros(shape, self.dtype)), -bound, bound))

    def weights(self, suffix: str) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """W_ih, W_hh, the bias that x W_ih takes, and the one that stands inside the step."""
        W_ih, W_hh = getattr(self, "weight_ih" + suffix), getattr(self, "weight_hh" + suffix)
        if not self.bias:
            return W_ih, W_hh, None, None
        b_ih, b_hh = getattr(self, "bias_ih" + suffix), getattr(self, "bias_hh" + suffix)
        return (W_ih, W_hh, b_ih, b_hh) if self.bias_inside else (W_ih, W_hh, b_ih + b_hh, None)

    def check_input(self, x: Any, axes: str) -> Tensor:
        """x as a tensor of the layer's dtype with `input_size` features; `axes` names its axes in errors."""
        tensor = in_dtype(self, x, self.dtype)
        if tensor.shape[-1:] != (self.input_size,):
            found = f"{tensor.shape[-1]} features (shape {tensor.shape} = {axes})" if tensor.ndim else "no axis"
            raise ShapeError(f"{self.label()}: input has {found}, expected input_size={self.input_size}")
        return tensor

    def check_states(self, state: Any, shape: tuple[int, ...], axes: str) -> list[Tensor]:
        """The tensors of the initial state, one for each name in `states`, all of `shape`; zeros if none was given."""
        if state is None:
            return [zeros(shape, dtype=self.dtype) for _ in self.states]
        pair = isinstance(state, tuple | list)
        if len(self.states) == 1 and pair:
            raise TypeError(f"{self.label()}: the state is one tensor h, got a {type(state).__name__} of {len(state)}")
        if len(self.states) == 2 and not (pair and len(state) == 2):
            got = f"{type(state).__name__} of {len(state)}" if pair else type(state).__name__
            raise TypeError(f"{self.label()}: the state is a pair (h, c), got a {got}")
        found = []
        for name, value in zip(self.states, state if pair else [state], strict=True):
            tensor = in_dtype(self, value, self.dtype, f"state {name}")
            if tensor.shape != shape:
                raise ShapeError(f"{self.label()}: state {name} has shape {tensor.shape}, expected {shape} = {axes}")
            found.append(tensor)
        return found

    def set_forget_bias(self, suffix: str, value: float | None) -> None:
        """Start the forget gate (the second of i, f, g, o) with b_ih + b_hh = value, so that memories last (Gers et al., 2000)."""
        if value is None:
            return
        if not self.bias:
            raise ValueError(f"{type(self).__name__}: forget_bias={value} needs bias=True")
        for name, start in (("bias_ih", value), ("bias_hh", 0.0)):
            bias = getattr(self, name + suffix)
            numbers = bias.numpy().copy()
            numbers[self.hidden_size : 2 * self.hidden_size] = start
            bias.assign_(numbers)


def packed(tensors: list[Tensor]) -> Carry:
    """The carry as `step` takes it: a tensor alone, or a tuple."""
    return tensors[0] if len(tensors) == 1 else tuple(tensors)


# ---- the equations


class RNNEquations(Recurrent):
    """Elman's simple recurrent network (1990).

    h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), or with relu in place of tanh.
    """

    gates = 1
    states = ("h",)
    nonlinearity: str

    def set_nonlinearity(self, nonlinearity: str) -> None:
        """Note the activation; raises ValueError for one that does not exist."""
        if nonlinearity not in ACTIVATIONS:
            raise ValueError(f"{type(self).__name__}: nonlinearity={nonlinearity!r} is not one of {', '.join(map(repr, ACTIVATIONS))}")
        self.nonlinearity = nonlinearity

    def step(self, carry: Carry, x: Tensor, W: Tensor, b: Tensor | None) -> tuple[Carry, Tensor]:
        """h' = tanh(x + W h)."""
        h = ACTIVATIONS[self.nonlinearity](x + linear(carry, W, b))
        return h, h


class LSTMEquations(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997) with the forget gate of Gers, Schmidhuber and Cummins (2000).

    i, f, o = sigmoid(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), g = tanh(of the same), each with its own rows of the weights, in the order
    i f g o;   c_t = f c_{t-1} + i g;   h_t = o tanh(c_t).
    """

    gates = 4
    states = ("h", "c")

    def step(self, carry: Carry, x: Tensor, W: Tensor, b: Tensor | None) -> tuple[Carry, Tensor]:
        """i, f, g, o from one product; c' = f c + i g; h' = o tanh(c')."""
        h, c = carry
        i, f, g, o = (x + linear(h, W, b)).split(4, axis=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (h, c), h


class GRUEquations(Recurrent):
    """Gated recurrent unit (Cho et al., 2014), with the reset gate after the product, as in cuDNN and PyTorch.

    r, z = sigmoid(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh);   n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn));
    h_t = (1 - z) n + z h_{t-1}. The rows of the weights are in the order r z n.
    """

    gates = 3
    states = ("h",)
    bias_inside = True  # r multiplies b_hn

    def step(self, carry: Carry, x: Tensor, W: Tensor, b: Tensor | None) -> tuple[Carry, Tensor]:
        """r, z, n from one product; h' = (1 - z) n + z h."""
        h = carry
        xr, xz, xn = x.split(3, axis=-1)
        hr, hz, hn = linear(h, W, b).split(3, axis=-1)
        r = (xr + hr).sigmoid()
        z = (xz + hz).sigmoid()
        n = (xn + r * hn).tanh()
        h = (1.0 - z) * n + z * h
        return h, h


# ---- one step of them


class Cell(Recurrent):
    """One step of time. Parameters are named as in PyTorch: weight_ih, weight_hh, bias_ih, bias_hh."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool, dtype: Any) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        self.add_weights("", input_size)

    def forward(self, x: Any, state: Any = None) -> Carry:
        """The next state for an input x (batch, input_size) or (input_size,) and the state before (zeros if None)."""
        x = self.check_input(x, "batch, features")
        if x.ndim > 2:
            raise ShapeError(f"{self.label()}: input has shape {x.shape}, expected (batch, features) or (features,): one time step")
        axes = "batch, hidden" if x.ndim == 2 else "hidden"
        states = self.check_states(state, (*x.shape[:-1], self.hidden_size), axes)
        W_ih, W_hh, b_x, b_h = self.weights("")
        return self.step(packed(states), linear(x, W_ih, b_x), W_hh, b_h)[0]

    def extra_repr(self) -> str:
        """As PyTorch prints it: the sizes, and `bias` where there is none."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(RNNEquations, Cell):
    """One step of the simple recurrent network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh) (Elman, 1990).

    x (batch, input_size) and h (batch, hidden_size), or both without batch, give h' in the shape of h. Raises ShapeError, DtypeError and
    TypeError in words for anything that does not fit, ValueError for settings that do not exist.

    >>> RNNCell(3, 2)(np.zeros((5, 3), np.float32)).shape
    (5, 2)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", *, dtype: Any = np.float32
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        self.set_nonlinearity(nonlinearity)


class LSTMCell(LSTMEquations, Cell):
    """One step of the LSTM (Hochreiter and Schmidhuber, 1997; Gers et al., 2000): from x and (h, c) to (h', c').

    x (batch, input_size), h and c (batch, hidden_size), or all without batch. With `forget_bias` the forget gate starts with b_ih + b_hh of
    that value. Raises as RNNCell does.

    >>> h, c = LSTMCell(3, 2)(np.zeros((5, 3), np.float32))
    >>> h.shape, c.shape
    ((5, 2), (5, 2))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, forget_bias: float | None = None, dtype: Any = np.float32
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        self.set_forget_bias("", forget_bias)


class GRUCell(GRUEquations, Cell):
    """One step of the GRU (Cho et al., 2014; reset after the product): from x and h to h'.

    x (batch, input_size) and h (batch, hidden_size), or both without batch. Raises as RNNCell does.

    >>> GRUCell(3, 2)(np.zeros((5, 3), np.float32)).shape
    (5, 2)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = np.float32) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
