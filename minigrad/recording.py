"""Whether operations are being recorded: a switch of its own for each thread and each asyncio task."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable
from typing import Any

recording: contextvars.ContextVar[bool] = contextvars.ContextVar("minigrad.recording", default=True)
is_recording = recording.get

tracer: contextvars.ContextVar[Any] = contextvars.ContextVar("minigrad.tracer", default=None)  # what writes down a step of a scan


class _Recording:
    """Switches recording for a `with` block or a decorated function; see no_grad and enable_grad."""

    state = True

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        """`@no_grad` without brackets decorates too."""
        switch = super().__new__(cls)
        return switch if function is None else switch(function)

    def __init__(self) -> None:
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(recording.get())
        recording.set(self.state)

    def __exit__(self, *exc: object) -> None:
        recording.set(self.before.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate `function`; of a generator function each resume is covered, and nothing leaks to the consumer."""
        switch = type(self)
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def resumed(*args: Any, **kwargs: Any) -> Any:
                with switch():
                    generator = function(*args, **kwargs)
                send, value = generator.send, None
                while True:
                    try:
                        with switch():
                            item = send(value)
                    except StopIteration as stop:
                        return stop.value
                    try:
                        send, value = generator.send, (yield item)
                    except GeneratorExit:
                        generator.close()
                        raise
                    except BaseException as problem:
                        send, value = generator.throw, problem

            return resumed

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with switch():
                    return await function(*args, **kwargs)

            return awaited

        @functools.wraps(function)
        def switched(*args: Any, **kwargs: Any) -> Any:
            with switch():
                return function(*args, **kwargs)

        return switched


class no_grad(_Recording):
    """Nothing is recorded inside: for evaluation, and for code that changes parameters.

    A context manager and a decorator. Each thread and each asyncio task has its own switch. As in PyTorch, a `with no_grad()`
    around a `yield` stays in force for the consumer of the generator; decorate the generator instead.

    >>> import minigrad as mg
    >>> x = mg.tensor([1.0], requires_grad=True)
    >>> with mg.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    state = False


class enable_grad(_Recording):
    """Recording is on inside, whatever is outside: a context manager and a decorator.

    >>> import minigrad as mg
    >>> x = mg.tensor([1.0], requires_grad=True)
    >>> with mg.no_grad(), mg.enable_grad():
    ...     (x * 2).requires_grad
    True
    """

    state = True


def is_grad_enabled() -> bool:
    """True where operations are being recorded.

    >>> is_grad_enabled()
    True
    """
    return is_recording()
