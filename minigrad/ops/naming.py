"""Names for what is worth seeing inside a step."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minigrad.tape import Tensor

named: ContextVar[Any] = ContextVar("named", default=None)  # who listens: (label, tensor) -> tensor


def name(label: str, tensor: Tensor) -> Tensor:
    """`tensor`, with a name for whoever asks to see inside: a gate of a recurrent cell, a part of a formula.

    It costs nothing where nobody asks. A layer called with `trace=True` returns all that its step has named, at every time step.

    >>> from minigrad.tape import Tensor
    >>> name("gate", Tensor([0.5]))
    tensor([0.5])
    """
    listener = named.get()
    return tensor if listener is None else listener(label, tensor)


@contextmanager
def listening(listener: Any) -> Iterator[None]:
    """While it lasts, `listener(label, tensor)` gets what is named and says what stands for it."""
    token = named.set(listener)
    try:
        yield
    finally:
        named.reset(token)
