"""A plan: the forward loop of a traced step, and the backward loops for the gradients that were asked of it, ready to run."""

from __future__ import annotations

from typing import Any

from .fuse import Stage, absorbed, merge, stages_of
from .hoist import CONST, LOOP, Division, divide, leave_constants, spare, use_once
from .plan import Array, Layout, add_up, claim, copied, flops, place_of
from .redo import cheap, redo
from .report import Report
from .reuse import Pool
from .rows import Buffer, Lowering, Ref
from .sink import Backward, Sink, Total, backward_of, feeds, needing
from .span import own_rows
from .trace import Call, Trace, Untraceable, Value

try:
    from minigrad._program import Program  # type: ignore[import-not-found]
except ImportError:  # without compiled modules every scan runs as its loop, and nothing here is called
    Program = None


class Loop:
    """One loop, encoded: its stages, arrays, the matrices it multiplies by, and the work of one row of one time step."""

    def __init__(
        self, lowering: Lowering, layout: Layout, fuse: bool, stacked: list[Buffer], offers: dict[Array, list[tuple[int, int]]]
    ) -> None:
        if fuse:
            lowering.instructions = absorbed(lowering.instructions, {*layout.places, *stacked})
        self.stages: list[Stage] = stages_of(lowering.instructions, fuse)
        self.taken = self.reuse(layout, stacked, offers) if layout.reuse and offers else set()
        for buffer in stacked:
            if buffer not in layout.places:
                layout.stack(buffer)
        if fuse:
            merge(self.stages, layout)
        arena = layout.settle(self.stages)
        self.program = Program(layout.encode(self.stages), arena)
        self.arrays: list[Array] = list(layout.arrays)
        self.matrices: list[Any] = lowering.matrices
        self.recipes = [array.recipe() for array in self.arrays]
        self.flops = flops(lowering.instructions, [value.shape[1 if turned else 0] for value, turned in self.matrices])

    def reuse(self, layout: Layout, stacked: list[Buffer], offers: dict[Array, list[tuple[int, int]]]) -> set[int]:
        """Places in arrays that others have used up, for what is kept for all time steps and for sums that start there."""
        pool = Pool(layout, self.stages)
        for array, reserved in offers.items():
            pool.offer(array, reserved)
        sums = [
            one.out.buffer.root()[0] for stage in self.stages for one in stage.instructions if one.name == "matmul" and len(one.ins) > 1
        ]
        pool.settle(stacked, sums)
        return pool.taken

    def listing(self, title: str) -> list[str]:
        """The stages, an instruction a line, and the arrays."""
        lines = [title]
        for number, stage in enumerate(self.stages):
            lines.append(f"  stage {number}: " + (f"{stage.rows} rows at a time" if stage.rows else "a product"))
            lines += [f"    {one!r}" for one in stage.instructions]
        kept = [array for array in self.arrays if array.steps in ("T", "T+1")]
        lines += [f"  {array.kind} {array.index}: {array.steps} x {array.rows} x {array.width} {array.dtype}" for array in kept]
        return [*lines, ""]


def listing(title: str, calls: list[Call]) -> list[str]:
    """Calls, one a line, under a title; nothing if there are none."""
    if not calls:
        return []
    lines = []
    for call in calls:
        settings = [f"{name}={value}" for name, value in call.settings.items() if value is not None]
        lines.append(f"  {call.out!r:5s}= {call.op.name}({', '.join([*map(repr, call.args), *settings])})   {call.out.shape}")
    return [title, *lines, ""]


class Plan:
    """What a scan runs, for one program, its shapes but for T, and which of its tensors require a gradient."""

    def __init__(
        self, trace: Trace, batch: int | None, reverse: bool, wanted: tuple[Any, Any, Any], passes: frozenset[str], ragged: bool
    ) -> None:
        self.trace = trace
        self.report: Report | None = None  # of the last call, if it did not make the plan
        self.batch = batch
        self.rows = 1 if batch is None else batch
        self.reverse = reverse
        self.passes = passes
        self.division: Division = divide(trace, batch, "hoist" in passes, ragged)
        self.needs, self.carry_needs = needing(self.division, *map(list, wanted))
        use_once(self.division, self.needs)
        leave_constants(self.division, self.needs, batch)
        for number, call in enumerate([*self.division.once, *self.division.ahead, *self.division.loop]):
            call.out.number = number
        self.records = bool(self.needs)
        self.given = [*trace.carry, *trace.xs, *trace.consts]  # what a call brings
        if ragged:
            by_rows(self.division, batch, self.needs)
        self.forward()
        self.backwards: dict[tuple[bool, ...], BackwardPlan] = {}
        if self.records:
            self.backward((True,) * len(self.division.ys))  # what cannot be run backward is not run forward

    def forward(self) -> None:
        """Lower the loop, decide what is kept, and lay everything out."""
        division = self.division
        lowering = self.lowering = Lowering(self.batch, division.level)
        for number, value in enumerate(self.trace.carry):
            lowering.source("carry", number, value)
        for number, value in enumerate(division.inputs):
            lowering.source("input", number, value)
        for call in division.loop:
            lowering.lower(call)
        taken: set[Buffer] = set()
        after = [claim(lowering, lowering.place(value), value, taken) for value in division.new_carry]
        slot_of = {buffer: number for number, buffer in enumerate(after)}
        self.y_refs: list[Ref | None] = [None] * len(division.ys)
        stacked: set[Buffer] = set()
        for number, value in enumerate(division.ys):
            if division.level[value] == LOOP:
                ref = lowering.refs[value]
                if not (ref.whole() and ref.buffer in slot_of):
                    buffer = claim(lowering, ref, value, taken)
                    ref = Ref(buffer, 0, buffer.width)
                self.y_refs[number] = ref
                stacked.add(ref.buffer)
        stacked |= {lowering.refs[value].buffer.root()[0] for value in self.kept()}
        layout = self.layout = Layout(self.rows, self.reverse, "plan" in self.passes)
        self.slots: list[Array] = []
        for number, value in enumerate(self.trace.carry):
            before = lowering.refs[value].buffer
            self.slots.append(layout.slots(before, after[number], before in stacked or after[number] in stacked, "slots"))
        for buffer in stacked:
            layout.given(buffer)
        for value in division.inputs:
            layout.given(lowering.refs[value].buffer)
        offers: dict[Array, list[tuple[int, int]]] = {}
        for value in spare(division):
            array = layout.places[lowering.refs[value].buffer].array
            if array is not None and array.rows == self.rows and lowering.refs[value].buffer not in stacked:
                offers[array] = []
        results = [buffer for buffer in stacked if buffer.kind == "result" and buffer not in layout.places]
        self.places: dict[Value, tuple[Array, int, int, int, int]] = {}
        self.loop = Loop(lowering, layout, "fuse" in self.passes, sorted(results, key=lambda one: one.number), offers)
        self.outs = [None if ref is None else place_of(layout, ref) for ref in self.y_refs]
        self.consts = [*self.trace.consts, *[call.out for call in division.once]]
        self.read: list[tuple[Value, bool]] = [
            *zip(self.trace.carry, self.carry_needs, strict=True),
            *[(value, True) for value in [*division.inputs, *self.consts]],
        ]  # what the loop reads, and whether its gradient is wanted
        self.reaching: dict[Any, tuple[set[Value], set[Value]]] = {}

    def reached(self, outputs: frozenset[int], steps: int) -> tuple[set[Value], set[Value]]:
        """Where gradients of these results arrive: among the first carry's values, and among all that the loop reads.

        Results count from the carry's on. A step hands on to the one before what it has for its carry, so the sets grow, or repeat.
        """
        found = self.reaching.get((outputs, steps))
        if found is not None:
            return found
        division, carry = self.division, self.trace.carry
        ends = [*division.new_carry, *division.ys]
        every = {ends[number] for number in outputs if number >= len(carry)}
        now = {ends[number] for number in outputs if number < len(carry)}
        everywhere: set[Value] = set()
        for _ in range(steps):
            alive = now | every
            for call in reversed(division.loop):
                if call.out in alive and call.recorded:
                    alive.update([arg for position, arg in enumerate(call.args) if feeds(call, position, self.needs)])
            everywhere |= alive
            first = {value for value in carry if value in alive}
            after = {new for old, new in zip(carry, division.new_carry, strict=True) if old in alive}
            if after == now:
                break
            now = after
        self.reaching[outputs, steps] = first, everywhere
        return first, everywhere

    def kept(self) -> set[Value]:
        """What the backward loop, with all outputs used, reads of the forward one."""
        if not self.records:
            return set()
        back = backward_of(self.division, self.needs, self.carry_needs, [True] * len(self.division.ys))
        self.redone: dict[Value, Call] = cheap(back, self.division) if "plan" in self.passes else {}
        redo(back, self.division, self.redone)
        self.full = back
        read = {value for call in back.calls for value in call.values()} | {sink.call.args[0] for sink in back.sinks}
        read |= {value for value in [*back.new_carry, *back.inputs] if value is not None}
        return {value for value in read if value in self.lowering.refs}

    def backward(self, ys: tuple[bool, ...]) -> BackwardPlan:
        """The backward loop for gradients of the marked ys (and of the carry)."""
        found = self.backwards.get(ys)
        if found is None:
            found = self.backwards[ys] = BackwardPlan(self, ys)
        return found

    def __str__(self) -> str:
        """The programs before and after the passes, as a page to read."""
        division = self.division
        order = "from the last step to the first" if self.reverse else "from the first step to the last"
        lines = [f"a scan with {self.rows} row{'s' if self.rows > 1 else ''} at each time, {order}", ""]
        lines += listing("the step, as traced", self.trace.calls)
        lines += listing("once: of constants alone", division.once)
        lines += listing("ahead of the loop: of x, for all time steps at once", division.ahead)
        lines += [f"the loop reads {', '.join(map(repr, division.inputs)) or 'nothing'} at time t", ""]
        lines += listing("left in the loop", division.loop)
        lines += self.loop.listing("the forward loop, as it runs")
        for ys, mine in self.backwards.items():
            lines += listing(f"the backward loop, from the rules (gradients of ys: {', '.join(map(str, ys)) or 'none'})", mine.back.calls)
            lines += mine.loop.listing("the backward loop, as it runs")
            lines += ["after the loop, once for all time steps"]
            lines += [f"  gradient of {sink.call.args[sink.position]!r} from {sink.call!r}" for sink, _ in mine.sinks]
            lines += [
                f"  gradient of {total.call.args[total.position]!r}, rows of total {array.key} added up" for total, array in mine.totals
            ]
            lines += [""]
        return "\n".join(lines)

    def counts(self) -> dict[str, int]:
        """What each pass did, for reports and tests."""
        shared = sum(len(stage.instructions) - 1 for stage in self.loop.stages)
        local = sum(1 for place in self.layout.places.values() if place.array is None) + len(self.loop.taken)
        gone = len(self.full.sinks) + len(self.full.totals) if self.records else 0
        return {"hoist": self.division.moved, "lookup": 0, "sink": gone, "fuse": shared, "plan": local}

    def reported(self, steps: int, looked: int, cached: bool) -> Report:
        """What is to be said of a call: the report of the last one, if that says it."""
        report = self.report
        if report is None or not cached or report.steps != steps or report.looked != looked:
            report = Report(True, "", steps, self, cached, looked)
            self.report = report if cached else None
        return report

    def stacked(self, value: Value) -> tuple[Array, int, int, int, int]:
        """Where the value lies for all time steps, as `place_of` says it."""
        found = self.places.get(value)
        if found is None:
            found = self.places[value] = place_of(self.layout, self.lowering.refs[value])
        return found


def by_rows(division: Division, batch: int | None, needs: set[Value]) -> None:
    """Refuse a step that cannot run for some of its rows alone."""
    if division.trace.draws:
        raise Untraceable("random draws for sequences that end at different times")
    for value in [*division.inputs, *division.ys, *division.trace.carry]:
        if not value.shape or value.shape[0] != batch or division.level[value] == CONST:
            raise Untraceable(
                f"a value of shape {value.shape} is not one row for each of the {batch} sequences, which end at different times"
            )
    for call in division.loop:
        for arg in call.values():
            if arg in needs and division.level[arg] == CONST and call.op.broadcasts and own_rows(arg.shape, call.out.shape):
                raise Untraceable(
                    f"a constant that requires a gradient has a row for each of the {batch} sequences: make it part of the carry"
                )


class BackwardPlan:
    """One backward loop, over the arrays of a forward one and some of its own."""

    def __init__(self, plan: Plan, ys: tuple[bool, ...]) -> None:
        self.back: Backward = plan.full
        if not all(ys):
            self.back = backward_of(plan.division, plan.needs, plan.carry_needs, list(ys))
            redo(self.back, plan.division, plan.redone)
        back, division = self.back, plan.division
        for number, call in enumerate([*back.once, *back.calls], len(division.once) + len(division.ahead) + len(division.loop)):
            call.out.number = number
        lowering = Lowering(plan.batch, plan.division.level)
        layout = Layout(plan.rows, plan.reverse, "plan" in plan.passes)
        layout.arrays, layout.consts = list(plan.loop.arrays), dict(plan.layout.consts)
        for value in plan.lowering.refs:
            self.keep_readable(plan, lowering, layout, value)
        for g in [*back.carry, *back.ys]:
            if g is not None:
                lowering.source("cotangent", g.number, g)
        summed: dict[Value, Array] = {}
        wanted = {total.g for total in back.totals}
        for g in [*back.carry, *back.ys]:
            if g is not None and g in wanted:
                summed[g] = add_up(lowering, layout, g, len(summed))
        for call in back.calls:
            lowering.lower(call)
            if call.out in wanted:
                summed[call.out] = add_up(lowering, layout, call.out, len(summed))
        self.totals: list[tuple[Total, Array]] = [(total, summed[total.g]) for total in back.totals]
        taken: set[Buffer] = set()
        self.rings: list[Array | None] = []
        pairs: list[tuple[Buffer, Buffer] | None] = []
        for before, new, like in zip(back.carry, back.new_carry, plan.trace.carry, strict=True):
            if before is None:
                pairs.append(None)
                continue
            zero = Ref(lowering.number(0.0, like.dtype).buffer, 0, lowering.columns_of(like.shape), 0)
            ref = zero if new is None else lowering.place(new)
            pairs.append((lowering.refs[before].buffer, claim(lowering, ref, like, taken)))
        rings = {buffer for pair in pairs if pair is not None for buffer in pair}
        self.inputs = [None if value is None else self.kept(lowering, value, rings) for value in back.inputs]
        sums = [self.kept(lowering, sink.g, rings) for sink in back.sinks]
        for pair in pairs:
            self.rings.append(None if pair is None else layout.slots(*pair, False, "ring"))
        stacked: dict[Buffer, None] = {}
        for held in [*self.inputs, *sums]:
            if held is not None:
                root = held.buffer.root()[0]
                if root.kind == "result" and root in layout.places and layout.places[root].array in self.rings:
                    layout.stack(root)
                elif root.kind == "result":
                    stacked[root] = None
                layout.given(root)
        self.layout = layout
        self.loop = Loop(lowering, layout, "fuse" in plan.passes, list(stacked), self.offers(plan))
        self.input_places = [None if ref is None else place_of(layout, ref) for ref in self.inputs]
        self.sinks: list[tuple[Sink, Any]] = [(sink, place_of(layout, ref)) for sink, ref in zip(back.sinks, sums, strict=True)]

    def offers(self, plan: Plan) -> dict[Array, list[tuple[int, int]]]:
        """The arrays of the forward loop that this one may write over, with the columns that are read afterwards."""
        ours = {plan.layout.places[plan.lowering.refs[value].buffer].array for value in spare(plan.division)}
        shown = {place[0] for place in plan.outs if place is not None}
        found: dict[Array, list[tuple[int, int]]] = {
            array: []
            for array in plan.loop.arrays
            if (array.kind == "stacked" or array in ours) and array not in shown and array.rows == plan.rows
        }
        for sink in self.back.sinks:
            if sink.call.args[0] in plan.lowering.refs:
                array, _, start, width, _ = plan.stacked(sink.call.args[0])
                found.get(array, []).append((start, start + width))
        return found

    def keep_readable(self, plan: Plan, lowering: Lowering, layout: Layout, value: Value) -> None:
        """Let the backward loop read a value that the forward loop has kept."""
        ref = plan.lowering.refs[value]
        root, start = ref.buffer.root()
        place = plan.layout.places.get(root)
        if place is None or place.array is None or place.array.steps not in ("T", "T+1"):
            return
        buffer = Buffer("kept", root.number, root.width, root.dtype, root.varies)
        layout.places[buffer] = place
        lowering.refs[value] = Ref(buffer, start + ref.start, ref.width, ref.step)

    def kept(self, lowering: Lowering, value: Value, rings: set[Buffer]) -> Ref:
        """Where a gradient lies for all time steps; a copy where its own memory is overwritten from step to step."""
        ref = lowering.place(value)
        root = ref.buffer.root()[0]
        if root in rings or root.kind in ("const", "number") or not ref.step:
            return copied(lowering, ref, value, lowering.columns_of(value.shape))
        return ref
