"""A scan once more: its loop, call by call on the tape, as the plan divides it (for gradients of gradients) or as the step was written
(for those who look at the per-step tape); or its plan with the numbers of a layer's next call."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import random
from minigrad.ops import all_ops
from minigrad.recording import enable_grad, is_recording, no_grad
from minigrad.tape import Node, Rules, Tensor, clock, entry, size_of, wrap
from minigrad.walk import walk

from .compiled import Plan
from .hoist import over_time
from .run import RESULT, Env, ahead, apply, evaluate, forward, matrices, results, stacked
from .settings import settings
from .span import Even, Running
from .steps import Steps
from .trace import Value

try:
    from minigrad._program import Ready, Run, form, nothing  # type: ignore[import-not-found]
except ImportError:  # without compiled modules every scan runs as its loop, and nothing here is called
    Ready = Run = form = nothing = None

OPS = all_ops()
QUICK = 4e6  # floating operations that are done before anyone could miss the interpreter's lock


def unrolled(plan: Plan, env: Env, span: Even, carry: list[Any], inputs: Env, alias: Any = None) -> Any:
    """(last carry, all ys) of the loop, each call an entry of the tape. `alias(value, tensor, t)` may stand in for a constant at step t."""
    division, steps = plan.division, span.steps
    ys: list[list[Any]] = [[None] * steps for _ in division.ys]
    running = Running(span, carry, plan.reverse)
    for t in range(steps - 1, -1, -1) if plan.reverse else range(steps):
        now: Env = dict(zip(plan.trace.carry, running.at(carry, t), strict=True))
        now.update({value: span.at(tensor, t) for value, tensor in inputs.items()})

        def value(arg: Any, now: Env = now, t: int = t) -> Any:
            if not isinstance(arg, Value):
                return arg
            if arg in now:
                return now[arg]
            return env[arg] if alias is None else alias(arg, env[arg], t)

        for call in division.loop:
            now[call.out] = apply(call, span.fitted(call, [value(arg) for arg in call.args], t))
        carry = [value(out) for out in division.new_carry]
        for number, out in enumerate(division.ys):
            if plan.y_refs[number] is not None:
                ys[number][t] = value(out)
    return running.last(carry), ys


class HandedRules(Rules):
    """The entry of a y that the loop has no part in: computed ahead of it, or x itself. Its gradient passes."""

    __slots__ = ("number", "op", "replay")

    def __init__(self, replay: Replay, number: int) -> None:
        self.op = RESULT
        self.replay = replay
        self.number = number

    def labels(self) -> list[str]:
        """Nothing is kept."""
        return []

    def play(self, node: Node, g: Tensor, table: Any) -> None:
        """Hand the gradient on."""
        (parent,) = node.parents
        table.add(parent, g, self.op)


class Replay:
    """One scan that ran compiled, and all that it takes to run it again on the tape."""

    __slots__ = ("env", "first", "plan", "span", "tick", "whole")

    def __init__(self, plan: Plan, env: Env, span: Even, whole: Steps | None = None, first: int = 0) -> None:
        self.plan = plan
        self.env = env
        self.span = span
        self.whole = whole  # the scan that this is the rest of, if its first step ran by itself ...
        self.first = first  # ... and which of its steps is step 0 here
        self.tick = next(clock)  # between what the scan reads and its results

    def __call__(self, parts: dict[int, Tensor], table: Any) -> None:
        """Where the gradients of a scan are recorded in turn: the loop again, on the tape, and back through that."""
        with enable_grad():
            outside = [*self.plan.trace.carry, *self.plan.division.inputs]
            read = self.made_again()
            starts = {value: wrap(read[value]._array, self.env[value].node) for value in outside}
            aliases: Env = {value: OPS["identity"](tensor) for value, tensor in starts.items()}

            def alias(value: Value, tensor: Any, t: int) -> Any:
                if value not in aliases:
                    aliases[value] = OPS["identity"](tensor)
                return aliases[value]

            carry = [aliases[value] for value in self.plan.trace.carry]
            inputs = {value: aliases[value] for value in self.plan.division.inputs}
            for value, call in self.plan.division.left.items():  # ran ahead with constants that had no place on the tape
                args = [arg if arg is None else alias(arg, self.env[arg], 0) for arg in call.args]
                inputs[value] = over_time(call, args, [True, False, False], self.span, self.plan.reverse)
            last, ys = unrolled(self.plan, self.env, self.span, carry, inputs, alias)
            outputs, seeds = [], []
            for number, g in parts.items():
                out = last[number] if number < len(last) else self.span.joined(ys[number - len(last)])
                if out.node is not None:
                    outputs.append(out)
                    seeds.append(g)
            wanted = {value: tensor for value, tensor in aliases.items() if tensor.node is not None}
            found = walk(outputs, seeds, [tensor.node for tensor in wanted.values()], True, True)
            for tensor in wanted.values():
                gradient = found.total(tensor.node)
                (parent,) = tensor.node.parents
                if gradient is not None and parent is not None:
                    table.add(parent, gradient, OPS["add"])

    def made_again(self) -> Env:
        """What the loop reads; what ran ahead of it anew, for the loop may have written over that."""
        env = dict(self.env)
        with no_grad():
            ahead(self.plan, env, self.span)
        return env

    def handed(self, y: Tensor, number: int) -> Tensor:
        """A y that the loop has no part in, as the result `number` of the scan."""
        if y.node is None or not is_recording():
            return y.detach()
        out = wrap(y._array, entry(y._array, HandedRules(self, number), (y.node,), (), None))
        out._version = y.version()
        return out

    def as_written(self) -> tuple[list[Tensor], Steps]:
        """The results from the step as it was traced, each call an entry of the tape; and which entries belong to which step."""
        trace, env = self.plan.trace, self.env
        span, count, reverse = self.span, self.span.steps, self.plan.reverse
        carry = [env[value] for value in trace.carry]
        running = Running(span, carry, reverse)
        ys: list[list[Any]] = [[None] * count for _ in trace.ys]
        steps = Steps(count)
        with enable_grad():
            for t in range(count - 1, -1, -1) if reverse else range(count):
                began = next(clock)
                now = {**env, **dict(zip(trace.carry, running.at(carry, t), strict=True))}
                now.update({value: span.at(env[value], t) for value in [*trace.xs, *trace.draws]})
                for call in trace.calls:
                    args = [now[arg] if isinstance(arg, Value) else arg for arg in call.args]
                    now[call.out] = apply(call, span.fitted(call, args, t))
                carry = [now[value] for value in trace.new_carry]
                for number, value in enumerate(trace.ys):
                    ys[number][t] = now[value]
                steps.ran(t, began)
            return [*running.last(carry), *[span.joined(column) for column in ys]], steps


def drawn(trace: Any, steps: int, reverse: bool) -> Env:
    """All random draws of a scan, in the order in which the loop would make them."""
    found: list[list[Any]] = [[None] * steps for _ in trace.draws]
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        for number, how in enumerate(trace.drawn):
            found[number][t] = random.draw(*how)._array
    return {value: Tensor(np.stack(arrays)) for value, arrays in zip(trace.draws, found, strict=True)}


def begun(plan: Plan, tensors: list[Tensor]) -> Env:
    """What a plan begins with: the carry, xs and constants of a call, and what is computed of those once."""
    env: Env = {}
    for number, value in enumerate(plan.given):
        env[value] = tensors[number]
    evaluate(plan.division.once, env)
    return env


def played(
    plan: Plan, env: Env, span: Even, whole: Steps | None = None, first: int = 0, layers: bool = False
) -> tuple[list[Any], list[Tensor], list[Tensor]]:
    """(the loop's arrays, last carry, all ys) of a plan whose carry, xs and constants, and what is computed of those once, are in env."""
    if plan.trace.draws:
        env.update(drawn(plan.trace, span.steps, plan.reverse))
    ahead(plan, env, span)
    arrays = forward(plan, env, span)
    return arrays, *results(plan, env, arrays, span, Replay(plan, env, span, whole, first), layers)


def readied(plan: Plan, env: Env, arrays: list[Any]) -> Any:
    """What does one step of this plan again (`Ready` of program.pyx, for xs and carry); None if more is to do than the loop."""
    division, trace, loop = plan.division, plan.trace, plan.loop
    if division.ahead or trace.draws or None in plan.outs or loop.flops * plan.rows > QUICK or division.inputs != trace.xs:
        return None
    own = [array if made.kind in ("const", "number") else array.copy() for made, array in zip(loop.arrays, arrays, strict=True)]
    ins = [own[array.index] for array in loop.arrays if array.kind == "input"]
    outs = []
    for slot in plan.slots:
        before = 0 if slot.steps == "2" or not plan.reverse else 1
        ins.append(own[slot.index][before])
        outs.append(own[slot.index][1 - before])
    outs += [stacked(own, place, Even(1), value.shape) for place, value in zip(plan.outs, division.ys, strict=True) if place]
    if len(ins) != len(trace.xs) + len(trace.carry) or not all(part.flags.c_contiguous for part in (*ins, *outs)):
        return None
    run = Run(loop.program, own, matrices(loop, env), 1, plan.reverse, plan.rows)
    return Ready(loop.program, run, ins, outs)


class Sequence:
    """A scan without gradients, to be done again with other numbers: what a layer keeps for its next call.

    It takes arrays for x and, if `bind` says so, for the carry; gives the last carry and ys. (`Ready` of kernels/ready.pxi is the same for
    a single step, faster.)
    """

    __slots__ = ("env", "form", "guards", "known", "outs", "plan", "report", "span")

    def __init__(self, plan: Plan, env: Env, span: Even) -> None:
        self.plan = plan
        self.env = {value: tensor for value, tensor in env.items() if value not in plan.trace.xs}
        self.span = span

    def __reduce__(self) -> Any:
        return nothing, ()

    def bind(self, ins: list[Any], outs: list[Any], guards: list[Any], known: Any, report: Any) -> Sequence | None:
        """As that of `Ready`; None where the caller made other numbers of the results than their shape tells."""
        trace = self.plan.trace
        shapes = [*[value.shape for value in trace.new_carry], *[self.span.shape(value.shape) for value in trace.ys]]
        self.form, self.outs = form(ins, 0), [array.shape for array in outs]
        self.guards, self.known, self.report = guards, known, report
        return self if self.form and [size_of(shape) for shape in shapes] == [array.size for array in outs] else None

    def __call__(self, arrays: tuple[Any, ...]) -> list[Any] | None:
        """The results for these arrays; None if they are not like those of `bind`, or a constant has changed."""
        if form(list(arrays), 0) != self.form or any(version.changed != tick for version, tick in self.guards):
            return None
        trace, env = self.plan.trace, dict(self.env)
        shapes = [*[self.span.shape(value.shape) for value in trace.xs], *[value.shape for value in trace.carry]]
        for value, shape, array in zip([*trace.xs, *trace.carry], shapes, arrays, strict=False):  # the carry of `env` if none is given
            env[value] = wrap(array.reshape(shape), None)
        _, last, ys = played(self.plan, env, self.span)
        return [tensor._array.reshape(shape) for tensor, shape in zip([*last, *ys], self.outs, strict=True)]


class Recorded:
    """A scan whose gradients are recorded, to be done again with another x and first carry: what a layer keeps for its next call.

    The constants are tensors, whatever their numbers are by then. Results are new each time, as are their entries on the tape.
    """

    __slots__ = ("carry", "consts", "form", "known", "plan")

    def __init__(self, plan: Plan, consts: list[Tensor]) -> None:
        self.plan = plan
        self.consts = consts

    def __reduce__(self) -> Any:
        return nothing, ()

    def bind(self, given: list[Tensor], known: Any) -> Recorded | None:
        """Take tensors like these from now on: x (T, B, features), any T above 1, and the first carry with one more axis, or none: zeros.

        `known` is what the step was known by, for the caller to compare.
        """
        self.known, self.form = known, self.form_of(given)
        self.carry = [wrap(np.zeros(value.shape, value.dtype), None) for value in self.plan.trace.carry]
        return self if len(given[0]) > 1 and None not in self.form else None

    def form_of(self, given: list[Tensor]) -> tuple[Any, ...]:
        """All of what was given that a plan depends on, but for the number of steps."""
        x = given[0]
        arrays, nodes = [], [x.node is None]
        for tensor in [*given[1:], *self.consts]:
            arrays.append(tensor._array)
            nodes.append(tensor.node is None)
        return form([x._array], 1), form(arrays, 0), nodes

    def __call__(self, given: list[Tensor]) -> list[Tensor] | None:
        """The last carry, with one more axis too, and ys; None if what is given or a constant is not like that of `bind`."""
        own, steps = settings.__dict__, len(given[0])
        if steps < 2 or own["passes"] != self.plan.passes or self.form_of(given) != self.form:
            return None
        plan, span = self.plan, Even(steps)
        carry = [state.squeeze(0) for state in given[1:]] or self.carry
        _, last, ys = played(plan, begun(plan, [*carry, given[0], *self.consts]), span, None, 0, True)
        own["report"] = plan.reported(steps, span.looked, True)
        return [*last, *ys]
