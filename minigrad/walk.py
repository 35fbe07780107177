"""The walk: the tape played back, newest entry first, for the gradients of everything that led to a result.

The gradients of one walk live in its own table, so any number of walks can run over shared parameters; `.grad` is published at the
end, all of it or nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.arithmetic import binary, operators
from minigrad.arrays import read_only
from minigrad.errors import DtypeError, ShapeError, TapeError
from minigrad.recording import recording
from minigrad.sparse import Rows
from minigrad.tape import Node, Tensor, dtype_of, fits, wrap

publishing = threading.Lock()


class Gradients:
    """The walk's own table of what has arrived at each node so far.

    Rules may hand over memory that others see too (their `g`, a kept array), so the second contribution to a node allocates,
    and only what the table has allocated itself is added to in place.
    """

    __slots__ = ("leaves", "owned", "parts", "recorded", "retain", "serves", "totals", "wanted")

    def __init__(self, recorded: bool, serves: set[int] | None, retain: bool = True) -> None:
        self.totals: dict[int, Tensor] = {}
        self.owned: set[int] = set()
        self.retain = retain  # the tape is to be played again
        self.recorded = recorded  # create_graph: sums are operations too, and nothing is changed in place
        self.serves = serves  # ticks of the nodes that lead to what was asked for; None means all
        self.leaves: list[Node] = []
        self.parts: dict[int, dict[int, Tensor]] = {}  # of an entry with several results: their gradients by number
        self.wanted: dict[int, Tensor] = {}

    def add(self, node: Node, g: Tensor, op: Any) -> None:
        """One more contribution `g` to the gradient of `node`, from a rule of `op`."""
        array = g._array
        if not fits(array, node.shape):
            if not op.broadcasts:
                raise TapeError(f"a gradient rule of '{op.name}' gave shape {array.shape} for an argument of shape {node.shape}")
            if not self.recorded and node.tick in self.totals:
                operators["add_sum"](self.buffer(node), array)
                return
            g = operators["sum_to"](g, shape=node.shape)
        if dtype_of(array) is not node.dtype:
            g = operators["astype"](g, dtype=node.dtype)
        held = self.totals.get(node.tick)
        if held is None:
            self.totals[node.tick] = g
        elif self.recorded:
            self.totals[node.tick] = binary("add", held, g)
        elif node.tick in self.owned:
            if operators["iadd"](held._array, g._array) is NotImplemented:
                held._array += g._array
        else:
            self.totals[node.tick] = binary("add", held, g)
            self.owned.add(node.tick)

    def give(self, node: Node, g: Tensor, op: Any) -> None:
        """`add` of memory that nobody else holds, so that nobody holds what is made of it."""
        first = node.tick not in self.totals
        self.add(node, g, op)
        if first:
            self.owned.add(node.tick)

    def buffer(self, node: Node) -> np.ndarray[Any, Any]:
        """The total of `node` as memory that a rule may add to: how k slices of one tensor share one gradient buffer."""
        held = self.totals.get(node.tick)
        if held is None or node.tick not in self.owned:
            array = np.zeros(node.shape, node.dtype) if held is None else np.array(held._array, order="C")
            self.totals[node.tick] = held = wrap(array, None)
            self.owned.add(node.tick)
        return held._array

    def add_rows(self, node: Node, rows: Rows) -> None:
        """One more contribution to the gradient of `node`, some rows of it."""
        held = self.totals.get(node.tick)
        if held is None:
            self.totals[node.tick] = wrap(rows, None)
        elif isinstance(held._array, Rows):
            self.totals[node.tick] = wrap(held._array.plus(rows), None)
        else:
            self.buffer(node)[rows.rows] += rows.values

    def total(self, node: Node) -> Tensor | None:
        """The gradient of `node` in memory that nobody else holds, or None if none arrived."""
        g = self.wanted.get(node.tick)
        if g is None:
            g = self.totals.get(node.tick)
        return g if g is None or node.tick in self.owned or isinstance(g._array, Rows) else operators["clone"](g)

    def arrived(self, node: Node, g: Tensor) -> Tensor:
        """All of the gradient of `node` is there: what its hooks make of it, noted for `.grad` if a tensor waits for that."""
        hooks = node.watch.hooks  # type: ignore[union-attr]
        for hook in list(hooks.values()) if hooks else ():
            self.owned.discard(node.tick)  # a hook may have kept it
            made = hook(wrap(read_only(g._array), g.node))  # others may hold the same memory
            if made is not None:
                g = checked(made, node, self.recorded)
        if node.watch.tensor is not None:  # type: ignore[union-attr]
            self.totals[node.tick] = g
            self.leaves.append(node)
        return g


def checked(made: Any, node: Node, recorded: bool) -> Tensor:
    """What a hook has returned, as a gradient of `node`."""
    if not isinstance(made, Tensor):
        raise TypeError(f"a hook of the gradient of '{node.name}' returned {type(made).__name__}: it returns a tensor or None")
    if made.shape != node.shape:
        raise ShapeError(
            f"a hook of the gradient of '{node.name}' returned shape {made.shape}: a gradient has its tensor's shape, {node.shape}"
        )
    if made.dtype != node.dtype:
        raise DtypeError(f"a hook of the gradient of '{node.name}' returned {made.dtype}, its tensor has {node.dtype}: use astype()")
    return made if recorded or made.node is None else wrap(made._array, None)


def added(before: Tensor, g: Tensor, recorded: bool) -> Tensor:
    """The sum of two gradients, as rows if both are."""
    if isinstance(before._array, Rows) and isinstance(g._array, Rows):
        return wrap(before._array.plus(g._array), None)
    return before + g if recorded else wrap(before._array, None) + g


def backward(tensor: Tensor, gradient: Any, retain_graph: bool, create_graph: bool) -> None:
    """Tensor.backward: walk, make every new `.grad`, then publish them all."""
    found = walk([tensor], [gradient], None, retain_graph, create_graph)
    with publishing:
        live: dict[int, Tensor] = {}  # by tick: a tensor frozen and thawed meanwhile stands on the tape as two leaves
        fresh: dict[int, Any] = {}
        token = recording.set(True) if create_graph else None  # nothing to record, else, and nothing that could be
        try:
            for node in found.leaves:
                leaf = node.watch.tensor()  # type: ignore[union-attr, misc]
                if leaf is not None and leaf.node is not None:  # None: frozen since
                    tick = leaf.node.tick
                    before = fresh.get(tick, leaf._grad)
                    fresh[tick] = found.total(node) if before is None else added(before, found.totals[node.tick], create_graph)
                    live[tick] = leaf
        finally:
            if token is not None:
                recording.reset(token)
        for tick, leaf in live.items():
            leaf._grad = fresh[tick]


def walk(
    outputs: Sequence[Tensor], seeds: Sequence[Any], wanted: Sequence[Node] | None, retain_graph: bool, create_graph: bool
) -> Gradients:
    """Play the tape back from `outputs` and return the table of gradients: of all leaves, or of the nodes `wanted` alone."""
    starts = [seed(out, seeds[n], create_graph) for n, out in enumerate(outputs)]
    order = newest_first([out.node for out in outputs if out.node is not None])
    table = Gradients(create_graph, None if wanted is None else leading_to(wanted, order), retain_graph)
    asked = {node.tick for node in wanted or ()}
    token = recording.set(create_graph)
    try:
        for n, out in enumerate(outputs):
            if out.node is not None:
                table.add(out.node, starts[n], None)
        play_back(order, table, asked, retain_graph)
    finally:
        recording.reset(token)
    return table


def play_back(order: list[Node], table: Gradients, asked: set[int], retain_graph: bool) -> None:
    """Play entries, newest first."""
    for node in order:
        if node.recipe is None:
            if node.tick in table.totals:
                table.arrived(node, table.totals[node.tick])
            continue
        g = table.totals.pop(node.tick, None)
        if g is not None:
            if node.watch is not None:
                g = table.arrived(node, g)
            if node.tick in asked:
                table.wanted[node.tick] = g
            node.recipe.play(node, g, table)
        if not retain_graph:
            node.kept = None
            node.parents = ()
            if node.watch is not None:
                node.watch.hooks = {}  # one that holds the tensor would keep both alive


def play_onto(table: Gradients, ends: list[tuple[Tensor, Tensor | None]], leaves: list[Tensor], since: int) -> None:
    """Within a walk, play a piece of tape that was recorded after tick `since`, for that walk, back from its ends.

    Each end comes with its gradient, or None if that has arrived already. What comes in at the `leaves` of the piece, and at entries older
    than it, is left in the table.
    """
    for out, g in ends:
        if g is not None and out.node is not None:
            table.add(out.node, g, None)
    order = newest_first([out.node for out, _ in ends if out.node is not None], since)
    if table.serves is not None:
        table.serves.update([tensor.node.tick for tensor in leaves if tensor.node is not None])
        for node in reversed(order):
            if any(parent is not None and parent.tick in table.serves for parent in node.parents):
                table.serves.add(node.tick)
    retain = table.retain
    table.retain = retain and table.recorded
    play_back([node for node in order if node.recipe is not None], table, set(), table.retain)
    table.retain = retain


def seed(out: Tensor, given: Any, create_graph: bool) -> Tensor:
    """The cotangent a walk starts from, checked against the output it belongs to."""
    if out.node is None:
        raise TapeError(
            "backward on a tensor that does not require a gradient: no tensor with requires_grad=True led to it, or it was made "
            "under no_grad or by detach()"
        )
    if given is None:
        if out.size != 1:
            raise ShapeError(
                f"backward needs a scalar, this tensor has shape {out.shape}: reduce it with .sum() or .mean(), or pass gradient= of that "
                "shape"
            )
        return wrap(np.ones(out.shape, out.dtype), None)
    g = given if isinstance(given, Tensor) else Tensor(given, dtype=out.dtype)
    if not fits(g._array, out.shape):
        raise ShapeError(f"gradient= has shape {g.shape}, the tensor it is the gradient of has shape {out.shape}")
    return g if create_graph or g.node is None else g.detach()


def newest_first(roots: list[Node], since: int = -1) -> list[Node]:
    """All nodes later than `since` that the roots were computed from, newest first; raises TapeError if any was played already."""
    found = {root.tick: root for root in roots}
    todo = roots.copy()
    while todo:
        node = todo.pop()
        if node.recipe is not None and node.kept is None:
            node.refuse_spent()
        for parent in node.parents:
            if parent is not None and parent.tick > since and parent.tick not in found:
                found[parent.tick] = parent
                if parent.recipe is not None:
                    todo.append(parent)
    ticks = sorted(found)
    ticks.reverse()
    return [found[tick] for tick in ticks]


def leading_to(wanted: Sequence[Node], order: list[Node]) -> set[int]:
    """The ticks of the nodes in `order` through which a gradient can reach one of `wanted`."""
    serves = {node.tick for node in wanted}
    for node in reversed(order):
        if any(parent is not None and parent.tick in serves for parent in node.parents):
            serves.add(node.tick)
    return serves


operators["backward"] = backward
