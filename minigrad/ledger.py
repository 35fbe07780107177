"""The ledger: what each use of a shared weight has contributed to its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import ShapeError, TapeError
from minigrad.recording import no_grad
from minigrad.scan.steps import Steps
from minigrad.scan.unroll import Entry, unroll
from minigrad.tape import Tensor, wrap
from minigrad.walk import Gradients


def ledger(loss: Tensor, W: Tensor) -> Tensor:
    """The contributions to the gradient of a shared weight, (T, *W.shape): one for each step of the scan that uses W, in the order of time.

    Their sum over the first axis is what `loss.backward()` adds to `W.grad`. Contribution t is what reaches W from step t, from all its
    uses there, as the step is written: whether the scan ran compiled, as a loop, or in reverse. Where nothing reaches W it is zero. What
    was made of W before the scan (b_ih + b_hh, W.T, embeddings, a first carry) counts for the step that uses it.

    Everything else on the tape that uses W has its place too, oldest first: a second scan gives one contribution for each of its steps,
    and outside of scans, where the tape knows no steps, there is one for each entry that has W for an argument. So a loop in Python whose
    step uses W in k operations gives T k, in the order in which they ran; `.reshape(T, k, *W.shape).sum(axis=1)` makes that one a step.

    `loss` is a tensor of one element whose tape was not released: ask before `backward()`, or after `backward(retain_graph=True)`. The
    tape can be played afterwards and no `.grad` is touched; the contributions are constants. Raises TapeError if W is not a leaf that
    requires a gradient or has no part in the loss, ShapeError if the loss has more elements.

    In h_t = w h_{t-1} + x_t contribution t is h_{t-1}, times w for each later step that it passes through (Werbos, 1990):

    >>> import minigrad as mg
    >>> w = mg.tensor(0.5, requires_grad=True)
    >>> h, _ = mg.scan(lambda h, x: (w * h + x, None), mg.tensor(1.0), mg.tensor([1.0, 1.0, 1.0]))
    >>> mg.ledger(h, w)
    tensor([0.25, 0.75, 1.75])
    >>> h.backward()
    >>> w.grad
    tensor(2.75)
    """
    for what, given in (("loss", loss), ("W", W)):
        if not isinstance(given, Tensor):
            raise TypeError(f"ledger: {what} must be a tensor, got {type(given).__name__}")
    if W.node is None or W.node.recipe is not None:
        what = "does not require a gradient" if W.node is None else f"is the result of '{W.node.name}'"
        raise TapeError(f"ledger: W must be a leaf that requires a gradient; this tensor of shape {W.shape} {what}")
    if loss.node is None:
        raise TapeError("ledger: this loss has no tape: nothing that requires a gradient led to it")
    if loss.size != 1:
        raise ShapeError(f"ledger: the loss must have one element, this one has shape {loss.shape}: reduce it with .sum() or .mean()")
    with no_grad():
        rows = Book(unroll(loss.node), loss, W).rows()
    if not rows:
        raise TapeError(f"ledger: this tensor of shape {W.shape} has no part in the loss")
    return wrap(np.stack(rows), None)


class Book:
    """The entries of an unrolled tape, and which of them use W."""

    def __init__(self, tape: list[Entry], loss: Tensor, W: Tensor) -> None:
        self.tape = tape
        self.W = W
        self.start = wrap(np.ones(loss.shape, loss.dtype), None)
        # a tensor frozen and thawed meanwhile stands on the tape as two leaves
        leaves: list[Any] = [entry.node for entry in tape if entry.node.recipe is None]
        self.leaves = {node.tick for node in leaves if node.watch.tensor() is W}
        self.leads = set(self.leaves)  # ticks of what leads to W ...
        self.near = set(self.leaves)  # ... and of what leads there without a step of a scan between
        for entry in tape:
            if reads(entry, self.leads):
                self.leads.add(entry.node.tick)
            if entry.step is None and reads(entry, self.near):
                self.near.add(entry.node.tick)

    def rows(self) -> list[Any]:
        """The contributions, in the order of the tape; of a scan, in the order of time."""
        last = self.tape[-1].node
        uses: dict[Any, list[tuple[Entry, Tensor]]] = {}  # of a step, or of an entry outside of scans: where W is used, with the gradient
        for entry, g in self.walk({last.tick: self.start}, self.leads, self.tape):
            if entry.step is not None and reads(entry, self.near):
                uses.setdefault(entry.step, []).append((entry, g))
        near = [entry for entry in self.tape if entry.node.tick in self.near and entry.step is None]
        for entry, g in self.walk({last.tick: self.start} if last.tick in self.near else {}, self.near, near):
            if reads(entry, self.leaves):
                uses[entry] = [(entry, g)]
        scans = {use[0] for use in uses if isinstance(use, tuple)}
        found = []
        for place in dict.fromkeys([entry.step[0] if entry.step is not None else entry for entry in self.tape]):
            if place in uses:
                found.append(self.contribution(uses[place], self.leaves, []))
            elif place in scans:
                assert isinstance(place, Steps)
                found += [self.contribution(uses.get((place, t), []), self.near, near) for t in range(place.length)]
        return found

    def walk(self, starts: dict[int, Tensor], serves: set[int], tape: list[Entry]) -> list[tuple[Entry, Tensor]]:
        """The entries that a gradient reaches on its way to `serves`, newest first, each with its gradient."""
        table = Gradients(False, serves)
        table.totals.update(starts)
        reached = []
        for entry in reversed(tape):
            g = None if entry.node.recipe is None else table.totals.pop(entry.node.tick, None)
            if g is not None:
                reached.append((entry, g))
                entry.play(g, table)
        return reached

    def contribution(self, uses: list[tuple[Entry, Tensor]], serves: set[int], near: list[Entry]) -> Any:
        """What reaches W from some entries with their gradients, straight or by way of the entries `near` it."""
        table = Gradients(False, serves)
        for entry, g in uses:
            entry.play(g, table)
        for entry in reversed(near):
            arrived = None if entry.node.recipe is None else table.totals.pop(entry.node.tick, None)
            if arrived is not None:
                entry.play(arrived, table)
        found = np.zeros(self.W.shape, self.W.dtype)
        for tick in self.leaves & table.totals.keys():
            found += table.totals[tick].numpy()
        return found


def reads(entry: Entry, ticks: set[int]) -> bool:
    """Whether one of the entry's arguments is among `ticks`."""
    return any(parent is not None and parent.tick in ticks for parent in entry.parents)
