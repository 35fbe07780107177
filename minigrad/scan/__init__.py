"""scan: `for x in xs: carry, y = step(carry, x)` as a compiled tape.

    trace    run `step` once with a listener: a list of calls
    hoist    what needs no carry runs ahead of the loop, for all time steps at once
    sink     the backward loop from the gradient rules; what feeds only weights runs after it
    rows     calls as instructions of the executor
    fuse     instructions in blocks that stay in the nearest cache
    plan     where every value lives
    run      the loop in compiled code (kernels/program.pyx), on slices of the batch
    segments a part of the time steps at a time, and again for the backward pass, where memory is short

A step that cannot be compiled runs as the loop it is written as, and `scan_report()` says why.
"""

from __future__ import annotations

from typing import Any

from .known import fingerprint
from .report import Report
from .request import known_scan
from .segments import segments_of
from .settings import COMPILED, PASSES, settings
from .tree import Tree

__all__ = ["COMPILED", "PASSES", "known_scan", "scan", "scan_report", "segments_of", "settings"]


def scan(
    step: Any,
    carry: Tree,
    xs: Tree,
    *,
    reverse: bool = False,
    length: int | None = None,
    batch_sizes: Any = None,
    memory: str | int = "full",
) -> tuple[Tree, Tree]:
    """`for x in xs: carry, y = step(carry, x)`; returns the last carry and all y, stacked along a first axis of time.

    carry, xs and y are tensors, or nested tuples, lists and dicts of them (y and xs may be None). Every tensor of xs is (T, ...); with
    xs=None, `length` is T. With `reverse` time runs from the last x to the first, and each y stands at the place of its x. With T = 0 the
    carry comes back as it is. `step` is a function of its arguments and of the tensors it closes over, all of which get their gradients;
    what else it does in Python happens when it is traced, not at every step. What can be compiled is; `scan_report()` says what was
    done, or why not. A leaf that has no share in the outputs used gets no gradient, as from the loop. Raises ShapeError if lengths
    differ, TypeError if step does not return a pair or length is no whole number.

    Sequences of different lengths: with `batch_sizes`, step t works on the first batch_sizes[t] rows of the carry alone, which lie in the
    order of their lengths, longest first, and xs and y hold all these rows and no others, time after time: (N, ...), with N the sum of
    batch_sizes (the data and batch_sizes of PyTorch's PackedSequence). The last carry has each row as its own last step left it; with
    `reverse` each row begins at its own last x.

    `memory` says how much is remembered for the backward pass: "full" all of it; a whole number k the carry at k times, from which the
    steps between two of them run again when their gradients are asked for; "sqrt" chooses the root of T for k. The gradients have the same
    bits (to rounding: those of a table that the step itself looks up in, of what meets x without the carry other than in a product, of a
    product of x alone that is a result, and of a product of rows of x that come from a table, as those of an embedding do).
    A scan that runs as a loop remembers everything. Raises ValueError for anything else.

    >>> from minigrad.tape import Tensor
    >>> total, sums = scan(lambda carry, x: (carry + x, carry + x), Tensor(0.0), Tensor([1.0, 2.0, 3.0]))
    >>> total, sums
    (tensor(6.), tensor([1., 3., 6.]))
    """
    if not callable(step):
        raise TypeError(f"scan: step is a function of (carry, x) that returns (carry, y), got {type(step).__name__}")
    return known_scan(*fingerprint(step), step, carry, xs, reverse, length, batch_sizes, memory=memory)


def scan_report() -> Report | None:
    """What the last scan of this thread did: compiled or not, why not, what each pass moved; None before the first. Print it.

    >>> from minigrad.tape import Tensor
    >>> _ = scan(lambda h, x: (h * 0.5 + x, None), Tensor([1.0]), Tensor([[1.0], [2.0]]))
    >>> scan_report().compiled in (True, False)
    True
    """
    return settings.report
