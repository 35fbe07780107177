"""What a random cell is: the arrays it needs, the source of its step, and what remains of it when a value is taken out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Line:
    """One statement of a step: `name = text`, of so many columns, and the form it was made from."""

    name: str
    text: str
    width: int
    form: str


@dataclass(frozen=True)
class Cell:
    """A step, the call of mg.scan around it, and how to draw the numbers it runs on."""

    seed: int
    steps: int
    batch: int | None  # None: values have one axis, that of their columns
    reverse: bool
    passes: frozenset[str]
    second: bool  # gradients of gradients are compared too
    arrays: dict[str, tuple[str, tuple[Any, ...]]]  # name -> (kind, shape); "T" and "B" stand for steps and batch
    wanted: frozenset[str]  # the arrays that require a gradient
    carry: str
    xs: str
    ins: tuple[str, str]  # the left sides that take carry and x apart
    body: tuple[Line, ...]
    new_carry: tuple[str, ...]
    carry_form: str
    y: str
    used: frozenset[int]  # the results, by number, that the loss reads
    widths: dict[str, int]

    def source(self) -> str:
        """The step in Python."""
        lines = [
            f"{left} = leaves({tree})" if "," in left else f"{left} = {tree}" for left, tree in zip(self.ins, ("carry", "x"), strict=True)
        ]
        lines += [f"{one.name} = {one.text}" for one in self.body]
        lines = [line for line in lines if not line.startswith("None =")]
        lines.append(f"return {self.carry_form.format(*self.new_carry)}, {self.y}")
        return "def step(carry, x):\n" + "".join([f"    {line}\n" for line in lines])

    def __str__(self) -> str:
        shapes = ", ".join(f"{name}{self.shape(name)}{'*' if name in self.wanted else ''}" for name in self.arrays)
        return (
            f"# seed {self.seed}: T={self.steps} B={self.batch} passes={','.join(sorted(self.passes)) or 'none'} second={self.second}\n"
            f"# arrays (* requires a gradient): {shapes}\n{self.source()}"
            f"mg.scan(step, {self.carry}, {self.xs}, reverse={self.reverse})  # results used: {sorted(self.used)}"
        )

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array, in numbers."""
        sizes = {"T": self.steps, "B": self.batch}
        found = [sizes.get(size, size) for size in self.arrays[name][1]]
        return tuple([size for size in found if size is not None])

    def numbers(self) -> dict[str, Any]:
        """The arrays, each from its own stream, so that a smaller cell keeps what it has."""
        found = {}
        for name, (kind, _) in self.arrays.items():
            rng = np.random.default_rng([self.seed, *name.encode()])
            shape = self.shape(name)
            if kind in ("index", "bit"):
                found[name] = rng.integers(0, 4 if kind == "index" else 2, shape)
            elif kind == "weight":
                found[name] = rng.normal(size=shape) * 0.7 / np.sqrt(shape[0])
            else:
                found[name] = rng.uniform(-1, 1, shape)
        return found


def words(text: str) -> set[str]:
    """The names in a piece of source."""
    return set(re.findall(r"\w+", text))


def living(cell: Cell) -> Cell:
    """The cell without the statements and arrays that nobody reads."""
    read = words(f"{cell.new_carry} {cell.y}")
    kept = []
    for one in reversed(cell.body):
        if one.name in read:
            kept.append(one)
            read |= words(one.text)
    read |= words(f"{cell.carry} {cell.xs}")
    arrays = {name: form for name, form in cell.arrays.items() if name in read}
    return replace(cell, body=tuple(kept[::-1]), arrays=arrays, wanted=cell.wanted & set(arrays))
