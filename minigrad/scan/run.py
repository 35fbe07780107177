"""run: a plan with the tensors of one call. The loop over time is compiled code; around it stand ordinary operations of the tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import threads
from minigrad.errors import MutationError
from minigrad.op import Into
from minigrad.ops import all_ops
from minigrad.recording import is_recording, no_grad
from minigrad.tape import Node, Rules, Tensor, entry, wrap

from .compiled import BackwardPlan, Loop, Plan
from .hoist import CONST, INPUT, over_time
from .plan import Array
from .sink import Sink, given, wants
from .trace import Call, Value

try:
    from minigrad._matmul import empty, packed  # type: ignore[import-not-found]
    from minigrad._program import Run  # type: ignore[import-not-found]
except ImportError:  # without compiled modules every scan runs as its loop, and nothing here is called
    empty = packed = Run = None

OPS = all_ops()
PIECE = 2e9  # floating operations between two looks for signals
Env = dict[Value, Any]


class Named:
    """What stands for an operation in an entry of the tape that belongs to a scan."""

    broadcasts = False

    def __init__(self, name: str) -> None:
        self.name = name


SCAN, RESULT = Named("scan"), Named("scan result")


class ResultRules(Rules):
    """The entry of one result of a scan: its gradient is laid aside until the scan itself is played."""

    __slots__ = ("number", "op")

    def __init__(self, number: int) -> None:
        self.number = number
        self.op = RESULT

    def labels(self) -> list[str]:
        """Nothing is kept."""
        return []

    def play(self, node: Node, g: Tensor, table: Any) -> None:
        """Hand the gradient on."""
        (scan,) = node.parents
        table.parts.setdefault(scan.tick, {})[self.number] = g
        if scan.tick not in table.totals:
            table.totals[scan.tick] = wrap(np.zeros((), np.float32), None)


class ScanRules(Rules):
    """The entry of a scan: plays the backward loop, or, where gradients are recorded in turn, the calls one by one."""

    __slots__ = ("op", "plan", "replay", "targets")

    def __init__(self, plan: Plan, targets: list[tuple[Any, Node]], replay: Any) -> None:
        self.op = SCAN
        self.plan = plan
        self.targets = targets  # ("carry", n) or ("input", n) or ("const", Value) -> its node
        self.replay = replay

    def labels(self) -> list[str]:
        """What an entry keeps, by name."""
        return ["arrays", "env", "steps"]

    def play(self, node: Node, g: Tensor, table: Any) -> None:
        """From the gradients of the results to those of carry, inputs and constants."""
        if node.kept is None:
            node.refuse_spent()
        for cell in node.cells or ():
            if cell.changed > node.tick:
                raise MutationError(
                    "'scan' kept its carry, xs and the tensors that its step closes over for the backward pass, and "
                    f"{cell.cause} has changed one of them in place since: run backward before changing it"
                )
        parts = table.parts.pop(node.tick)
        arrays, env, steps = node.kept
        if table.recorded:
            self.replay(parts, table)
            return
        found = backward(self.plan, arrays, env, steps, parts)
        for where, target in self.targets:
            for gradient in found.get(where, ()):
                if table.serves is None or target.tick in table.serves:
                    table.add(target, gradient, OPS["add"])


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


def ahead(plan: Plan, env: Env, steps: int) -> None:
    """The calls that run for all time steps at once."""
    level = plan.division.level
    for call in plan.division.ahead:
        args = [env[arg] if isinstance(arg, Value) else arg for arg in call.args]
        over = [isinstance(arg, Value) and level[arg] == INPUT for arg in call.args]
        if call.recorded or not is_recording():
            env[call.out] = over_time(call, args, over, steps)
        else:
            with no_grad():
                env[call.out] = over_time(call, args, over, steps)


def made(array: Array, env: Env, given: dict[tuple[str, int], Any], steps: int) -> Any:
    """The memory of one array of a loop."""
    if array.kind in ("input", "cotangent"):
        source = given[array.kind, array.key]
        if source.dtype != array.dtype or not source.flags.c_contiguous:
            source = np.ascontiguousarray(source, array.dtype)
        return source
    if array.kind == "const":
        value, shape = array.key
        source = env[value]._array
        if shape == (1,):
            source = source.reshape(1)
        return np.ascontiguousarray(np.broadcast_to(source, shape), array.dtype)
    if array.kind == "number":
        return np.array([array.key], array.dtype)
    count = {"T": steps, "T+1": steps + 1, "2": 2, "1": 1}[array.steps]
    return empty((count, array.rows, array.width), array.dtype)


def packed_of(tensor: Tensor, turned: bool) -> Any:
    """A matrix (or, `turned`, its transpose) as the loop multiplies by it."""
    return packed(tensor._array.T if turned else tensor._array, tensor.packs())


def play(loop: Loop, arrays: list[Any], env: Env, steps: int, rows: int, reverse: bool) -> None:
    """Run a loop over all time steps, in slices of the batch on as many threads as are worth it."""
    matrices = [packed_of(env[value], turned) for value, turned in loop.matrices]
    run = Run(loop.program, arrays, matrices, steps, reverse)
    work = max(loop.flops * rows, 1)
    count = threads.worth(float(work) * steps, rows)
    piece = max(1, int(PIECE * count / work))
    if count == 1:
        run.part(0, rows, piece, True)
        return
    bounds = [rows * k // count for k in range(count + 1)]
    threads.together(lambda k: run.part(bounds[k], bounds[k + 1], piece, k == 0), count, run.halt)


def forward(plan: Plan, env: Env, steps: int) -> list[Any]:
    """Run the forward loop; returns its arrays."""
    given = {("input", number): env[value]._array for number, value in enumerate(plan.division.inputs)}
    arrays = [made(array, env, given, steps) for array in plan.loop.arrays]
    for slot, value in zip(plan.slots, plan.trace.carry, strict=True):
        first = 0 if slot.steps == "2" or not plan.reverse else steps
        arrays[slot.index][first] = env[value]._array.reshape(slot.rows, slot.width)
    play(plan.loop, arrays, env, steps, plan.rows, plan.reverse)
    return arrays


def final(plan: Plan, arrays: list[Any], steps: int) -> list[Any]:
    """The last carry, in memory of its own."""
    found = []
    for slot, value in zip(plan.slots, plan.trace.carry, strict=True):
        last = steps & 1 if slot.steps == "2" else 0 if plan.reverse else steps
        found.append(arrays[slot.index][last].reshape(value.shape).copy())
    return found


def stacked(arrays: list[Any], where: tuple[Array, int, int, int], steps: int, shape: tuple[int, ...]) -> Any:
    """A value for all time steps, as a view of the array it lies in."""
    array, shift, start, width = where
    memory = arrays[array.index]
    if array.kind in ("input", "cotangent"):
        memory = memory.reshape(steps, -1, array.width)
    return memory[shift : shift + steps, :, start : start + width].reshape(steps, *shape)


def backward(plan: Plan, arrays: list[Any], env: Env, steps: int, parts: dict[int, Tensor]) -> dict[Any, list[Tensor]]:
    """Run the backward loop for the gradients `parts` of the results; gradients by target."""
    count = len(plan.trace.carry)
    mine = plan.backward(tuple([count + k in parts for k in range(len(plan.division.ys))]))
    back = mine.back
    env = {**env, **dict(zip(back.consts, back.tensors, strict=True))}
    with no_grad():
        evaluate(back.once, env)
    given = {("cotangent", number): g._array for number, g in parts.items()}
    memory = arrays + [made(array, env, given, steps) for array in mine.loop.arrays[len(arrays) :]]
    for number, ring in enumerate(mine.rings):
        if ring is not None:
            g = parts.get(number)
            memory[ring.index][0] = 0 if g is None else g._array.reshape(ring.rows, ring.width)
    play(mine.loop, memory, env, steps, plan.rows, not plan.reverse)
    found: dict[Any, list[Tensor]] = {}
    for number, (ring, value) in enumerate(zip(mine.rings, plan.trace.carry, strict=True)):
        if ring is not None:
            found["carry", number] = [wrap(memory[ring.index][steps & 1].reshape(value.shape).copy(), None)]
    for number, (ref, value) in enumerate(zip(mine.inputs, plan.division.inputs, strict=True)):
        if ref is not None:
            found["input", number] = [wrap(stacked(memory, whereabouts(mine, ref), steps, value.shape), None)]
    for sink, ref in mine.sinks:
        g = wrap(stacked(memory, whereabouts(mine, ref), steps, sink.call.out.shape), None)
        target = sink.call.args[sink.position]
        found.setdefault(("const", target), []).append(sunk(plan, sink, g, memory, env, steps))
    return found


def whereabouts(mine: BackwardPlan, ref: Any) -> tuple[Array, int, int, int]:
    """Where a gradient lies for all time steps."""
    root, start = ref.buffer.root()
    place = mine.layout.places[root]
    assert place.array is not None
    return place.array, place.shift, start + ref.start, ref.width


def sunk(plan: Plan, sink: Sink, g: Tensor, memory: list[Any], env: Env, steps: int) -> Tensor:
    """The gradient of a constant: its rule for all time steps at once, or, without `sink`, step by step and summed."""
    if "sink" in plan.passes:
        return ruled(plan, sink, g, memory, env, steps, None)
    total = None
    for t in range(steps):
        part = ruled(plan, sink, wrap(g._array[t : t + 1], None), memory, env, steps, t)
        total = part if total is None else total + part
    assert total is not None
    return total


def ruled(plan: Plan, sink: Sink, g: Tensor, memory: list[Any], env: Env, steps: int, t: int | None) -> Tensor:
    """The rule of a sink for all time steps, or for step t alone; summed to the constant's shape."""
    call, position = sink.call, sink.position
    rule = call.op.rules[position]
    rule = rule.rule if isinstance(rule, Into) else rule

    def value(arg: Any) -> Any:
        if not isinstance(arg, Value):
            return arg
        if plan.division.level[arg] == CONST:
            return env[arg]
        array = stacked(memory, plan.stacked(arg), steps, arg.shape)
        return wrap(array if t is None else array[t : t + 1], None)

    def leading(arg: Value) -> tuple[int, ...]:
        return () if plan.division.level[arg] == CONST else (g.shape[0],)

    target = call.args[position]
    gradient: Tensor = rule(*[given(name, call, g, value, leading) for name in wants(rule)])
    if gradient.shape != target.shape:
        gradient = OPS["sum_to"](gradient, shape=target.shape)
    return gradient if gradient.dtype == target.dtype else gradient.astype(target.dtype)


def results(plan: Plan, env: Env, arrays: list[Any], steps: int, replay: Any) -> tuple[list[Tensor], list[Tensor]]:
    """The last carry and all ys as tensors, with their entries on the tape."""
    division, level = plan.division, plan.division.level
    last = final(plan, arrays, steps)
    ys: list[Any] = []
    for value, ref in zip(division.ys, plan.y_refs, strict=True):
        if ref is not None:
            place = plan.layout.places[ref.buffer]
            assert place.array is not None
            ys.append(stacked(arrays, (place.array, place.shift, ref.start, ref.width), steps, value.shape))
        else:
            ys.append(env[value] if level[value] == INPUT else OPS["broadcast_to"](env[value], shape=(steps, *value.shape)))
    scan = node_of(plan, env, arrays, steps, replay) if is_recording() and plan.records else None
    count = len(last)
    carries = [result(array, scan, n, value in plan.needs) for n, (array, value) in enumerate(zip(last, division.new_carry, strict=True))]
    seen: set[int] = set()
    outs = []
    for n, (y, value) in enumerate(zip(ys, division.ys, strict=True)):
        if isinstance(y, Tensor):
            outs.append(replay.handed(y, count + n))
            continue
        start = y.__array_interface__["data"][0]
        outs.append(result(y.copy() if start in seen else y, scan, count + n, value in plan.needs))
        seen.add(start)
    return carries, outs


def result(array: Any, scan: Node | None, number: int, needs: bool) -> Tensor:
    """One result as a tensor."""
    if scan is None or not needs:
        return wrap(array, None)
    return wrap(array, entry(array, ResultRules(number), (scan,), (), None))


def node_of(plan: Plan, env: Env, arrays: list[Any], steps: int, replay: Any) -> Node:
    """The entry of the scan itself."""
    targets: list[tuple[Any, Node]] = []
    tensors: list[Tensor] = []
    for number, value in enumerate(plan.trace.carry):
        tensors.append(env[value])
        if plan.carry_needs[number] and env[value].node is not None:
            targets.append((("carry", number), env[value].node))
    for number, value in enumerate(plan.division.inputs):
        tensors.append(env[value])
        if env[value].node is not None:
            targets.append((("input", number), env[value].node))
    for value, level in plan.division.level.items():
        if level == CONST and value in env:
            tensors.append(env[value])
            if env[value].node is not None:
                targets.append((("const", value), env[value].node))
    cells = [tensor.version() for tensor in tensors if tensor.is_leaf or tensor._version is not None]
    rules = ScanRules(plan, targets, replay)
    parents = tuple([node for _, node in targets])
    return entry(np.zeros((), np.float32), rules, parents, (arrays, env, steps), cells)
