"""The backward program, and sink: gradient work that feeds only weights leaves the loop.

The program is traced from the rules of the operations, newest call first. A rule for an argument that the carry reaches becomes part
of the backward loop. The rule of a product for its constant is not run at each step: the gradient of the product is kept for all steps,
and the rule then runs once with everything stacked along time, one product over T x B rows in place of T small ones and T sums. What
works element by element does so in the loop for a constant too, while the numbers are in the cache: each row adds up its own over time,
and the rows are added up in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.op import Into, Op, wants
from minigrad.ops import add, all_ops, concatenate
from minigrad.tape import Tensor, wrap

from .hoist import CONST, LOOP, Division, living
from .trace import Call, Tracer, Untraceable, Value, freeze, listening, number_key

OPS = all_ops()
MOST = 10000
forms: dict[Any, Any] = {}  # an operation, what it was given by shape and dtype, its settings -> shape and dtype of the result


class Sink:
    """The rule of a product that runs after the loop: of `call`, for the constant at `position`, from the gradient `g` of the product."""

    __slots__ = ("call", "g", "position", "wants")

    def __init__(self, call: Call, position: int, g: Value) -> None:
        self.call = call
        self.position = position
        self.g = g
        places = {"g": 0, call.op.arguments[0]: 1}
        self.wants = [places.get(name) for name in wants(call.op.rules[position])]  # g, the rows, and maybe (None) the constant's shape


class Total:
    """A sum over time in the loop, row by row: of `g`, what the rule of `call` gives for the constant at `position` before it sums."""

    __slots__ = ("call", "g", "position")

    def __init__(self, call: Call, position: int, g: Value) -> None:
        self.call = call
        self.position = position
        self.g = g


class Backward:
    """The backward loop: calls that lead from the gradients of what a step gives to those of what it takes."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.once: list[Call] = []  # of constants alone: W transposed
        self.carry: list[Value | None] = []  # gradients that come in: of the new carry ...
        self.ys: list[Value | None] = []  # ... and of y
        self.new_carry: list[Value | None] = []  # and that go out: of the carry before ...
        self.inputs: list[Value | None] = []  # ... and of what the loop reads
        self.sinks: list[Sink] = []
        self.totals: list[Total] = []
        self.consts: list[Value] = []  # literals of the rules
        self.tensors: list[Tensor] = []


def needing(division: Division, carry: list[bool], xs: list[bool], consts: list[bool]) -> tuple[set[Value], list[bool]]:
    """The values that a gradient can reach, and which leaves of the carry do: a fixpoint, for a step feeds the next."""
    trace = division.trace
    carry = list(carry)
    while True:
        needs = {value for value, wanted in zip(trace.carry, carry, strict=True) if wanted}
        needs |= {value for value, wanted in zip(trace.xs, xs, strict=True) if wanted}
        needs |= {value for value, wanted in zip(trace.consts, consts, strict=True) if wanted}
        for call in division.once + division.ahead + division.loop:
            if call.recorded and call.out.dtype.kind == "f" and any(feeds(call, position, needs) for position in range(len(call.args))):
                needs.add(call.out)
        after = [before or new in needs for before, new in zip(carry, division.new_carry, strict=True)]
        if after == carry:
            return needs, carry
        carry = after


def feeds(call: Call, position: int, needs: set[Value]) -> bool:
    """Whether the call has a gradient rule for its argument at `position`, which is in `needs`."""
    arg = call.args[position]
    return isinstance(arg, Value) and arg in needs and call.op.rules[0 if call.op.variadic else position] is not None


def blank(shape: tuple[int, ...], dtype: Any) -> Tensor:
    """A tensor of ones that takes no memory: all its elements are one."""
    return wrap(np.ndarray(shape, dtype, np.ones((), dtype), 0, (0,) * len(shape)), None)


def form_of(arg: Any) -> Any:
    """All of an argument that the form of a result depends on."""
    if isinstance(arg, Tensor):
        return arg.shape, arg.dtype
    return number_key(arg) if arg is None or type(arg) in (int, float, bool) else (type(arg), np.shape(arg), np.asarray(arg).dtype)


def result_form(op: Op, args: tuple[Any, ...], settings: dict[str, Any]) -> tuple[tuple[int, ...], Any]:
    """Shape and dtype of an operation's result, had from one element where each goes its own way."""
    shapes = {arg.shape for arg in args if isinstance(arg, Tensor)}
    if op.broadcasts and op.kernel is not None and len(shapes) == 1:
        (shape,) = shapes
        one = op.evaluate(tuple([blank((1,) * len(shape), arg.dtype) if isinstance(arg, Tensor) else arg for arg in args]), settings)
        return shape, one.dtype
    out = op.evaluate(args, settings)
    return out.shape, out.dtype


class Blind(Tracer):
    """Writes down rules, whose numbers nobody may look at: what is known of an operation's result by shape and dtype is not computed."""

    def run(self, op: Op, args: tuple[Any, ...], settings: dict[str, Any]) -> Tensor:
        """Run an operation on blanks if that has not been done before, and write it down."""
        key = op, tuple([form_of(arg) for arg in args]), freeze(settings)
        form = forms.get(key)
        if form is None:
            if len(forms) > MOST:
                forms.clear()
            form = forms[key] = result_form(op, args, settings)
        out = blank(*form)
        self.note(op, args, settings, out)
        return out


class Builder:
    """Plays the rules of a division's loop under a tracer, with blanks for the values."""

    def __init__(self, division: Division, needs: set[Value]) -> None:
        self.division = division
        self.needs = needs
        self.listener = Blind()
        self.stand_ins: dict[Value, Tensor] = {}
        self.totals: dict[Value, list[Any]] = {}  # gradients so far: a Value, or (start, stop, Value) for columns of the last axis
        self.back = Backward()

    def tensor(self, value: Value) -> Tensor:
        """A tensor that stands for a value while rules are traced."""
        found = self.stand_ins.get(value)
        if found is None:
            found = self.stand_ins[value] = blank(value.shape, value.dtype)
            self.listener.known[id(found)] = value
            self.listener.alive.append(found)
        return found

    def value(self, tensor: Tensor) -> Value:
        """The place that a rule's result stands for."""
        value: Value = self.listener.place(tensor)
        self.stand_ins.setdefault(value, tensor)
        return value

    def total(self, value: Value) -> Value | None:
        """The sum of what has arrived at a value."""
        parts = self.totals.pop(value, None)
        if not parts:
            return None
        whole = [self.tensor(part) for part in parts if isinstance(part, Value)]
        slices = sorted([part for part in parts if not isinstance(part, Value)], key=lambda part: part[:2])
        layers: list[list[Any]] = []  # columns that do not overlap share a layer
        for part in slices:
            layer = next((layer for layer in layers if layer[-1][1] <= part[0]), None)
            layers.append([part]) if layer is None else layer.append(part)
        whole += [self.joined(layer, value) for layer in layers]
        result = whole[0]
        for more in whole[1:]:
            result = add(result, more)
        return self.value(result)

    def joined(self, layer: list[Any], value: Value) -> Tensor:
        """Columns side by side, with zeros between them where none arrived."""
        pieces, at = [], 0
        for start, stop, g in [*layer, (value.shape[-1], value.shape[-1], None)]:
            if start > at:
                pieces.append(Tensor(np.zeros((*value.shape[:-1], start - at), value.dtype)))
            if g is not None:
                pieces.append(self.tensor(g).reshape(*value.shape[:-1], stop - start))
            at = stop
        return concatenate(pieces, axis=-1) if len(pieces) > 1 else pieces[0]

    def arrive(self, value: Value, g: Tensor, op: Any) -> None:
        """A rule of `op` gave the gradient g for a value."""
        if g.shape != value.shape:
            if not op.broadcasts:
                raise Untraceable(f"a gradient rule of '{op.name}' gave shape {g.shape} for {value.shape}")
            g = OPS["sum_to"](g, shape=value.shape)
        if g.dtype != value.dtype:
            g = g.astype(value.dtype)
        self.totals.setdefault(value, []).append(self.value(g))

    def pull(self, call: Call, g: Value) -> None:
        """All rules of one call."""
        op, level = call.op, self.division.level
        if op.variadic:
            settings = {name: call.settings[name] for name in wants(op.rules[0]) if name in call.settings}
            shapes = [np.shape(arg) if not isinstance(arg, Value) else arg.shape for arg in call.args]
            named = {"g": self.tensor(g), f"{op.arguments[0]}_shape": shapes, **settings}
            several = op.rules[0](*[named[name] for name in wants(op.rules[0])])
            for arg, part in zip(call.args, several, strict=True):
                if isinstance(arg, Value) and arg in self.needs:
                    if level[arg] == CONST:
                        raise Untraceable(f"'{op.name}' joins a constant that requires a gradient to the carry")
                    self.arrive(arg, part, op)
            return
        for position, arg in enumerate(call.args):
            if not feeds(call, position, self.needs):
                continue
            rule = op.rules[position]
            if level[arg] == CONST and isinstance(rule, Into):
                self.back.sinks.append(Sink(call, position, g))
            elif op.name == "getitem" and columns(call) is not None:
                start, stop = columns(call)  # type: ignore[misc]
                self.totals.setdefault(arg, []).append((start, stop, g))
            else:
                rule = rule.rule if isinstance(rule, Into) else rule
                arrived = self.tensor(g)
                part = rule(*[given(name, call, arrived, self.stand_in) for name in wants(rule)])
                if part is None:
                    continue
                if level[arg] == CONST:
                    self.back.totals.append(Total(call, position, self.value(part)))
                else:
                    self.arrive(arg, part, op)

    def stand_in(self, arg: Any) -> Any:
        """What stands for an argument while rules are traced."""
        return self.tensor(arg) if isinstance(arg, Value) else arg


def given(name: str, call: Call, g: Any, value: Callable[[Any], Any]) -> Any:
    """What a rule of `call` calls `name`; `value` finds an argument or the result."""
    op = call.op
    if name == "g":
        return g
    if name == "out":
        return value(call.out)
    if name in call.settings:
        return call.settings[name]
    if name in op.arguments:
        return value(call.args[op.arguments.index(name)])
    arg = call.args[op.arguments.index(name.removesuffix("_shape"))]
    return arg.shape if isinstance(arg, Value) else np.shape(arg)


def columns(call: Call) -> tuple[int, int] | None:
    """Which columns of the last axis a call of getitem takes, all else whole; None if it does anything else."""
    source = call.args[0].shape
    index = call.settings["index"]
    parts = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in [part for part in parts if not isinstance(part, np.ndarray)]:
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(source) - len(parts) + 1)
    if len(parts) != len(source) or any(not isinstance(part, slice) or part != slice(None) for part in parts[:-1]):
        return None
    last = parts[-1]
    if type(last) is int:
        last = last % source[-1]
        return last, last + 1
    if not isinstance(last, slice):
        return None
    start, stop, step = last.indices(source[-1])
    return (start, max(stop, start)) if step == 1 else None


def backward_of(division: Division, needs: set[Value], carry: list[bool], ys: list[bool]) -> Backward:
    """The backward program for gradients of the leaves of the carry and of ys that are marked."""
    trace = division.trace
    builder = Builder(division, needs)
    back = builder.back
    with listening(builder.listener):
        for number, (value, wanted) in enumerate(zip(division.new_carry, carry, strict=True)):
            g = cotangent(builder, number, trace.carry[number]) if wanted else None
            back.carry.append(g)
            if g is not None and value in needs:
                builder.totals.setdefault(value, []).append(g)
        for number, (value, wanted) in enumerate(zip(division.ys, ys, strict=True)):
            reached = wanted and value in needs and division.level[value] == LOOP
            g = cotangent(builder, len(carry) + number, value) if reached else None
            back.ys.append(g)
            if g is not None:
                builder.totals.setdefault(value, []).append(g)
        for call in reversed(division.loop):
            if call.out in builder.totals:
                total = builder.total(call.out)
                if call.recorded and total is not None:
                    builder.pull(call, total)
        back.new_carry = [builder.total(value) if wanted else None for value, wanted in zip(trace.carry, carry, strict=True)]
        back.inputs = [builder.total(value) if value in needs else None for value in division.inputs]
        for value, g in zip(division.inputs, back.inputs, strict=True):
            if g is not None and value in division.left:
                call = division.left[value]
                if feeds(call, 1, needs):
                    back.sinks.append(Sink(call, 1, g))
                if len(call.args) > 2 and feeds(call, 2, needs):
                    back.totals.append(Total(call, 2, g))
    if builder.listener.reason:
        raise Untraceable(f"in a gradient rule, {builder.listener.reason}")
    found = builder.listener.trace
    back.consts, back.tensors = found.consts, found.tensors
    level = division.level
    level.update(dict.fromkeys(back.consts, CONST))
    for g in (*back.carry, *back.ys):
        if g is not None:
            level[g] = LOOP
    for call in found.calls:
        level[call.out] = max([level[value] for value in call.values()], default=CONST)
        (back.once if level[call.out] == CONST else back.calls).append(call)
    return trimmed(back)


def cotangent(builder: Builder, number: int, like: Value) -> Value:
    """The place of a gradient that comes in from outside."""
    value = Value("cotangent", number, like.shape, like.dtype)
    builder.tensor(value)
    return value


def trimmed(back: Backward) -> Backward:
    """Without the calls that lead nowhere."""
    alive = {value for value in (*back.new_carry, *back.inputs) if value is not None}
    alive |= {sink.g for sink in back.sinks} | {total.g for total in back.totals}
    back.calls = living(back.calls, alive)
    back.once = living(back.once, alive)
    return back
