"""Runs a random cell compiled and as the loop it stands for, and says what differs.

A difference counts unless it is under 1e-12 of the largest element, or under 100 times what a change of the inputs by one unit in the last
place makes: the allowance. Inputs are the arrays of the cell and the random numbers that weight its results in the loss.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from _cells import Cell, words

import minigrad as mg
from minigrad import threads
from minigrad.scan import lookup, reuse
from minigrad.scan.tree import flatten

scans: Any = sys.modules["minigrad.scan"]  # mg.scan is the function
CLOSE, ALLOWED, NUDGES = 1e-12, 100.0, 20
FLUSHED = 1e-37  # a compiled loop makes 0 of what float32, where a step casts to it, holds with fewer digits only: below 1.2e-38


@dataclass
class Outcome:
    """What one run gave: arrays (or None) by name, along which axis each has the rows of the batch, and the report of the scan."""

    found: dict[str, Any]
    axes: dict[str, int | None]
    report: Any


@dataclass
class Verdict:
    """What differs in words, whether the allowance was needed, the report of the compiled scan, and whether bits were compared."""

    wrong: list[str]
    allowed: bool
    report: Any  # None if the scan failed
    bits: bool = False


@contextmanager
def set_up(mode: str, passes: frozenset[str]) -> Iterator[None]:
    """Scans run in this mode with these passes; rows as narrow as those of a test take each other's places too, and are looked up."""
    before = scans.settings.mode, scans.settings.passes, reuse.WORTH, lookup.LEAST
    scans.settings.mode, scans.settings.passes, reuse.WORTH, lookup.LEAST = mode, passes, 0, 0.0
    try:
        yield
    finally:
        scans.settings.mode, scans.settings.passes, reuse.WORTH, lookup.LEAST = before


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many threads, each woken for the smallest loop."""
    before, worth = mg.get_num_threads(), threads.WORTH
    mg.set_num_threads(count)
    threads.WORTH = 1e-9
    try:
        yield
    finally:
        mg.set_num_threads(before)
        threads.WORTH = worth


def nudged(array: Any, seed: list[int] | None) -> Any:
    """The array with each element one unit in the last place off, up or down; without a seed, or for whole numbers, as it is."""
    if seed is None or array.dtype.kind != "f":
        return array
    return array * (1 + np.random.default_rng(seed).choice([-1, 1], array.shape) * 2.0**-52)


def row_axis(cell: Cell, name: str) -> int | None:
    """The axis along which an array has the rows of the batch."""
    shape = cell.arrays[name][1]
    return shape.index("B") if cell.batch is not None and "B" in shape else None


def cut(array: Any, axis: int | None, rows: slice) -> Any:
    """An array in these rows of the batch."""
    return array if axis is None else array[(slice(None),) * axis + (rows,)]


def run(cell: Cell, mode: str, *, nudge: int | None = None, rows: slice = slice(None), memory: str | int = "full") -> Outcome:
    """Run a cell: its results, the gradients of a random sum of those that are used, and theirs in turn. `nudge` numbers a perturbation."""

    def given(array: Any, name: str, axis: int | None) -> Any:
        return cut(nudged(array, None if nudge is None else [nudge, cell.seed, *name.encode()]), axis, rows)

    def weighted(tensors: dict[str, Any], order: int) -> Any:
        total: Any = None
        for name, tensor in tensors.items():
            shape, axis = list(tensor.shape), axes.get(name)
            if axis is not None:
                shape[axis] = cell.batch  # the same numbers for the same rows
            weights = np.random.default_rng([cell.seed, *name.encode(), order]).normal(size=shape)
            part = (tensor * mg.tensor(given(weights, name, axis))).sum()
            total = part if total is None else total + part
        return total

    arrays = {name: given(array, name, row_axis(cell, name)) for name, array in cell.numbers().items()}
    tensors = {name: mg.tensor(array, requires_grad=name in cell.wanted) for name, array in arrays.items()}
    space: dict[str, Any] = {"mg": mg, "np": np, **tensors, "leaves": lambda tree: flatten(tree)[0]}
    exec(cell.source(), space)
    with set_up(mode, cell.passes):
        given_to = eval(cell.carry, space), eval(cell.xs, space)
        carry, ys = mg.scan(space["step"], *given_to, reverse=cell.reverse, length=cell.steps, memory=memory)
    report = mg.scan_report()
    last = len(flatten(carry)[0])
    results = {f"result {k}": leaf for k, leaf in enumerate(flatten(carry)[0] + flatten(ys)[0])}
    axes = {name: None if cell.batch is None else int(k >= last) for k, name in enumerate(results)}
    found = copies("", results)
    total = weighted({name: leaf for k, (name, leaf) in enumerate(results.items()) if k in cell.used and leaf.dtype.kind == "f"}, 1)
    if total is not None and total.requires_grad:
        total.backward(create_graph=cell.second)
    wanted = {name: tensor for name, tensor in tensors.items() if name in cell.wanted}
    first = {name: tensor.grad for name, tensor in wanted.items()}
    found |= copies("gradient ", first)
    closed_over = words(" ".join([line.text for line in cell.body]))  # sums over columns too, in an order that depends on the batch
    axes |= {f"gradient {name}": None if name in closed_over else row_axis(cell, name) for name in wanted}
    if cell.second:
        for tensor in wanted.values():
            tensor.grad = None
        total = weighted({name: g for name, g in first.items() if g is not None and g.requires_grad}, 2)
        if total is not None:
            total.backward()
        found |= copies("second ", {name: tensor.grad for name, tensor in wanted.items()})
    return Outcome(found, axes, report)


def copies(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    """The numbers of tensors, each name behind a prefix; None stays."""
    return {prefix + name: None if tensor is None else tensor.numpy().copy() for name, tensor in tensors.items()}


def apart(got: Any, want: Any) -> float:
    """max|a - b| / max|b|."""
    if got.size == 0 or np.array_equal(got, want, equal_nan=True):
        return 0.0
    if not np.isfinite(got).all() or not np.isfinite(want).all():
        return np.inf
    most = float(np.abs(got - want).max())
    return 0.0 if most < FLUSHED else most / max(1e-300, float(np.abs(want).max()))


def differences(got: dict[str, Any], want: dict[str, Any], others: Callable[[], list[dict[str, Any]]]) -> tuple[list[str], bool]:
    """What differs between arrays by name, and whether the allowance was needed; `others` gives `want` from inputs that are 1 ulp off."""
    if list(got) != list(want):
        return [f"other results: {', '.join(got)}; the loop gives {', '.join(want)}"], False
    wrong, perturbed = [], None
    for name, b in want.items():
        a = got[name]
        if a is None or b is None:
            if a is not b:
                said = ["None" if array is None else "a tensor" if array.any() else "zeros" for array in (a, b)]
                wrong.append(f"{name}: {said[0]}, the loop gives {said[1]}")
        elif (a.shape, a.dtype) != (b.shape, b.dtype):
            wrong.append(f"{name}: {a.shape} {a.dtype}, the loop gives {b.shape} {b.dtype}")
        elif (off := apart(a, b)) > CLOSE:
            perturbed = perturbed or others()
            if not np.isfinite(off) or off > ALLOWED * max(apart(other[name], b) for other in perturbed):
                wrong.append(f"{name}: off by {off:.2g}")
    return wrong, perturbed is not None and not wrong


def compare(cell: Cell) -> Verdict:
    """The cell compiled against the cell as a loop."""
    eager = run(cell, "eager")
    try:
        compiled = run(cell, "compile")
    except Exception as problem:
        return Verdict([f"crash: {type(problem).__name__}: {problem}"], False, None)
    wrong, allowed = differences(compiled.found, eager.found, lambda: [run(cell, "eager", nudge=k).found for k in range(NUDGES)])
    return Verdict(wrong, allowed, compiled.report)


def unequal_bits(cell: Cell) -> list[str]:
    """What changes with the number of threads, or, in results and the gradients of what has rows, with the other rows of the batch.

    And what changes where less is remembered: no bit of the results, and gradients by no more than rounding (a table that the step looks up
    in, and what meets x without the carry, are summed in parts there).
    """
    cell = replace(cell, second=False)
    whole, wrong = run(cell, "compile"), []
    for count in (2, 3, 4):
        with busy(count):
            other = run(cell, "compile").found
        wrong += [f"bits of {name} with {count} threads" for name, array in whole.found.items() if not alike(array, other[name])]
    for memory in (2, "sqrt"):
        other = run(cell, "compile", memory=memory).found
        for name, array in whole.found.items():
            same = alike(array, other[name])
            close = array is not None and other[name] is not None and name.startswith("gradient") and apart(other[name], array) <= CLOSE
            wrong += [] if same or close else [f"{name} with memory={memory!r}"]
    for rows in (slice(0, 1), slice(1, None)) if cell.batch is not None and cell.batch > 1 else ():
        few = run(cell, "compile", rows=rows).found
        for name, array in whole.found.items():
            axis = whole.axes[name]
            if axis is not None and not alike(None if array is None else cut(array, axis, rows), few[name]):
                wrong.append(f"bits of {name} in rows {rows.start}:{rows.stop or ''} alone")
    return wrong


def alike(a: Any, b: Any) -> bool:
    """Whether two arrays have the same bits, or both are None."""
    return a is b if a is None or b is None else a.shape == b.shape and a.tobytes() == b.tobytes()
