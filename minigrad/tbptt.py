"""Truncated backpropagation through time: training on sequences that are longer than a backward pass should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

import minigrad
from minigrad.errors import ShapeError
from minigrad.ops import concatenate
from minigrad.scan.tree import Tree, detach
from minigrad.tape import Tensor


def tbptt(
    model: Callable[..., Any],
    x: Any,
    y: Any,
    k1: int,
    k2: int | None = None,
    loss: Callable[..., Tensor] | None = None,
    state: Tree = None,
    *,
    lengths: Any = None,
    mask: Any = None,
    batch_first: bool = False,
) -> Iterator[tuple[Tensor, Tree]]:
    """Every `k1` steps of time, a backward pass over the last `k2` steps: (loss, state) after each (Williams and Peng, 1990).

    Between the pairs is the place for the optimiser. `loss` is that of the last k1 steps, of which each has its turn once, and its
    gradients, which reach back k2 steps, are added to `.grad`; with k2 as long as the sequence their sum is that of full
    backpropagation through time. `state` is the one after these steps, without history: what the next sequence of a stream begins with.
    k2 is k1 unless given, and the sequence is then cut into windows. With k2 > k1 the windows overlap, and a step is computed about
    k2 / k1 times, with the weights of the moment, from a state that was computed with those of its time.

    `model(x, state)` returns (output, state), as recurrent layers do; x, y and its output have time on the first axis, on the second with
    `batch_first`. `loss(output, y)` is the mean over steps of the cross entropy if y holds whole numbers, of the squared error if not,
    unless another function is given. For padded batches, `lengths` (B,) or a `mask` as recurrent layers take it: model and loss then
    get `mask=`, and windows in which no step counts are passed over. Raises ValueError for k2 < k1 and for layers with stateful=True,
    ShapeError for an output without time, TypeError for a model without a state.

    >>> import minigrad as mg
    >>> model = mg.nn.LSTM(2, 3)
    >>> optimizer = mg.optim.Adam(model.parameters())
    >>> x, y = mg.randn(100, 8, 2), mg.zeros(100, 8, 3)
    >>> for loss, (h, c) in mg.tbptt(model, x, y, k1=25, k2=50):
    ...     norm = optimizer.step(max_norm=1.0)
    ...     optimizer.zero_grad()
    ...     print(loss.shape, h.shape, h.requires_grad)
    () (1, 8, 3) False
    () (1, 8, 3) False
    () (1, 8, 3) False
    () (1, 8, 3) False
    """
    k2 = k1 if k2 is None else k2
    for label, steps in (("k1", k1), ("k2", k2)):
        if not isinstance(steps, int | np.integer) or steps < 1:
            raise ValueError(f"tbptt: {label}={steps!r} is a number of time steps, 1 or more")
    if k2 < k1:
        raise ValueError(f"tbptt: a backward pass over k2={k2} steps every k1={k1} would leave steps without a gradient: k2 >= k1")
    if isinstance(model, minigrad.nn.Module) and any(getattr(part, "stateful", False) for part in model.modules()):
        raise ValueError("tbptt: it carries the state from window to window itself: build the model with stateful=False")
    x, y = (given if isinstance(given, Tensor) else np.asarray(given) for given in (x, y))
    axis = 1 if batch_first else 0
    if min(x.ndim, y.ndim) <= axis or x.shape[axis] != y.shape[axis]:
        order = "batch, time, ..." if batch_first else "time, ..."
        raise ShapeError(f"tbptt: x has shape {x.shape}, y {y.shape}: both should be ({order}), with as many time steps")
    valid = None
    if lengths is not None or mask is not None:
        valid = minigrad.nn.sequences.valid_steps("tbptt", x.shape[:2], lengths, mask, batch_first)
    return Windows(model, x, y, loss or usual_loss(y, batch_first), valid, axis).played(k1, k2, state)


def usual_loss(y: Any, batch_first: bool) -> Callable[..., Tensor]:
    """The loss for targets of this dtype."""
    function = minigrad.nn.sequence_cross_entropy if y.dtype.kind in "iu" else minigrad.nn.sequence_mse_loss
    return lambda output, y, **mask: function(output, y, batch_first=batch_first, **mask)


class Windows:
    """Pieces of a batch of sequences along time, and what a model makes of them."""

    def __init__(self, model: Callable[..., Any], x: Any, y: Any, loss: Callable[..., Tensor], valid: Any, axis: int) -> None:
        self.model = model
        self.x = x
        self.y = y
        self.loss = loss
        self.valid = valid if valid is None or not axis else valid.T
        self.axis = axis

    def cut(self, given: Any, start: int, stop: int) -> Any:
        """The steps from start to stop."""
        return given[:, start:stop] if self.axis else given[start:stop]

    def masked(self, start: int, stop: int) -> dict[str, Any]:
        """The mask of these steps as an argument, if there is one."""
        return {} if self.valid is None else {"mask": self.cut(self.valid, start, stop)}

    def played(self, k1: int, k2: int, state: Tree) -> Iterator[tuple[Tensor, Tree]]:
        """The backward passes. `state` is the one before `begin`, where the window does; `done` steps have had their loss."""
        begin, done, steps = 0, 0, self.x.shape[self.axis]
        while done < steps:
            end = min(done + k1, steps)
            following = max(0, min(end + k1, steps) - k2) if end < steps else end  # where the next window begins
            outputs, states = [], {begin: state}
            for start, stop in pairwise(sorted({begin, following, end})):
                output, states[stop] = self.call(start, stop, states[start])
                outputs.append(output)
            state, begin = detach(states[following]) if following > begin else state, following
            if self.valid is None or self.cut(self.valid, done, end).any():
                output = outputs[0] if len(outputs) == 1 else concatenate(outputs, axis=self.axis)
                output = self.cut(output, output.shape[self.axis] - (end - done), output.shape[self.axis])
                loss = self.loss(output, self.cut(self.y, done, end), **self.masked(done, end))
                loss.backward()
                yield loss.detach(), detach(states[end])
            done = end

    def call(self, start: int, stop: int, state: Tree) -> tuple[Tensor, Tree]:
        """(output, state) of the model after these steps."""
        result = self.model(self.cut(self.x, start, stop), state, **self.masked(start, stop))
        if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[0], Tensor):
            got = f"a tuple of {len(result)}" if isinstance(result, tuple) else type(result).__name__
            raise TypeError(f"tbptt: model(x, state) should return (output, state), the output a tensor; got {got}")
        output: Tensor = result[0]
        if output.ndim <= self.axis or output.shape[self.axis] != stop - start:
            axes = "batch, time, ..." if self.axis else "time, ..."
            raise ShapeError(f"tbptt: for {stop - start} steps the model's output has shape {output.shape}, expected ({axes})")
        return output, result[1]
