"""run: a plan with the tensors of one call. The loop over time is compiled code; around it stand ordinary operations of the tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import threads
from minigrad.errors import MutationError
from minigrad.op import bare
from minigrad.ops import all_ops
from minigrad.recording import is_recording, no_grad
from minigrad.tape import Node, Rules, Tensor, entry, fits, size_of, wrap
from minigrad.walk import Gradients

from .compiled import Loop, Plan
from .hoist import INPUT, over_time
from .lookup import Lookup, product
from .plan import CONSTANT, MADE, NUMBER, TOTAL, Array
from .sink import Sink
from .span import Even
from .trace import Call, Value

try:
    from minigrad._matmul import dense, packed, sums_of  # type: ignore[import-not-found]
    from minigrad._program import Run  # type: ignore[import-not-found]
except ImportError:  # without compiled modules every scan runs as its loop, and nothing here is called
    dense = packed = sums_of = Run = None
else:
    from minigrad._elementwise import empty

OPS = all_ops()
PLUS = OPS["add"]
PIECE = 2e9  # floating operations between two looks for signals
Env = dict[Value, Any]


class Named:
    """What stands for an operation in an entry of the tape that belongs to a scan."""

    broadcasts = False

    def __init__(self, name: str) -> None:
        self.name = name


NOTHING = np.zeros((), np.float32)  # the entry of a scan has results of its own
SCAN, RESULT = Named("scan"), Named("scan result")


class ResultRules(Rules):
    """The entry of one result of a scan: its gradient is laid aside until the scan itself is played."""

    __slots__ = ("number", "op", "shape")

    def __init__(self, number: int, shape: tuple[int, ...] | None) -> None:
        self.number = number
        self.shape = shape  # what it has in the scan; None if it has the tensor's
        self.op = RESULT

    def labels(self) -> list[str]:
        """Nothing is kept."""
        return []

    def play(self, node: Node, g: Tensor, table: Any) -> None:
        """Hand the gradient on."""
        gradients: Gradients = table
        (scan,) = node.parents
        gradients.parts.setdefault(scan.tick, {})[self.number] = g if self.shape is None else g.reshape(self.shape)
        if scan.tick not in gradients.totals:
            gradients.totals[scan.tick] = wrap(NOTHING, None)


class ScanRules(Rules):
    """The entry of a scan: plays the backward loop, or, where gradients are recorded in turn, the calls one by one."""

    __slots__ = ("op", "plan", "replay", "targets")

    def __init__(self, plan: Plan, targets: dict[Value, Node], replay: Any) -> None:
        self.op = SCAN
        self.plan = plan
        self.targets = targets  # the nodes of what the loop reads
        self.replay = replay

    def labels(self) -> list[str]:
        """What an entry keeps, by name."""
        return ["arrays", "env", "span"]

    def play(self, node: Node, g: Tensor, table: Any) -> None:
        """From the gradients of the results to those of carry, inputs and constants."""
        gradients: Gradients = table
        check_kept(node, "kept its carry, xs and the tensors that its step closes over for the backward pass")
        parts = gradients.parts.pop(node.tick)
        arrays, env, span = node.kept
        if gradients.recorded:
            self.replay(parts, gradients)
            return
        targets = self.targets
        if gradients.serves is not None:
            targets = {value: target for value, target in targets.items() if target.tick in gradients.serves}
        backward(self.plan, arrays, env, span, parts, targets, gradients)


def check_kept(node: Node, does: str) -> None:
    """Raise TapeError if a scan was played back already, MutationError if what it reads for that has changed."""
    if node.kept is None:
        node.refuse_spent()
    for cell in node.cells or ():
        if cell.changed > node.tick:
            raise MutationError(
                f"'scan' {does}, and {cell.cause} has changed one of them in place since: run backward before changing it, or detach() a "
                "state that was carried over from before the change"
            )


def evaluate(calls: list[Call], env: Env) -> None:
    """Run calls as ordinary operations."""
    for call in calls:
        env[call.out] = apply(call, [env[arg] if isinstance(arg, Value) else arg for arg in call.args])


def apply(call: Call, args: list[Any]) -> Tensor:
    """One call as an ordinary operation; what was under no_grad in the step is so here."""
    if call.recorded or not is_recording():
        return call.op(*args, **call.settings)
    with no_grad():
        return call.op(*args, **call.settings)


def ahead(plan: Plan, env: Env, span: Even) -> None:
    """The calls that run for all time steps at once."""
    division = plan.division
    for call in division.ahead:
        args = [env[arg] if isinstance(arg, Value) else arg for arg in call.args]
        if call.out in division.left:  # a product
            x, found = args[0], None
            weights = [arg if arg is None else arg.detach() for arg in args[1:]]
            if x.node is not None and span.totals is None and "lookup" in plan.passes:  # sums that go on in other segments are of all rows
                found = product(call.op, x, weights, call.settings)
                span.looked += found is not None
            env[call.out] = call.op.apply((x, *weights), call.settings) if found is None else found
            continue
        over = [isinstance(arg, Value) and division.level[arg] == INPUT for arg in call.args]
        if call.recorded or not is_recording():
            env[call.out] = over_time(call, args, over, span, plan.reverse)
        else:
            with no_grad():
                env[call.out] = over_time(call, args, over, span, plan.reverse)


def zeros(shape: tuple[int, ...], dtype: Any) -> Any:
    """Memory for a sum."""
    return empty(shape, dtype, True)


class Totals:
    """Sums over time of a scan that is played back: of all of it, or of several parts of it, one after the other.

    Those of the loop, row by row, are numbered from 0 on, those of products -1, -2 and so on.
    """

    __slots__ = ("arrays", "owed")

    def __init__(self) -> None:
        self.arrays: dict[int, Any] = {}
        self.owed: dict[int, tuple[Node, Any]] = {}  # whose gradients they are, and the sums before their rows are added up

    def array(self, number: int, shape: tuple[int, ...], dtype: Any) -> Any:
        """The sum so far."""
        if number not in self.arrays:
            self.arrays[number] = zeros(shape, dtype)
        return self.arrays[number]

    def pay(self, table: Any) -> None:
        """Add the rows up, to the gradients of the constants."""
        for number, (node, array) in self.owed.items():
            if number < 0 and array.ndim == 3:  # of a product, for both halves of a batch (kernels/sums.pxi), maybe turned
                array = array[0] + array[1]
                array = array if array.shape == node.shape else np.ascontiguousarray(array.T)
            table.give(node, wrap(array, None), PLUS)


def memory(recipes: list[Any], env: Env, given: dict[tuple[str, int], Any], span: Even, totals: Any = None) -> list[Any]:
    """The arrays of a loop."""
    arrays: list[Any] = []
    for how, key, times, plus, rows, width, dtype in recipes:
        if how == MADE:
            array = empty(span.room(times, plus, rows, width), dtype)
        elif how == NUMBER:
            array = key
        elif how == CONSTANT:
            value, shape, size = key
            tensor = env[value]
            array = tensor._array
            if array.size != size:
                array = np.broadcast_to(array, shape)
            array = dense(array, dtype)
        elif how == TOTAL:
            array = totals.array(key, (rows, width), dtype)
        else:
            array = dense(given[key], dtype)
        arrays.append(array)
    return arrays


def matrices(loop: Loop, env: Env) -> list[Any]:
    """The matrices, or their transposes, as the loop multiplies by them."""
    found = []
    for value, turned in loop.matrices:
        tensor = env[value]
        found.append(packed(tensor._array.T if turned else tensor._array, tensor.packs()))
    return found


def play(loop: Loop, arrays: list[Any], env: Env, span: Even, rows: int, reverse: bool) -> None:
    """Run a loop over all time steps, in slices of the batch on as many threads as are worth it."""
    work = float(max(loop.flops * rows, 1))
    whole = work * span.steps
    count = threads.worth(whole, rows) if whole >= 2 * threads.WORTH else 1
    piece = span.steps if whole <= PIECE else max(1, int(PIECE * count / work))
    Run(loop.program, arrays, matrices(loop, env), span.steps, reverse, rows, span.tables).play(piece, count)


def forward(plan: Plan, env: Env, span: Even) -> list[Any]:
    """Run the forward loop; returns its arrays."""
    given = {}
    for number, value in enumerate(plan.division.inputs):
        tensor = env[value]
        given["input", number] = tensor._array
    arrays = memory(plan.loop.recipes, env, given, span)
    for number, slot in enumerate(plan.slots):
        tensor = env[plan.trace.carry[number]]
        span.begin(arrays[slot.index], slot.steps == "2", plan.reverse, tensor._array)
    play(plan.loop, arrays, env, span, plan.rows, plan.reverse)
    return arrays


def final(plan: Plan, arrays: list[Any], span: Even, layers: bool) -> list[Any]:
    """The last carry, in memory of its own; with `layers` each state as that of one layer of a stack, (1, ...)."""
    ends = []
    for number, slot in enumerate(plan.slots):
        value = plan.trace.carry[number]
        ends.append(span.end(arrays[slot.index], slot.steps == "2", plan.reverse, (1, *value.shape) if layers else value.shape))
    return ends


def stacked(arrays: list[Any], where: tuple[Array, int, int, int, int], span: Even, shape: tuple[int, ...]) -> Any:
    """A value for all time steps, if possible as a view of the array it lies in."""
    array, shift, start, width, columns = where
    memory, wanted = span.view(array, arrays[array.index], shift), span.shape(shape)
    if width != array.width:
        memory = memory[..., start : start + width]
    if columns != width:
        memory = np.broadcast_to(memory, (*memory.shape[:-1], columns))
    return memory if fits(memory, wanted) else memory.reshape(wanted)


def backward(plan: Plan, arrays: list[Any], env: Env, span: Even, parts: dict[int, Tensor], targets: dict[Value, Node], table: Any) -> None:
    """Run the backward loop for the gradients `parts` of the results, into the walk's table for the nodes of the targets.

    It writes over arrays of the forward loop; to be played again (`table.retain`) it works on copies of those.
    """
    count = len(plan.trace.carry)
    mine = plan.backward(tuple([count + k in parts for k in range(len(plan.division.ys))]))
    first, everywhere = plan.reached(frozenset(parts), span.steps)
    back = mine.back
    if back.consts:
        env = {**env, **dict(zip(back.consts, back.tensors, strict=True))}
    if back.once:
        env = dict(env)
        with no_grad():
            evaluate(back.once, env)
    given = {}
    for number, g in parts.items():
        given["cotangent", number] = g._array
    if table.retain:
        arrays = [one.copy() if number in mine.loop.taken else one for number, one in enumerate(arrays)]
    totals = Totals() if span.totals is None else span.totals
    every = arrays + memory(mine.loop.recipes[len(arrays) :], env, given, span, totals)
    for number, ring in enumerate(mine.rings):
        if ring is not None:
            span.begin(every[ring.index], True, not plan.reverse, given.get(("cotangent", number), 0))
    play(mine.loop, every, env, span, plan.rows, not plan.reverse)
    for number, value in enumerate(plan.trace.carry):
        ring = mine.rings[number]
        if ring is not None and value in first and value in targets:
            end = span.end(every[ring.index], True, not plan.reverse, value.shape)
            table.add(targets[value], wrap(end, None), PLUS)
    for number, value in enumerate(plan.division.inputs):
        place = mine.input_places[number]
        if place is not None and value in everywhere and value in targets:
            table.add(targets[value], wrap(stacked(every, place, span, value.shape), None), PLUS)
    for number, (sink, place) in enumerate(mine.sinks, 1):
        call = sink.call
        node = targets.get(call.args[sink.position])
        if node is not None and call.out in everywhere:
            rows = stacked(every, place, span, call.out.shape)
            into = None if span.totals is None else totals.array(-number, sums_of(rows, *call.args[1].shape), rows.dtype)
            totals.owed[-number] = node, sunk(plan, sink, rows, every, env, span, into)
    for number, (total, array) in enumerate(mine.totals):
        call = total.call
        node = targets.get(call.args[total.position])
        if node is not None and call.out in everywhere:
            rows = every[array.index]
            shape = node.shape if rows.size == size_of(node.shape) else call.out.shape
            totals.owed[number] = node, rows if rows.shape == shape else rows.reshape(shape)
    if span.totals is None:
        totals.pay(table)


def sunk(plan: Plan, sink: Sink, g: Any, memory: list[Any], env: Env, span: Even, into: Any) -> Any:
    """The gradient of a product's constant: one sum over the rows of all time steps (or, without the pass `sink`, of one step after the
    other), added to `into` if there is one.

    Steps are added up in the order in which they are played back, each to the sum of those before: so it does not matter for the bits
    whether they come at once or in several calls.
    """
    call = sink.call
    rows, weight = call.args[:2]
    rule = call.op.rules[sink.position]
    node = env[call.out].node if call.out in plan.division.left else None
    if node is not None and isinstance(node.recipe, Lookup):
        pair = node.recipe.constant(g)
        return rule.rule(*[weight.shape if place is None else pair[place] for place in sink.wants])._array
    x = env[rows]._array if call.out in plan.division.left else stacked(memory, plan.stacked(rows), span, rows.shape)
    parts = [(g, x)]
    if "sink" not in plan.passes:
        times = range(len(g)) if plan.reverse else range(len(g) - 1, -1, -1)
        parts = [(g[t : t + 1], x[t : t + 1]) for t in times]
    for part in parts:
        pair = in_order(part[0], plan.reverse), in_order(part[1], plan.reverse)
        wanted = [weight.shape if place is None else pair[place] for place in sink.wants]
        if into is None:
            into = rule.rule(*wanted)._array
        else:
            rule.add(into, *map(bare, wanted))
    return into


def in_order(rows: Any, turn: bool) -> Tensor:
    """Rows of all leading axes, in the other order if they are to be turned."""
    return wrap(rows[(slice(None, None, -1),) * (rows.ndim - 1)] if turn else rows, None)


def results(plan: Plan, env: Env, arrays: list[Any], span: Even, replay: Any, layers: bool) -> tuple[list[Tensor], list[Tensor]]:
    """The last carry (with `layers` as `final` says) and all ys as tensors, with their entries on the tape."""
    division, needs = plan.division, plan.needs
    scan = node_of(plan, env, arrays, span, replay) if plan.records and is_recording() else None
    last = final(plan, arrays, span, layers)
    carries = []
    for n, array in enumerate(last):
        carries.append(result(array, scan, n, division.new_carry[n] in needs, plan.trace.carry[n].shape if layers else None))
    outs: list[Tensor] = []
    for n, value in enumerate(division.ys):
        place = plan.outs[n]
        if place is None:  # no value of the loop
            y = env[value] if division.level[value] == INPUT else OPS["broadcast_to"](env[value], shape=span.shape(value.shape))
            outs.append(replay.handed(y, len(last) + n))
            continue
        y = stacked(arrays, place, span, value.shape)
        if place in plan.outs[:n]:
            y = y.copy()
        outs.append(result(y, scan, len(last) + n, value in needs))
    return carries, outs


def result(array: Any, scan: Node | None, number: int, needs: bool, shape: tuple[int, ...] | None = None) -> Tensor:
    """One result as a tensor; `shape` is what it has in the scan, if that is another."""
    if scan is None or not needs:
        return wrap(array, None)
    return wrap(array, entry(array, ResultRules(number, shape), (scan,), (), None))


def node_of(plan: Plan, env: Env, arrays: list[Any], span: Even, replay: Any) -> Node:
    """The entry of the scan itself."""
    targets: dict[Value, Node] = {}
    read = []
    for value, wanted in plan.read:
        tensor = env[value]
        read.append(tensor)
        if wanted and tensor.node is not None:
            targets[value] = tensor.node
    cells = versions(read + [env[call.args[0]] for call in plan.division.left.values()])
    return entry(NOTHING, ScanRules(plan, targets, replay), tuple(targets.values()), (arrays, env, span), cells)


def versions(tensors: list[Tensor]) -> list[Any]:
    """The cells that tell whether one of the tensors is changed in place."""
    found = []
    for tensor in tensors:
        if tensor._version is not None or tensor.is_leaf:
            found.append(tensor.version())
    return found
