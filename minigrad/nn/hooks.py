"""Hooks of modules: functions of yours that are called before a module's forward, after it, and in the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.hooks import Handle
from minigrad.ops.shape import identity
from minigrad.recording import tracer
from minigrad.tape import Tensor

KINDS = {"before": "register_forward_pre_hook()", "after": "register_forward_hook()", "backward": "register_full_backward_hook()"}


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
        if tracer.get() is not None and (self.before or self.after or self.backward):
            tracer.get().fail(f"a hook of {module.label()} wants to be called at every step")
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
    """

    def __init__(self, module: Any, hook: Callable[..., Any]) -> None:
        self.module = module
        self.hook = hook
        self.grad_input: list[Tensor | None] = []
        self.grad_output: list[Tensor | None] = []
        self.answer: tuple[Tensor | None, ...] | None = None
        self.called = False

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, with marks on the tensors that require a gradient."""
        self.grad_input = [None] * len(args)
        places = [i for i, arg in enumerate(args) if isinstance(arg, Tensor) and arg.requires_grad]
        marked = list(args)
        for take in (self.take_input, self.note_input):
            for i in places:
                marked[i] = identity(marked[i])
                marked[i].register_hook(lambda g, i=i, take=take: take(i, g))
        self.from_outputs = not places
        return tuple(marked)

    def outputs(self, out: Any) -> Any:
        """The result (a tensor, or a tuple or list of such), with marks on the tensors that require a gradient."""
        several = list(out) if isinstance(out, tuple | list) else [out]
        self.grad_output = [None] * len(several)
        places = [i for i, item in enumerate(several) if isinstance(item, Tensor) and item.requires_grad]
        for take in (self.pass_output, self.note_output):
            for i in places:
                several[i] = identity(several[i])
                several[i].register_hook(lambda g, i=i, take=take: take(i, g))
        return type(out)(several) if isinstance(out, tuple | list) else several[0]

    def note_output(self, i: int, g: Tensor) -> None:
        """At the outer marks of the outputs: the gradient of output i. The first of a pass forgets the pass before."""
        if self.called:
            self.grad_input = [None] * len(self.grad_input)
            self.grad_output = [None] * len(self.grad_output)
            self.called = False
        self.grad_output[i] = g

    def pass_output(self, i: int, g: Tensor) -> None:
        """At the inner marks of the outputs: where no input requires a gradient, the hook is called here."""
        if self.from_outputs and not self.called:
            self.run()

    def note_input(self, i: int, g: Tensor) -> None:
        """At the inner marks of the inputs: the gradient of input i."""
        self.grad_input[i] = g

    def take_input(self, i: int, g: Tensor) -> Tensor | None:
        """At the outer marks of the inputs: call the hook, once a pass, and go on with what it answered."""
        if not self.called:
            self.run()
        return None if self.answer is None else self.answer[i]

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
