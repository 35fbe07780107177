"""Hooks of modules: functions of yours that are called before a module's forward, after it, and in the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.hooks import Handle
from minigrad.ops.shape import identity
from minigrad.recording import is_recording, tracer
from minigrad.scan.trace import Untraceable
from minigrad.tape import Tensor

KINDS = {"before": "register_forward_pre_hook()", "after": "register_forward_hook()", "backward": "register_full_backward_hook()"}


def at_every_step(reason: str) -> None:
    """Before what has to happen once in every step, and not once more: a scan that traces the step runs as its loop instead."""
    if tracer.get() is not None:
        raise Untraceable(reason)


class Hooks:
    """The hooks of one module, each kind in the order in which they came."""

    def __init__(self) -> None:
        self.before: dict[int, Callable[..., Any]] = {}
        self.after: dict[int, Callable[..., Any]] = {}
        self.backward: dict[int, Callable[..., Any]] = {}

    def add(self, kind: str, hook: Any) -> Handle:
        """Note a hook; returns what removes it."""
        if not callable(hook):
            raise TypeError(f"{KINDS[kind]} takes a function, got {type(hook).__name__}")
        return Handle(getattr(self, kind), hook)

    def call(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`module.forward` with all hooks around it."""
        if not (self.before or self.after or self.backward):
            vars(module)["_hooks"] = None
            return module.forward(*args, **kwargs)
        at_every_step(f"a hook of {module.label()} wants to be called at every step")
        for hook in [*self.before.values()]:
            found = hook(module, args)
            if found is not None:
                args = found if isinstance(found, tuple) else (found,)
        watches = [Backward(module, hook) for hook in self.backward.values()]
        for watch in watches:
            args = watch.inputs(args)
        out = module.forward(*args, **kwargs)
        for hook in [*self.after.values()]:
            found = hook(module, args, out)
            if found is not None:
                out = found
        for watch in watches:
            out = watch.outputs(out)
        return out


class Backward:
    """One backward hook at one call of a module.

    Every input and output goes through two marks, which are places on the tape that do nothing. The walk is newest first: all outer
    marks of the outputs come before all inner ones, then the module, then all inner marks of the inputs before all outer ones. So the
    first outer mark of an input that is reached knows every gradient of this pass, and none of them has gone further yet.

    A pass that comes to the inputs but not through the outputs (a second derivative does) is none of the hook's, as in PyTorch.
    """

    def __init__(self, module: Any, hook: Callable[..., Any]) -> None:
        self.module = module
        self.hook = hook
        self.grad_input: list[Tensor | None] = []
        self.grad_output: list[Tensor | None] = []
        self.at_outputs = False  # True if no input requires a gradient: the hook is called when the outputs' are known
        self.forget()

    def forget(self) -> None:
        """Be as before the first pass."""
        self.grad_input = [None] * len(self.grad_input)
        self.grad_output = [None] * len(self.grad_output)
        self.answer: tuple[Tensor | None, ...] | None = None
        self.passed = self.called = False
        self.waiting: set[int] = set()

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, with marks on the tensors that require a gradient."""
        self.grad_input = [None] * len(args)
        marked = mark(list(args), self.take_input, self.note_input)
        self.at_outputs = all(new is old for new, old in zip(marked, args, strict=True))
        return tuple(marked)

    def outputs(self, out: Any) -> Any:
        """The result (a tensor, or a tuple or list of such), with marks on the tensors that require a gradient."""
        several = list(out) if isinstance(out, tuple | list) else [out]
        self.grad_output = [None] * len(several)
        marked = mark(several, self.pass_output, self.note_output)
        return type(out)(marked) if isinstance(out, tuple | list) else marked[0]

    def note_output(self, i: int, g: Tensor) -> None:
        """At the outer mark of output i. What a pass before has left is forgotten."""
        if self.passed:
            self.forget()
        self.grad_output[i] = g

    def pass_output(self, i: int, g: Tensor) -> None:
        """At the inner mark of output i."""
        self.passed = True
        if self.at_outputs and not self.called:
            self.run()

    def note_input(self, i: int, g: Tensor) -> None:
        """At the inner mark of input i."""
        self.grad_input[i] = g
        self.waiting.add(i)

    def take_input(self, i: int, g: Tensor) -> Tensor | None:
        """At the outer mark of input i: call the hook, once a pass, and go on with what it answered."""
        if self.passed and not self.called:
            self.run()
        answer = self.answer
        self.waiting.discard(i)
        if not self.waiting:
            self.forget()
        return None if answer is None else answer[i]

    def run(self) -> None:
        """Call the hook."""
        self.called = True
        found = self.hook(self.module, tuple(self.grad_input), tuple(self.grad_output))
        if found is not None and not isinstance(found, tuple):
            found = (found,)
        if found is not None and len(found) != len(self.grad_input):
            raise ValueError(
                f"{self.module.label()}: a backward hook returned {len(found)} gradients for {len(self.grad_input)} inputs; return None to "
                "leave them as they are, or one for each"
            )
        self.answer = found


def mark(values: list[Any], older: Callable[[int, Tensor], Any], newer: Callable[[int, Tensor], Any]) -> list[Any]:
    """The values, with two marks on each tensor that requires a gradient: all the older ones first, each with its listener."""
    marked = list(values)
    places = [i for i, value in enumerate(values) if is_recording() and isinstance(value, Tensor) and value.requires_grad]
    for listener in (older, newer):
        for i in places:
            marked[i] = identity(marked[i])
            marked[i].register_hook(lambda g, i=i, listener=listener: listener(i, g))
    return marked
