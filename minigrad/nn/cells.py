"""Equations cells: one step of time."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError

from .equations import Carry, Equations, FourGateEquations, GRUEquations, LSTMEquations, RNNEquations, packed


class Cell(Equations):
    """One step of time. Parameters are named as in PyTorch: weight_ih, weight_hh, bias_ih, bias_hh."""

    def forward(self, x: Any, state: Any = None) -> Carry:
        """The next state for an input x (batch, input_size) or (input_size,) and the state before (zeros if None)."""
        x = self.check_input(x, "batch, features")
        if x.ndim > 2:
            raise ShapeError(f"{self.label()}: input has shape {x.shape}, expected (batch, features) or (features,): one time step")
        axes = "batch, hidden" if x.ndim == 2 else "hidden"
        return self.step(packed(self.check_states(state, x.shape[:-1], axes)), x, self.named(""))[0]

    def extra_repr(self) -> str:
        """As PyTorch prints it: the sizes, and what differs from the defaults."""
        return ", ".join([str(self.input_size), str(self.hidden_size), *self.changed()])


class RNNCell(RNNEquations, Cell):
    """One step of the simple recurrent network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh) (Elman, 1990).

    x (batch, input_size) and h (batch, hidden_size), or both without batch, give h' in the shape of h. Raises ShapeError, DtypeError and
    TypeError in words for anything that does not fit, ValueError for settings that do not exist. `recurrent_init`, of every cell, is that
    of the layers: "orthogonal" or "identity".

    >>> RNNCell(3, 2)(np.zeros((5, 3), np.float32)).shape
    (5, 2)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        recurrent_init: str | None = None,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        self.nonlinearity = self.activation(nonlinearity, "nonlinearity")
        self.add_weights("", input_size, recurrent_init)


class LSTMCell(LSTMEquations, Cell):
    """One step of the LSTM (Hochreiter and Schmidhuber, 1997; Gers et al., 2000): from x and (h, c) to (h', c').

    x (batch, input_size), h and c (batch, hidden_size), or all without batch. With `forget_bias` the forget gate starts with b_ih + b_hh of
    that value. `options` are those of LSTM: peephole, coupled, layer_norm, proj_size, activations, cell_clip. Raises as RNNCell does.

    >>> h, c = LSTMCell(3, 2)(np.zeros((5, 3), np.float32))
    >>> h.shape, c.shape
    ((5, 2), (5, 2))
    """

    keywords = tuple(LSTMEquations.usual)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        forget_bias: float | None = None,
        recurrent_init: str | None = None,
        dtype: Any = np.float32,
        **options: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        self.set_options(**options)
        self.add_weights("", input_size, recurrent_init)
        self.set_forget_bias("", forget_bias)


class GRUCell(GRUEquations, Cell):
    """One step of the GRU (Cho et al., 2014): from x and h to h'. `reset` and `update` say which of its conventions, as for GRU.

    x (batch, input_size) and h (batch, hidden_size), or both without batch. Raises as RNNCell does.

    >>> GRUCell(3, 2)(np.zeros((5, 3), np.float32)).shape
    (5, 2)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        reset: str = "after",
        update: str = "keep",
        recurrent_init: str | None = None,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        self.set_conventions(reset, update)
        self.add_weights("", input_size, recurrent_init)


class FourGateLSTMCell(FourGateEquations, Cell):
    """One step of the four-gate LSTM, told as Learn, Forget, Remember and Use: from x and (STM, LTM) to (STM', LTM'); see FourGateLSTM.

    x (batch, input_size), both memories (batch, hidden_size), or all without batch. Raises as RNNCell does.

    >>> STM, LTM = FourGateLSTMCell(3, 2)(np.zeros((5, 3), np.float32))
    >>> STM.shape, LTM.shape
    ((5, 2), (5, 2))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, recurrent_init: str | None = None, dtype: Any = np.float32
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        self.add_weights("", input_size, recurrent_init)
