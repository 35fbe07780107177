"""Recurrent layers by name: RNN, LSTM, GRU, the four-gate LSTM, and a stack of any cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.tape import Tensor

from .cells import Cell
from .equations import Carry, FourGateEquations, GRUEquations, LSTMEquations, RNNEquations
from .stack import Layers


class RNN(RNNEquations, Layers):
    """Simple recurrent network (Elman, 1990): h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), or relu for tanh.

    Called with x (T, B, input_size) and a state h_0 (layers x directions, B, hidden_size), zeros if None, it returns `(output, h_n)`: the
    top layer's h_t for all t, (T, B, directions x hidden_size), and the last h of every layer and direction in the shape of h_0.
    With `batch_first` input and output are (B, T, ...), the states are not; without a batch, all lose that axis. `dropout` acts on
    the output of every layer but the last, in training. A backward direction reads from the end and is joined behind the
    forward one. Parameters `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `..._l0_reverse`, `..._l1` have PyTorch's shapes
    and start from U(-k, k), k = 1 / sqrt(hidden_size). Raises ShapeError, DtypeError and TypeError in words for anything that does not
    fit, ValueError for settings that do not exist.

    Settings that all layers share: `recurrent_init`, "orthogonal" or "identity", starts each gate's block of weight_hh so instead of from
    U(-k, k) (relu with "identity" is the IRNN of Le, Jaitly and Hinton, 2015). `learned_state=True` makes the state that is used when
    none is given a parameter, `h_0_l0` and so on, which starts as zeros. With `stateful=True` a call without a state begins where the last
    one ended, without its history, until `reset_state()`. `memory="sqrt"`, or a whole number k, remembers for the backward pass no more
    than the state at k times and runs the steps between them again (see `scan`): for long sequences, with gradients of the same bits (over
    an embedding, to rounding). `merge`, `residual`, `return_sequences` and `return_state`: see Recurrent.

    >>> output, h_n = RNN(3, 4, num_layers=2, bidirectional=True)(np.zeros((7, 5, 3), np.float32))
    >>> output.shape, h_n.shape
    ((7, 5, 8), (4, 5, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = np.float32,
        **form: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)
        self.nonlinearity = self.activation(nonlinearity, "nonlinearity")
        self.set_form(**form)


class LSTM(LSTMEquations, Layers):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997) with forget gates (Gers et al., 2000); gates in the order i f g o.

    i, f, o = sigmoid(...), g = tanh(...);   c_t = f c_{t-1} + i g;   h_t = o tanh(c_t). Called with x and a state (h_0, c_0) it returns
    `(output, (h_n, c_n))`. Shapes, settings, parameters and errors are those of RNN, with 4 x hidden_size rows. With `forget_bias` the
    forget gate of every layer and direction starts with b_ih + b_hh of that value (Jozefowicz et al., 2015, advise 1).

    >>> output, (h_n, c_n) = LSTM(3, 4)(np.zeros((7, 5, 3), np.float32))
    >>> output.shape, h_n.shape, c_n.shape
    ((7, 5, 4), (1, 5, 4), (1, 5, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        forget_bias: float | None = None,
        peephole: bool = False,
        coupled: bool = False,
        layer_norm: bool = False,
        activations: tuple[str, str, str] = ("sigmoid", "tanh", "tanh"),
        cell_clip: float | None = None,
        dtype: Any = np.float32,
        **form: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)
        self.set_options(peephole, coupled, layer_norm, proj_size, activations, cell_clip)
        self.set_form(**form)
        for suffix in self.all_suffixes():
            self.set_forget_bias(suffix, forget_bias)


class GRU(GRUEquations, Layers):
    """Gated recurrent unit (Cho et al., 2014), reset after the product as in cuDNN and PyTorch; gates in the order r z n.

    r, z = sigmoid(...);   n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn));   h_t = (1 - z) n + z h_{t-1}. Called with x and a
    state h_0 it returns `(output, h_n)`. Shapes, settings, parameters and errors are those of RNN, with 3 x hidden_size rows.

    >>> output, h_n = GRU(3, 4)(np.zeros((7, 5, 3), np.float32))
    >>> output.shape, h_n.shape
    ((7, 5, 4), (1, 5, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        reset: str = "after",
        update: str = "keep",
        dtype: Any = np.float32,
        **form: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)
        self.set_conventions(reset, update)
        self.set_form(**form)


class FourGateLSTM(FourGateEquations, Layers):
    """The LSTM told as Learn, Forget, Remember and Use gates, over a short-term and a long-term memory, each gate with its own weights.

    N = tanh(W_n [STM', E] + b_n), i = sigmoid(W_i [STM', E] + b_i);   f = sigmoid(W_f [STM', E] + b_f);   LTM = LTM' f + N i;
    U = tanh(W_u (LTM' f) + b_u), V = sigmoid(W_v [STM', E] + b_v), STM = U V. It is not the LSTM in other words: the Use gate reads the
    forgotten long-term memory, through weights of its own, and not the new one. The formulas are a reconstruction from the story as it is
    taught. Called with x and a state (STM, LTM) it returns `(output, (STM_n, LTM_n))`. Shapes, settings, parameters and errors are those
    of RNN, with 4 x hidden_size rows in the order N i f V, and weight_u_l0, bias_u_l0.

    >>> output, (STM, LTM) = FourGateLSTM(3, 4)(np.zeros((7, 5, 3), np.float32))
    >>> output.shape, STM.shape, LTM.shape
    ((7, 5, 4), (1, 5, 4), (1, 5, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = np.float32,
        **form: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)
        self.set_form(**form)


class Recurrent(Layers):
    """A stack, in one or both directions, of any cell: all time steps of a sequence, as nn.LSTM is for nn.LSTMCell.

    `cell`, of nn.LSTMCell's kind or made by `nn.cell`, gives the equations, the sizes and the options. Layers and directions have weights
    of their own, `..._l0`, `..._l0_reverse`, `..._l1`; the first ones are the cell's. `merge` says what becomes of the two directions:
    "concat", "sum", "mul", "ave", or None for a pair of outputs. With `residual` each layer but the first adds its input to its output.
    `return_sequences=False` gives the output of the step that ran last, of a backward direction that at the first x; `return_state=False`
    leaves the state out. Called as nn.LSTM is, with `lengths=` or `mask=` for padded batches.

    >>> from minigrad.nn import LSTMCell
    >>> layer = Recurrent(LSTMCell(3, 4, peephole=True), num_layers=2, bidirectional=True, merge="sum")
    >>> output, (h_n, c_n) = layer(np.zeros((7, 5, 3), np.float32), lengths=[7, 1, 0, 3, 7])
    >>> output.shape, h_n.shape
    ((7, 5, 4), (4, 5, 4))
    """

    def __init__(
        self,
        cell: Cell,
        num_layers: int = 1,
        bidirectional: bool = False,
        merge: str | None = "concat",
        residual: bool = False,
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        **form: Any,
    ) -> None:
        if not isinstance(cell, Cell):
            raise TypeError(f"Recurrent wants a recurrent cell, like nn.LSTMCell(3, 4), got {type(cell).__name__}")
        super().__init__(cell.input_size, cell.hidden_size, num_layers, cell.bias, batch_first, dropout, bidirectional, cell.dtype)
        vars(self)["_cell"] = (cell,)  # for its equations; its weights are this module's
        self.set_form(merge, residual, **form)
        for label, weight in zip(cell.weight_names, cell.weights(""), strict=True):
            setattr(self, label + "_l0", weight)
        self.start_recurrent("_l0", form.get("recurrent_init"))

    @property
    def cell(self) -> Cell:
        """The cell whose equations these are."""
        found: Cell = vars(self)["_cell"][0]
        return found

    @property
    def states(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the cell."""
        return self.cell.states

    @property
    def recurrent(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the cell."""
        return self.cell.recurrent

    @property
    def gates(self) -> str:  # type: ignore[override]
        """Those of the cell."""
        return self.cell.gates

    def step(self, carry: Carry, x: Tensor, w: Any) -> tuple[Carry, Tensor]:
        """That of the cell."""
        return self.cell.step(carry, x, w)

    def known(self) -> tuple[Any, tuple[Tensor, ...]]:
        """That of the cell."""
        return self.cell.known()

    def widths(self) -> tuple[int, ...]:
        """Those of the cell."""
        return self.cell.widths()

    def shapes(self, input_size: int) -> dict[str, tuple[int, ...]]:
        """Those of the cell."""
        return self.cell.shapes(input_size)

    def keeps(self) -> dict[str, float]:
        """Those of the cell."""
        return self.cell.keeps()

    def start(self, parameter: Tensor, name: str) -> None:
        """As the cell does."""
        self.cell.start(parameter, name)

    def changed(self) -> list[str]:
        """Those of the cell."""
        return [type(self.cell).__name__, *self.cell.changed()]
