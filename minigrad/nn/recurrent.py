"""Recurrent layers: the equations of cells.py over all time steps, layers and directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError
from minigrad.ops import concatenate, linear, stack
from minigrad.recording import is_recording, tracer
from minigrad.scan import known_scan, settings
from minigrad.tape import Tensor, wrap

from .cells import Carry, GRUEquations, LSTMEquations, Recurrent, RNNEquations, packed
from .dropout import check_probability, dropout
from .layers import check_sizes

EQUATIONS = {RNNEquations.step, LSTMEquations.step, GRUEquations.step}


class Layers(Recurrent):
    """All time steps, layers and directions of one kind of recurrence. The equations come from the class it is joined with."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        dtype: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        check_sizes(self, num_layers=num_layers)
        check_probability(dropout, type(self).__name__)
        self._again: Any = None  # the last single step without gradients, ready to be done again
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        for layer in range(num_layers):
            for suffix in self.suffixes(layer):
                self.add_weights(suffix, len(self.suffixes(layer)) * hidden_size if layer else input_size)

    def suffixes(self, layer: int) -> list[str]:
        """How the parameters of a layer end, one for each direction."""
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self)["_again"] = None
        super().__setattr__(name, value)

    def forward(self, x: Any, state: Any = None) -> tuple[Tensor, Carry]:
        """(output, last state); see the class for the shapes."""
        if self._again is not None:
            found: tuple[Tensor, Carry] | None = self.again(x, state)
            if found is not None:
                return found
        output, last = self.in_full(x, state)
        if settings.ready is not None and self.num_layers == 1 and not self.bidirectional:
            self.get_ready(x, state, output, last)
        return output, last

    def again(self, x: Any, state: Any) -> Any:
        """One step as it was done before, with other numbers: what a stream of inputs pays; None if anything else is new."""
        states = state if type(state) is tuple else (state,)
        if is_recording() or tracer.get() is not None or settings.mode != "compile" or not all(type(t) is Tensor for t in (x, *states)):
            return None
        found = self._again((x._array, *[tensor._array for tensor in states]))
        if found is None:
            return None
        settings.report = self._again.report
        *last, output = [wrap(array, None) for array in found]
        return output, packed(last)

    def get_ready(self, x: Any, state: Any, output: Tensor, last: Carry) -> None:
        """Keep the step that was just done for `again`."""
        ready, settings.ready = settings.ready, None
        states, after = (list(s) if isinstance(s, tuple | list) else [s] for s in (state, last))
        if all(type(tensor) is Tensor for tensor in (x, *states)) and x.dtype == self.dtype:
            guards = [(version, version.changed) for version in [tensor.version() for _, tensor in self._own(buffers=False)]]
            ins, outs = ([tensor._array for tensor in group] for group in ([x, *states], [*after, output]))
            vars(self)["_again"] = ready.bind(ins, outs, guards, settings.report)

    def in_full(self, x: Any, state: Any) -> tuple[Tensor, Carry]:
        """`forward`, whatever came before."""
        x, batched = self.time_first(x)
        carries = self.carries(state, x.shape[1], batched)
        last: list[Carry] = []
        for layer in range(self.num_layers):
            if layer:
                x = dropout(x, self.dropout, self.training)
            outputs = []
            for direction, suffix in enumerate(self.suffixes(layer)):
                carry, ys = self.over_time(x, carries[len(last)], suffix, reverse=direction == 1)
                outputs.append(ys)
                last.append(carry)
            x = outputs[0] if len(outputs) == 1 else concatenate(outputs, axis=-1)
        return self.as_given(x, batched), self.joined(last, batched)

    def over_time(self, x: Tensor, carry: Carry, suffix: str, reverse: bool) -> tuple[Carry, Tensor]:
        """One direction of one layer: (T, B, features) -> the last carry, (T, B, H)."""
        weights = W_ih, W_hh, b_x, b_h = self.weights(suffix)
        own = getattr(self.step, "__func__", None) in EQUATIONS  # a subclass may write a step that depends on more
        key = (type(self).step, getattr(self, "nonlinearity", None), b_x is None) if own else None
        return known_scan(key, weights, lambda carry, x: self.step(carry, linear(x, W_ih, b_x), W_hh, b_h), carry, x, reverse, stream=True)

    def time_first(self, x: Any) -> tuple[Tensor, bool]:
        """The input as (T, B, I), and whether it had a batch axis. Refuses what does not fit, each axis by its name."""
        order = "batch, time, features" if self.batch_first else "time, batch, features"
        ndim = np.ndim(x)
        if ndim not in (2, 3):
            raise ShapeError(f"{self.label()}: input has shape {np.shape(x)}, expected ({order}), or (time, features) without a batch")
        axes = order if ndim == 3 else "time, features"
        x = self.check_input(x, axes)
        shape = x.shape
        if ndim == 2:
            x = x.expand_dims(1)
        elif self.batch_first:
            x = x.swapaxes(0, 1)
        if not len(x):
            raise ShapeError(f"{self.label()}: input has no time steps (shape {shape} = {axes}), expected a sequence of at least one")
        return x, ndim == 3

    def carries(self, state: Any, batch: int, batched: bool) -> list[Carry]:
        """The initial state as `step` takes it, for each layer and direction."""
        count = self.num_layers * len(self.suffixes(0))
        shape = (count, batch, self.hidden_size) if batched else (count, self.hidden_size)
        axes = "layers x directions, batch, hidden" if batched else "layers x directions, hidden"
        states = self.check_states(state, shape, axes + (" (with batch_first too)" if batched and self.batch_first else ""))
        if not batched:
            states = [tensor.expand_dims(1) for tensor in states]
        if count == 1:
            return [packed([tensor.squeeze(0) for tensor in states])]
        return [packed([tensor[k] for tensor in states]) for k in range(count)]

    def as_given(self, x: Tensor, batched: bool) -> Tensor:
        """The output (T, B, n) with its axes in the input's order."""
        if not batched:
            return x.squeeze(1)
        return x.swapaxes(0, 1) if self.batch_first else x

    def joined(self, last: list[Carry], batched: bool) -> Carry:
        """The last carries of all layers and directions, stacked."""
        columns = zip(*[carry if isinstance(carry, tuple) else (carry,) for carry in last], strict=True)
        states = [stack(column) if len(last) > 1 else column[0].expand_dims(0) for column in columns]
        return packed(states if batched else [tensor.squeeze(1) for tensor in states])

    def extra_repr(self) -> str:
        """As PyTorch prints it: the sizes, and what differs from the defaults."""
        settings = {"num_layers": 1, "nonlinearity": "tanh", "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        other = [f"{name}={getattr(self, name)!r}" for name, usual in settings.items() if getattr(self, name, usual) != usual]
        return ", ".join([str(self.input_size), str(self.hidden_size), *other])


class RNN(RNNEquations, Layers):
    """Simple recurrent network (Elman, 1990): h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), or relu for tanh.

    Called with x (T, B, input_size) and a state h_0 (layers x directions, B, hidden_size), zeros if None, it returns `(output, h_n)`: the
    top layer's h_t for all t, (T, B, directions x hidden_size), and the last h of every layer and direction in the shape of h_0.
    With `batch_first` input and output are (B, T, ...), the states are not; without a batch, all lose that axis. `dropout` acts on
    the output of every layer but the last, in training. A backward direction reads from the end and is joined behind the
    forward one. Parameters `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `..._l0_reverse`, `..._l1` have PyTorch's shapes
    and start from U(-k, k), k = 1 / sqrt(hidden_size). Raises ShapeError, DtypeError and TypeError in words for anything that does not
    fit, ValueError for settings that do not exist.

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
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)
        self.set_nonlinearity(nonlinearity)


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
        *,
        forget_bias: float | None = None,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)
        for layer in range(num_layers):
            for suffix in self.suffixes(layer):
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
        dtype: Any = np.float32,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)
