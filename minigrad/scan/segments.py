"""memory: a scan that remembers its carry at a few times alone, and runs the steps between two of them again when they are played back.

That is checkpointed backpropagation through time (Chen, Xu, Zhang and Guestrin, 2016; Griewank, 1992). With k segments of T / k steps the
arrays of one segment are there at a time, beside k carries: least for k near the root of T. It costs the forward loop a second time. The
gradients have the bits of the scan in one piece, because sums over time are chains that do not care where they are cut (run.py). Of rows
that were looked up in a table nothing is known here (lookup.py): their gradients agree to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import random
from minigrad.op import Op
from minigrad.ops import all_ops
from minigrad.recording import enable_grad, no_grad
from minigrad.tape import Node, Rules, Tensor, clock, entry, wrap
from minigrad.walk import play_onto

from .compiled import Plan
from .replay import Replay, drawn, played
from .run import NOTHING, SCAN, Env, Totals, check_kept, evaluate, result, versions
from .span import Even
from .trace import Value

try:
    from minigrad._matmul import part_of_sums, steps_together  # type: ignore[import-not-found]
except ImportError:  # without compiled modules every scan runs as its loop, which remembers everything
    part_of_sums = steps_together = None

PLUS: Op = all_ops()["add"]


def segments_of(memory: Any, steps: int) -> int:
    """The number of stored carries that `memory` asks for: "full" is 1, "sqrt" the root of the steps. Raises ValueError."""
    if memory == "full":
        return 1
    if memory == "sqrt":
        return max(1, math.isqrt(max(steps - 1, 0)) + 1)
    if isinstance(memory, bool) or not isinstance(memory, int | np.integer) or memory < 1:
        raise ValueError(f'memory is "full", "sqrt", or how many carries to store, a whole number of 1 or more; got {memory!r}')
    return int(memory)


class Segments:
    """One scan in segments: what it takes to run any of them again."""

    def __init__(self, plan: Plan, env: Env, span: Even, count: int) -> None:
        self.plan = plan
        self.env = env  # carry, xs and constants, as they were given
        self.span = span
        size = -(-span.steps // count)
        if span.counts is None:
            together = steps_together(plan.rows, span.steps, [env[value]._array for value in plan.trace.consts])
            size = -(-size // together) * together
        ends = range(span.steps, 0, -size)  # sums over time begin with what was last, and so does the cutting
        parts = [(max(end - size, 0), end) for end in reversed(ends)]
        if plan.reverse:
            parts = [(span.steps - end, span.steps - start) for start, end in parts]
        self.parts = parts  # in the order in which they run
        self.carries: list[list[Any]] = []  # before each
        self.states: list[Any] = []  # of the random numbers, before each
        self._replay = Replay(plan, env, span)

    @property
    def replay(self) -> Replay:
        """For those who look at the steps: the whole scan."""
        draws = self.plan.trace.draws
        if draws and draws[0] not in self.env:
            with self.as_before(0):
                self.env.update(drawn(self.plan.trace, self.span.steps, self.plan.reverse))
        return self._replay

    @contextmanager
    def as_before(self, number: int) -> Iterator[None]:
        """The random numbers as they were before a part; afterwards as they are."""
        if not self.plan.trace.draws:
            yield
            return
        state = random.get_rng_state()
        random.set_rng_state(self.states[number])
        try:
            yield
        finally:
            random.set_rng_state(state)

    def consts(self) -> Env:
        """The constants, and what is computed of them alone."""
        env = {value: self.env[value] for value in self.plan.trace.consts}
        evaluate(self.plan.division.once, env)
        return env

    def run(
        self, part: tuple[int, int], consts: Env, carry: list[Tensor], xs: list[Tensor], totals: Totals | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """(last carry, ys) of the steps of one part; when they are played back, their sums over time go into `totals`."""
        plan, span = self.plan, self.span.part(*part)
        span.totals = totals
        env = {**consts, **dict(zip(plan.trace.carry, carry, strict=True)), **dict(zip(plan.trace.xs, xs, strict=True))}
        return played(plan, env, span)[1:]

    def forward(self) -> tuple[list[Tensor], list[Tensor]]:
        """The results, on the tape as those of one scan."""
        plan, trace = self.plan, self.plan.trace
        carry = [wrap(self.env[value]._array, None) for value in trace.carry]
        whole: list[Any] = []
        with no_grad():
            consts = self.consts()
            for part in self.parts:
                self.carries.append([tensor._array for tensor in carry])
                self.states.append(random.get_rng_state() if trace.draws else None)
                rows = self.span.rows(*part)
                carry, ys = self.run(part, consts, carry, [wrap(self.env[value]._array[rows], None) for value in trace.xs])
                if not whole:
                    whole = [np.empty(self.span.shape(value.shape), y.dtype) for value, y in zip(trace.ys, ys, strict=True)]
                for array, y in zip(whole, ys, strict=True):
                    array[rows] = y._array
        scan = self.node()
        ends = [*plan.division.new_carry, *plan.division.ys]
        made = [result(array, scan, n, ends[n] in plan.needs) for n, array in enumerate([*[tensor._array for tensor in carry], *whole])]
        return made[: len(carry)], made[len(carry) :]

    def node(self) -> Node:
        """The entry of the scan itself."""
        trace, plan = self.plan.trace, self.plan
        named = [(value, plan.carry_needs[n]) for n, value in enumerate(trace.carry)]
        named += [(value, True) for value in (*trace.xs, *trace.consts)]
        parents = {value: self.env[value].node for value, needed in named if needed and self.env[value].node is not None}
        return entry(NOTHING, SegmentRules(self, parents), tuple(parents.values()), (), versions([self.env[value] for value, _ in named]))

    def backward(self, parts: dict[int, Tensor], parents: dict[Value, Node], table: Any) -> None:
        """From the gradients `parts` of the results to those of carry, xs and constants."""
        plan, trace = self.plan, self.plan.trace
        first = len(trace.carry)
        totals = Totals()
        begun = next(clock)
        with enable_grad():
            consts = self.consts()
        back: list[Any] = [parts.get(n) for n in range(first)]
        found: dict[Value, Any] = {}
        for number in range(len(self.parts) - 1, -1, -1):
            rows = self.span.rows(*self.parts[number])
            since = next(clock)
            carry = [leaf(array, needed) for array, needed in zip(self.carries[number], plan.carry_needs, strict=True)]
            xs = [leaf(self.env[value]._array[rows], value in parents) for value in trace.xs]
            with self.as_before(number), enable_grad():
                last, ys = self.run(self.parts[number], consts, carry, xs, totals)
            ends = list(zip(last, back, strict=True))
            ends += [(y, wrap(parts[first + n]._array[rows], None)) for n, y in enumerate(ys) if first + n in parts]
            leaves = [tensor for tensor in (*carry, *xs) if tensor.node is not None]
            with part_of_sums(rows.stop - rows.start, self.span.rows(0, self.span.steps).stop):
                play_onto(table, [(out, g) for out, g in ends if g is not None and out.node is not None], leaves, since)
            back = [arrived(table, tensor) for tensor in carry]
            for value, x in zip(trace.xs, xs, strict=True):
                g = arrived(table, x)
                if g is not None:
                    if value not in found:
                        found[value] = np.zeros(self.env[value].shape, g.dtype)
                    found[value][rows] = g._array
        totals.pay(table)
        play_onto(table, [(tensor, None) for tensor in consts.values() if tensor.node is not None and tensor.node.tick > begun], [], begun)
        for value, g in [*zip(trace.carry, back, strict=True), *[(value, wrap(array, None)) for value, array in found.items()]]:
            if g is not None and value in parents:
                table.add(parents[value], g, PLUS)

    def recorded(self, parts: dict[int, Tensor], table: Any) -> None:
        """The same where gradients are recorded in turn: the scan in one piece."""
        values = (*self.plan.trace.carry, *self.plan.trace.xs)
        since = next(clock)
        with self.as_before(0), enable_grad():
            tensors = [self.env[value] for value in values]
            count = len(self.plan.trace.carry)
            last, ys = self.run((0, self.span.steps), self.consts(), tensors[:count], tensors[count:])
        outs = [*last, *ys]
        play_onto(table, [(outs[n], g) for n, g in parts.items() if outs[n].node is not None], [], since)


def leaf(array: Any, needed: bool) -> Tensor:
    """An array as the start of a piece of tape."""
    tensor = wrap(array, None)
    return tensor.requires_grad_() if needed else tensor


def arrived(table: Any, tensor: Tensor) -> Tensor | None:
    """What has come in at the start of a piece of tape."""
    return None if tensor.node is None else table.totals.pop(tensor.node.tick, None)


class SegmentRules(Rules):
    """The entry of a scan in segments."""

    __slots__ = ("op", "parents", "segments")

    def __init__(self, segments: Segments, parents: dict[Value, Node]) -> None:
        self.op = SCAN
        self.segments = segments
        self.parents = parents

    @property
    def replay(self) -> Replay:
        """For those who look at the steps."""
        return self.segments.replay

    def labels(self) -> list[str]:
        """What an entry keeps, by name."""
        return []

    def play(self, node: Node, g: Tensor, table: Any) -> None:
        """From the gradients of the results to those of carry, inputs and constants."""
        again = "runs its steps again for the backward pass (memory=), with its carry, xs and the tensors that its step closes over"
        check_kept(node, again)
        parts = table.parts.pop(node.tick)
        if table.recorded:
            self.segments.recorded(parts, table)
        else:
            self.segments.backward(parts, self.parents, table)
