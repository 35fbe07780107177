"""Look at the tape."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from minigrad.errors import TapeError
from minigrad.scan.unroll import unroll as unroll_tape
from minigrad.tape import Node, Tensor
from minigrad.walk import newest_first


class Line(NamedTuple):
    """One entry as it is printed."""

    node: Node
    name: str
    parents: tuple[Node | None, ...]
    step: str


def kept_arrays(node: Node) -> list[tuple[str, Any]]:
    """What an entry keeps for its gradient rules: (name, array)."""
    if node.recipe is None or node.kept is None:
        return []
    return [(name, value) for name, value in zip(node.recipe.labels(), node.kept, strict=True) if isinstance(value, np.ndarray)]


def unrolled(root: Node) -> list[Line]:
    """The entries behind `root`, with those of each step of each scan; results of a scan are those of its steps."""
    made: dict[int, Node | None] = {}
    count: Counter[int] = Counter()
    lines = []
    for entry in unroll_tape(root):
        if entry.stands:
            (parent,) = entry.parents
            made[entry.node.tick] = parent if parent is None else made.get(parent.tick, parent)
            continue
        tick, own = entry.order
        name = f"{tick}.{count[tick]}" if own else str(tick)
        count[tick] += 1
        parents = tuple([parent if parent is None else made.get(parent.tick, parent) for parent in entry.parents])
        lines.append(Line(entry.node, name, parents, "" if entry.step is None else f"t={entry.step[1]}"))
    return lines


def show(tensor: Tensor, *, unroll: bool = False) -> None:
    """Print the tape behind `tensor`, oldest entry first: tick, operation, arguments by tick, shape, what is kept, bytes.

    A scan that ran compiled is one entry of that tape. With `unroll` its steps are run again, as they are written, and what they would have
    left stands in its place, as `57.0`, `57.1` ... if the scan ran at tick 57; each entry of a step of a scan says which, `t=0`, `t=1` ...

    >>> import minigrad as mg
    >>> w = mg.tensor([2.0, 3.0], requires_grad=True)
    >>> mg.show((w * w).sum())  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    tick      operation         of                shape             kept                      bytes
    ...       leaf                                (2,)                                        0
    ...       mul               ...               (2,)              b[2] a[2]                 8
    ...       sum               ...               ()                                          0
    total: 3 entries, 8 bytes kept
    >>> h, _ = mg.scan(lambda h, x: (w * h + x, None), mg.ones(2), mg.ones(2, 2))
    >>> mg.show(h, unroll=True)  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    tick      step    operation         of                shape             kept                      bytes
    ...               leaf                                (2,)                                        0
    ...       t=0     mul               ... -             (2,)              b[2]                      8
    ...       t=0     add               ... -             (2,)                                        0
    ...       t=1     mul               ... ...           (2,)              b[2] a[2]                 16
    ...       t=1     add               ... -             (2,)                                        0
    total: 5 entries, 24 bytes kept
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"show prints the tape behind a tensor, got {type(tensor).__name__}")
    if tensor.node is None:
        raise TapeError("show: this tensor has no tape: nothing that requires a gradient led to it")
    if unroll:
        lines = unrolled(tensor.node)
    else:
        lines = [Line(node, str(node.tick), node.parents, "") for node in newest_first([tensor.node])[::-1]]
    names = {line.node.tick: line.name for line in lines}
    step = f"{'step':8s}" if unroll else ""
    print(f"{'tick':9s} {step}{'operation':17s} {'of':17s} {'shape':17s} {'kept':25s} bytes")
    seen: set[int] = set()
    total = 0
    for line in lines:
        node = line.node
        arrays = kept_arrays(node)
        fresh = [array for _, array in arrays if id(array) not in seen]
        seen.update(id(array) for array in fresh)
        size = sum({id(array): array.nbytes for array in fresh}.values())
        total += size
        parents = " ".join("-" if parent is None else names[parent.tick] for parent in line.parents)
        kept = " ".join(f"{name}{list(array.shape)}" for name, array in arrays)
        step = f"{line.step:8s}" if unroll else ""
        print(f"{line.name:9s} {step}{node.name:17s} {parents:17s} {node.shape!s:17s} {kept:25s} {size}")
    print(f"total: {len(lines)} entries, {total} bytes kept")
