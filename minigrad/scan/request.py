"""One call of scan: traced, and played by its plan; or, where that cannot be, run as the loop it is written as."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import random
from minigrad.ops import concatenate
from minigrad.recording import is_recording, no_grad, tracer
from minigrad.tape import Tensor, clock, wrap

from .build import known, plan_for, remember
from .check import compare
from .known import fingerprint
from .replay import Recorded, Sequence, begun, played, readied
from .report import Report
from .segments import Segments, segments_of
from .settings import COMPILED, settings
from .span import Even, Running, span_of
from .steps import Steps
from .trace import Trace, Untraceable, fresh, pair, retire, run_step, wrapped
from .tree import Tree, flatten, unflatten

try:
    from minigrad._program import form  # type: ignore[import-not-found]
except ImportError:  # without compiled modules every scan runs as its loop, and nothing here is called
    form = None


def known_scan(
    key: Any,
    consts: tuple[Any, ...],
    step: Any,
    carry: Tree,
    xs: Tree,
    reverse: bool,
    length: Any = None,
    batch_sizes: Any = None,
    stream: bool = False,
    memory: str | int = "full",
) -> tuple[Tree, Tree]:
    """`scan` of a step that is known by a key: the same key, the same calls, on `consts` and nothing else; it is traced once.

    With `stream` what does the scan again is left in `settings.ready`.
    """
    carry_leaves, carry_kind = flatten(carry)
    xs_leaves, xs_kind = flatten(xs)
    carry_leaves = [wrapped(leaf) for leaf in carry_leaves]
    xs_leaves = [wrapped(leaf) for leaf in xs_leaves]
    call = Request(step, carry_leaves, carry_kind, xs_leaves, xs_kind, reverse, span_of(xs_leaves, length, batch_sizes, carry_leaves))
    call.known, call.stream = (key, consts), stream
    if memory != "full":
        call.segments = segments_of(memory, call.steps)
    call.own["ready"] = None
    watcher = tracer.get()
    if watcher is not None:
        watcher.fail("an inner scan")
        return call.eager()
    if call.steps == 0:
        return call.nothing()
    eager = call.own["mode"] == "eager"
    if eager or not COMPILED:
        return call.fallback("scans are set to run as loops" if eager else "the compiled kernels are missing or switched off")
    return call.run()


class Request:
    """One call of scan."""

    def __init__(self, step: Any, carry: list[Tensor], carry_kind: Any, xs: list[Tensor], xs_kind: Any, reverse: bool, span: Even) -> None:
        self.step = step
        self.carry = carry
        self.carry_kind = carry_kind
        self.xs = xs
        self.xs_kind = xs_kind
        self.reverse = reverse
        self.span = span
        self.own = settings.__dict__  # this thread's: to ask `settings` each time takes ten times as long
        self.steps = span.steps
        self.known: tuple[Any, tuple[Any, ...]] = None, ()
        self.stream = False
        self.segments = 1
        self.traces: list[Trace] = []
        self.peeled_before = False
        self.state: Any = None  # of the random numbers, before the first step
        self.whole: Steps | None = None  # where this is the rest of a scan whose first step ran by itself: the steps of all of it ...
        self.first = 0  # ... and which of them is step 0 here

    def times(self) -> Any:
        """The time steps in the order they run."""
        return range(self.steps - 1, -1, -1) if self.reverse else range(self.steps)

    def x(self, t: int) -> Tree:
        """x at time t."""
        return unflatten(self.xs_kind, [self.span.at(leaf, t) for leaf in self.xs])

    def eager(self) -> tuple[Tree, Tree]:
        """The loop itself."""
        leaves, kind = self.carry, self.carry_kind
        running = Running(self.span, leaves, self.reverse)
        ys: list[Any] = [None] * self.steps
        steps = self.whole or Steps(self.steps)
        for t in self.times():
            began = next(clock)
            carry, ys[t] = pair(self.step(unflatten(kind, running.at(leaves, t)), self.x(t)))
            leaves, kind = flatten(carry)
            steps.ran(self.first + t, began)
        results = unflatten(kind, running.last(leaves)), joined(ys, self.span)
        steps.lead_to(results)
        return results

    def fallback(self, reason: str) -> tuple[Tree, Tree]:
        """The loop itself, and a report that says why."""
        found = self.eager()
        settings.report = Report(False, reason, self.steps)  # now: scans inside the step have made reports of their own
        return found

    def nothing(self) -> tuple[Tree, Tree]:
        """No time steps: the carry as it is, and ys of length 0 in the shapes that a step would give."""
        zeros = [self.span.blank(leaf, self.carry) for leaf in self.xs]
        state = random.get_rng_state()
        with no_grad():
            _, y = pair(self.step(unflatten(self.carry_kind, self.carry), unflatten(self.xs_kind, zeros)))
        random.set_rng_state(state)
        settings.report = Report(False, "no time steps", 0)
        leaves, kind = flatten(y)
        return unflatten(self.carry_kind, self.carry), unflatten(
            kind, [Tensor(np.zeros(self.span.shape(leaf.shape), leaf.dtype)) for leaf in map(wrapped, leaves)]
        )

    # ---- compiled

    def run(self) -> tuple[Tree, Tree]:
        """Trace the first step, and the last unless it must be the same, find or make the plan, run it; or the loop itself."""
        found = self.remembered()
        if found is not None:
            plan, order = found
            return self.play(plan, [self.known[1][place] for place in order], True)
        self.traces = []
        try:
            return self.traced()
        finally:
            retire(self.traces)

    def traced(self) -> tuple[Tree, Tree]:
        """`run` of a step that has to be traced."""
        state = self.state = random.get_rng_state()
        times = self.times()
        again = self.steps > 1  # the last step too, unless ...
        reach = fingerprint(self.step)[0] if again and self.known[0] is not None else None
        try:
            trace, carry, _ = self.trace(times[0], self.carry)
        except Untraceable as problem:
            random.set_rng_state(state)
            return self.fallback(str(problem))
        changed = [(old.shape, old.dtype) != (new.shape, new.dtype) for old, new in zip(trace.carry, trace.new_carry, strict=True)]
        if any(changed):
            random.set_rng_state(state)
            return self.peeled(trace)
        # ... this one has drawn no random number (the weights of a new layer, say) and changed nothing that it can reach.
        if reach is not None and random.get_rng_state() == state:
            again = fingerprint(self.step)[0] != reach
        if again:
            try:
                other = self.trace(times[-1], flatten(carry)[0])[0]
            except Untraceable as problem:
                random.set_rng_state(state)
                return self.fallback(str(problem))
            if other.key() != trace.key() or not same_constants(trace, other):
                random.set_rng_state(state)
                return self.fallback("the step is not the same at the first and at the last time")
        random.set_rng_state(state)
        return self.planned(trace)

    def trace(self, t: int, carry: list[Any]) -> tuple[Trace, Tree, Tree]:
        """The step at time t under a tracer."""
        leaves = [fresh(wrapped(leaf)) for leaf in carry]
        x = [self.sample(leaf, t) for leaf in self.xs]
        found = run_step(self.step, unflatten(self.carry_kind, leaves), unflatten(self.xs_kind, x))
        self.traces.append(found[0])
        return found

    def sample(self, leaf: Tensor, t: int) -> Tensor:
        """What stands for x while the step is traced: x at time t; of a ragged scan, as many rows as there are sequences."""
        if self.span.counts is not None:
            rows = int(self.span.counts[0])
            return wrap(leaf._array[:rows] if t == self.times()[0] else leaf._array[-rows:], None)
        return wrap(leaf._array[t], None) if leaf.ndim > 1 else Tensor(leaf._array[t])

    def peeled(self, trace: Trace) -> tuple[Tree, Tree]:
        """The first carry broadcasts or changes its dtype: one step as it is written, then the others."""
        if self.span.counts is not None:
            return self.fallback("the first carry broadcasts, or changes its dtype, and sequences end at different times")
        times = self.times()
        whole = self.whole or Steps(self.steps)
        began = next(clock)
        carry, first = pair(self.step(unflatten(self.carry_kind, self.carry), self.x(times[0])))
        whole.ran(self.first + times[0], began)
        leaves, kind = flatten(carry)
        leaves = [wrapped(leaf) for leaf in leaves]
        if self.steps == 1:
            settings.report = Report(False, "one step", 1)
            results = carry, joined([first], self.span)
            whole.lead_to(results)
            return results
        rest = [leaf[:-1] if self.reverse else leaf[1:] for leaf in self.xs]
        call = Request(self.step, leaves, kind, rest, self.xs_kind, self.reverse, Even(self.steps - 1))
        call.whole, call.first = whole, self.first + (0 if self.reverse else 1)
        call.segments = self.segments
        same = [(leaf.shape, leaf.dtype) == (value.shape, value.dtype) for leaf, value in zip(leaves, trace.carry, strict=True)]
        if self.peeled_before or all(same):
            carry, ys = call.fallback("the carry goes on changing its shape or dtype")
        else:
            call.peeled_before = True
            carry, ys = call.run()
        results = carry, behind(first, ys, self.reverse)
        whole.lead_to(results)
        return results

    def planned(self, trace: Trace) -> tuple[Tree, Tree]:
        """Run the plan of a trace."""
        tensors, recording = trace.tensors, is_recording()
        wanted = tuple([tuple([recording and tensor.node is not None for tensor in group]) for group in (self.carry, self.xs, tensors)])
        whole = self.steps == 1 and not recording  # one step of a stream: all of it in one go
        passes = settings.passes - {"hoist"} if whole else settings.passes
        rows = None if self.span.counts is None else int(self.span.counts[0])
        plan, cached = plan_for(trace, self.reverse, wanted, passes, rows)
        if isinstance(plan, str):
            return self.fallback(plan)
        remember(self.signature(), plan, tensors, self.known[1])
        return self.play(plan, tensors, cached)

    def signature(self) -> Any:
        """What the plan of a known step depends on; None for a step without a key, or where more than the plan is wanted."""
        key, consts = self.known
        if key is None or self.own["mode"] != "compile":
            return None
        wanted = 0  # which of the tensors have a place on the tape, bit by bit
        xs, others = [], []
        for tensor in self.xs:
            wanted = 2 * wanted + (tensor.node is not None)
            xs.append(tensor._array)
        for tensor in [*self.carry, *consts]:
            if tensor is not None:
                wanted = 2 * wanted + (tensor.node is not None)
                others.append(tensor._array)
        forms = form(xs, 1), form(others, 0)
        if forms[0] is None or forms[1] is None:
            return None
        return (
            key,
            forms,
            wanted,
            self.carry_kind,
            self.xs_kind,
            self.reverse,
            self.steps == 1,
            self.span.counts is None,
            is_recording(),
            self.own["passes"],
        )

    def remembered(self) -> Any:
        """The plan of a known step, and which of its constants the plan's are; None if there is none yet."""
        return None if self.known[0] is None else known.get(self.signature())

    def play(self, plan: Any, tensors: list[Any], cached: bool) -> tuple[Tree, Tree]:
        """Run a plan with the tensors of this call."""
        recording = is_recording()
        if self.segments > 1 and plan.records and recording:
            env = dict(zip(plan.given, [*self.carry, *self.xs, *tensors], strict=True))
            last, every = Segments(plan, env, self.span, self.segments).forward()
        else:
            env = begun(plan, [*self.carry, *self.xs, *tensors])
            again = self.stream and self.known[0] is not None
            sequence = Sequence(plan, env, self.span) if again and not recording else None
            arrays, last, every = played(plan, env, self.span, self.whole, self.first)
            if again and recording:
                self.own["ready"] = Recorded(plan, tensors)
            elif again:
                self.own["ready"] = (readied(plan, env, arrays) if self.steps == 1 else None) or sequence
        self.own["report"] = plan.reported(self.steps, self.span.looked, cached)
        carry, ys = unflatten(plan.trace.carry_kind, last), unflatten(plan.trace.ys_kind, every)
        if self.own["mode"] == "check":
            compare(self, carry, ys)
        return carry, ys


def same_constants(a: Trace, b: Trace) -> bool:
    """Whether two traces close over the same tensors, or over arrays with the same numbers."""
    return all(
        x is y
        or (x.node is None and y.node is None and not x.parameter and x.shape == y.shape and x._array.tobytes() == y._array.tobytes())
        for x, y in zip(a.tensors, b.tensors, strict=True)
    )


def joined(ys: list[Tree], span: Even) -> Tree:
    """The y of all steps, each tensor stacked along a first axis."""
    columns = [flatten(y) for y in ys]
    kind = columns[0][1]
    if any(other != kind for _, other in columns):
        raise TypeError("scan: y has another structure at some steps than at the first")
    return unflatten(kind, [span.joined(list(column)) for column in zip(*[leaves for leaves, _ in columns], strict=True)])


def behind(first: Tree, rest: Tree, reverse: bool) -> Tree:
    """The y of the step that ran first beside those of all others, in the order of time."""
    leaves, kind = flatten(first)
    others = flatten(rest)[0]
    pairs = [wrapped(leaf).expand_dims(0) for leaf in leaves]
    both = [concatenate([other, one] if reverse else [one, other]) for one, other in zip(pairs, others, strict=True)]
    return unflatten(kind, both)
