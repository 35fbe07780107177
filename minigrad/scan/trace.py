"""trace: a step is run once with a tracer listening, and becomes a list of calls of operations.

The values of the list are numbered places, not numbers: the carry that comes in, what is read of xs, the tensors that the step closes
over, random draws, and the result of each call. Gradient rules are ordinary code and are traced in the same way (sink.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad.errors import TapeError
from minigrad.op import Op
from minigrad.recording import is_recording, tracer
from minigrad.tape import Tensor, the_tracing, wrap

from .formulas import FORMULAS
from .tree import Tree, flatten

lock = threading.Lock()
tracing = the_tracing()


class Untraceable(Exception):
    """Why a step cannot become a program."""


class Value:
    """One place of a program: its shape and dtype, and where it comes from."""

    __slots__ = ("call", "dtype", "kind", "number", "shape")

    def __init__(self, kind: str, number: int, shape: tuple[int, ...], dtype: Any, call: Call | None = None) -> None:
        self.kind = kind  # carry, xs, const, draw, result, cotangent
        self.number = number  # among those of its kind
        self.shape = shape
        self.dtype = dtype
        self.call = call

    def __repr__(self) -> str:
        return f"{'%' if self.kind == 'result' else self.kind + ' '}{self.number}"


class Call:
    """One operation of a program: `op(*args, **settings)`, an argument being a Value or a Python number or None."""

    __slots__ = ("args", "op", "out", "recorded", "settings")

    def __init__(self, op: Op, args: tuple[Any, ...], settings: dict[str, Any], recorded: bool) -> None:
        self.op = op
        self.args = args
        self.settings = settings
        self.recorded = recorded  # False under no_grad: a constant to gradients
        self.out: Value = None  # type: ignore[assignment]

    def values(self) -> list[Value]:
        """The arguments that are places of the program."""
        return [arg for arg in self.args if isinstance(arg, Value)]

    def __repr__(self) -> str:
        said = [repr(arg) for arg in self.args] + [f"{name}={value}" for name, value in self.settings.items()]
        return f"{self.out!r:6s} = {self.op.name}({', '.join(said)})"


class Trace:
    """What one run of the step gave: the calls, the values that come in and go out, and the tensors behind the constants."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.carry: list[Value] = []
        self.xs: list[Value] = []
        self.consts: list[Value] = []
        self.draws: list[Value] = []
        self.tensors: list[Tensor] = []  # of the constants
        self.new_carry: list[Value] = []
        self.ys: list[Value] = []
        self.carry_kind: Any = None
        self.ys_kind: Any = None
        self.drawn: list[Any] = []  # how each draw was made: (method of the generator, shape, dtype, bounds if any)
        self.passing: list[Tensor] = []  # what the step worked on and made, for this one run

    def key(self) -> Any:
        """What two traces of one program have in common, and no others: calls, wiring, settings, shapes and dtypes."""
        place = {}
        for group in (self.carry, self.xs, self.consts, self.draws):
            for value in group:
                place[value] = (value.kind, value.number)
        for number, call in enumerate(self.calls):
            place[call.out] = ("result", number)
        calls = tuple(
            [
                (
                    id(call.op),
                    tuple([place[arg] if isinstance(arg, Value) else number_key(arg) for arg in call.args]),
                    freeze(call.settings),
                    call.recorded,
                )
                for call in self.calls
            ]
        )
        ins = tuple([(value.shape, value.dtype) for group in (self.carry, self.xs, self.consts, self.draws) for value in group])
        outs = tuple([place[value] for value in self.new_carry]), tuple([place[value] for value in self.ys])
        return calls, ins, outs, len(self.carry), len(self.xs), self.carry_kind, self.ys_kind, tuple(self.drawn)


def number_key(arg: Any) -> Any:
    """A Python number as part of a key: 1, 1.0 and True differ, and so do 0.0 and -0.0."""
    return type(arg), repr(arg)


def freeze(setting: Any) -> Any:
    """A setting of an operation as something hashable."""
    if isinstance(setting, slice):
        return "slice", setting.start, setting.stop, setting.step
    if isinstance(setting, list | tuple):
        return type(setting), tuple([freeze(item) for item in setting])
    if isinstance(setting, dict):
        return tuple([(name, freeze(setting[name])) for name in sorted(setting)])
    if isinstance(setting, np.ndarray):
        return "array", setting.shape, setting.dtype.str, setting.tobytes()
    return number_key(setting) if isinstance(setting, int | float) else setting


class Tracer:
    """Listens to the operations of one thread and writes them down in a Trace."""

    def __init__(self) -> None:
        self.trace = Trace()
        self.known: dict[int, Value] = {}
        self.alive: list[Tensor] = []  # ids stay taken as long as the tracer lives
        self.reason = ""
        self.arrays: dict[int, tuple[Any, Tensor]] = {}

    def enter(self, kind: str, group: list[Value], tensor: Tensor) -> Value:
        """A tensor that comes in from outside."""
        value = Value(kind, len(group), tensor.shape, tensor.dtype)
        group.append(value)
        self.known[id(tensor)] = value
        self.alive.append(tensor)
        return value

    def run(self, op: Op, args: tuple[Any, ...], settings: dict[str, Any]) -> Tensor:
        """Run an operation, and write it down."""
        out = op.evaluate(args, settings)
        self.note(op, args, settings, out)
        return out

    def note(self, op: Op, args: tuple[Any, ...], settings: dict[str, Any], out: Tensor) -> None:
        """An operation has run."""
        formula = FORMULAS.get(op.name)
        made = formula(*args, **{**op.settings, **settings}) if formula is not None and isinstance(args[0], Tensor) else None
        if made is not None and made.shape == out.shape and made.dtype == out.dtype:
            self.known[id(out)] = self.place(made)
            self.alive.append(out)
            return
        call = Call(op, tuple([self.place(arg) for arg in args]), {**op.settings, **settings}, is_recording())
        call.out = Value("result", len(self.trace.calls), out.shape, out.dtype, call)
        self.trace.calls.append(call)
        self.known[id(out)] = call.out
        self.alive.append(out)

    def place(self, arg: Any) -> Any:
        """An argument as a Value, or as the Python number it is."""
        if isinstance(arg, Tensor):
            value = self.known.get(id(arg))
            if value is None:
                self.trace.tensors.append(arg)
                value = self.enter("const", self.trace.consts, arg)
            return value
        if arg is None or type(arg) in (int, float, bool):
            return arg
        if id(arg) not in self.arrays:  # an array or a list: a constant, kept alive so that its id stays taken
            self.arrays[id(arg)] = (arg, Tensor(arg))
        return self.place(self.arrays[id(arg)][1])

    def escapes(self, tensor: Any, how: str) -> None:
        """The values of a tensor reach Python: if they change from step to step, nothing can be compiled."""
        value = self.known.get(id(tensor))
        if value is not None and not self.reason:
            self.reason = f"{how} hands the values of {describe(value)} to Python"

    def fail(self, reason: str) -> None:
        """The step does something that no program can."""
        self.reason = self.reason or reason

    def draw(self, tensor: Tensor, method: str, shape: tuple[int, ...], dtype: Any, *bounds: int) -> None:
        """A random tensor was drawn."""
        self.trace.drawn.append((method, shape, np.dtype(dtype).str, *bounds))
        self.enter("draw", self.trace.draws, tensor)


def describe(value: Value) -> str:
    """A value in the words of a report."""
    if value.call is not None:
        return f"the result of '{value.call.op.name}'"
    return {"carry": "the carry", "xs": "x", "const": "a constant", "draw": "a random draw"}[value.kind]


@contextmanager
def listening(listener: Tracer) -> Iterator[None]:
    """Operations of this thread are written down by `listener`."""
    token = tracer.set(listener)
    with lock:
        tracing.count += 1
    try:
        yield
    finally:
        with lock:
            tracing.count -= 1
        tracer.reset(token)


def run_step(step: Any, carry: Tree, x: Tree) -> tuple[Trace, Tree, Tree]:
    """One step under a tracer: the trace, and the carry and y that it returned. Raises Untraceable with the reason."""
    listener = Tracer()
    trace = listener.trace
    carry_leaves, trace.carry_kind = flatten(carry)
    for leaf in carry_leaves:
        listener.enter("carry", trace.carry, leaf)
    for leaf in flatten(x)[0]:
        listener.enter("xs", trace.xs, leaf)
    with listening(listener):
        result = step(carry, x)
    constants = {id(tensor) for tensor in trace.tensors}
    trace.passing = [tensor for tensor in listener.alive if id(tensor) not in constants]
    new_carry, y = pair(result)
    out_leaves, kind = flatten(new_carry)
    if listener.reason or kind != trace.carry_kind:
        retire([trace])
        raise Untraceable(listener.reason or f"the carry changes its structure, from {trace.carry_kind} to {kind}")
    trace.new_carry = [listener.place(wrapped(leaf)) for leaf in out_leaves]
    y_leaves, trace.ys_kind = flatten(y)
    trace.ys = [listener.place(wrapped(leaf)) for leaf in y_leaves]
    return trace, new_carry, y


class Gone:
    """What a tensor of a traced step holds when the trace is over: it stood for the values of all steps, and has none of its own."""

    def __getattr__(self, name: str) -> Any:
        raise TapeError(
            "a tensor that a traced step of a scan worked on was used after the trace, where it has no value: return it from the step as y "
            "(or a part of y), or run the loop itself with MINIGRAD_SCAN=eager"
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self.values

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        return self.values


def retire(traces: list[Trace]) -> None:
    """The traces are over: whoever has kept a tensor of theirs learns it from the first use."""
    for trace in traces:
        for tensor in trace.passing:
            tensor._array = Gone()  # type: ignore[assignment]
        trace.passing = []


def wrapped(leaf: Any) -> Tensor:
    """A leaf as a tensor: a step may return plain numbers."""
    return leaf if isinstance(leaf, Tensor) else Tensor(leaf)


def pair(result: Any) -> tuple[Tree, Tree]:
    """What a step returned, as (carry, y); refuses anything else in words."""
    if not isinstance(result, tuple) or len(result) != 2:
        got = f"a tuple of {len(result)}" if isinstance(result, tuple) else type(result).__name__
        raise TypeError(f"scan: step returns (carry, y), got {got}; y may be None")
    return result


def fresh(tensor: Tensor) -> Tensor:
    """The same values as a tensor of its own, which a trace can tell from all others."""
    return wrap(tensor._array, None)
