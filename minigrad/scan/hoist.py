"""hoist: what a step computes from constants alone runs once, and what it computes from x_t runs for all time steps at once.

Both parts are run as ordinary operations, before the loop, so the tape differentiates them as it does everything. What stays is the
loop: the calls that need the carry. First a few calls are put into the form that divides best.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.op import Op, wants
from minigrad.ops import all_ops, flip, getitem, reshape
from minigrad.recording import is_recording
from minigrad.tape import Tensor

from .span import Even, own_rows
from .trace import Call, Trace, Untraceable, Value

OPS = all_ops()
CONST, INPUT, LOOP = 0, 1, 2  # what a value depends on: constants, x_t too, the carry too
HEAVY = {
    "matmul",
    "linear",
    "take",
    "argmax",
}  # better once for all time steps; anything else the loop does while it has the numbers at hand
ROWWISE = {"sum", "mean", "max", "softmax", "log_softmax", "logsumexp"}
VIEWS = {"reshape", "getitem", "expand_dims", "squeeze", "identity", "detach"}


class Division:
    """A trace in three parts: `once` (constants alone), `ahead` (over all time steps), and the `loop` with the values it reads."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.once: list[Call] = []
        self.ahead: list[Call] = []
        self.loop: list[Call] = []
        self.inputs: list[Value] = []  # read by the loop at time t: of xs, of draws, or results of `ahead`
        self.left: dict[Value, Call] = {}  # results of `ahead` whose weight and bias get their gradients from the loop's
        self.new_carry: list[Value] = []
        self.ys: list[Value] = []
        self.level: dict[Value, int] = {}
        self.moved = 0
        self.split = 0


class Rewriter:
    """Copies calls into a division, each put into the form that divides best."""

    def __init__(self, division: Division, hoist: bool) -> None:
        self.division = division
        self.hoist = hoist
        self.level = division.level
        self.renamed: dict[Value, Value] = {}
        self.calls: list[Call] = []

    def emit(self, op: Op, args: tuple[Any, ...], settings: dict[str, Any], out: Any, recorded: bool = True) -> Value:
        """A new call; `out` is the value whose shape and dtype the result has."""
        call = Call(op, args, {**op.settings, **settings}, recorded)
        call.out = Value("result", -1, out[0], out[1], call)
        self.level[call.out] = max([self.level[value] for value in call.values()], default=CONST)
        self.calls.append(call)
        return call.out

    def rewrite(self, call: Call) -> None:
        """Copy one call, in another form where that helps."""
        args = tuple([self.renamed.get(arg, arg) if isinstance(arg, Value) else arg for arg in call.args])
        name, out = call.op.name, (call.out.shape, call.out.dtype)
        result: Value | None = None
        if name == "matmul" and all(isinstance(arg, Value) for arg in args):
            a, b = args
            if self.level[a] == CONST and len(a.shape) == 2 and len(b.shape) == 1 and self.level[b] > CONST:
                turned = self.emit(OPS["transpose"], (a,), {"axes": None}, (a.shape[::-1], a.dtype), call.recorded)
                result = self.product(OPS["matmul"], b, turned, out, call.recorded)  # W x is x W^T, a row times a matrix
            elif len(b.shape) == 2:
                result = self.product(call.op, a, b, out, call.recorded)
        elif name == "linear" and isinstance(args[0], Value) and isinstance(args[1], Value):
            x, weight, bias = args
            if self.level[x] == LOOP or not self.hoist:
                result = self.product(call.op, x, weight, out, call.recorded)
                if bias is not None:
                    result = self.emit(OPS["add"], (result, bias), {}, out, call.recorded)
        elif name == "concatenate" and any(self.level[arg] == LOOP for arg in args if isinstance(arg, Value)):
            kept = [held(arg, self.level) if isinstance(arg, Value) and self.level[arg] == CONST else arg for arg in args]
            self.calls += [arg for arg in kept if isinstance(arg, Call)]
            args = tuple([arg.out if isinstance(arg, Call) else arg for arg in kept])
        if result is None:
            result = self.emit(call.op, args, call.settings, out, call.recorded)
        self.renamed[call.out] = result

    def product(self, op: Op, a: Value, b: Value, out: Any, recorded: bool) -> Value:
        """a times b; where a joins what needs the carry and what does not, the sum of two products."""
        rest = (None,) if op.name == "linear" else ()
        join = a.call
        if join is None or join.op.name != "concatenate" or self.level[b] != CONST or join.settings["axis"] not in (-1, len(a.shape) - 1):
            return self.emit(op, (a, b, *rest), {}, out, recorded)
        levels = {self.level[piece] for piece in join.values()}
        if len(levels) == 1 or not all(isinstance(piece, Value) for piece in join.args):
            return self.emit(op, (a, b, *rest), {}, out, recorded)
        self.division.split += 1
        total, start = None, 0
        for piece in join.args:
            stop = start + piece.shape[-1]
            index = (slice(None), slice(start, stop)) if op.name == "linear" else slice(start, stop)
            shape = (b.shape[0], stop - start) if op.name == "linear" else (stop - start, b.shape[1])
            part = self.emit(OPS["getitem"], (b,), {"index": index}, (shape, b.dtype), recorded)
            term = self.emit(op, (piece, part, *rest), {}, out, recorded)
            total = term if total is None else self.emit(OPS["add"], (total, term), {}, out, recorded)
            start = stop
        assert total is not None
        return total


def divide(trace: Trace, batch: int | None, hoist: bool, ragged: bool) -> Division:
    """The trace in parts. Without `hoist` only that goes ahead of the loop which the loop could not run."""
    division = Division(trace)
    level = division.level
    for group, where in ((trace.consts, CONST), (trace.xs, INPUT), (trace.draws, INPUT), (trace.carry, LOOP)):
        level.update(dict.fromkeys(group, where))
    rewriter = Rewriter(division, hoist)
    for call in trace.calls:
        rewriter.rewrite(call)
    renamed = rewriter.renamed
    division.new_carry = [renamed.get(value, value) for value in trace.new_carry]
    division.ys = [renamed.get(value, value) for value in trace.ys]
    calls = living(rewriter.calls, {*division.new_carry, *division.ys})
    ahead = chosen(calls, division, batch, hoist, ragged)
    for call in calls:
        where = level[call.out]
        (division.once if where == CONST else division.ahead if call in ahead else division.loop).append(call)
    division.moved = len(ahead)
    for number, value in enumerate(division.new_carry):
        if level[value] == CONST:
            division.loop.append(call := held(value, level))
            division.new_carry[number] = call.out
    read = [value for call in division.loop for value in call.values()] + division.new_carry
    loop_results = {call.out for call in division.loop}
    division.inputs = list(dict.fromkeys([value for value in read if level[value] == INPUT and value not in loop_results]))
    return division


def held(value: Value, level: dict[Value, int]) -> Call:
    """A constant as a result of the loop: its gradient comes from all time steps."""
    call = Call(OPS["identity"], (value,), {}, True)
    call.out = Value("result", -1, value.shape, value.dtype, call)
    level[call.out] = LOOP
    return call


def use_once(division: Division, needs: set[Value]) -> None:
    """Give each use of a constant that requires a gradient a name of its own: so each has a sum over time of its own, which can be cut
    between any two steps (segments.py)."""
    used: set[Value] = set()
    for call in [*division.ahead, *division.loop]:
        args = list(call.args)
        for position, arg in enumerate(args):
            if not isinstance(arg, Value) or division.level[arg] != CONST or arg not in needs:
                continue
            if arg in used:
                again = Call(OPS["identity"], (arg,), {}, True)
                again.out = args[position] = Value("result", -1, arg.shape, arg.dtype, again)
                division.level[again.out] = CONST
                needs.add(again.out)
                division.once.append(again)
            used.add(arg)
        call.args = tuple(args)


def read_besides(division: Division) -> set[Value]:
    """What is read ahead of the loop, or by whoever gets the results."""
    return {value for call in division.ahead for value in call.values()} | set(division.ys)


def leave_constants(division: Division, needs: set[Value], batch: int | None) -> None:
    """Leave the gradients of weight and bias to the loop, where it alone reads their product: they go the way of those in it (sink.py)."""
    read = read_besides(division)
    for call in division.ahead:
        if call.op.name not in ("linear", "matmul") or not call.recorded or call.out not in division.inputs or call.out in read:
            continue
        x, weight = call.args[:2]
        rows = batch is None or call.out.shape[0] == batch
        if rows and len(weight.shape) == 2 and x.dtype == weight.dtype and any(arg in needs for arg in call.args[1:]):
            division.left[call.out] = call


def living(calls: list[Call], alive: set[Value]) -> list[Call]:
    """The calls whose results lead to the values `alive`, which grow by what those calls read."""
    kept = []
    for call in reversed(calls):
        if call.out in alive:
            alive.update(call.values())
            kept.append(call)
    return kept[::-1]


def chosen(calls: list[Call], division: Division, batch: int | None, hoist: bool, ragged: bool) -> set[Call]:
    """The calls that go ahead of the loop: products of x_t, what the loop has no way to run, and what leads there."""
    level = division.level
    ahead: set[Call] = set()
    for call in reversed(calls):
        if level[call.out] != INPUT:
            continue
        needed = any(call.out in other.values() for other in ahead)
        must = needed or call.out in division.ys or not fits_loop(call, batch)
        if must or (hoist and call.op.name in HEAVY):
            if runs_over_rows(call, level) if ragged else runs_over_time(call, level):
                ahead.add(call)
            elif must:
                raise Untraceable(f"'{call.op.name}' of x cannot run for all time steps at once")
    return ahead


def spare(division: Division) -> list[Value]:
    """What runs ahead of the loop for the loop alone: memory that nobody else has or asks for."""
    read = read_besides(division)
    keeping = {
        call.out for call in division.ahead if call.op.view or any(rule is not None and "out" in wants(rule) for rule in call.op.rules)
    }
    return [value for value in division.inputs if value.call is not None and value not in read and value not in keeping]


def fits_loop(call: Call, batch: int | None) -> bool:
    """Whether the loop can run a call that needs no carry: floating numbers, one row for each of the batch."""
    for value in (*call.values(), call.out):
        if value.dtype.kind != "f":
            return False
        if value is call.out and batch is not None and (len(value.shape) < 2 or value.shape[0] != batch):
            return False
    return call.op.broadcasts or call.op.name in VIEWS or call.op.name in ROWWISE | {"matmul", "linear", "concatenate"}


# ---- a call for all time steps at once


def over_time(call: Call, args: list[Any], stacked: list[bool], span: Even, reverse: bool) -> Tensor:
    """The call's results for all time steps; `stacked` says which arguments have a first axis of time."""
    rank = len(call.out.shape)
    name = call.op.name
    product = name in ("linear", "matmul") and stacked[:2] == [True, False]
    if product and is_recording() and any(isinstance(arg, Tensor) and arg.node is not None for arg in args[1:]):
        return product_over_time(call, args, reverse)
    if span.counts is not None:
        return call.op(*args, **call.settings)
    steps = span.steps
    if call.op.broadcasts:
        args = [aligned(arg, rank) if over else arg for arg, over in zip(args, stacked, strict=True)]
    if name == "concatenate" or name == "stack":
        args = [arg if over else OPS["broadcast_to"](arg, shape=(steps, *arg.shape)) for arg, over in zip(args, stacked, strict=True)]
    rule = SHIFTED.get(name)
    settings = call.settings if rule is None else rule(call, steps)
    if name in ("squeeze", "expand_dims"):
        return OPS["reshape"](args[0], shape=(steps, *call.out.shape))
    if name == "getitem":
        return getitem(args[0], settings["index"])
    return call.op(*args, **settings)


def product_over_time(call: Call, args: list[Any], reverse: bool) -> Tensor:
    """A product of the rows of all time steps, or of packed ones. The gradients of weight and bias add them up from the last to the first
    (kernels/matmul.pyx, kernels/rows.pxi), which is to be the order in which the loop is played back: so a part of the steps at a time
    gives the bits that all of them give."""
    x, *others = args
    apart = reshape(x, shape=(len(x), 1, x.shape[-1])) if x.ndim == 2 else x  # the rows of a time are a group
    axes = tuple(range(apart.ndim - 1))
    y = call.op(flip(apart, axis=axes) if reverse else apart, *others, **call.settings)
    y = flip(y, axis=axes) if reverse else y
    return reshape(y, shape=(*x.shape[:-1], y.shape[-1])) if x.ndim == 2 else y


def aligned(tensor: Any, rank: int) -> Any:
    """A stacked tensor with the axes of 1 that broadcasting would put before those of one step."""
    missing = rank + 1 - tensor.ndim
    return tensor if missing <= 0 else OPS["reshape"](tensor, shape=(tensor.shape[0], *(1,) * missing, *tensor.shape[1:]))


def shifted_axis(call: Call, steps: int) -> dict[str, Any]:
    """The same axis, one place to the right for the axis of time."""
    axis, rank = call.settings["axis"], len(call.values()[0].shape)
    if axis is None:
        moved: Any = tuple(range(1, rank + 1))
    elif isinstance(axis, tuple | list):
        moved = tuple([a + 1 if a >= 0 else a for a in axis])
    else:
        moved = axis + 1 if axis >= 0 else axis
    return {**call.settings, "axis": moved}


def result_shape(call: Call, steps: int) -> dict[str, Any]:
    """The result's shape behind an axis of time."""
    return {"shape": (steps, *call.out.shape)}


def shifted_index(call: Call, steps: int) -> dict[str, Any]:
    """The index behind a full slice of time."""
    index = call.settings["index"]
    return {"index": (slice(None), *index) if isinstance(index, tuple) else (slice(None), index)}


SHIFTED: dict[str, Callable[[Call, int], dict[str, Any]]] = {
    **dict.fromkeys(["sum", "mean", "max", "softmax", "log_softmax", "logsumexp", "concatenate", "stack"], shifted_axis),
    **dict.fromkeys(["reshape", "broadcast_to"], result_shape),
    "getitem": shifted_index,
}


def runs_over_time(call: Call, level: dict[Value, int]) -> bool:
    """Whether `over_time` knows how to run a call: at which places it may have arguments that change with time."""
    moving = [isinstance(arg, Value) and level[arg] == INPUT for arg in call.args]
    name = call.op.name
    if call.op.broadcasts or name in SHIFTED or name in ("detach", "identity", "squeeze", "expand_dims"):
        return name != "getitem" or plain_index(call.settings["index"])
    if name == "linear":
        return moving == [True, False, False] and isinstance(call.args[0], Value)
    if name == "matmul":
        return all(isinstance(arg, Value) for arg in call.args) and moving == [True, False] and len(call.args[1].shape) <= 2
    return name == "take" and moving == [False, True] and call.settings["axis"] == 0


def runs_over_rows(call: Call, level: dict[Value, int]) -> bool:
    """Whether a call works row by row: what it does with the rows of one time step it does with those of all."""
    shape = call.out.shape
    moving = [isinstance(arg, Value) and level[arg] == INPUT for arg in call.args]
    if any(over and (not arg.shape or arg.shape[0] != shape[0]) for arg, over in zip(call.args, moving, strict=True)):
        return False
    if call.op.broadcasts or call.op.name in ("detach", "identity"):
        return all(
            len(arg.shape) == len(shape) if over else not own_rows(arg.shape, shape)
            for arg, over in zip(call.args, moving, strict=True)
            if isinstance(arg, Value)
        )
    return call.op.name in ("linear", "matmul", "take") and runs_over_time(call, level)


def plain_index(index: Any) -> bool:
    """An index of ints, slices, None and ...: one that says nothing about the data."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in parts)
