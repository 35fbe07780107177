"""Functions that are made of operations, seen as operations: their names in SAMPLES end in (), and their gradients are tested alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import minigrad as mg


class Function:
    """Called with arrays by position and settings by keyword, as operations are; every floating array may have a gradient."""

    variadic = True

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self.call(*args, **settings)


FUNCTIONS: dict[str, Any] = {
    "bmm()": Function(mg.bmm),
    "cat()": Function(lambda *xs, axis=0: mg.cat(xs, axis=axis)),
    "chunk()": Function(lambda x, chunks, piece, axis=0: mg.chunk(x, chunks, axis=axis)[piece]),
    "diag()": Function(mg.diag),
    "dot()": Function(mg.dot),
    "einsum()": Function(lambda *xs, subscripts: mg.einsum(subscripts, *xs)),
    "flatten()": Function(mg.flatten),
    "kron()": Function(mg.kron),
    "masked_fill()": Function(lambda x, value, mask: mg.masked_fill(x, mask, value)),
    "moveaxis()": Function(mg.moveaxis),
    "pad()": Function(mg.pad),
    "ravel()": Function(mg.ravel),
    "repeat()": Function(mg.repeat),
    "selu()": Function(mg.selu),
    "topk()": Function(lambda x, k, axis=-1, largest=True: mg.topk(x, k, axis, largest)[0]),
    "trace()": Function(mg.trace),
}
