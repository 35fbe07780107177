"""Look at the tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.errors import TapeError
from minigrad.tape import Node, Tensor
from minigrad.walk import newest_first


def kept_arrays(node: Node) -> list[tuple[str, Any]]:
    """What an entry keeps for its gradient rules: (name, array)."""
    if node.recipe is None or node.kept is None:
        return []
    return [(name, value) for name, value in zip(node.recipe.labels(), node.kept, strict=True) if isinstance(value, np.ndarray)]


def show(tensor: Tensor) -> None:
    """Print the tape behind `tensor`, oldest entry first: tick, operation, arguments by tick, shape, what is kept, bytes.

    >>> import minigrad as mg
    >>> w = mg.tensor([2.0, 3.0], requires_grad=True)
    >>> mg.show((w * w).sum())  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    tick      operation         of                shape             kept                      bytes
    ...       leaf                                (2,)                                        0
    ...       mul               ...               (2,)              b[2] a[2]                 8
    ...       sum               ...               ()                                          0
    total: 3 entries, 8 bytes kept
    """
    if tensor.node is None:
        raise TapeError("show: this tensor has no tape: nothing that requires a gradient led to it")
    print(f"{'tick':9s} {'operation':17s} {'of':17s} {'shape':17s} {'kept':25s} bytes")
    seen: set[int] = set()
    total = 0
    entries = newest_first([tensor.node])[::-1]
    for node in entries:
        arrays = kept_arrays(node)
        fresh = [array for _, array in arrays if id(array) not in seen]
        seen.update(id(array) for array in fresh)
        size = sum({id(array): array.nbytes for array in fresh}.values())
        total += size
        parents = " ".join("-" if parent is None else str(parent.tick) for parent in node.parents)
        kept = " ".join(f"{name}{list(array.shape)}" for name, array in arrays)
        print(f"{node.tick:<9d} {node.name:17s} {parents:17s} {node.shape!s:17s} {kept:25s} {size}")
    print(f"total: {len(entries)} entries, {total} bytes kept")
