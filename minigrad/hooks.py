"""Functions that are called when something has happened, and the handles that take them back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Self

numbers = itertools.count()


class Handle:
    """Takes a hook back: `remove()`, or the end of a `with` block. Removing twice does no harm."""

    def __init__(self, hooks: dict[int, Any], function: Callable[..., Any]) -> None:
        self.hooks = hooks
        self.number = next(numbers)
        hooks[self.number] = function

    def remove(self) -> None:
        """The hook is not called any more."""
        self.hooks.pop(self.number, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class Watch:
    """Who waits at an entry of the tape for its gradient: hooks, which see it first, then the tensor whose `.grad` it becomes.

    The tensor is known weakly, as a callable that gives it or None (the tape never holds a tensor); it is None where only hooks wait.
    """

    __slots__ = ("hooks", "tensor")

    def __init__(self, tensor: Callable[[], Any] | None) -> None:
        self.tensor = tensor
        self.hooks: dict[int, Callable[..., Any]] = {}
